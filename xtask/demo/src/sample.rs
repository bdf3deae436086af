//! The quickstart's sample events, as `examples/quickstart/events/events.toml` describes them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

/// A kind of event: a payload, and what a sender of many of them changes in each.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sample {
    /// The payload's file, beside `events.toml`.
    pub(crate) file: String,
    pub(crate) tenant: String,
    /// The event type.
    #[serde(rename = "type")]
    pub(crate) event_type: String,
    pub(crate) type_in: TypeIn,
    /// How often it is drawn, in relation to the others.
    pub(crate) weight: u32,
    /// Named for readers; the demo's own walk does not look at it.
    #[serde(default, rename = "splits")]
    _splits: Option<String>,
    pub(crate) mutate: Vec<Mutation>,
    /// The payload as the file has it.
    #[serde(skip)]
    pub(crate) payload: String,
}

/// Where Weft learns the event type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TypeIn {
    /// From the payload.
    Payload,
    /// From the header `weft-event-type`.
    Header,
}

/// What changes from one event to the next.
#[derive(Debug, Deserialize)]
pub(crate) struct Mutation {
    /// Where in the payload.
    pub(crate) pointer: String,
    #[serde(flatten)]
    pub(crate) change: Change,
}

/// How a value changes.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Change {
    /// `prefix`, then 16 hexadecimal digits that no other event has.
    Id { prefix: String },
    /// From `min` to `max`, with exactly `decimals` decimals.
    Number { min: i64, max: i64, decimals: u32 },
    /// One of these.
    OneOf { values: Vec<Value> },
    /// The elements of the file, in turn, `min` to `max` of them.
    Items { min: usize, max: usize },
}

/// Reads `events.toml` in `folder` and the payloads that it names.
///
/// # Errors
/// When a file is missing or not as described.
pub(crate) fn read(folder: &Path) -> Result<Vec<Sample>> {
    let list = folder.join("events.toml");
    let text = fs::read_to_string(&list).with_context(|| format!("could not read {}", list.display()))?;
    let mut samples = parse(&text).with_context(|| format!("could not read {}", list.display()))?;
    for sample in &mut samples {
        let file = folder.join(&sample.file);
        sample.payload = fs::read_to_string(&file).with_context(|| format!("could not read {}", file.display()))?;
    }
    Ok(samples)
}

fn parse(text: &str) -> Result<Vec<Sample>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct List {
        event: Vec<Sample>,
    }

    let document: toml_edit::Document<&str> = toml_edit::Document::parse(text)?;
    let list: List = serde_json::from_value(json(document.as_item())?)?;
    Ok(list.event)
}

/// TOML as JSON: the engine's TOML reader is here without serde.
fn json(item: &toml_edit::Item) -> Result<Value> {
    if let Some(table) = item.as_table_like() {
        let members = table.iter().map(|(key, item)| Ok((key.to_owned(), json(item)?)));
        return Ok(Value::Object(members.collect::<Result<_>>()?));
    }
    if let Some(tables) = item.as_array_of_tables() {
        let tables = tables.iter().map(|table| json(&toml_edit::Item::Table(table.clone())));
        return Ok(Value::Array(tables.collect::<Result<_>>()?));
    }
    if let Some(array) = item.as_array() {
        let elements = array.iter().map(|value| json(&toml_edit::Item::Value(value.clone())));
        return Ok(Value::Array(elements.collect::<Result<_>>()?));
    }
    let scalar = (item.as_str().map(Value::from))
        .or_else(|| item.as_bool().map(Value::from))
        .or_else(|| item.as_integer().map(Value::from))
        .or_else(|| item.as_float().map(Value::from));
    scalar.context("a date, which nothing here is")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_the_quickstart_names_at_least_twelve_types_of_half_to_twenty_kilobytes() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/quickstart/events");
        let samples = read(&folder).expect("the quickstart's events");
        assert!(samples.len() >= 12);
        for sample in &samples {
            assert!((500..=20_000).contains(&sample.payload.len()), "{}: {}", sample.file, sample.payload.len());
            let payload: Value = serde_json::from_str(&sample.payload).expect("JSON");
            for mutation in &sample.mutate {
                assert!(payload.pointer(&mutation.pointer).is_some(), "{}: {}", sample.file, mutation.pointer);
            }
            let named = payload.get("type").and_then(Value::as_str) == Some(&sample.event_type);
            assert_eq!(named, sample.type_in == TypeIn::Payload, "{}", sample.file);
        }
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let error = parse("[[event]]\nfile = \"a\"\ncolour = 1\n").expect_err("an unknown key");
        assert!(format!("{error:#}").contains("colour"), "{error:#}");
    }
}
