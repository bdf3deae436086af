//! How a plugin describes itself: a custom section of its component, in JSON.
//!
//! The section is named [`SECTION`] and stands at the outermost level of the component, where it is appended to what a toolchain has
//! built. A component without one is taken as it is: it says nothing about itself, and its configuration is checked by nobody but the
//! plugin.

use jsonschema::Validator;
use serde::Deserialize;
use serde_json::Value;
use wasm_encoder::{ComponentSection as _, CustomSection};
use wasmparser::{Parser, Payload};
use weft_core::name::Name;

use crate::refusal::Refusal;

/// Names the section.
pub const SECTION: &str = "weft:plugin";
/// Bytes of a description; a schema for the largest of configurations has a few thousand.
pub const DESCRIPTION_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a version: a number, and what tells a build from others.
const VERSION_BYTES_MAX: usize = 64;
/// Problems of one configuration that are told at once.
const PROBLEMS_MAX: usize = 8;

/// What a plugin says about itself.
#[derive(Debug)]
pub struct Description {
    text: String,
    members: Members,
    config: Option<Validator>,
}

/// The members of a description.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    name: Name,
    version: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    headers: Vec<String>,
    #[serde(default)]
    wants: Vec<Want>,
    config: Option<Value>,
}

/// An interface that a plugin uses beyond its log and configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Want {
    Kv,
    Clock,
    Random,
    Metrics,
    Secrets,
}

impl Want {
    /// The interface's name.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Kv => "kv",
            Self::Clock => "clock",
            Self::Random => "random",
            Self::Metrics => "metrics",
            Self::Secrets => "secrets",
        }
    }
}

/// Why a text is no description.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidDescription(String);

impl Description {
    /// Reads a description.
    ///
    /// # Errors
    /// [`InvalidDescription`] says which member breaks which rule.
    pub fn parse(text: &str) -> Result<Self, InvalidDescription> {
        if text.len() > DESCRIPTION_BYTES_MAX {
            let bytes = text.len();
            return Err(InvalidDescription(format!("{bytes} bytes; at most {DESCRIPTION_BYTES_MAX} are taken")));
        }
        let members: Members = serde_json::from_str(text).map_err(|error| InvalidDescription(error.to_string()))?;
        let version = &members.version;
        if version.is_empty() || version.len() > VERSION_BYTES_MAX || version.chars().any(char::is_control) {
            return Err(InvalidDescription(format!("`version` must be 1 to {VERSION_BYTES_MAX} printable characters")));
        }
        let config = members.config.as_ref().map(schema).transpose()?;
        Ok(Self { text: text.to_owned(), members, config })
    }

    /// What the outermost level of `component` says, if it says anything.
    pub(crate) fn of(component: &[u8]) -> Result<Option<Self>, Refusal> {
        let Some(bytes) = section(component) else { return Ok(None) };
        let refused = |reason: String| Refusal::Description { section: SECTION, reason };
        let text = std::str::from_utf8(bytes).map_err(|error| refused(error.to_string()))?;
        Self::parse(text).map(Some).map_err(|invalid| refused(invalid.to_string()))
    }

    /// The JSON as it stands in the component.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What its author calls it; which plugin it is says whoever installs it.
    pub fn name(&self) -> &Name {
        &self.members.name
    }

    /// What its author calls this version; its digest tells it from others.
    pub fn version(&self) -> &str {
        &self.members.version
    }

    /// One sentence for people.
    pub fn sentence(&self) -> &str {
        &self.members.description
    }

    /// The inbound headers that it reads, which a step must name to show them.
    pub fn headers(&self) -> &[String] {
        &self.members.headers
    }

    /// The interfaces that it uses beyond its log and configuration, for those who build it: interpreters import whatever their world
    /// has. What counts for a step is what the component imports.
    pub fn wants(&self) -> impl Iterator<Item = &'static str> {
        self.members.wants.iter().map(|want| want.as_str())
    }

    /// Checks the configuration of a step against the schema, if there is one.
    ///
    /// # Errors
    /// A line for each problem: the place in the configuration, and the rule that it breaks.
    pub fn check_config(&self, config: &str) -> Result<(), Vec<String>> {
        let Some(schema) = &self.config else { return Ok(()) };
        let config: Value =
            serde_json::from_str(config).map_err(|error| vec![format!("the configuration is no JSON: {error}")])?;
        let problem = |error: jsonschema::ValidationError<'_>| match error.instance_path().to_string().as_str() {
            "" => error.to_string(),
            place => format!("{place}: {error}"),
        };
        let problems: Vec<_> = schema.iter_errors(&config).take(PROBLEMS_MAX).map(problem).collect();
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }
}

/// Appends `description` to a component that has none.
///
/// # Errors
/// [`InvalidDescription`] if it is none, or the component has one already.
pub fn describe(mut component: Vec<u8>, description: &str) -> Result<Vec<u8>, InvalidDescription> {
    Description::parse(description)?;
    if section(&component).is_some() {
        return Err(InvalidDescription("the component has a description already".to_owned()));
    }
    let section = CustomSection { name: SECTION.into(), data: description.as_bytes().into() };
    section.append_to_component(&mut component);
    Ok(component)
}

fn schema(schema: &Value) -> Result<Validator, InvalidDescription> {
    jsonschema::draft202012::options()
        .build(schema)
        .map_err(|error| InvalidDescription(format!("`config` is no JSON Schema: {}: {error}", error.instance_path())))
}

/// The content of the description's section at the outermost level; what does not parse has none, and is refused by the compiler.
fn section(component: &[u8]) -> Option<&[u8]> {
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload.ok()?;
        if matches!(payload, Payload::ModuleSection { .. } | Payload::ComponentSection { .. }) {
            depth += 1;
        } else if matches!(payload, Payload::End(_)) {
            depth = depth.saturating_sub(1);
        } else if let (0, Payload::CustomSection(custom)) = (depth, &payload)
            && custom.name() == SECTION
        {
            return Some(custom.data());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    fn redact(config: &str) -> String {
        format!(r#"{{"name": "redact", "version": "1.2.0", "description": "Removes fields.", "config": {config}}}"#)
    }

    #[test]
    fn what_was_appended_is_read_back_and_not_appended_twice() {
        let text = redact(r#"{"type": "object"}"#);
        let described = describe(EMPTY.to_vec(), &text).expect("a component");
        let description = Description::of(&described).expect("sound").expect("there");
        assert_eq!(
            (description.name().as_str(), description.version(), description.text()),
            ("redact", "1.2.0", &*text)
        );
        assert!(describe(described, &text).is_err());
        assert!(Description::of(EMPTY).expect("none is sound").is_none());
    }

    #[test]
    fn a_description_inside_of_a_part_is_the_parts_own() {
        let inner = describe(EMPTY.to_vec(), &redact("{}")).expect("a component");
        let mut outer = wasm_encoder::Component::new();
        outer.section(&wasm_encoder::RawSection {
            id: wasm_encoder::ComponentSectionId::Component.into(),
            data: &inner,
        });
        let outer = outer.finish();
        assert!(section(&outer).is_none());
    }

    #[test]
    fn a_configuration_is_told_the_place_and_the_rule() {
        let schema = r#"{"type": "object", "additionalProperties": false,
                         "properties": {"percent": {"type": "number", "maximum": 100}}}"#;
        let description = Description::parse(&redact(schema)).expect("sound");
        assert_eq!(description.check_config(r#"{"percent": 12.5}"#), Ok(()));
        let problems = description.check_config(r#"{"percent": 101, "per_cent": 1}"#).expect_err("two problems");
        assert!(problems.iter().any(|it| it.starts_with("/percent: 101 is greater than")), "{problems:?}");
        assert!(problems.iter().any(|it| it.contains("'per_cent'")), "{problems:?}");
    }

    #[test]
    fn what_is_no_description_says_why() {
        let long = "x".repeat(DESCRIPTION_BYTES_MAX + 1);
        for (text, words) in [
            (r#"{"name": "a"}"#, "missing field `version`"),
            (r#"{"name": "../a", "version": "1"}"#, "\"../a\" is not a name"),
            (r#"{"name": "a", "version": ""}"#, "`version` must be"),
            (r#"{"name": "a", "version": "1", "grants": []}"#, "unknown field `grants`"),
            (r#"{"name": "a", "version": "1", "config": {"type": "objekt"}}"#, "`config` is no JSON Schema: /type"),
            (&*long, "at most 65536"),
        ] {
            let refused = Description::parse(text).expect_err(text).to_string();
            assert!(refused.contains(words), "{refused}");
        }
    }

    #[test]
    fn promise_5_a_schema_that_means_only_itself_or_loads_another_ends() {
        let itself = Description::parse(&redact(r##"{"$ref": "#"}"##));
        let other = Description::parse(&redact(r#"{"$ref": "https://example.com/schema.json"}"#));
        assert!(itself.is_err() || itself.expect("sound").check_config("{}").is_ok());
        assert!(other.is_err(), "nothing is fetched");
    }
}
