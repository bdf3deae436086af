//! Where deliveries go, and how patiently.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use url::Url;

use crate::envelope::{BodyFormat, Envelope};
use crate::event::{Event, EventPattern, EventType, Header};
use crate::id::DestinationId;
use crate::name::Name;
use crate::request_header::OwnHeader;
use crate::retry::RetryPolicy;
use crate::sign::SigningSecret;
use crate::signing::Signing;
use crate::statuses::Statuses;

/// A place that deliveries of one tenant go to.
#[derive(Clone, Debug)]
pub struct Destination {
    /// Kept as long as the name is; deliveries point to it.
    pub id: DestinationId,
    /// Unique within the tenant.
    pub name: Name,
    /// What it is and how it is reached.
    pub kind: DestinationKind,
    /// The event types that it subscribes to.
    pub events: Vec<EventPattern>,
    /// For routes that choose by label.
    pub labels: Vec<Header>,
    /// Whether deliveries may be made and sent.
    pub status: DestinationStatus,
    /// What becomes of deliveries that it does not accept.
    pub retry: RetryPolicy,
    /// Time limits of one attempt.
    pub timeouts: Timeouts,
}

/// What a destination is.
#[derive(Clone, Debug)]
pub enum DestinationKind {
    /// A webhook receiver.
    Http(HttpTarget),
}

impl DestinationKind {
    /// The word for this kind in configuration, the contract and the API.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
        }
    }
}

/// How an HTTP destination is reached.
#[derive(Clone, Debug)]
pub struct HttpTarget {
    /// Absolute, `http` or `https`, without credentials.
    pub url: Url,
    /// What their bodies look like.
    pub format: BodyFormat,
    /// What requests ask for, unless a plugin says otherwise.
    pub method: Method,
    /// Sent with every request, whatever plugins say.
    pub headers: Vec<OwnHeader>,
    /// How they are signed.
    pub signing: Signing,
    /// Answers by which it accepts a delivery.
    pub success: Statuses,
}

impl HttpTarget {
    /// A receiver at `url` that is reached as most are.
    pub fn plain(url: Url, secrets: Vec<SigningSecret>) -> Self {
        Self {
            url,
            format: BodyFormat::Raw,
            method: Method::Post,
            headers: Vec::new(),
            signing: Signing::v1(secrets),
            success: Statuses::successes(),
        }
    }
}

/// The method of a destination's requests: one of those that carry a body and ask for it to be taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// As Standard Webhooks has it.
    #[default]
    Post,
    /// For receivers that keep what they are sent at its address.
    Put,
    /// For receivers that change what is at the address.
    Patch,
}

/// Why a text is not a [`Method`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not \"POST\", \"PUT\" or \"PATCH\"")]
pub struct InvalidMethod(String);

impl Method {
    /// As HTTP has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
        }
    }
}

impl FromStr for Method {
    type Err = InvalidMethod;

    fn from_str(text: &str) -> Result<Self, InvalidMethod> {
        let all = [Self::Post, Self::Put, Self::Patch];
        all.into_iter().find(|method| method.as_str() == text).ok_or_else(|| InvalidMethod(text.to_owned()))
    }
}

/// Time limits of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// To a connection.
    pub connect: Duration,
    /// From the first byte out to the last byte in, connecting included.
    pub total: Duration,
}

/// Whether deliveries may be made and sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DestinationStatus {
    /// Deliveries are made and sent.
    Active,
    /// Deliveries are made, and held until it is resumed.
    Paused,
    /// None are made; those that wait are held. Ended by `enable`, or by the file declaring it again.
    Disabled(DisabledReason),
}

/// Why a destination is disabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisabledReason {
    /// The receiver answered 410 Gone.
    Gone,
    /// A person said so.
    Operator,
    /// It is no longer in the configuration file.
    Undeclared,
}

impl DisabledReason {
    /// The word for this reason in the tables and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Operator => "operator",
            Self::Undeclared => "undeclared",
        }
    }

    /// Reads what [`Self::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Gone, Self::Operator, Self::Undeclared].into_iter().find(|r| r.as_str() == text)
    }
}

impl fmt::Display for DisabledReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Destination {
    /// What surrounds the outputs of `event` in the bodies of its requests.
    pub fn envelope(&self, event: &Event) -> Option<Envelope> {
        let DestinationKind::Http(target) = &self.kind;
        Envelope::of(target.format, event)
    }

    /// Whether deliveries are made.
    pub const fn takes_deliveries(&self) -> bool {
        matches!(self.status, DestinationStatus::Active | DestinationStatus::Paused)
    }

    /// Whether deliveries are sent.
    pub const fn is_active(&self) -> bool {
        matches!(self.status, DestinationStatus::Active)
    }

    /// Whether it wants events of this type.
    pub fn subscribes_to(&self, event_type: &EventType) -> bool {
        self.events.iter().any(|pattern| pattern.matches(event_type))
    }

    /// Whether it carries all of these labels.
    pub fn carries(&self, labels: &[Header]) -> bool {
        labels.iter().all(|label| self.labels.contains(label))
    }
}
