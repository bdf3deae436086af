//! The life of a plugin's version: seen, settled, read whole, compiled, checked, probed, live, drained.
//!
//! `registry` is the door: what runs, what is known, and what a person can change. `scan` looks at the operator's
//! folder, where **a file only proposes a digest**; `watch` says when to look. `switch` is the one place where a
//! version becomes active: first in the store, which holds the truth, then in [`active`] by one swap. A version that
//! is refused at any step changes nothing: the one before it serves on. Nothing here runs an event: `workers` does.

pub mod active;
mod error;
mod folder;
mod loader;
mod registry;
mod report;
mod scan;
mod switch;
mod task;
mod watch;

#[cfg(test)]
mod tests;

pub use active::{ActiveVersions, PluginKey, Versions};
pub use error::RegistryError;
pub use registry::{PluginRegistry, PluginSettings, RegistryParts};
pub use report::{Change, FileOutcome, FileReport, FolderReport, PluginListing, PluginReport, Pushed};
pub use switch::PipelineCheck;
pub use watch::watch;
