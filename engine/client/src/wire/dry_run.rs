//! Dry runs: what another version of a plugin would have made of stored events.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use weft_core::time::Timestamp;

/// The body of `POST /v1/plugins/{name}/dry-run`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DryRunRequest {
    /// The digest of the version that is tried, or its first digits.
    pub digest: String,
    /// How many of the newest events.
    #[serde(default = "newest_events")]
    pub last: u32,
    /// None before this time.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "super::time::optional")]
    pub since: Option<Timestamp>,
}

const fn newest_events() -> u32 {
    1000
}

/// A line of the answer of `POST /v1/plugins/{name}/dry-run`: progress, and one of the others in the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DryRunLine {
    /// How far it is.
    Progress {
        /// Events looked at.
        done: u64,
        /// At most so many.
        of: u64,
    },
    /// What was found.
    Result(Box<DryRunResult>),
    /// It could not be finished.
    Failed {
        /// Why.
        reason: String,
    },
}

/// Two versions on the same events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DryRunResult {
    /// Events that were tried.
    pub events: u64,
    /// Those whose outcome is the same.
    pub same: u64,
    /// Those whose outcome is another.
    pub changed: u64,
    /// With the active version.
    pub now: DryRunSide,
    /// With the one that is tried.
    pub then: DryRunSide,
    /// Some whose outcome is another, newest first.
    pub examples: Vec<DryRunExample>,
}

/// One version on all events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DryRunSide {
    /// Events by how they end: `outputs`, `dropped`, `rejected`, `retry`, `fault`, `too many deliveries`.
    pub ends: BTreeMap<String, u64>,
    /// Deliveries that would be made.
    pub deliveries: u64,
    /// Half of the events take less than this in all their steps, in microseconds.
    pub steps_us_median: u64,
    /// One in a hundred takes more than this.
    pub steps_us_p99: u64,
    /// Memory of the largest instance, in bytes.
    pub memory_bytes: u64,
}

/// An event whose outcome is another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DryRunExample {
    /// Its id.
    pub event: String,
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// What becomes of it with the active version.
    pub now: Value,
    /// What would become of it with the other.
    pub then: Value,
}
