//! The template of a payload, laid out flat: JSON text that stands as it is, and between it what comes from the event.
//!
//! The template is read for every event anew, since each has an instance of its own; so it becomes no tree either.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error};
use weft_plugin::Event;
use weft_plugin::field::Field;
use weft_plugin::json::{self, Picked, Pointer, RawValue, Value};
use weft_plugin::template::{Missing, Template};

/// The template of a payload.
#[derive(Debug)]
pub(crate) struct Blueprint(Vec<Piece>);

/// A stretch of a payload.
#[derive(Debug)]
enum Piece {
    /// JSON text, the same in every payload.
    Json(String),
    /// A string with placeholders.
    Text(Template),
    /// A value as it is, or this JSON text where it is missing.
    Value { field: Field, default: Option<String> },
}

/// Levels of a template: each is a frame on a stack of 64 KiB while it is read.
const LEVELS_MAX: usize = 32;

impl Blueprint {
    /// What has to be picked from the payload.
    pub(crate) fn pointers(&self) -> impl Iterator<Item = &Pointer> {
        self.0.iter().flat_map(|piece| {
            let (text, value) = match piece {
                Piece::Json(_) => (None, None),
                Piece::Text(template) => (Some(template), None),
                Piece::Value { field, .. } => (None, field.pointer()),
            };
            text.into_iter().flat_map(Template::pointers).chain(value)
        })
    }

    /// The payload for `event`; `picked` holds what the pointers found.
    pub(crate) fn build(&self, event: &Event, picked: &Picked<'_, '_>) -> Result<String, Missing<'_>> {
        let mut built = String::new();
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Json(json) => built.push_str(json),
                Piece::Text(template) => {
                    text.clear();
                    template.render(event, picked, &mut text, String::push_str)?;
                    json::push_string(&mut built, &text);
                }
                Piece::Value { field, default } => {
                    if !push_value(field, event, picked, &mut built) {
                        built.push_str(default.as_deref().ok_or(Missing(field))?);
                    }
                }
            }
        }
        Ok(built)
    }
}

/// Writes the value of `field` as JSON, and says whether there is one.
fn push_value(field: &Field, event: &Event, picked: &Picked<'_, '_>, out: &mut String) -> bool {
    if let Some(pointer) = field.pointer() {
        let Some(raw) = picked.get(pointer) else { return false };
        out.push_str(raw.get());
        return true;
    }
    match field.values(event, picked).as_slice() {
        [] => return false,
        [one] => json::push_string(out, one.as_str().unwrap_or_default()),
        several => {
            let texts: Vec<_> = several.iter().filter_map(Value::as_str).collect();
            json::push_string(out, &texts.join(", "));
        }
    }
    true
}

impl<'de> Deserialize<'de> for Blueprint {
    /// Reads a template from JSON text; other formats have no raw values.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let mut draft = Draft::default();
        draft.lay_out(&raw, 0).map_err(D::Error::custom)?;
        draft.end_json();
        Ok(Self(draft.pieces))
    }
}

/// Why a template makes no sense: where, as a pointer into it, and the rule.
struct Invalid {
    place: String,
    rule: String,
}

impl Invalid {
    fn new(rule: impl Into<String>) -> Self {
        Self { place: String::new(), rule: rule.into() }
    }

    fn within(mut self, level: &str) -> Self {
        self.place.insert_str(0, &format!("/{level}"));
        self
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place.as_str() {
            "" => f.write_str(&self.rule),
            place => write!(f, "at {place}: {}", self.rule),
        }
    }
}

/// A template that is being laid out.
#[derive(Default)]
struct Draft {
    pieces: Vec<Piece>,
    /// The JSON text since the last piece.
    json: String,
}

impl Draft {
    fn lay_out(&mut self, value: &RawValue, levels: usize) -> Result<(), Invalid> {
        if levels > LEVELS_MAX {
            return Err(Invalid::new("a template has at most 32 levels"));
        }
        if let Some(members) = json::members(value) {
            return self.lay_out_object(&members, levels);
        }
        if let Some(elements) = json::elements(value) {
            self.json.push('[');
            for (index, element) in elements.iter().enumerate() {
                self.separate(index);
                self.lay_out(element, levels + 1).map_err(|e| e.within(&index.to_string()))?;
            }
            self.json.push(']');
            return Ok(());
        }
        match Value::of(value).as_str() {
            Some(text) if value.get().starts_with('"') => self.lay_out_text(text),
            _ => {
                self.json.push_str(value.get());
                Ok(())
            }
        }
    }

    fn lay_out_object(&mut self, members: &[(&RawValue, &RawValue)], levels: usize) -> Result<(), Invalid> {
        if members.iter().any(|(name, _)| is_named(name, "$")) {
            let piece = insertion(members)?;
            self.end_json();
            self.pieces.push(piece);
            return Ok(());
        }
        self.json.push('{');
        for (index, (name, value)) in members.iter().enumerate() {
            self.separate(index);
            self.json.push_str(name.get());
            self.json.push(':');
            let level = || Value::of(name).as_str().unwrap_or_default().replace('~', "~0").replace('/', "~1");
            self.lay_out(value, levels + 1).map_err(|e| e.within(&level()))?;
        }
        self.json.push('}');
        Ok(())
    }

    fn lay_out_text(&mut self, text: &str) -> Result<(), Invalid> {
        let template: Template = text.parse().map_err(|e| Invalid::new(format!("{e}")))?;
        match template.constant() {
            Some(text) => json::push_string(&mut self.json, text),
            None => {
                self.end_json();
                self.pieces.push(Piece::Text(template));
            }
        }
        Ok(())
    }

    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.json.push(',');
        }
    }

    fn end_json(&mut self) {
        if !self.json.is_empty() {
            self.pieces.push(Piece::Json(std::mem::take(&mut self.json)));
        }
    }
}

/// Reads `{"$": …}` or `{"$": …, "default": …}`.
fn insertion(members: &[(&RawValue, &RawValue)]) -> Result<Piece, Invalid> {
    let (mut place, mut default) = (None, None);
    for (name, value) in members {
        let slot = if is_named(name, "$") { &mut place } else { &mut default };
        if !is_named(name, "$") && !is_named(name, "default") || slot.replace(*value).is_some() {
            return Err(Invalid::new("beside \"$\" there is \"default\", and nothing else"));
        }
    }
    let text = place.filter(|value| value.get().starts_with('"')).map(Value::of);
    let Some(text) = text.as_ref().and_then(Value::as_str) else {
        return Err(Invalid::new("\"$\" is a text: a pointer like /data/id, header:NAME, attribute:NAME, id, type, …"));
    };
    let field = text.parse().map_err(|e| Invalid::new(format!("{e}")))?;
    Ok(Piece::Value { field, default: default.map(|value| value.get().to_owned()) })
}

fn is_named(name: &RawValue, wanted: &str) -> bool {
    Value::of(name).as_str() == Some(wanted)
}
