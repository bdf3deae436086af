//! As much of JSON Schema as the schemas of plugins use, for native tests. What is not known is a breach, not a pass.

use serde_json::{Map, Value};

/// Keywords that only tell people something, and `pattern`, for which there is no engine here.
const SILENT: [&str; 9] =
    ["$schema", "$defs", "title", "description", "default", "examples", "pattern", "format", "$comment"];

/// Writes what of `value`, which stands at `path`, breaks `schema`, a part of `root`.
pub(super) fn check(root: &Value, schema: &Value, value: &Value, path: &str, breaches: &mut Vec<String>) {
    if *schema == Value::Bool(true) {
        return;
    }
    let Some(keywords) = schema.as_object() else {
        return breaches.push(format!("{path}: is not allowed"));
    };
    let passes = |schema: &Value| {
        let mut inner = Vec::new();
        check(root, schema, value, path, &mut inner);
        inner.is_empty()
    };
    for (keyword, rule) in keywords {
        let schemas = rule.as_array().map(Vec::as_slice).unwrap_or_default();
        let broken = match keyword.as_str() {
            silent if SILENT.contains(&silent) => None,
            "$ref" => {
                let name = rule.as_str().and_then(|text| text.strip_prefix('#')).unwrap_or("?");
                let target = root.pointer(name).unwrap_or(&Value::Null);
                check(root, target, value, path, breaches);
                None
            }
            "type" => (!has_type(rule, value)).then(|| format!("is no {rule}")),
            "enum" => (!schemas.contains(value)).then(|| format!("is none of {rule}")),
            "const" => (rule != value).then(|| format!("is not {rule}")),
            "anyOf" => (!schemas.iter().any(passes)).then(|| "fits no choice".to_owned()),
            "oneOf" => {
                let fitting = schemas.iter().filter(|schema| passes(schema)).count();
                (fitting != 1).then(|| format!("fits {fitting} choices, not one"))
            }
            "allOf" => {
                schemas.iter().for_each(|schema| check(root, schema, value, path, breaches));
                None
            }
            "not" => passes(rule).then(|| "is what it must not be".to_owned()),
            "minimum" | "maximum" | "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties"
            | "maxProperties" => out_of_bounds(keyword, rule, value),
            "required" | "dependentRequired" | "properties" | "additionalProperties" | "items" | "propertyNames" => {
                None
            }
            unknown => Some(format!("`{unknown}` is no keyword that is known here")),
        };
        breaches.extend(broken.map(|rule| format!("{path}: {rule}")));
    }
    match value {
        Value::Object(members) => check_members(root, keywords, members, path, breaches),
        Value::Array(elements) => {
            let schema = keywords.get("items").unwrap_or(&Value::Bool(true));
            for (index, element) in elements.iter().enumerate() {
                check(root, schema, element, &format!("{path}[{index}]"), breaches);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn check_members(
    root: &Value,
    keywords: &Map<String, Value>,
    members: &Map<String, Value>,
    path: &str,
    breaches: &mut Vec<String>,
) {
    let names = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut required = keywords.get("required").map(names).unwrap_or_default();
    for (name, list) in keywords.get("dependentRequired").and_then(Value::as_object).into_iter().flatten() {
        if members.contains_key(name) {
            required.extend(names(list));
        }
    }
    breaches.extend(
        required.iter().filter(|name| !members.contains_key(*name)).map(|name| format!("{path}: lacks {name}")),
    );
    let declared = keywords.get("properties").and_then(Value::as_object);
    for (name, member) in members {
        let path = format!("{path}.{name}");
        if let Some(schema) = keywords.get("propertyNames") {
            check(root, schema, &Value::String(name.clone()), &path, breaches);
        }
        let schema = declared.and_then(|declared| declared.get(name)).or(keywords.get("additionalProperties"));
        match schema {
            Some(Value::Bool(false)) => breaches.push(format!("{path}: is not declared")),
            Some(schema) => check(root, schema, member, &path, breaches),
            None => {}
        }
    }
}

fn has_type(rule: &Value, value: &Value) -> bool {
    let own = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let is = |name: &str| name == own || (name == "integer" && (value.is_i64() || value.is_u64()));
    let several = rule.as_array().into_iter().flatten();
    several.chain(std::iter::once(rule)).filter_map(Value::as_str).any(is)
}

fn out_of_bounds(keyword: &str, rule: &Value, value: &Value) -> Option<String> {
    let size = |count: usize| u32::try_from(count).map_or(f64::INFINITY, f64::from);
    let measured = match (keyword, value) {
        ("minimum" | "maximum", Value::Number(number)) => number.as_f64()?,
        ("minLength" | "maxLength", Value::String(text)) => size(text.chars().count()),
        ("minItems" | "maxItems", Value::Array(elements)) => size(elements.len()),
        ("minProperties" | "maxProperties", Value::Object(members)) => size(members.len()),
        _ => return None,
    };
    let bound = rule.as_f64()?;
    match keyword.starts_with("min") {
        true => (measured < bound).then(|| format!("is less than {rule}")),
        false => (measured > bound).then(|| format!("is more than {rule}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(schema: &str, value: &str) -> bool {
        let (schema, value) = (serde_json::from_str(schema).expect(schema), serde_json::from_str(value).expect(value));
        let mut breaches = Vec::new();
        check(&schema, &schema, &value, "", &mut breaches);
        breaches.is_empty()
    }

    #[test]
    fn each_keyword_tells_what_it_allows_from_what_it_does_not() {
        let cases = [
            (r#"{"type": "integer"}"#, "1", "1.5"),
            (r#"{"type": ["string", "null"]}"#, "null", "{}"),
            (r#"{"enum": ["a", 1]}"#, "1", "2"),
            (r#"{"const": true}"#, "true", "false"),
            (r#"{"anyOf": [{"type": "string"}, {"minimum": 2}]}"#, "3", "1"),
            (r#"{"oneOf": [{"type": "number"}, {"minimum": 2}]}"#, "1", "3"),
            (r#"{"allOf": [{"minimum": 1}, {"maximum": 2}]}"#, "2", "3"),
            (r#"{"not": {"required": ["a"]}}"#, r#"{"b": 1}"#, r#"{"a": 1}"#),
            (r#"{"minLength": 2, "maxLength": 2}"#, r#""éé""#, r#""ééé""#),
            (r#"{"items": {"type": "string"}, "maxItems": 1}"#, r#"["a"]"#, "[1]"),
            (r#"{"maxItems": 1}"#, "[1]", "[1, 2]"),
            (r#"{"required": ["a"]}"#, r#"{"a": 1}"#, "{}"),
            (r#"{"dependentRequired": {"a": ["b"]}}"#, r#"{"b": 1}"#, r#"{"a": 1}"#),
            (r#"{"properties": {"a": {"type": "null"}}}"#, r#"{"a": null}"#, r#"{"a": 1}"#),
            (r#"{"properties": {"a": true}, "additionalProperties": false}"#, r#"{"a": 1}"#, r#"{"b": 1}"#),
            (r#"{"additionalProperties": {"type": "string"}}"#, r#"{"b": ""}"#, r#"{"b": 1}"#),
            (r#"{"propertyNames": {"minLength": 2}}"#, r#"{"ab": 1}"#, r#"{"a": 1}"#),
            (r##"{"$ref": "#/$defs/t", "$defs": {"t": {"type": "string"}}}"##, r#""""#, "1"),
            (r##"{"items": {"$ref": "#"}, "type": "array"}"##, "[[]]", "[1]"),
        ];
        for (schema, good, bad) in cases {
            assert!(accepts(schema, good), "{schema} {good}");
            assert!(!accepts(schema, bad), "{schema} {bad}");
        }
        assert!(!accepts(r#"{"contains": 1}"#, "1"), "an unknown keyword is no pass");
        assert!(!accepts(r##"{"$ref": "#/nowhere"}"##, "1"), "a reference to nothing is no pass");
    }
}
