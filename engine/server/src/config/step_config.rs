//! The configuration of a step: any TOML table, handed to the plugin as JSON text.

use serde_json::{Map, Number, Value as Json};

use super::limits::Limits;
use super::reader::Field;
use super::tree::Value;

/// Most keys of one table; the size limit bounds them all together.
const KEYS_MAX: usize = 65_536;

/// Reads a table as JSON text of at most `step_config_bytes_max`. Values are never shown: they may be anything.
pub(super) fn read(field: Field<'_>, limits: &Limits) -> Option<String> {
    let field = field.hiding();
    let json = object(field)?.to_string();
    let most = limits.step_config_bytes;
    if json.len() > most {
        return field.problem(format!(
            "is {} bytes as JSON and must be at most {most} (limits.step_config_bytes_max)",
            json.len()
        ));
    }
    Some(json)
}

fn object(field: Field<'_>) -> Option<Json> {
    let entries = field.entries(KEYS_MAX)?;
    // All of them are read before one that failed is looked at, so that every problem is written down.
    let members: Vec<_> = entries.into_iter().map(|(key, field)| Some((key.to_owned(), json(field)?))).collect();
    members.into_iter().collect::<Option<Map<_, _>>>().map(Json::Object)
}

fn json(field: Field<'_>) -> Option<Json> {
    match field.value() {
        Value::Text(text) => Some(Json::from(text.as_str())),
        Value::Integer(number) => Some(Json::from(*number)),
        Value::Boolean(truth) => Some(Json::from(*truth)),
        Value::Float(number) => match Number::from_f64(*number) {
            Some(number) => Some(Json::Number(number)),
            None => field.problem("is no number in JSON (nan or inf)"),
        },
        Value::Datetime => field.problem("is a date or time, which JSON has not; write it as a string in quotes"),
        Value::List(_) => {
            let elements: Vec<_> = field.list(KEYS_MAX).into_iter().map(json).collect();
            elements.into_iter().collect::<Option<Vec<_>>>().map(Json::Array)
        }
        Value::Table(_) => object(field),
    }
}
