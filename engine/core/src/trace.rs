//! What one pass did, step by step: stored with the pass, read by people.

use serde::{Deserialize, Serialize};

use crate::contract::{FaultClass, LogLine, Role};
use crate::event::Header;

/// What one pass did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassTrace {
    /// In the order in which they ran; a step that ran on several outputs stands here once for each.
    pub steps: Vec<StepTrace>,
    /// What planning left out and why: a second target for one destination, a disabled destination.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One run of one step on one output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepTrace {
    /// The step's name in the pipeline.
    pub step: String,
    /// The plugin, as the pipeline calls it.
    pub plugin: String,
    /// The content digest of the version that ran, hex.
    pub version: String,
    /// Which output it ran on; 0 before a split.
    pub output: u32,
    /// What each role answered.
    pub answers: Vec<RoleAnswer>,
    /// Host time for the whole step, in microseconds.
    pub took_us: u64,
    /// Memory that the instance had in the end, in bytes; 0 if none was made.
    #[serde(default)]
    pub memory_bytes: u64,
    /// What it asked of what it keeps, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kv: Vec<KvCall>,
    /// Attributes that the step set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<Header>,
    /// What the guest logged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<LogLine>,
}

/// One call to what a plugin keeps: the key, and never a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "kebab-case")]
pub enum KvCall {
    /// It looked.
    Get {
        /// Where.
        key: String,
        /// Whether there was a value.
        found: bool,
    },
    /// It wrote.
    Set {
        /// Where.
        key: String,
        /// Whether there was room for it.
        taken: bool,
    },
    /// It took away.
    Delete {
        /// Where.
        key: String,
    },
}

/// What one role answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleAnswer {
    /// Which role.
    pub role: Role,
    /// Its answer.
    #[serde(flatten)]
    pub answer: Answer,
}

/// An answer as the trace keeps it: what was decided, without payloads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    /// The event goes on.
    Kept,
    /// The event or output ends here.
    Dropped {
        /// The plugin's reason.
        reason: String,
    },
    /// The event goes on, changed or not.
    Transformed {
        /// Into how many.
        outputs: usize,
    },
    /// Destinations were chosen.
    Routed {
        /// By how many targets.
        targets: usize,
    },
    /// The plugin asks for another pass.
    Retry {
        /// The plugin's reason.
        reason: String,
    },
    /// The plugin refuses the event for good.
    Rejected {
        /// The plugin's reason.
        reason: String,
    },
    /// The plugin has a bug.
    Fault {
        /// What kind.
        class: FaultClass,
        /// What a person needs to find it.
        message: String,
    },
}
