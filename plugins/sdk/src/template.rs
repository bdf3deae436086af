//! Texts with placeholders that are filled from an event: `Order {/data/id} of {/data/customer/name|someone}`.
//!
//! A placeholder holds a [`Field`] in its short form and, after `|`, what stands there if the value is missing. `{{` and
//! `}}` are braces. Missing is what is not there and what is `null`: nobody wants to read "Dear null". A string stands as
//! its text, everything else as it is written in the payload, and a repeated header with commas.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error};

use crate::Event;
use crate::field::Field;
use crate::json::{Picked, Pointer, Value};

/// A text with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

/// A stretch of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Place { field: Field, default: Option<String> },
}

/// Why a text is no [`Template`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidTemplate(String);

impl fmt::Display for InvalidTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidTemplate {}

/// The value that a placeholder without a default did not find.
#[derive(Debug, PartialEq, Eq)]
pub struct Missing<'t>(pub &'t Field);

impl fmt::Display for Missing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is missing and has no default", self.0)
    }
}

impl std::error::Error for Missing<'_> {}

impl Template {
    /// The text, if it has no placeholder.
    pub fn constant(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The text before the first placeholder.
    pub fn beginning(&self) -> &str {
        match self.parts.first() {
            Some(Part::Text(text)) => text,
            Some(Part::Place { .. }) | None => "",
        }
    }

    /// What has to be picked from the payload.
    pub fn pointers(&self) -> impl Iterator<Item = &Pointer> {
        self.parts.iter().filter_map(|part| match part {
            Part::Place { field, .. } => field.pointer(),
            Part::Text(_) => None,
        })
    }

    /// Writes the text for `event` at the end of `out`; `picked` holds what the pointers found.
    ///
    /// Values are written by `insert`, which escapes what must be; the template's own text and its defaults stand as they
    /// are.
    ///
    /// # Errors
    /// [`Missing`] if a value is, and has no default.
    pub fn render(
        &self,
        event: &Event,
        picked: &Picked<'_, '_>,
        out: &mut String,
        insert: impl Fn(&mut String, &str),
    ) -> Result<(), Missing<'_>> {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Place { field, default } => {
                    if !insert_value(field, event, picked, out, &insert) {
                        out.push_str(default.as_deref().ok_or(Missing(field))?);
                    }
                }
            }
        }
        Ok(())
    }
}

/// Writes the value of `field`, and says whether there is one.
fn insert_value(
    field: &Field,
    event: &Event,
    picked: &Picked<'_, '_>,
    out: &mut String,
    insert: &impl Fn(&mut String, &str),
) -> bool {
    match field {
        Field::Pointer(pointer) => match picked.get(pointer) {
            None => return false,
            Some(raw) => match Value::of(raw) {
                Value::Null => return false,
                Value::String(text) => insert(out, &text),
                Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) | Value::Text(_) => {
                    insert(out, raw.get());
                }
            },
        },
        Field::Header(name) => {
            let mut headers = event.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
            let Some(first) = headers.next() else { return false };
            insert(out, &first.value);
            for header in headers {
                insert(out, ", ");
                insert(out, &header.value);
            }
        }
        Field::Attribute(name) => match event.attributes.iter().find(|attribute| attribute.name == *name) {
            Some(attribute) => insert(out, &attribute.value),
            None => return false,
        },
        Field::Event(part) => insert(out, part.of(event)),
    }
    true
}

impl FromStr for Template {
    type Err = InvalidTemplate;

    fn from_str(text: &str) -> Result<Self, InvalidTemplate> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            literal.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                literal.push_str(brace);
                rest = after;
            } else if brace == "{" {
                let (inside, after) = rest.split_once('}').ok_or_else(|| unclosed(rest))?;
                if !literal.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut literal)));
                }
                parts.push(placeholder(inside)?);
                rest = after;
            } else {
                return Err(InvalidTemplate("a '}' without a '{' before it; write }} for a brace".to_owned()));
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        Ok(Self { parts })
    }
}

fn unclosed(rest: &str) -> InvalidTemplate {
    let shown: String = rest.chars().take(40).collect();
    InvalidTemplate(format!("the placeholder {{{shown} has no end; write {{{{ for a brace"))
}

fn placeholder(inside: &str) -> Result<Part, InvalidTemplate> {
    let (place, default) = match inside.split_once('|') {
        Some((place, default)) => (place, Some(default.to_owned())),
        None => (inside, None),
    };
    if place.is_empty() {
        return Err(InvalidTemplate(format!(
            "{{{inside}}} names no value: put a pointer like /data/id between the braces"
        )));
    }
    let field = place.parse().map_err(|e| InvalidTemplate(format!("{e}")))?;
    Ok(Part::Place { field, default })
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Header, testing};

    fn event() -> Event {
        let mut event = testing::event(
            r#"{"id":7,"name":"Zo\u00eb","n":1.50,"null":null,"list":[1, 2],"a/b":{"c":true},"big":9007199254740993}"#,
        );
        event.headers = vec![Header::new("x-tag", "one"), Header::new("x-tag", "two")];
        event.attributes = vec![Header::new("tier", "gold")];
        event
    }

    fn render(text: &str) -> Result<String, String> {
        let template: Template = text.parse().map_err(|e: InvalidTemplate| e.to_string())?;
        let event = event();
        let picked = crate::json::pick(&event.data, template.pointers()).expect("JSON");
        let mut out = String::from(">");
        let rendered = template.render(&event, &picked, &mut out, |out, value| out.push_str(&value.replace('o', "0")));
        rendered.map(|()| out).map_err(|e| e.to_string())
    }

    #[test]
    fn placeholders_stand_for_values_as_they_are_written() {
        let cases = [
            ("", ">"),
            ("No placeholder", ">No placeholder"),
            ("Order {/id} of {/name}!", ">Order 7 of Z0ë!"),
            ("{/n}{/big}", ">1.509007199254740993"),
            ("{/list} {/list/1} {/a~1b/c}", ">[1, 2] 2 true"),
            ("{type} {id}", ">test.event evt_00000000000000000000000001"),
            ("{source} {received_at}", ">api 2026-01-01T00:00:00.000Z"),
            ("{header:X-Tag} {attribute:tier}", ">0ne, tw0 g0ld"),
            ("größe {/name} 日本", ">größe Z0ë 日本"),
        ];
        for (text, wanted) in cases {
            assert_eq!(render(text).as_deref(), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn doubled_braces_are_braces() {
        assert_eq!(render("{{/id}} {{{/id}}} }}{{").as_deref(), Ok(">{/id} {7} }{"));
        assert_eq!("{{}}".parse::<Template>().expect("a text").constant(), Some("{}"));
        assert_eq!("{/a}".parse::<Template>().expect("a template").constant(), None);
        assert_eq!("{{a{/b}c".parse::<Template>().expect("a template").beginning(), "{a");
        assert_eq!("{/a}b".parse::<Template>().expect("a template").beginning(), "");
    }

    #[test]
    fn a_missing_value_and_null_get_the_default_or_are_named() {
        assert_eq!(render("{/none|no one}, {/null|}, {attribute:x|a|b}").as_deref(), Ok(">no one, , a|b"));
        assert_eq!(render("{/id|0}").as_deref(), Ok(">7"));
        for (text, name) in [
            ("{/none}", "pointer \"/none\""),
            ("{/null}", "pointer \"/null\""),
            ("{header:y}", "header \"y\""),
            ("{attribute:Tier}", "attribute \"Tier\""),
        ] {
            assert_eq!(render(text), Err(format!("{name} is missing and has no default")), "{text}");
        }
    }

    #[test]
    fn only_inserted_values_are_escaped() {
        assert_eq!(render("ooo {/none|ooo} {attribute:tier}").as_deref(), Ok(">ooo ooo g0ld"));
    }

    #[test]
    fn what_is_no_template_is_refused_with_the_rule() {
        for (text, rule) in [
            ("{", "has no end"),
            ("a {/id", "the placeholder {/id has no end; write {{ for a brace"),
            ("a } b", "a '}' without a '{'"),
            ("{/id}}", "a '}' without a '{'"),
            ("{}", "{} names no value"),
            ("{|x}", "{|x} names no value"),
            ("{id }", "\"id \" is no place in an event"),
            ("{/a~}", "is not a JSON pointer"),
        ] {
            let error = render(text).expect_err(text);
            assert!(error.contains(rule), "{text}: {error}");
        }
    }
}
