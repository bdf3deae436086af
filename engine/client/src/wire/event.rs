//! Events, and everything that happened to one.

use serde::{Deserialize, Serialize};
use weft_core::delivery::RequestParts;
use weft_core::event::Header;
use weft_core::time::Timestamp;
use weft_core::trace::StepTrace;

/// The answer to an event that is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// `evt_…`; of a duplicate, the id of the first.
    pub id: String,
    /// Whether the same event had been stored before.
    pub duplicate: bool,
}

/// The trace of one event: everything that is known about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// `evt_…`
    pub id: String,
    /// The name of the tenant.
    pub tenant: String,
    /// The way it came in.
    pub source: String,
    /// The sender's own id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The key that orders it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordering_key: Option<String>,
    /// What happened.
    pub event_type: String,
    /// As the sender gave it.
    pub content_type: String,
    /// The inbound headers that were kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<Header>,
    /// Length of the payload.
    pub body_bytes: u64,
    /// Its acceptance time.
    #[serde(with = "super::time")]
    pub received_at: Timestamp,
    /// Where it stands.
    pub state: EventState,
    /// Whether it waits behind others of its ordering key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub behind: bool,
    /// Every pass, of the event and of its replays, oldest first.
    pub passes: Vec<Pass>,
    /// Every replay of the event or of one of its deliveries, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replays: Vec<Replay>,
    /// Every delivery, oldest first.
    pub deliveries: Vec<Delivery>,
}

/// Where an event, or a replay of it, stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum EventState {
    /// It waits for a pass.
    Received {
        /// How many passes it had.
        passes: u32,
        /// When the next one is due; if somebody works on it, when that right ends.
        #[serde(with = "super::time")]
        due_at: Timestamp,
        /// Whether somebody works on it.
        leased: bool,
    },
    /// Its deliveries are planned.
    Routed {
        /// Since when.
        #[serde(with = "super::time")]
        at: Timestamp,
        /// How many deliveries.
        deliveries: u32,
    },
    /// It ended without a delivery.
    Dropped {
        /// Since when.
        #[serde(with = "super::time")]
        at: Timestamp,
        /// By which step, if one did it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<String>,
        /// Why.
        reason: String,
    },
    /// It was given up.
    Dead {
        /// Since when.
        #[serde(with = "super::time")]
        at: Timestamp,
        /// By which step, if one did it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<String>,
        /// Why.
        reason: String,
        /// The replay that took it over.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replayed_by: Option<String>,
    },
}

impl EventState {
    /// The word for this state.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Received { .. } => "received",
            Self::Routed { .. } => "routed",
            Self::Dropped { .. } => "dropped",
            Self::Dead { .. } => "dead",
        }
    }
}

/// One pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pass {
    /// The replay that it belongs to, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<String>,
    /// 1 for the first of its event or replay.
    pub number: u32,
    /// `routed`, `dropped`, `dead`, or `retry` if another pass follows.
    pub result: String,
    /// When it began.
    #[serde(with = "super::time")]
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(with = "super::time")]
    pub ended_at: Timestamp,
    /// In the order in which they ran: version, answers, log lines and host time of each.
    pub steps: Vec<StepTrace>,
    /// What planning left out and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One replay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// `rpl_…`
    pub id: String,
    /// The delivery that it repeats; absent if it repeats the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<String>,
    /// When it was asked for.
    #[serde(with = "super::time")]
    pub created_at: Timestamp,
    /// Where it stands.
    pub state: EventState,
    /// Whether it waits behind others of its event's ordering key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub behind: bool,
}

/// One delivery with its attempts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// `dlv_…`
    pub id: String,
    /// What the receiver sees: the same in every attempt and replay.
    pub webhook_id: String,
    /// The replay that it belongs to, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<String>,
    /// The pass that planned it; 0 if it was planned as the event was kept, or by a delivery's replay.
    pub pass: u32,
    /// 0, or the place of the output after a split.
    pub output: u32,
    /// The name of the destination.
    pub destination: String,
    /// What differs from the plain event.
    #[serde(default, skip_serializing_if = "RequestParts::is_plain")]
    pub request: RequestParts,
    /// The key that orders it at its destination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordering_key: Option<String>,
    /// Length of the body.
    pub body_bytes: u64,
    /// When it was planned.
    #[serde(with = "super::time")]
    pub planned_at: Timestamp,
    /// When its lifetime ends.
    #[serde(with = "super::time")]
    pub ends_at: Timestamp,
    /// Where it stands.
    pub state: DeliveryState,
    /// Whether it waits behind others of its ordering key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub behind: bool,
    /// Every attempt, first to last.
    pub attempts: Vec<Attempt>,
}

/// Where a delivery stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum DeliveryState {
    /// It waits to be sent.
    Pending {
        /// When it is due; if somebody works on it, when that right ends.
        #[serde(with = "super::time")]
        due_at: Timestamp,
        /// Whether somebody works on it.
        leased: bool,
    },
    /// The receiver has accepted it.
    Delivered {
        /// When.
        #[serde(with = "super::time")]
        at: Timestamp,
    },
    /// It was given up.
    Dead {
        /// Since when.
        #[serde(with = "super::time")]
        at: Timestamp,
        /// `exhausted`, `lifetime` or `gone`.
        reason: String,
        /// The replay that took it over.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replayed_by: Option<String>,
    },
    /// A step of its destination dropped it.
    Dropped {
        /// Since when.
        #[serde(with = "super::time")]
        at: Timestamp,
        /// Why.
        reason: String,
    },
    /// A person gave it up.
    Cancelled {
        /// Since when.
        #[serde(with = "super::time")]
        at: Timestamp,
        /// Why.
        reason: String,
    },
}

impl DeliveryState {
    /// The word for this state.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Pending { .. } => "pending",
            Self::Delivered { .. } => "delivered",
            Self::Dead { .. } => "dead",
            Self::Dropped { .. } => "dropped",
            Self::Cancelled { .. } => "cancelled",
        }
    }
}

/// One try at a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// 1 for the first.
    pub number: u32,
    /// When it began.
    #[serde(with = "super::time")]
    pub started_at: Timestamp,
    /// How long it took, in microseconds.
    pub took_us: u64,
    /// `accepted`, `rejected`, `timed-out`, `unreachable` or `forbidden`.
    pub outcome: String,
    /// The receiver's status, if it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The outcome in words.
    pub detail: String,
    /// What the receiver's `Retry-After` asked for, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
    /// What came back, kept for failures only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<ResponseSample>,
}

/// The beginning of a response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseSample {
    /// As the receiver sent them.
    pub headers: Vec<Header>,
    /// The first bytes of the body as text; what is not UTF-8 is replaced.
    pub body: String,
    /// How many bytes of the body were kept.
    pub body_bytes: u64,
}
