//! The configuration of the plugin.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use weft_plugin::field::{EventPart, Field};
use weft_plugin::json::Pointer;
use weft_plugin::{Header, Recipients};

/// The plugin, as configured.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Written")]
pub struct FieldRouter {
    /// What decides.
    pub(crate) field: Field,
    /// The ways, in the order of the configuration.
    pub(crate) routes: Vec<Branch>,
    /// The way of everything else; without it, everything else is dropped.
    pub(crate) default: Option<Vec<Recipient>>,
    pub(crate) on_not_json: OnNotJson,
}

/// The way of one value.
#[derive(Debug)]
pub(crate) struct Branch {
    /// A string, or how a number or a boolean is written.
    pub(crate) value: String,
    /// Where it leads, never empty.
    pub(crate) to: Vec<Recipient>,
}

/// Whom a way leads to.
#[derive(Debug)]
pub(crate) enum Recipient {
    /// The destination of this name.
    Named(String),
    /// The subscribed destinations with all of these labels.
    Labelled(Vec<(String, String)>),
    /// All subscribed destinations.
    Subscribed,
}

impl Recipient {
    pub(crate) fn recipients(&self) -> Recipients {
        match self {
            Self::Named(name) => Recipients::Named(name.clone()),
            Self::Labelled(labels) => {
                Recipients::Labelled(labels.iter().map(|(name, value)| Header::new(name, value)).collect())
            }
            Self::Subscribed => Recipients::Subscribed,
        }
    }
}

/// What becomes of a payload that is not JSON where a pointer decides.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnNotJson {
    /// It is a dead letter.
    #[default]
    Reject,
    /// It is dropped.
    Drop,
    /// It goes the way of a missing value: the default one.
    Default,
}

/// Ways and recipients that one configuration may hold: what an engine accepts as targets at most.
const RECIPIENTS_MAX: usize = 1_024;
/// Longest name of a destination.
const NAME_CHARS_MAX: usize = 64;

/// The configuration as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    pointer: Option<Pointer>,
    header: Option<String>,
    attribute: Option<String>,
    event: Option<EventPart>,
    routes: Branches,
    default: Option<Way>,
    #[serde(default)]
    on_not_json: OnNotJson,
}

impl TryFrom<Written> for FieldRouter {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let pointer = written.pointer.map(Field::Pointer);
        let header = written.header.map(Field::Header);
        let attribute = written.attribute.map(Field::Attribute);
        let event = written.event.map(Field::Event);
        let mut fields = [pointer, header, attribute, event].into_iter().flatten();
        let (Some(field), None) = (fields.next(), fields.next()) else {
            return Err("what decides is one of pointer, header, attribute, event");
        };
        let default = written.default.map(|way| way.0);
        Ok(Self { field, routes: written.routes.0, default, on_not_json: written.on_not_json })
    }
}

/// The ways by value. Of two for one value only the first would be taken, so there cannot be two.
struct Branches(Vec<Branch>);

impl<'de> Deserialize<'de> for Branches {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(BranchesVisitor)
    }
}

struct BranchesVisitor;

impl<'de> Visitor<'de> for BranchesVisitor {
    type Value = Branches;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of values, like {\"eu\": \"crm-eu\"}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Branches, A::Error> {
        let mut branches: Vec<Branch> = Vec::new();
        while let Some(value) = map.next_key::<String>()? {
            let Way(to) = map.next_value()?;
            if branches.iter().any(|branch| branch.value == value) {
                return Err(A::Error::custom("the value has two routes"));
            }
            branches.push(Branch { value, to });
        }
        Ok(Branches(branches))
    }
}

/// Where a value leads: one recipient or a list of them.
struct Way(Vec<Recipient>);

impl<'de> Deserialize<'de> for Way {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WayVisitor)
    }
}

struct WayVisitor;

impl<'de> Visitor<'de> for WayVisitor {
    type Value = Way;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a destination's name, {\"labels\": {…}}, {\"subscribed\": true} or a list of these")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Way, E> {
        Recipient::named(name).map(|recipient| Way(vec![recipient]))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Way, A::Error> {
        let chosen = Chosen::deserialize(MapAccessDeserializer::new(map))?;
        chosen.recipient().map(|recipient| Way(vec![recipient]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Way, A::Error> {
        let mut recipients = Vec::new();
        while let Some(Way(mut more)) = seq.next_element()? {
            recipients.append(&mut more);
        }
        match recipients.len() {
            0 => Err(A::Error::custom("a route without a destination; leave the route and the default out to drop")),
            1..=RECIPIENTS_MAX => Ok(Way(recipients)),
            count => Err(A::Error::custom(format!("{count} destinations, at most {RECIPIENTS_MAX}"))),
        }
    }
}

/// A choice of destinations by something else than their name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Chosen {
    #[serde(default, deserialize_with = "labels")]
    labels: Vec<(String, String)>,
    #[serde(default)]
    subscribed: bool,
}

impl Chosen {
    fn recipient<E: Error>(self) -> Result<Recipient, E> {
        match (self.labels.is_empty(), self.subscribed) {
            (true, true) => Ok(Recipient::Subscribed),
            (false, false) => Ok(Recipient::Labelled(self.labels)),
            (true, false) | (false, true) => {
                Err(E::custom("either {\"labels\": {…}} with one label or more, or {\"subscribed\": true}"))
            }
        }
    }
}

impl Recipient {
    fn named<E: Error>(name: &str) -> Result<Self, E> {
        let is_name = (1..=NAME_CHARS_MAX).contains(&name.len())
            && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
            && name.as_bytes()[0].is_ascii_alphanumeric();
        if is_name {
            return Ok(Self::Named(name.to_owned()));
        }
        let shown: String = name.chars().take(80).collect();
        Err(E::custom(format!(
            "{shown:?} is not the name of a destination: use 1 to 64 of a-z, 0-9, '-' and '_', starting with a letter or digit"
        )))
    }
}

fn labels<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, String)>, D::Error> {
    struct Labels;

    impl<'de> Visitor<'de> for Labels {
        type Value = Vec<(String, String)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object of label names and values")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut labels = Vec::new();
            while let Some(label) = map.next_entry()? {
                labels.push(label);
            }
            Ok(labels)
        }
    }

    deserializer.deserialize_map(Labels)
}
