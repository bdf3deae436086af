//! The plugin contract in Rust: what `wit/weft.wit` says, as the host hands it over and takes it back.
//!
//! The words are those of the WIT package; the reasons for each are written there. These types are plain data: the plugin
//! host translates them at its border, [`crate::draft`] applies them.

use std::fmt;

use crate::event::Header;

/// What a plugin exports; a step runs its plugin's roles in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Keeps or drops an event.
    Filter,
    /// Changes an event or splits it into several.
    Transform,
    /// Chooses destinations.
    Route,
}

impl Role {
    /// All roles, in the order in which a step runs them.
    pub const ALL: [Self; 3] = [Self::Filter, Self::Transform, Self::Route];

    /// The word for this role in configuration, traces and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Transform => "transform",
            Self::Route => "route",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a step may grant its plugin beyond log and configuration; secrets are granted by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Capability {
    /// Keeps values from event to event.
    Kv,
    /// Tells the time.
    Clock,
    /// Throws dice that nobody can foresee.
    Random,
    /// Counts in the engine's metrics.
    Metrics,
}

impl Capability {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Kv, Self::Clock, Self::Random, Self::Metrics];

    /// The word for it in configuration and API: the name of its interface.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kv => "kv",
            Self::Clock => "clock",
            Self::Random => "random",
            Self::Metrics => "metrics",
        }
    }

    /// Whether the same event can have another outcome because of it.
    pub const fn varies(self) -> bool {
        match self {
            Self::Kv | Self::Clock | Self::Random => true,
            Self::Metrics => false,
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An event as a guest sees it; borrowed, because it is copied into the guest and nowhere else.
#[derive(Clone, Copy, Debug)]
pub struct EventView<'a> {
    /// `evt_…`
    pub id: &'a str,
    /// 0, or the place of this output after a split.
    pub output: u32,
    /// What happened.
    pub event_type: &'a str,
    /// The way it came in.
    pub source: &'a str,
    /// Of the payload.
    pub content_type: &'a str,
    /// RFC 3339.
    pub received_at: &'a str,
    /// The key that orders it, if any.
    pub ordering_key: Option<&'a str>,
    /// Inbound headers, only those that the step names.
    pub headers: &'a [Header],
    /// Set by earlier steps.
    pub attributes: &'a [Header],
    /// The payload.
    pub data: PayloadView<'a>,
}

/// A payload as a guest sees it: a string where the content type promises text and the bytes keep the promise.
#[derive(Clone, Copy, Debug)]
pub enum PayloadView<'a> {
    /// Valid UTF-8 of a text type.
    Text(&'a str),
    /// Anything else.
    Binary(&'a [u8]),
}

/// What a transform or a target changes; an absent field is unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patch {
    /// A new type.
    pub event_type: Option<String>,
    /// A new content type.
    pub content_type: Option<String>,
    /// A new ordering key.
    pub ordering_key: Option<String>,
    /// A new payload.
    pub data: Option<bytes::Bytes>,
    /// Headers of the outgoing request.
    pub set_headers: Vec<Header>,
    /// Headers that an earlier patch set.
    pub remove_headers: Vec<String>,
    /// Attributes for later steps and the trace.
    pub set_attributes: Vec<Header>,
}

/// Parts of the request that a target may override, below the destination's own URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `POST`, `PUT`, `PATCH`, `DELETE` or `GET`.
    pub method: Option<String>,
    /// Appended to the destination's path.
    pub path: Option<String>,
    /// Appended to the destination's query.
    pub query: Option<String>,
    /// How long the first attempt waits.
    pub delay_ms: Option<u32>,
}

/// Whom a target means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipients {
    /// Every destination subscribed to the output's type.
    Subscribed,
    /// The destination of this name, subscribed or not.
    Named(String),
    /// The subscribed destinations that carry all these labels.
    Labelled(Vec<Header>),
}

/// One answer of a route: whom, with which changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Whom.
    pub to: Recipients,
    /// Changes for these recipients only.
    pub change: Patch,
    /// Overrides for these recipients only.
    pub request: Overrides,
}

/// A destination as a route sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestinationView {
    /// Its name within the tenant.
    pub name: String,
    /// `http`, …
    pub kind: String,
    /// Its labels.
    pub labels: Vec<Header>,
}

/// A filter's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The event goes on.
    Keep,
    /// The event ends here, for this reason.
    Drop(String),
}

/// A transform's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outputs {
    /// The event ends here, for this reason.
    Drop(String),
    /// One patch keeps the event one; several split it.
    Events(Vec<Patch>),
}

/// A route's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Targets {
    /// This output goes nowhere, for this reason.
    Drop(String),
    /// This output goes to these.
    Send(Vec<Target>),
}

/// A typed refusal by a plugin: an answer, not a bug.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Try the pass again.
    Retry {
        /// Why.
        reason: String,
        /// Not before this long.
        after_ms: Option<u32>,
    },
    /// Never will do: the event is dead at once.
    Reject(String),
}

/// What kind of bug a plugin showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultClass {
    /// The guest panicked or executed an illegal instruction.
    Trap,
    /// The call took longer than its limit.
    Timeout,
    /// The guest wanted more memory than its limit.
    Memory,
    /// The guest returned more than its limit.
    Output,
    /// The answer breaks the contract: an empty list, a reserved header, an unknown destination.
    Contract,
    /// The host could not run the guest at all.
    Host,
}

impl FaultClass {
    /// The word for this class in traces, metrics and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trap => "trap",
            Self::Timeout => "timeout",
            Self::Memory => "memory",
            Self::Output => "output",
            Self::Contract => "contract",
            Self::Host => "host",
        }
    }
}

/// A plugin's bug: contained, reported, never charged to a receiver (promise 5).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} fault: {message}", class.as_str())]
pub struct Fault {
    /// What kind.
    pub class: FaultClass,
    /// What a person needs to find it: the panic's message and place, the limit and the amount.
    pub message: String,
}

impl Fault {
    /// A fault of `class` that says `message`.
    pub fn new(class: FaultClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into() }
    }
}

/// A line that a guest logged.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LogLine {
    /// How important the guest found it.
    pub level: LogLevel,
    /// Cut to the limit, control characters escaped.
    pub message: String,
}

/// How important a guest found a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// For the author.
    Debug,
    /// For the tenant.
    Info,
    /// Something is odd.
    Warn,
    /// Something failed.
    Error,
}
