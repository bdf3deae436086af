//! A tenant's ordered steps, and what happens when one of them fails.

use std::sync::Arc;
use std::time::Duration;

use crate::contract::{Capability, Role};
use crate::name::{Name, PluginRef};

/// A tenant's ordered steps; empty means that every event goes to all who subscribe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pipeline {
    /// In the order in which they run; at most one routes, and it is the last.
    pub steps: Vec<Step>,
}

/// A plugin bound into a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Unique within the pipeline; what traces and errors call it.
    pub name: Name,
    /// Which plugin.
    pub plugin: PluginRef,
    /// The roles to run; all that the plugin exports if empty.
    pub roles: Vec<Role>,
    /// The step's configuration, JSON text; shared, because every call is handed it.
    pub config: Arc<str>,
    /// Inbound headers that the plugin may see, lower case.
    pub headers: Vec<String>,
    /// What the plugin may use beyond log and configuration.
    pub grants: Vec<Capability>,
    /// Whether a route is shown the destinations.
    pub sees_destinations: bool,
    /// What to do when the plugin fails.
    pub on_failure: FailurePolicy,
}

/// What to do when a step answers `retry` or faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailurePolicy {
    /// The wait before each further pass; when they are used up, `then` holds.
    pub retries: Vec<Duration>,
    /// How it ends.
    pub then: Then,
}

/// How an event ends whose step keeps failing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It is dead, and can be replayed.
    DeadLetter,
    /// It is dropped, with the failure as the reason.
    Drop,
}

impl Default for FailurePolicy {
    fn default() -> Self {
        Self {
            retries: vec![Duration::from_secs(1), Duration::from_secs(10), Duration::from_secs(60)],
            then: Then::DeadLetter,
        }
    }
}
