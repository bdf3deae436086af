//! The configuration of the plugin.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use weft_plugin::field::Field;
use weft_plugin::json::Pointer;

/// The plugin, as configured.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Written")]
pub struct RenameType {
    /// Where the type stands, if it is not the event's own.
    pub(crate) field: Option<Field>,
    /// New types by old ones.
    pub(crate) types: Vec<(String, String)>,
    /// New beginnings by old ones.
    pub(crate) prefixes: Vec<(String, String)>,
    pub(crate) otherwise: Otherwise,
}

/// What becomes of an event to which no rule applies.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Otherwise {
    /// It keeps its type, or has the one that was read from it.
    #[default]
    Keep,
    /// It is dropped.
    Drop,
    /// It is a dead letter.
    Reject,
}

/// Longest event type that the engine accepts.
const EVENT_TYPE_CHARS_MAX: usize = 128;

/// The configuration as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    pointer: Option<Pointer>,
    header: Option<String>,
    attribute: Option<String>,
    #[serde(default, deserialize_with = "types")]
    types: Vec<(String, String)>,
    #[serde(default, deserialize_with = "prefixes")]
    prefixes: Vec<(String, String)>,
    #[serde(default)]
    otherwise: Otherwise,
}

impl TryFrom<Written> for RenameType {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let pointer = written.pointer.map(Field::Pointer);
        let header = written.header.map(Field::Header);
        let attribute = written.attribute.map(Field::Attribute);
        let mut fields = [pointer, header, attribute].into_iter().flatten();
        let (field, None) = (fields.next(), fields.next()) else {
            return Err(
                "where the type stands is one of pointer, header, attribute, or none of them for the event's own",
            );
        };
        if field.is_none() && written.types.is_empty() && written.prefixes.is_empty() {
            return Err("nothing would be renamed: give types, prefixes, or the pointer at which the type stands");
        }
        Ok(Self { field, types: written.types, prefixes: written.prefixes, otherwise: written.otherwise })
    }
}

pub(crate) fn is_event_type(text: &str) -> bool {
    (1..=EVENT_TYPE_CHARS_MAX).contains(&text.len()) && is_part_of_type(text)
}

fn is_part_of_type(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b':' | b'/'))
}

fn types<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, String)>, D::Error> {
    deserializer.deserialize_map(Pairs {
        is_new: is_event_type,
        rule: "an event type is 1 to 128 of letters, digits and . _ - : /",
    })
}

fn prefixes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, String)>, D::Error> {
    deserializer.deserialize_map(Pairs {
        is_new: |text| text.len() <= EVENT_TYPE_CHARS_MAX && is_part_of_type(text),
        rule: "the beginning of an event type is up to 128 of letters, digits and . _ - : /",
    })
}

/// Old texts with new ones. Of two for one old text only the first would be taken, so there cannot be two.
struct Pairs {
    is_new: fn(&str) -> bool,
    rule: &'static str,
}

impl<'de> Visitor<'de> for Pairs {
    type Value = Vec<(String, String)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of old and new, like {\"invoice.paid\": \"billing.paid\"}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        while let Some(old) = map.next_key::<String>()? {
            let new: String = map.next_value()?;
            if !(self.is_new)(&new) {
                return Err(A::Error::custom(format!("{new:?} for {old:?}: {}", self.rule)));
            }
            if pairs.iter().any(|(other, _)| *other == old) {
                return Err(A::Error::custom(format!("{old:?} is there twice")));
            }
            pairs.push((old, new));
        }
        Ok(pairs)
    }
}
