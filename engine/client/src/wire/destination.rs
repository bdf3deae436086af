//! Destinations as their owner sees them.

use serde::{Deserialize, Serialize};
use weft_core::envelope::BodyFormat;
use weft_core::event::Header;
use weft_core::time::Timestamp;

/// The answer of `GET /v1/destinations`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destinations {
    /// By tenant, then by name.
    pub destinations: Vec<Destination>,
}

/// A place that deliveries go to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destination {
    /// `dst_…`
    pub id: String,
    /// The name of the tenant.
    pub tenant: String,
    /// Unique within the tenant.
    pub name: String,
    /// `http`, …
    pub kind: String,
    /// Where to, without its query, which may hold a secret.
    pub url: String,
    /// The patterns of the event types that it subscribes to.
    pub events: Vec<String>,
    /// For routes that choose by label.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<Header>,
    /// What the bodies of its requests look like.
    #[serde(default)]
    pub format: BodyFormat,
    /// `whpk_…`, newest first: what its receiver verifies `v1a` signatures with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub public_keys: Vec<String>,
    /// Whether deliveries are made and sent.
    #[serde(flatten)]
    pub status: DestinationStatus,
    /// When the first delivery that waits for it in the store is due; absent if none does.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "super::time::optional")]
    pub waiting_since: Option<Timestamp>,
}

/// Whether deliveries are made and sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum DestinationStatus {
    /// Deliveries are made and sent.
    Active,
    /// Deliveries are made, and held until it is resumed.
    Paused,
    /// None are made; those that wait are held.
    Disabled {
        /// `gone`, `operator` or `undeclared`.
        reason: String,
    },
}

/// The answer of `GET /v1/destinations/{name}/secret`: what its receiver verifies with.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestinationSecrets {
    /// `whsec_…`, newest first; all of them sign.
    pub secrets: Vec<String>,
    /// `whpk_…`, newest first, where requests are signed with `v1a`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub public_keys: Vec<String>,
}

/// Shows how many there are, never what they are.
impl std::fmt::Debug for DestinationSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DestinationSecrets({} of them)", self.secrets.len())
    }
}
