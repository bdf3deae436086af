//! How an outcome is written down, and how two of them differ.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use similar::{ChangeTag, TextDiff};
use weft_core::contract::{Failure, Overrides, Patch, Recipients, Target};
use weft_core::event::{Header, is_json};
use weft_core::plan::RoutedOutput;
use weft_core::trace::Answer;
use weft_server::workers::pass::{Outcome, Rehearsal};

/// Lines around a difference.
const CONTEXT_LINES: usize = 3;

/// An outcome as fixtures expect it: what was decided and what would go out, without times.
pub(crate) fn outcome(rehearsal: &Rehearsal) -> Value {
    match &rehearsal.outcome {
        Outcome::Outputs { outputs, .. } => {
            json!({"outcome": "outputs", "outputs": outputs.iter().map(output).collect::<Vec<_>>()})
        }
        Outcome::Dropped { reason, .. } => json!({"outcome": "dropped", "reason": reason}),
        Outcome::Failed { failure, .. } => match (last_answer(rehearsal), failure) {
            (Some(Answer::Fault { class, message }), _) => {
                json!({"outcome": "fault", "class": class.as_str(), "message": message})
            }
            (_, Failure::Reject(reason)) => json!({"outcome": "rejected", "reason": reason}),
            (_, Failure::Retry { reason, after_ms: None }) => json!({"outcome": "retry", "reason": reason}),
            (_, Failure::Retry { reason, after_ms }) => {
                json!({"outcome": "retry", "reason": reason, "after_ms": after_ms})
            }
        },
        Outcome::TooManyDeliveries(count) => json!({"outcome": "too many deliveries", "deliveries": count}),
    }
}

fn last_answer(rehearsal: &Rehearsal) -> Option<&Answer> {
    Some(&rehearsal.trace.steps.last()?.answers.last()?.answer)
}

fn output(output: &RoutedOutput) -> Value {
    let draft = &output.draft;
    let mut shown = Map::new();
    if draft.output > 0 {
        shown.insert("output".to_owned(), draft.output.into());
    }
    shown.insert("type".to_owned(), draft.event_type.as_str().into());
    shown.insert("content_type".to_owned(), draft.content_type.as_str().into());
    if let Some(key) = &draft.ordering_key {
        shown.insert("ordering_key".to_owned(), key.as_str().into());
    }
    add_members(&mut shown, "headers", &draft.headers);
    add_members(&mut shown, "attributes", &draft.attributes);
    match &draft.body {
        Some(body) => add_body(&mut shown, body, &draft.content_type),
        None => drop(shown.insert("body".to_owned(), "unchanged".into())),
    }
    if let Some(targets) = &output.targets {
        shown.insert("targets".to_owned(), targets.iter().map(target).collect());
    }
    Value::Object(shown)
}

fn target(target: &Target) -> Value {
    let to = match &target.to {
        Recipients::Subscribed => json!("subscribed"),
        Recipients::Named(name) => json!({ "named": name }),
        Recipients::Labelled(labels) => json!({ "labelled": members(labels) }),
    };
    let mut shown = Map::from_iter([("to".to_owned(), to)]);
    let Patch { event_type, content_type, ordering_key, data, set_headers, remove_headers, set_attributes } =
        &target.change;
    let Overrides { method, path, query, delay_ms } = &target.request;
    let texts = [
        ("type", event_type),
        ("content_type", content_type),
        ("ordering_key", ordering_key),
        ("method", method),
        ("path", path),
        ("query", query),
    ];
    for (name, text) in texts {
        shown.extend(text.as_ref().map(|text| (name.to_owned(), text.as_str().into())));
    }
    shown.extend(delay_ms.map(|ms| ("delay_ms".to_owned(), ms.into())));
    add_members(&mut shown, "headers", set_headers);
    add_members(&mut shown, "attributes", set_attributes);
    if !remove_headers.is_empty() {
        shown.insert("removed_headers".to_owned(), remove_headers.clone().into());
    }
    if let Some(body) = data {
        add_body(&mut shown, body, content_type.as_deref().unwrap_or("application/json"));
    }
    Value::Object(shown)
}

/// JSON as it is, other text as text, everything else as base64: what a fixture may say of an event.
fn add_body(shown: &mut Map<String, Value>, body: &[u8], content_type: &str) {
    let parsed = if is_json(content_type) { serde_json::from_slice::<Value>(body).ok() } else { None };
    let (name, value) = match (parsed, std::str::from_utf8(body)) {
        (Some(json), _) => ("data", json),
        (None, Ok(text)) => ("text", text.into()),
        (None, Err(_)) => ("base64", STANDARD.encode(body).into()),
    };
    shown.insert(name.to_owned(), value);
}

fn add_members(shown: &mut Map<String, Value>, name: &str, pairs: &[Header]) {
    if !pairs.is_empty() {
        shown.insert(name.to_owned(), members(pairs));
    }
}

fn members(pairs: &[Header]) -> Value {
    pairs.iter().map(|pair| (pair.name.clone(), Value::from(pair.value.as_str()))).collect::<Map<_, _>>().into()
}

/// The lines in which two outcomes differ, with some around them: `-` is expected, `+` is what came; `None` if they are equal.
pub fn difference(expected: &Value, got: &Value) -> Option<String> {
    if expected == got {
        return None;
    }
    let pretty = |value: &Value| format!("{value:#}\n");
    let (expected, got) = (pretty(expected), pretty(got));
    let diff = TextDiff::from_lines(&expected, &got);
    let mut text = String::new();
    for (place, group) in diff.grouped_ops(CONTEXT_LINES).iter().enumerate() {
        if place > 0 {
            text.push_str("  …\n");
        }
        for change in group.iter().flat_map(|operation| diff.iter_changes(operation)) {
            let sign = match change.tag() {
                ChangeTag::Delete => "- ",
                ChangeTag::Insert => "+ ",
                ChangeTag::Equal => "  ",
            };
            text.extend([sign, change.value()]);
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_shows_what_was_expected_and_what_came() {
        let expected = json!({"outcome": "outputs", "outputs": [{"data": {"total": 1}, "type": "a"}]});
        let got = json!({"outcome": "outputs", "outputs": [{"data": {"total": 2}, "type": "a"}]});
        let difference = difference(&expected, &got).expect("one line");
        assert!(difference.contains("-         \"total\": 1\n+         \"total\": 2\n"), "{difference}");
        assert!(difference.contains("      \"type\": \"a\"\n"), "{difference}");
    }

    #[test]
    fn equal_outcomes_do_not_differ() {
        assert_eq!(difference(&json!({"a": 1, "b": 2}), &json!({"b": 2, "a": 1})), None);
    }
}
