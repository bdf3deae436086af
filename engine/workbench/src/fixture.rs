//! A fixture: an event, as a file that people write, with the configuration and the destinations that a plugin sees.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;
use weft_core::draft::Draft;
use weft_core::event::{Event, Header};
use weft_core::id::{EventId, TenantId};
use weft_core::kv::{Found, KvTouch, Left};
use weft_core::name::PluginRef;
use weft_core::time::Timestamp;
use weft_server::workers::kv::KvShelf;

/// What files with expected outcomes end with; they stand beside their events.
const EXPECTED: &str = ".expected.json";
/// The end of every fixture.
const ENDING: &str = ".json";

/// What a plugin is run on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fixture {
    #[serde(default)]
    pub(crate) config: Option<Value>,
    event: Input,
    #[serde(default)]
    pub(crate) destinations: Vec<Place>,
    /// What the plugin keeps before the event comes: texts by their keys.
    #[serde(default)]
    kv: BTreeMap<String, String>,
    /// The secrets that the step names, each to be used and to be read.
    #[serde(default)]
    pub(crate) secrets: BTreeMap<String, String>,
}

/// A destination that a route may see.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
}

/// An event; what is left out is as it usually is. The body is one of `data`, `text` and `base64`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    id: Option<String>,
    #[serde(default)]
    output: u32,
    #[serde(rename = "type")]
    event_type: String,
    source: Option<String>,
    content_type: Option<String>,
    received_at: Option<String>,
    ordering_key: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    data: Option<Box<RawValue>>,
    text: Option<String>,
    base64: Option<String>,
}

impl Fixture {
    /// Reads a fixture.
    ///
    /// # Errors
    /// What in it makes no sense.
    pub fn parse(json: &str) -> Result<Self> {
        serde_json::from_str(json).context("not a fixture: { \"event\": { \"type\": …, \"data\": … }, \"config\": … }")
    }

    /// A fixture whose event has this JSON for its body.
    ///
    /// # Errors
    /// When it is no JSON.
    pub fn of_body(event_type: &str, json: &str) -> Result<Self> {
        let data = RawValue::from_string(json.to_owned()).context("the body of the event is no JSON")?;
        let event = Input {
            id: None,
            output: 0,
            event_type: event_type.to_owned(),
            source: None,
            content_type: None,
            received_at: None,
            ordering_key: None,
            headers: BTreeMap::new(),
            attributes: BTreeMap::new(),
            data: Some(data),
            text: None,
            base64: None,
        };
        Ok(Self { config: None, event, destinations: Vec::new(), kv: BTreeMap::new(), secrets: BTreeMap::new() })
    }

    /// The same with this configuration in the place of its own.
    #[must_use]
    pub fn configured(self, config: Value) -> Self {
        Self { config: Some(config), ..self }
    }

    /// The headers that the step is to name.
    pub(crate) fn header_names(&self) -> Vec<String> {
        self.event.headers.keys().map(|name| name.to_ascii_lowercase()).collect()
    }

    /// What the plugin keeps before the event comes.
    pub(crate) fn shelf(&self, tenant: TenantId, plugin: &PluginRef) -> KvShelf {
        let shelf = KvShelf::empty();
        let touches = self.kv.iter().map(|(key, value)| KvTouch {
            plugin: plugin.clone(),
            key: key.clone(),
            found: Found::Unread,
            left: Some(Left::Value { value: Bytes::copy_from_slice(value.as_bytes()), expires_at: None }),
        });
        shelf.announce(tenant, &touches.collect::<Vec<_>>()).kept();
        shelf
    }

    /// The event, and what earlier steps have made of it.
    pub(crate) fn event(&self, tenant: TenantId) -> Result<(Event, Draft)> {
        let input = &self.event;
        let event = Event {
            id: match &input.id {
                Some(id) => id.parse().map_err(|error| anyhow::anyhow!("event.id: {id:?}: {error}"))?,
                None => EventId::from_uuid(Uuid::from_u128(1)),
            },
            tenant,
            source: input.source.clone().unwrap_or_else(|| "api".to_owned()),
            external_id: None,
            ordering_key: input.ordering_key.as_deref().map(str::parse).transpose().context("event.ordering_key")?,
            event_type: input.event_type.parse().context("event.type")?,
            content_type: input.content_type.clone().unwrap_or_else(|| "application/json".to_owned()),
            headers: pairs(&input.headers).map(|it| Header { name: it.name.to_ascii_lowercase(), ..it }).collect(),
            body: input.body()?,
            received_at: match &input.received_at {
                Some(at) => at.parse().context("event.received_at")?,
                None => Timestamp::from_ms(1_769_860_800_000),
            },
        };
        let mut draft = Draft::of(&event);
        draft.output = input.output;
        draft.attributes = pairs(&input.attributes).collect();
        Ok((event, draft))
    }
}

impl Input {
    fn body(&self) -> Result<Bytes> {
        match (&self.data, &self.text, &self.base64) {
            (Some(data), None, None) => Ok(Bytes::copy_from_slice(data.get().as_bytes())),
            (None, Some(text), None) => Ok(Bytes::copy_from_slice(text.as_bytes())),
            (None, None, Some(base64)) => Ok(STANDARD.decode(base64).context("event.base64")?.into()),
            (None, None, None) => Ok(Bytes::new()),
            _ => bail!("event: it has one body: data (JSON), text or base64"),
        }
    }
}

pub(crate) fn pairs(members: &BTreeMap<String, String>) -> impl Iterator<Item = Header> {
    members.iter().map(|(name, value)| Header { name: name.clone(), value: value.clone() })
}

/// An event with the outcome that is expected of it, in two files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The file's name without its ending.
    pub name: String,
    /// The event.
    pub input: PathBuf,
    /// The outcome; it need not exist yet.
    pub expected: PathBuf,
}

/// Every fixture of a folder, by name.
///
/// # Errors
/// When the folder cannot be read.
pub fn pairs_in(folder: &Path) -> Result<Vec<Pair>> {
    let mut pairs = Vec::new();
    let entries =
        fs::read_dir(folder).with_context(|| format!("could not read the fixtures in {}", folder.display()))?;
    for entry in entries {
        let input = entry.with_context(|| format!("could not read {}", folder.display()))?.path();
        let Some(file) = input.file_name().and_then(|name| name.to_str()) else { continue };
        let Some(name) = file.strip_suffix(ENDING).filter(|_| !file.ends_with(EXPECTED)) else { continue };
        let expected = folder.join(format!("{name}{EXPECTED}"));
        pairs.push(Pair { name: name.to_owned(), input, expected });
    }
    pairs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_what_stands_in_the_file_byte_for_byte() {
        let fixture =
            Fixture::parse(r#"{"event": {"type": "a", "data": { "b": 1.0,  "a": 1e2 }}}"#).expect("a fixture");
        let (event, _) = fixture.event(TenantId::from_uuid(Uuid::nil())).expect("an event");
        assert_eq!(&event.body[..], br#"{ "b": 1.0,  "a": 1e2 }"#);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (json, words) in [
            (r#"{"event": {"type": "a b"}}"#, "event.type"),
            (r#"{"event": {"type": "a", "data": 1, "text": "1"}}"#, "one body"),
            (r#"{"event": {"type": "a", "id": "evt_1"}}"#, "event.id"),
            (r#"{"event": {"type": "a", "typo": 1}}"#, "typo"),
        ] {
            let event = Fixture::parse(json).and_then(|fixture| fixture.event(TenantId::from_uuid(Uuid::nil())));
            let error = format!("{:#}", event.expect_err(json));
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn events_and_expected_outcomes_are_told_apart() {
        let folder = tempfile::tempdir().expect("a folder");
        for file in ["b.json", "a.json", "a.expected.json", "notes.md"] {
            fs::write(folder.path().join(file), "{}").expect("written");
        }
        let pairs = pairs_in(folder.path()).expect("read");
        assert_eq!(pairs.iter().map(|pair| &*pair.name).collect::<Vec<_>>(), ["a", "b"]);
        assert!(pairs[0].expected.exists() && !pairs[1].expected.exists());
    }
}
