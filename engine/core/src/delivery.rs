//! One output for one destination: the request as rendered, and how it can end.

use std::fmt;

use crate::envelope::Envelope;
use crate::event::Header;

/// What differs from "POST the event's bytes under its own type": empty for most deliveries.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct RequestParts {
    /// Another type than the event's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// Another content type than the event's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Another method than POST.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Appended to the destination's path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Appended to the destination's query.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Further headers, set by plugins.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<Header>,
    /// What surrounds the payload in the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub envelope: Option<Envelope>,
}

impl RequestParts {
    /// Whether nothing differs.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

/// Why a delivery is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeadDelivery {
    /// Every attempt of the schedule failed.
    Exhausted,
    /// The next attempt would lie beyond the delivery's lifetime.
    Lifetime,
    /// The receiver answered 410 Gone.
    Gone,
    /// The receiver gave an answer on which its destination gives up.
    Refused,
}

impl DeadDelivery {
    /// All reasons.
    pub const ALL: [Self; 4] = [Self::Exhausted, Self::Lifetime, Self::Gone, Self::Refused];

    /// The word for this reason in tables, metrics and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exhausted => "exhausted",
            Self::Lifetime => "lifetime",
            Self::Gone => "gone",
            Self::Refused => "refused",
        }
    }
}

impl fmt::Display for DeadDelivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
