//! The configuration of the plugin.

use serde::Deserialize;
use serde::de::{Deserializer, Error};
use weft_plugin::json::Pointer;

/// The plugin, as configured.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Written")]
pub struct SplitArray {
    /// Where the array stands.
    pub(crate) pointer: Pointer,
    pub(crate) part: Part,
    pub(crate) event_type: Option<String>,
    pub(crate) max_parts: usize,
    pub(crate) above_max: AboveMax,
    pub(crate) on_not_array: OnNotArray,
    pub(crate) index_attribute: Option<String>,
    pub(crate) count_attribute: Option<String>,
}

/// What each part holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The element alone.
    Element,
    /// The whole event, with the element in the array's place.
    InPlace,
    /// The whole event without the array, with the element at this pointer.
    PlaceAt(Pointer),
}

/// What happens to an array with more elements than `max_parts`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AboveMax {
    /// The event is a dead letter.
    #[default]
    Reject,
    /// The first `max_parts` elements become events, the others are left out.
    Truncate,
    /// The event goes on whole.
    Keep,
}

/// What happens to an event without an array at the pointer.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnNotArray {
    /// It is a dead letter.
    #[default]
    Reject,
    /// It goes on whole.
    Keep,
    /// It is dropped.
    Drop,
}

/// The engine's default for the outputs of a split.
const MAX_PARTS_DEFAULT: usize = 64;
/// The most outputs that an engine can be configured to accept.
const MAX_PARTS_MAX: usize = 1_024;
/// Longest event type that the engine accepts.
const EVENT_TYPE_CHARS_MAX: usize = 128;

/// The configuration as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    pointer: Pointer,
    #[serde(default)]
    part: PartName,
    place_at: Option<Pointer>,
    #[serde(default, deserialize_with = "event_type")]
    event_type: Option<String>,
    #[serde(default = "max_parts_default", deserialize_with = "max_parts")]
    max_parts: usize,
    #[serde(default)]
    above_max: AboveMax,
    #[serde(default)]
    on_not_array: OnNotArray,
    #[serde(default = "index_attribute_default")]
    index_attribute: String,
    #[serde(default = "count_attribute_default")]
    count_attribute: String,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PartName {
    #[default]
    Element,
    Event,
}

impl TryFrom<Written> for SplitArray {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let part = match (written.part, written.place_at) {
            (PartName::Element, None) => Part::Element,
            (PartName::Element, Some(_)) => return Err("\"place_at\" goes with \"part\": \"event\""),
            (PartName::Event, Some(place)) if place != written.pointer => {
                if written.pointer.covers(&place) || place.covers(&written.pointer) {
                    return Err("\"place_at\" lies neither within the array nor around it");
                }
                Part::PlaceAt(place)
            }
            (PartName::Event, _) => Part::InPlace,
        };
        let named = |name: String| if name.is_empty() { None } else { Some(name) };
        Ok(Self {
            pointer: written.pointer,
            part,
            event_type: written.event_type,
            max_parts: written.max_parts,
            above_max: written.above_max,
            on_not_array: written.on_not_array,
            index_attribute: named(written.index_attribute),
            count_attribute: named(written.count_attribute),
        })
    }
}

fn max_parts_default() -> usize {
    MAX_PARTS_DEFAULT
}

fn index_attribute_default() -> String {
    "split-index".to_owned()
}

fn count_attribute_default() -> String {
    "split-count".to_owned()
}

fn max_parts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    match usize::deserialize(deserializer)? {
        count @ 1..=MAX_PARTS_MAX => Ok(count),
        count => Err(D::Error::custom(format!("{count} is out of 1 to {MAX_PARTS_MAX}"))),
    }
}

fn event_type<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let is_allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b':' | b'/');
    if (1..=EVENT_TYPE_CHARS_MAX).contains(&text.len()) && text.bytes().all(is_allowed) {
        return Ok(Some(text));
    }
    Err(D::Error::custom("an event type is 1 to 128 of letters, digits and . _ - : /"))
}
