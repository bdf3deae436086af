//! Builds a new JSON payload from a template in the configuration: see `README.md`.

mod blueprint;

use serde::Deserialize;
use weft_plugin::json::{self, Picked};
use weft_plugin::{Event, Failure, Outputs, Patch, Payload, Transform};

use blueprint::Blueprint;

/// The plugin, as configured.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reshape {
    /// The payload to build.
    template: Blueprint,
}

impl Transform for Reshape {
    fn transform(&self, event: &Event) -> Result<Outputs, Failure> {
        let pointers: Vec<_> = self.template.pointers().collect();
        let picked = if pointers.is_empty() { Ok(Picked::none()) } else { json::pick(&event.data, pointers) };
        let picked = picked.map_err(|not_json| Failure::Reject(not_json.to_string()))?;
        let built = self.template.build(event, &picked).map_err(|missing| Failure::Reject(missing.to_string()))?;
        Ok(Outputs::Events(vec![Patch {
            content_type: Some("application/json".to_owned()),
            data: Some(Payload::Text(built)),
            ..Patch::default()
        }]))
    }
}

weft_plugin::export!(Reshape: transform);

#[cfg(test)]
mod tests;
