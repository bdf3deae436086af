//! The step's configuration, read into the plugin's own type.

use std::fmt;

use serde::de::DeserializeOwned;

/// Why a configuration makes no sense: the place as a path, and the rule that it breaks.
///
/// Reads as `configuration: keep_when.all[1].gte: expected a number or a string`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidConfig {
    path: String,
    rule: String,
}

impl fmt::Display for InvalidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "." | "" => write!(f, "configuration: {}", self.rule),
            path => write!(f, "configuration: {path}: {}", self.rule),
        }
    }
}

impl std::error::Error for InvalidConfig {}

/// Reads the configuration of the step that this instance runs.
///
/// # Errors
/// [`InvalidConfig`] if it does not parse into `T`.
pub fn read<T: DeserializeOwned>() -> Result<T, InvalidConfig> {
    parse(&crate::bindings::config::get())
}

/// Parses a configuration, `{}` if it is empty.
///
/// # Errors
/// [`InvalidConfig`] if it does not parse into `T`.
pub fn parse<T: DeserializeOwned>(json: &str) -> Result<T, InvalidConfig> {
    let json = match json.trim_ascii_start().bytes().next() {
        None => "{}",
        Some(b'{') => json,
        Some(_) => return Err(InvalidConfig { path: String::new(), rule: "expected a JSON object".to_owned() }),
    };
    // Keeping track of the path costs an allocation per key, so it is done only for a configuration that is known to fail.
    serde_json::from_str(json).or_else(|_| parse_with_path(json))
}

#[cold]
fn parse_with_path<T: DeserializeOwned>(json: &str) -> Result<T, InvalidConfig> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let value = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|e| InvalidConfig { path: e.path().to_string(), rule: rule(e.inner()) })?;
    deserializer.end().map_err(|e| InvalidConfig { path: String::new(), rule: e.to_string() })?;
    Ok(value)
}

/// What the error says, without line and column where the path tells the place: the JSON is made from another file.
fn rule(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((rule, _)) if error.is_data() => rule.to_owned(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Limits {
        #[serde(default)]
        rules: Vec<Rule>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Rule {
        max: u32,
    }

    fn error(json: &str) -> String {
        parse::<Limits>(json).expect_err(json).to_string()
    }

    #[test]
    fn no_configuration_is_an_empty_one() {
        for json in ["", " \n", "{}"] {
            assert_eq!(parse::<Limits>(json), Ok(Limits { rules: vec![] }), "{json:?}");
        }
    }

    #[test]
    fn an_error_names_the_place_and_the_rule() {
        assert!(error(r#"{"rules":[{"max":1},{"max":-1}]}"#).starts_with("configuration: rules[1].max: invalid value"));
        assert!(
            error(r#"{"rules":[{"maximum":1}]}"#).contains("rules[0].maximum: unknown field `maximum`, expected `max`")
        );
        assert!(error(r#"{"rules":[{}]}"#).contains("rules[0]: missing field `max`"));
        assert_eq!(error("[]"), "configuration: expected a JSON object");
        assert!(error("{} {}").contains("trailing characters"));
        assert!(error("{").contains("EOF while parsing"));
    }
}
