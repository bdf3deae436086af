//! What a source accepted: the event, its type, and the patterns that select types.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;

use crate::id::{EventId, TenantId};
use crate::ordering_key::OrderingKey;
use crate::time::Timestamp;

/// What a source accepted: complete, checked, never changed afterwards.
#[derive(Clone, Debug)]
pub struct Event {
    /// Ours; made by the clock when the request was read.
    pub id: EventId,
    /// Whose event this is.
    pub tenant: TenantId,
    /// The way it came in; `api` for `POST /v1/events`.
    pub source: String,
    /// The sender's own id, when it gave one.
    pub external_id: Option<String>,
    /// The key that orders it, if any.
    pub ordering_key: Option<OrderingKey>,
    /// What happened, for subscriptions and plugins.
    pub event_type: EventType,
    /// As the sender gave it, untouched.
    pub content_type: String,
    /// The inbound headers that a step of the tenant's pipeline names; never forwarded.
    pub headers: Vec<Header>,
    /// The payload, byte for byte.
    pub body: Bytes,
    /// The event's acceptance time.
    pub received_at: Timestamp,
}

/// An event on its way into the store.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// The event; shared, because it goes on from memory once it is stored.
    pub event: Arc<Event>,
    /// What makes a second request the same event.
    pub dedupe: Option<DedupeKey>,
}

/// One header or attribute: a name and a value.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Header {
    /// Lower case for HTTP headers.
    pub name: String,
    /// Untouched.
    pub value: String,
}

/// What makes a second request the same event, for 24 hours, per tenant and source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DedupeKey {
    /// `Idempotency-Key`, else the external id; prefixed so that the two never collide.
    pub key: String,
    /// SHA-256 of the body: the same key with another body is a conflict.
    pub body_digest: [u8; 32],
}

/// What happened, e.g. `order.created`: 1 to 128 of letters, digits and `. _ - : /`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventType(String);

/// Longest event type; a type is a key of subscriptions, not a place for data.
pub const EVENT_TYPE_CHARS_MAX: usize = 128;

/// Why a text is not an [`EventType`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an event type: use 1 to {EVENT_TYPE_CHARS_MAX} of letters, digits and . _ - : /")]
pub struct InvalidEventType {
    text: String,
}

impl EventType {
    /// The text of the type.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EventType {
    type Err = InvalidEventType;

    fn from_str(text: &str) -> Result<Self, InvalidEventType> {
        let ok = !text.is_empty()
            && text.len() <= EVENT_TYPE_CHARS_MAX
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b':' | b'/'));
        if ok { Ok(Self(text.to_owned())) } else { Err(InvalidEventType { text: text.chars().take(160).collect() }) }
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Selects event types: `*` all of them, `order.*` everything below `order.`, else exactly the one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventPattern {
    /// Every type.
    All,
    /// Every type that starts with this text, which ends in a dot.
    Below(String),
    /// This type only.
    Exactly(EventType),
}

/// Why a text is not an [`EventPattern`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a pattern of event types: use \"*\", a type, or a type's first parts and \".*\"")]
pub struct InvalidEventPattern {
    text: String,
}

impl EventPattern {
    /// Whether the pattern selects `event_type`.
    pub fn matches(&self, event_type: &EventType) -> bool {
        match self {
            Self::All => true,
            Self::Below(prefix) => event_type.0.len() > prefix.len() && event_type.0.starts_with(prefix.as_str()),
            Self::Exactly(one) => one == event_type,
        }
    }
}

impl FromStr for EventPattern {
    type Err = InvalidEventPattern;

    fn from_str(text: &str) -> Result<Self, InvalidEventPattern> {
        if text == "*" {
            return Ok(Self::All);
        }
        let invalid = || InvalidEventPattern { text: text.chars().take(160).collect() };
        match text.strip_suffix(".*") {
            Some(parent) => match parent.parse::<EventType>() {
                Ok(parent) => Ok(Self::Below(format!("{parent}."))),
                Err(_) => Err(invalid()),
            },
            None => text.parse().map(Self::Exactly).map_err(|_| invalid()),
        }
    }
}

impl fmt::Display for EventPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Below(prefix) => write!(f, "{prefix}*"),
            Self::Exactly(one) => write!(f, "{one}"),
        }
    }
}

/// Whether a content type promises text: guests then see a string, not bytes.
///
/// JSON, XML, form data and `text/*`; parameters such as `; charset=utf-8` do not matter.
pub fn is_text(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.starts_with("text/")
        || essence.ends_with("+json")
        || essence.ends_with("+xml")
        || matches!(
            essence.as_str(),
            "application/json"
                | "application/xml"
                | "application/x-www-form-urlencoded"
                | "application/x-ndjson"
                | "application/javascript"
        )
}

/// Whether a content type promises one JSON value.
pub fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
        || essence.len() >= 5
            && essence.is_char_boundary(essence.len() - 5)
            && essence[essence.len() - 5..].eq_ignore_ascii_case("+json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_selects_what_it_says() {
        let cases = [
            ("*", "order.created", true),
            ("order.*", "order.created", true),
            ("order.*", "order.item.added", true),
            ("order.*", "order", false),
            ("order.*", "orders.created", false),
            ("order.*", "order.", false),
            ("order.created", "order.created", true),
            ("order.created", "order.created2", false),
        ];
        for (pattern, event_type, wanted) in cases {
            let pattern: EventPattern = pattern.parse().expect("a pattern of the table");
            let event_type: EventType = event_type.parse().expect("a type of the table");
            assert_eq!(pattern.matches(&event_type), wanted, "{pattern} on {event_type}");
        }
    }

    #[test]
    fn a_star_inside_a_pattern_is_refused() {
        for bad in ["order.*.created", "*.created", "ord*", "", ".*", "order created"] {
            assert!(bad.parse::<EventPattern>().is_err(), "{bad} must be refused");
        }
    }

    #[test]
    fn parameters_and_case_do_not_hide_json() {
        for json in ["application/json", "Application/JSON; charset=utf-8", "application/cloudevents+json"] {
            assert!(is_json(json) && is_text(json), "{json}");
        }
        for other in ["text/plain", "application/octet-stream", "json", "é"] {
            assert!(!is_json(other), "{other}");
        }
    }
}
