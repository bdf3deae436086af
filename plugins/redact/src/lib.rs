//! Removes, masks or hashes fields of the payload, and leaves every other byte as it is: see `README.md` for the configuration.

mod edit;
mod level;
mod redaction;
mod settings;

use weft_plugin::json::{self, Pointer};
use weft_plugin::{Event, Failure, Outputs, Patch, Payload, Transform};

use redaction::Redaction;
pub use settings::Redact;

impl Transform for Redact {
    fn transform(&self, event: &Event) -> Result<Outputs, Failure> {
        if self.rules.is_empty() {
            return Ok(Outputs::Events(vec![Patch::default()]));
        }
        // The whole text is checked first, so that the redaction may trust it to the last byte.
        json::pick(&event.data, std::iter::empty::<&Pointer>()).map_err(|e| Failure::Reject(e.to_string()))?;
        let text = event.data.as_str().unwrap_or_default();
        let redaction = Redaction::of(text, self);
        if let Some((place, rule)) = redaction.first_missing() {
            let pointer = rule.pointer.as_str();
            return Err(Failure::Reject(format!("rules[{place}]: {pointer:?} is required and missing")));
        }
        if let Some(refused) = redaction.unhashed() {
            return Err(Failure::Reject(refused.to_string()));
        }
        Ok(Outputs::Events(vec![Patch { data: redaction.into_text().map(Payload::Text), ..Patch::default() }]))
    }
}

weft_plugin::export!(Redact: transform);

#[cfg(test)]
mod tests;
