//! `plugin.json`: what a plugin tells about itself before it runs, held to what it does. For native tests of plugins.
//!
//! Schemas are judged by the library by which the engine judges configurations.

use jsonschema::Validator;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A `plugin.json`.
#[derive(Debug)]
pub struct Manifest {
    written: Written,
    schema: Validator,
}

/// What stands in it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// The name of the crate, and of the component.
    pub name: String,
    /// The version of the crate.
    pub version: String,
    /// One sentence.
    pub description: String,
    /// The JSON Schema of a step's configuration.
    pub config: Value,
    /// Inbound headers that the plugin always reads.
    #[serde(default)]
    pub headers: Vec<String>,
    /// What steps must grant it.
    #[serde(default)]
    pub wants: Vec<String>,
}

impl Manifest {
    /// Reads the text of a `plugin.json`.
    ///
    /// # Errors
    /// What does not parse, or is no schema.
    pub fn parse(text: &str) -> Result<Self, String> {
        let written: Written = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let schema = jsonschema::draft202012::options().build(&written.config);
        let schema = schema.map_err(|error| format!("config{}: {error}", error.instance_path()))?;
        Ok(Self { written, schema })
    }

    /// What stands in it.
    pub fn written(&self) -> &Written {
        &self.written
    }

    /// Those of configurations, each with something about it, that the schema accepts.
    pub fn accepted<'c>(&self, cases: &[(&'c str, &str)]) -> Vec<&'c str> {
        cases.iter().map(|(config, _)| *config).filter(|config| self.accepts(config)).collect()
    }

    /// Whether the schema accepts this configuration.
    pub fn accepts(&self, config: &str) -> bool {
        serde_json::from_str(config).is_ok_and(|config: Value| self.schema.is_valid(&config))
    }
}

/// Says what is wrong with a `plugin.json`: where it differs from the crate, where its schema lacks something that a form
/// needs, and where the README shows what schema or plugin do not accept. Every block of JSON in the README is a
/// configuration.
///
/// [`manifest_findings!`] fills in what belongs to the crate in which it stands.
pub fn findings<P: DeserializeOwned>((name, version): (&str, &str), manifest: &str, readme: &str) -> Vec<String> {
    let Manifest { written: manifest, schema } = match Manifest::parse(manifest) {
        Ok(manifest) => manifest,
        Err(e) => return vec![format!("plugin.json: {e}")],
    };
    let mut findings = Vec::new();
    if manifest.name != name || manifest.version != version {
        let (own, at) = (&manifest.name, &manifest.version);
        findings.push(format!("plugin.json is of {own} {at}, the crate of {name} {version}"));
    }
    if manifest.description.is_empty() || !manifest.description.ends_with('.') {
        findings.push("the description is no sentence".to_owned());
    }
    if manifest.config["$schema"] != "https://json-schema.org/draft/2020-12/schema" {
        findings.push("the schema does not say that it is of draft 2020-12".to_owned());
    }
    open_objects(&manifest.config, "config", &mut findings);
    for key in manifest.config["properties"].as_object().into_iter().flat_map(serde_json::Map::keys) {
        if !readme.contains(&format!("`{key}`")) {
            findings.push(format!("the README does not explain `{key}`"));
        }
    }
    for example in examples(readme) {
        match serde_json::from_str(example) {
            Ok(config) => findings.extend(schema.iter_errors(&config).map(|error| error.to_string())),
            Err(e) => findings.push(format!("an example of the README is no JSON: {e}")),
        }
        findings.extend(weft_plugin::config::parse::<P>(example).err().map(|e| e.to_string()));
    }
    findings
}

/// The blocks of JSON in a README.
fn examples(readme: &str) -> impl Iterator<Item = &str> {
    readme.split("```json\n").skip(1).filter_map(|after| after.split("```").next())
}

/// Finds objects of a schema that accept any member, and members that say nothing about themselves.
fn open_objects(schema: &Value, path: &str, findings: &mut Vec<String>) {
    if !schema.is_object() {
        return;
    }
    if let Some(properties) = schema["properties"].as_object() {
        if schema["additionalProperties"] != Value::Bool(false) {
            findings.push(format!("{path}: additionalProperties is not false"));
        }
        for (name, property) in properties {
            let is_described = property["description"].is_string() || *property == Value::Bool(true);
            if !is_described {
                findings.push(format!("{path}.{name}: has no description"));
            }
        }
    } else if schema["type"] == "object" && schema.get("additionalProperties").is_none() {
        findings.push(format!("{path}: an object without properties"));
    }
    for key in ["properties", "$defs"] {
        for (name, inner) in schema[key].as_object().into_iter().flatten() {
            open_objects(inner, &format!("{path}.{name}"), findings);
        }
    }
    for key in ["items", "additionalProperties"] {
        open_objects(&schema[key], &format!("{path}.{key}"), findings);
    }
    // What `allOf`, `not` and the like hold narrows an object that is described elsewhere.
    for inner in ["anyOf", "oneOf"].iter().flat_map(|key| schema[*key].as_array().into_iter().flatten()) {
        if inner["type"] == "object" || inner["type"] == "array" {
            open_objects(inner, path, findings);
        }
    }
}

/// Says what is wrong with the `plugin.json` of the crate in which this stands, compared with its README and with the
/// plugin's type: `assert_eq!(manifest_findings!(MyPlugin), [""; 0])`.
#[macro_export]
macro_rules! manifest_findings {
    ($plugin:ty) => {
        $crate::findings::<$plugin>(
            (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")),
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/plugin.json")),
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")),
        )
    };
}

/// Reads the `plugin.json` of the crate in which this stands.
#[macro_export]
macro_rules! manifest {
    () => {{
        // A schema takes longer to read than most tests to run.
        static MANIFEST: std::sync::LazyLock<$crate::Manifest> = std::sync::LazyLock::new(|| {
            let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/plugin.json"));
            $crate::Manifest::parse(text).unwrap_or_else(|error| panic!("plugin.json: {error}"))
        });
        &*MANIFEST
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Plugin {
        #[serde(rename = "max")]
        _max: u32,
    }

    const GOOD: &str = r#"{"name": "p", "version": "1.0.0", "description": "Does it.", "config": {
        "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "additionalProperties": false,
        "properties": {"max": {"type": "integer", "minimum": 0, "description": "How many."}}, "required": ["max"]}}"#;
    const README: &str = "# p\n\n```json\n{\"max\": 1}\n```\n\n| `max` | how many |\n";

    fn found(manifest: &str, readme: &str) -> String {
        findings::<Plugin>(("p", "1.0.0"), manifest, readme).join("; ")
    }

    #[test]
    fn a_manifest_that_agrees_with_crate_readme_and_plugin_is_no_finding() {
        assert_eq!(found(GOOD, README), "");
    }

    #[test]
    fn what_does_not_agree_is_found() {
        let cases = [
            (GOOD.replace("1.0.0", "1.0.1"), README.to_owned(), "plugin.json is of p 1.0.1, the crate of p 1.0.0"),
            (GOOD.replace("Does it.", ""), README.to_owned(), "no sentence"),
            (GOOD.replace("\"additionalProperties\": false,", ""), README.to_owned(), "additionalProperties is not"),
            (
                GOOD.replace("\"description\": \"How many.\"", "\"title\": \"\""),
                README.to_owned(),
                "config.max: has no",
            ),
            (GOOD.replace("2020-12", "07"), README.to_owned(), "draft 2020-12"),
            (GOOD.to_owned(), README.replace("`max`", "max"), "does not explain `max`"),
            (GOOD.to_owned(), README.replace("1}", "1, \"min\": 2}"), "unknown field `min`"),
            (GOOD.to_owned(), README.replace("1}", "1, \"min\": 2}"), "'min' was unexpected"),
            (GOOD.to_owned(), README.replace("1}", "-1}"), "-1 is less than the minimum of 0"),
            (GOOD.replace("\"name\"", "\"nome\""), README.to_owned(), "unknown field `nome`"),
        ];
        for (manifest, readme, wanted) in cases {
            let found = found(&manifest, &readme);
            assert!(found.contains(wanted), "{wanted}: {found}");
        }
    }
}
