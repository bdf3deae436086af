//! `plugin.json`: what a plugin tells about itself before it runs.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::schema;

/// What stands in a `plugin.json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
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
}

impl Manifest {
    /// Reads the text of a `plugin.json`.
    ///
    /// # Errors
    /// What does not parse.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// Whether the schema accepts this configuration. Patterns are not looked at.
    pub fn accepts(&self, config: &str) -> bool {
        serde_json::from_str(config).is_ok_and(|config| self.breaches(&config).is_empty())
    }

    fn breaches(&self, config: &Value) -> Vec<String> {
        let mut breaches = Vec::new();
        schema::check(&self.config, &self.config, config, "configuration", &mut breaches);
        breaches
    }
}

/// Says what is wrong with a `plugin.json`: where it differs from the crate, where its schema lacks something that a form
/// needs, and where the README shows what schema or plugin do not accept. Every block of JSON in the README is a
/// configuration.
pub fn findings<P: DeserializeOwned>((name, version): (&str, &str), manifest: &str, readme: &str) -> Vec<String> {
    let manifest = match Manifest::parse(manifest) {
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
            Ok(config) => findings.extend(manifest.breaches(&config)),
            Err(e) => findings.push(format!("an example of the README is no JSON: {e}")),
        }
        findings.extend(crate::config::parse::<P>(example).err().map(|e| e.to_string()));
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
            (GOOD.to_owned(), README.replace("1}", "1, \"min\": 2}"), "configuration.min: is not declared"),
            (GOOD.to_owned(), README.replace("1}", "-1}"), "configuration.max: is less than 0"),
            (GOOD.replace("\"name\"", "\"nome\""), README.to_owned(), "unknown field `nome`"),
        ];
        for (manifest, readme, wanted) in cases {
            let found = found(&manifest, &readme);
            assert!(found.contains(wanted), "{wanted}: {found}");
        }
    }
}
