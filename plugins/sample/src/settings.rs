//! The configuration of the plugin.

use serde::Deserialize;
use weft_plugin::field::{EventPart, Field};
use weft_plugin::json::Pointer;

use crate::share::Share;

/// The plugin, as configured.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Written")]
pub struct Sample {
    pub(crate) share: Share,
    /// What is hashed, if it is not the event's id.
    pub(crate) field: Option<Field>,
    /// Hashed with it.
    pub(crate) salt: String,
    pub(crate) on_missing: OnMissing,
}

/// What becomes of an event without a value to hash.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnMissing {
    /// It is a dead letter.
    #[default]
    Reject,
    /// It is kept.
    Keep,
    /// It is dropped.
    Drop,
}

/// The configuration as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    percent: Share,
    pointer: Option<Pointer>,
    header: Option<String>,
    attribute: Option<String>,
    event: Option<EventPart>,
    #[serde(default)]
    salt: String,
    #[serde(default)]
    on_missing: OnMissing,
}

impl TryFrom<Written> for Sample {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let pointer = written.pointer.map(Field::Pointer);
        let header = written.header.map(Field::Header);
        let attribute = written.attribute.map(Field::Attribute);
        let event = written.event.map(Field::Event);
        let mut fields = [pointer, header, attribute, event].into_iter().flatten();
        let (field, None) = (fields.next(), fields.next()) else {
            return Err("what is hashed is one of pointer, header, attribute, event, or none of them for the id");
        };
        Ok(Self { share: written.percent, field, salt: written.salt, on_missing: written.on_missing })
    }
}
