//! Where a value of an event stands, as a configuration names it.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

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
    /// The event's id, the same for all outputs of the event.
    Id,
    /// When Weft accepted the event, in RFC 3339.
    ReceivedAt,
}

/// Why a text names no [`Field`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidField(String);

impl fmt::Display for InvalidField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidField {}

/// The short form: `/data/id`, `header:x-region`, `attribute:tier`, or a part of the event like `type`.
impl FromStr for Field {
    type Err = InvalidField;

    fn from_str(text: &str) -> Result<Self, InvalidField> {
        if text.is_empty() || text.starts_with('/') {
            return text.parse().map(Self::Pointer).map_err(|e| InvalidField(format!("{e}")));
        }
        match text.split_once(':') {
            Some(("header", name)) if !name.is_empty() => return Ok(Self::Header(name.to_owned())),
            Some(("attribute", name)) if !name.is_empty() => return Ok(Self::Attribute(name.to_owned())),
            Some(_) | None => {}
        }
        match text {
            "type" => Ok(Self::Event(EventPart::Type)),
            "source" => Ok(Self::Event(EventPart::Source)),
            "content_type" => Ok(Self::Event(EventPart::ContentType)),
            "id" => Ok(Self::Event(EventPart::Id)),
            "received_at" => Ok(Self::Event(EventPart::ReceivedAt)),
            _ => {
                let shown: String = text.chars().take(80).collect();
                Err(InvalidField(format!(
                    "{shown:?} is no place in an event: use a JSON pointer like /data/id, header:NAME, attribute:NAME, \
                     or one of id, type, source, content_type, received_at"
                )))
            }
        }
    }
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

impl Field {
    /// The value in `event` as a text, for what tells events apart: a string is its text, everything else stands as it is written; of a
    /// repeated header the first one counts. `None` where it is missing or `null`.
    ///
    /// `picked` holds what the pointers found.
    pub fn text<'a>(&self, event: &'a Event, picked: &Picked<'_, 'a>) -> Option<Cow<'a, str>> {
        match self {
            Self::Pointer(pointer) => {
                let raw = picked.get(pointer)?;
                match Value::of(raw) {
                    Value::Null => None,
                    Value::String(text) => Some(text),
                    Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) | Value::Text(_) => {
                        Some(Cow::Borrowed(raw.get()))
                    }
                }
            }
            Self::Header(name) => first(&event.headers, |header| header.name.eq_ignore_ascii_case(name)),
            Self::Attribute(name) => first(&event.attributes, |attribute| attribute.name == *name),
            Self::Event(part) => Some(Cow::Borrowed(part.of(event))),
        }
    }
}

fn first(list: &[Header], is_wanted: impl Fn(&&Header) -> bool) -> Option<Cow<'_, str>> {
    list.iter().find(is_wanted).map(|entry| Cow::Borrowed(&*entry.value))
}

fn texts<'a>(list: &'a [Header], is_wanted: impl Fn(&Header) -> bool) -> Vec<Value<'a>> {
    list.iter().filter(|entry| is_wanted(entry)).map(|entry| Value::Text(&entry.value)).collect()
}

impl EventPart {
    pub(crate) fn of(self, event: &Event) -> &str {
        match self {
            Self::Type => &event.event_type,
            Self::Source => &event.source,
            Self::ContentType => &event.content_type,
            Self::Id => &event.id,
            Self::ReceivedAt => &event.received_at,
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pointer(pointer) => write!(f, "pointer {:?}", pointer.as_str()),
            Self::Header(name) => write!(f, "header {name:?}"),
            Self::Attribute(name) => write!(f, "attribute {name:?}"),
            Self::Event(EventPart::Type) => f.write_str("the event's type"),
            Self::Event(EventPart::Source) => f.write_str("the event's source"),
            Self::Event(EventPart::ContentType) => f.write_str("the event's content type"),
            Self::Event(EventPart::Id) => f.write_str("the event's id"),
            Self::Event(EventPart::ReceivedAt) => f.write_str("the event's time of arrival"),
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

    #[test]
    fn the_short_form_names_every_kind_of_field() {
        let field = |text: &str| text.parse::<Field>().expect(text);
        assert_eq!(field("/a~1b"), Field::Pointer("/a~1b".parse().expect("a pointer")));
        assert_eq!(field(""), Field::Pointer(Pointer::whole()));
        assert_eq!(field("header:x-a:b"), Field::Header("x-a:b".to_owned()));
        assert_eq!(field("attribute:tier"), Field::Attribute("tier".to_owned()));
        assert_eq!(values(&field("type")), ["test.event"]);
        assert_eq!(values(&field("source")), ["api"]);
        assert_eq!(values(&field("content_type")), ["application/json"]);
        assert_eq!(values(&field("id")), ["evt_00000000000000000000000001"]);
        assert_eq!(values(&field("received_at")), ["2026-01-01T00:00:00.000Z"]);
        for bad in ["data", "header:", "headers:x", "Type", " /a", "attribute"] {
            let error = bad.parse::<Field>().expect_err(bad).to_string();
            assert!(error.contains("is no place in an event: use a JSON pointer"), "{error}");
        }
        assert!("/a~2".parse::<Field>().expect_err("a bad escape").to_string().contains("is not a JSON pointer"));
    }
}
