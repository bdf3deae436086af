//! How the outcome of a rehearsal is written down: in fixtures, and in what a dry run found.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use weft_core::contract::{Failure, Overrides, Patch, Recipients, Target};
use weft_core::event::{Header, is_json};
use weft_core::plan::RoutedOutput;
use weft_core::trace::Answer;

use super::rehearsal::{Outcome, Rehearsal};

/// The word for how a pass would have ended.
pub(super) fn end(rehearsal: &Rehearsal) -> &'static str {
    match &rehearsal.outcome {
        Outcome::Outputs { .. } => "outputs",
        Outcome::Dropped { .. } => "dropped",
        Outcome::TooManyDeliveries(_) => "too many deliveries",
        Outcome::Failed { .. } if matches!(last_answer(rehearsal), Some(Answer::Fault { .. })) => "fault",
        Outcome::Failed { failure: Failure::Reject(_), .. } => "rejected",
        Outcome::Failed { failure: Failure::Retry { .. }, .. } => "retry",
    }
}

/// An outcome as fixtures expect it: what was decided and what would go out, without times.
pub(super) fn outcome(rehearsal: &Rehearsal) -> Value {
    let mut shown = match &rehearsal.outcome {
        Outcome::Outputs { outputs, .. } => json!({"outputs": outputs.iter().map(output).collect::<Vec<_>>()}),
        Outcome::Dropped { reason, .. } => json!({"reason": reason}),
        Outcome::TooManyDeliveries(count) => json!({"deliveries": count}),
        Outcome::Failed { failure, .. } => match (last_answer(rehearsal), failure) {
            (Some(Answer::Fault { class, message }), _) => json!({"class": class.as_str(), "message": message}),
            (_, Failure::Reject(reason) | Failure::Retry { reason, after_ms: None }) => json!({"reason": reason}),
            (_, Failure::Retry { reason, after_ms }) => json!({"reason": reason, "after_ms": after_ms}),
        },
    };
    shown["outcome"] = end(rehearsal).into();
    shown
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
