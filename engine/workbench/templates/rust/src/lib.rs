//! Keeps orders from a total on, and marks them as large.

use serde::Deserialize;
use serde_json::{Number, Value};
use weft_plugin::{Event, Failure, Filter, Header, Outputs, Patch, Payload, Transform, Verdict};

/// The plugin is its configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plugin {
    #[serde(default = "zero")]
    min_total: Number,
}

fn zero() -> Number {
    Number::from(0)
}

impl Filter for Plugin {
    fn decide(&self, event: &Event) -> Result<Verdict, Failure> {
        let order = order(event)?;
        let total = order["total"].as_f64().ok_or_else(|| Failure::Reject("the order has no total".to_owned()))?;
        if self.min_total.as_f64().is_some_and(|least| total < least) {
            return Ok(Verdict::Drop(format!("a total of {} is below {}", order["total"], self.min_total)));
        }
        Ok(Verdict::Keep)
    }
}

impl Transform for Plugin {
    fn transform(&self, event: &Event) -> Result<Outputs, Failure> {
        let mut order = order(event)?;
        order["large"] = Value::from(true);
        Ok(Outputs::Events(vec![Patch {
            data: Some(Payload::Text(order.to_string())),
            set_attributes: vec![Header::new("size", "large")],
            ..Patch::default()
        }]))
    }
}

fn order(event: &Event) -> Result<Value, Failure> {
    let order: Value = serde_json::from_slice(event.data.as_bytes()).map_err(|e| Failure::Reject(e.to_string()))?;
    if order.is_object() { Ok(order) } else { Err(Failure::Reject("the order is no object".to_owned())) }
}

weft_plugin::export!(Plugin: filter, transform);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_order_is_dropped() {
        let plugin: Plugin = weft_plugin::config::parse(r#"{"min_total": 100}"#).unwrap();
        let event = weft_plugin::testing::event(r#"{"total": 20}"#);
        assert!(matches!(plugin.decide(&event), Ok(Verdict::Drop(_))));
    }
}
