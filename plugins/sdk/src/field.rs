//! Where a value of an event stands, as a configuration names it.

use serde::Deserialize;

use crate::json::{Picked, Pointer, Value};
use crate::{Event, Header};

/// One place in an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// A value in the JSON payload.
    Pointer(Pointer),
    /// An inbound header, its name without regard to case; a plugin sees those that its step names.
    Header(String),
    /// An attribute that an earlier step set.
    Attribute(String),
    /// A part of the event itself.
    Event(EventPart),
}

/// A part of the event itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventPart {
    /// The event type.
    Type,
    /// The name of the source.
    Source,
    /// The content type, with its parameters.
    ContentType,
}

impl Field {
    /// The pointer, if the field is one: what has to be picked from the payload.
    pub fn pointer(&self) -> Option<&Pointer> {
        match self {
            Self::Pointer(pointer) => Some(pointer),
            Self::Header(_) | Self::Attribute(_) | Self::Event(_) => None,
        }
    }

    /// The values in `event`: none where it is missing, several where a header is repeated.
    ///
    /// `picked` holds what the pointers found.
    pub fn values<'a>(&self, event: &'a Event, picked: &Picked<'_, 'a>) -> Vec<Value<'a>> {
        match self {
            Self::Pointer(pointer) => picked.get(pointer).map(Value::of).into_iter().collect(),
            Self::Header(name) => texts(&event.headers, |header| header.name.eq_ignore_ascii_case(name)),
            Self::Attribute(name) => texts(&event.attributes, |attribute| attribute.name == *name),
            Self::Event(part) => vec![Value::Text(part.of(event))],
        }
    }
}

fn texts<'a>(list: &'a [Header], is_wanted: impl Fn(&Header) -> bool) -> Vec<Value<'a>> {
    list.iter().filter(|entry| is_wanted(entry)).map(|entry| Value::Text(&entry.value)).collect()
}

impl EventPart {
    fn of(self, event: &Event) -> &str {
        match self {
            Self::Type => &event.event_type,
            Self::Source => &event.source,
            Self::ContentType => &event.content_type,
        }
    }
}

impl std::fmt::Display for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pointer(pointer) => write!(f, "pointer {:?}", pointer.as_str()),
            Self::Header(name) => write!(f, "header {name:?}"),
            Self::Attribute(name) => write!(f, "attribute {name:?}"),
            Self::Event(EventPart::Type) => f.write_str("the event's type"),
            Self::Event(EventPart::Source) => f.write_str("the event's source"),
            Self::Event(EventPart::ContentType) => f.write_str("the event's content type"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn values(field: &Field) -> Vec<String> {
        let mut event = testing::event(r#"{"a":"x"}"#);
        event.headers = vec![Header::new("x-tag", "one"), Header::new("x-other", "no"), Header::new("x-tag", "two")];
        event.attributes = vec![Header::new("tier", "gold")];
        let picked = crate::json::pick(&event.data, field.pointer()).expect("JSON");
        let values = field.values(&event, &picked);
        values.iter().map(|value| value.as_str().expect("a text").to_owned()).collect()
    }

    #[test]
    fn a_field_finds_its_values_wherever_they_stand() {
        assert_eq!(values(&Field::Pointer("/a".parse().expect("a pointer"))), ["x"]);
        assert_eq!(values(&Field::Header("X-Tag".to_owned())), ["one", "two"]);
        assert_eq!(values(&Field::Attribute("tier".to_owned())), ["gold"]);
        assert!(values(&Field::Attribute("Tier".to_owned())).is_empty(), "an attribute's name has one spelling");
        assert_eq!(values(&Field::Event(EventPart::Type)), ["test.event"]);
        assert_eq!(values(&Field::Event(EventPart::ContentType)), ["application/json"]);
    }
}
