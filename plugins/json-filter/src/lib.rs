//! Keeps the events that meet its conditions and drops the others: see `README.md` for the configuration.

mod condition;

use serde::Deserialize;
use weft_plugin::{Event, Failure, Filter, Verdict, json};

use condition::Condition;

/// The plugin, as configured.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JsonFilter {
    /// An event that meets this goes on.
    keep_when: Condition,
    /// Why the others end; the plugin says which condition failed if this is left out.
    drop_reason: Option<String>,
    /// What becomes of a payload that is not JSON where a condition has a pointer.
    #[serde(default)]
    on_not_json: OnNotJson,
}

/// What becomes of a payload that is not JSON.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OnNotJson {
    /// It is a dead letter.
    #[default]
    Reject,
    /// It is dropped.
    Drop,
    /// It is kept.
    Keep,
}

impl Filter for JsonFilter {
    fn decide(&self, event: &Event) -> Result<Verdict, Failure> {
        let mut pointers = Vec::new();
        self.keep_when.pointers(&mut pointers);
        let picked = if pointers.is_empty() { Ok(json::Picked::none()) } else { json::pick(&event.data, pointers) };
        let picked = match (picked, self.on_not_json) {
            (Ok(picked), _) => picked,
            (Err(not_json), OnNotJson::Reject) => return Err(Failure::Reject(not_json.to_string())),
            (Err(not_json), OnNotJson::Drop) => return Ok(Verdict::Drop(not_json.to_string())),
            (Err(_), OnNotJson::Keep) => return Ok(Verdict::Keep),
        };
        if self.keep_when.holds(event, &picked) {
            return Ok(Verdict::Keep);
        }
        let reason = || format!("keep_when does not hold: {}", self.keep_when.first_unmet(event, &picked));
        Ok(Verdict::Drop(self.drop_reason.clone().unwrap_or_else(reason)))
    }
}

weft_plugin::export!(JsonFilter: filter);

#[cfg(test)]
mod tests;
