//! What must become of each event: an independent walk over the input.
//!
//! The rules of `examples/quickstart/weft.toml` once more, by hand, over `serde_json`; nothing here knows the plugins, their
//! configuration language or the engine. Whoever changes a rule there changes it here, and the demo tells if only one was.

use std::hash::{DefaultHasher, Hash, Hasher};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::draw::DrawnEvent;

/// Orders below this total are not worth a delivery: `keep_when` of the shop.
const TOTAL_MIN: f64 = 5.0;

/// Severities that nobody needs to know: `keep_when` of devtools.
const QUIET: [&str; 2] = ["debug", "info"];

/// A tenant's rules.
struct Rules {
    tenant: &'static str,
    filtered: fn(&Value) -> bool,
    /// The object that holds the array which is split, its member with the array, and the member for one element.
    split: (&'static str, &'static str, &'static str),
    /// The value that decides where an output goes.
    route_by: &'static str,
    routes: &'static [(&'static str, &'static [&'static str])],
    otherwise: &'static str,
}

const RULES: [Rules; 2] = [
    Rules {
        tenant: "shop",
        filtered: |payload| {
            payload.pointer("/test") == Some(&Value::Bool(true))
                || payload.pointer("/livemode") == Some(&Value::Bool(false))
                || payload.pointer("/data/total").and_then(Value::as_f64).is_some_and(|total| total < TOTAL_MIN)
        },
        split: ("/data", "line_items", "line_item"),
        route_by: "/data/region",
        routes: &[("eu", &["warehouse", "crm"]), ("us", &["crm"])],
        otherwise: "archive",
    },
    Rules {
        tenant: "devtools",
        filtered: |payload| {
            let text = |pointer| payload.pointer(pointer).and_then(Value::as_str);
            text("/sender/type") == Some("Bot") || text("/severity").is_some_and(|severity| QUIET.contains(&severity))
        },
        split: ("", "commits", "commit"),
        route_by: "/severity",
        routes: &[("critical", &["pager", "chat"]), ("warning", &["chat"])],
        otherwise: "ci",
    },
];

/// What must become of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The filter drops it.
    Filtered,
    /// It has an array without elements, so that nothing is left of it.
    Emptied,
    /// It goes on, whole or in parts.
    Routed(Vec<ExpectedOutput>),
}

/// One output and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExpectedOutput {
    pub(crate) content: Content,
    pub(crate) destinations: &'static [&'static str],
}

/// A JSON value, whatever its spaces and the order of its members: two of them are equal if the values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Content(u64);

impl Content {
    fn of(payload: &Value) -> Self {
        // Members are sorted in serde_json's own text, so that it is the same for equal values.
        let mut hasher = DefaultHasher::new();
        payload.to_string().hash(&mut hasher);
        Self(hasher.finish())
    }

    /// The content of a body, if it is JSON.
    pub(crate) fn of_body(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok().map(|payload| Self::of(&payload))
    }
}

/// What must become of `event`.
///
/// # Errors
/// When it is of a tenant without rules, or its payload is not JSON.
pub(crate) fn fate(event: &DrawnEvent) -> Result<Fate> {
    let payload: Value = serde_json::from_str(&event.body).context("a drawn payload is JSON")?;
    let Some(rules) = RULES.iter().find(|rules| rules.tenant == event.tenant) else {
        bail!("expected.rs has no rules for the tenant `{}`", event.tenant);
    };
    if (rules.filtered)(&payload) {
        return Ok(Fate::Filtered);
    }
    let parts = parts(rules, payload);
    if parts.is_empty() {
        return Ok(Fate::Emptied);
    }
    let output = |part: &Value| ExpectedOutput { content: Content::of(part), destinations: recipients(rules, part) };
    Ok(Fate::Routed(parts.iter().map(output).collect()))
}

/// The event for each element of its array, with the event around it; the event itself if it has no array.
fn parts(rules: &'static Rules, mut payload: Value) -> Vec<Value> {
    let (parent, array, element) = rules.split;
    let taken = payload
        .pointer_mut(parent)
        .and_then(Value::as_object_mut)
        .and_then(|object| object.get(array).is_some_and(Value::is_array).then(|| object.remove(array)).flatten());
    let Some(Value::Array(elements)) = taken else { return vec![payload] };
    let part = |value| {
        let mut part = payload.clone();
        if let Some(object) = part.pointer_mut(parent).and_then(Value::as_object_mut) {
            object.insert(element.to_owned(), value);
        }
        part
    };
    elements.into_iter().map(part).collect()
}

fn recipients(rules: &'static Rules, part: &Value) -> &'static [&'static str] {
    let value = part.pointer(rules.route_by).and_then(Value::as_str);
    let route = rules.routes.iter().find(|(name, _)| Some(*name) == value);
    route.map_or(std::slice::from_ref(&rules.otherwise), |(_, destinations)| destinations)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sample::TypeIn;

    fn fate_of(tenant: &str, payload: &Value) -> Fate {
        let event = DrawnEvent {
            tenant: tenant.to_owned(),
            event_type: "any".to_owned(),
            type_in: TypeIn::Header,
            body: payload.to_string(),
        };
        fate(&event).expect("a tenant with rules")
    }

    fn whole(payload: &Value, destinations: &'static [&'static str]) -> Fate {
        Fate::Routed(vec![ExpectedOutput { content: Content::of(payload), destinations }])
    }

    #[test]
    fn tests_and_small_orders_of_the_shop_are_filtered() {
        for payload in [json!({"test": true}), json!({"livemode": false}), json!({"data": {"total": 4.99}})] {
            assert_eq!(fate_of("shop", &payload), Fate::Filtered, "{payload}");
        }
        let five = json!({"test": false, "livemode": true, "data": {"total": 5.00}});
        assert_eq!(fate_of("shop", &five), whole(&five, &["archive"]));
    }

    #[test]
    fn an_order_becomes_an_output_for_each_line_with_the_order_around_it() {
        let order = json!({"data": {"region": "eu", "line_items": [{"sku": "A"}, {"sku": "B"}]}});
        let part = |sku: &str| ExpectedOutput {
            content: Content::of(&json!({"data": {"line_item": {"sku": sku}, "region": "eu"}})),
            destinations: &["warehouse", "crm"],
        };
        assert_eq!(fate_of("shop", &order), Fate::Routed(vec![part("A"), part("B")]));
        assert_eq!(fate_of("shop", &json!({"data": {"line_items": []}})), Fate::Emptied);
    }

    #[test]
    fn the_region_or_the_severity_decides_and_all_else_has_a_place_too() {
        let us = json!({"data": {"region": "us"}});
        assert_eq!(fate_of("shop", &us), whole(&us, &["crm"]));
        let critical = json!({"severity": "critical"});
        assert_eq!(fate_of("devtools", &critical), whole(&critical, &["pager", "chat"]));
        let issue = json!({"action": "opened"});
        assert_eq!(fate_of("devtools", &issue), whole(&issue, &["ci"]));
    }

    #[test]
    fn bots_and_quiet_readings_of_devtools_are_filtered() {
        assert_eq!(fate_of("devtools", &json!({"sender": {"type": "Bot"}})), Fate::Filtered);
        assert_eq!(fate_of("devtools", &json!({"severity": "info"})), Fate::Filtered);
    }

    #[test]
    fn content_is_equal_whatever_the_order_and_the_spaces() {
        let one = Content::of_body(br#"{"a": 1, "b": [1.50]}"#);
        assert_eq!(one, Content::of_body(br#"{"b":[1.5],"a":1}"#));
        assert_ne!(one, Content::of_body(br#"{"b":[1.6],"a":1}"#));
        assert_eq!(Content::of_body(b"{"), None);
    }
}
