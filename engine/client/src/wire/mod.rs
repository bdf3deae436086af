//! What goes over the wire: JSON bodies, problems, and the names of headers.
//!
//! Times are RFC 3339 in UTC, durations are numbers whose name ends in the unit, ids are TypeIDs. An absent field says
//! that there is nothing; readers pass over fields that they do not know, so that one may be added.

mod dead_letter;
mod destination;
mod dry_run;
mod event;
pub mod header;
mod health;
mod plugin;
mod problem;
mod time;

#[cfg(test)]
mod tests;

pub use dead_letter::{
    DeadLetter, DeadLetterFilter, DeadLetterKind, DeadLetterPage, DeadLetterQuery, ReplayReport, ReplayRequest,
    ReplayResult, ReplayVerdict,
};
pub use destination::{Destination, DestinationSecrets, DestinationStatus, Destinations};
pub use dry_run::{DryRunExample, DryRunLine, DryRunRequest, DryRunResult, DryRunSide};
pub use event::{Accepted, Attempt, Delivery, DeliveryState, Event, EventState, Pass, Replay, ResponseSample};
pub use health::Readiness;
pub use plugin::{
    ActivateRequest, Plugin, PluginChange, PluginFile, PluginFolder, PluginMode, PluginVersion, Plugins, PushedVersion,
    VersionState,
};
pub use problem::{PROBLEM_CONTENT_TYPE, PROBLEM_TYPE_PREFIX, Problem};
