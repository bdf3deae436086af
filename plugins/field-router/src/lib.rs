//! Chooses destinations by the value of one field: see `README.md` for the configuration.

mod settings;

use weft_plugin::json::{self, Number, Picked, Value};
use weft_plugin::{Destination, Event, Failure, Route, Target, Targets};

pub use settings::FieldRouter;
use settings::{Branch, OnNotJson, Recipient};

impl Route for FieldRouter {
    fn route(&self, event: &Event, _destinations: &[Destination]) -> Result<Targets, Failure> {
        let picked = match self.field.pointer() {
            None => Ok(Picked::none()),
            Some(pointer) => json::pick(&event.data, [pointer]),
        };
        let values = match (&picked, self.on_not_json) {
            (Ok(picked), _) => self.field.values(event, picked),
            (Err(not_json), OnNotJson::Reject) => return Err(Failure::Reject(not_json.to_string())),
            (Err(not_json), OnNotJson::Drop) => return Ok(Targets::Drop(not_json.to_string())),
            (Err(_), OnNotJson::Default) => Vec::new(),
        };
        let chosen = values.iter().find_map(|value| self.routes.iter().find(|branch| branch.is_for(value)));
        match chosen.map(|branch| &branch.to).or(self.default.as_ref()) {
            Some(recipients) => Ok(Targets::Send(recipients.iter().map(Recipient::target).collect())),
            None if values.is_empty() => {
                Ok(Targets::Drop(format!("{} is missing and there is no default", self.field)))
            }
            None => Ok(Targets::Drop(format!("no route for the value of {} and no default", self.field))),
        }
    }
}

impl Branch {
    /// Whether `value` takes this way. Nothing takes a way for `null`, an array or an object.
    fn is_for(&self, value: &Value<'_>) -> bool {
        match value {
            Value::String(text) => *text == self.value,
            Value::Text(text) => *text == self.value,
            Value::Bool(is_true) => self.value == if *is_true { "true" } else { "false" },
            Value::Number(number) => Number::parse(&self.value).is_some_and(|own| own == *number),
            Value::Null | Value::Array(_) | Value::Object(_) => false,
        }
    }
}

impl Recipient {
    fn target(&self) -> Target {
        Target::to(self.recipients())
    }
}

weft_plugin::export!(FieldRouter: route);

#[cfg(test)]
mod tests;
