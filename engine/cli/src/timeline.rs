//! The trace of an event as a person reads it: what happened, in which order, how long after the acceptance.

use std::fmt::Write as _;
use std::time::Duration;

use weft_client::wire::{Attempt, Delivery, DeliveryState, Event, EventState, Pass, Replay};
use weft_core::contract::LogLevel;
use weft_core::time::Timestamp;
use weft_core::trace::{Answer, KvCall, RoleAnswer, StepTrace};

use crate::print::{bytes, duration, plain, short};

/// How much of a response's body a line shows.
const SHOWN_CHARS_MAX: usize = 160;

/// The trace of `event`, several lines.
pub(crate) fn of(event: &Event) -> String {
    let mut lines = Lines { text: String::new(), from: event.received_at };
    lines.head(event);
    for pass in &event.passes {
        lines.pass(pass);
    }
    for replay in &event.replays {
        lines.replay(replay);
    }
    for delivery in &event.deliveries {
        lines.delivery(delivery);
    }
    lines.text
}

struct Lines {
    text: String,
    from: Timestamp,
}

impl Lines {
    fn add(&mut self, depth: usize, line: &str) {
        // Writing into a string cannot fail.
        let _ = writeln!(self.text, "{:indent$}{}", "", plain(line), indent = depth * 2);
    }

    /// How long after the acceptance.
    fn after(&self, at: Timestamp) -> String {
        format!("+{}", duration(at.since(self.from)))
    }

    fn head(&mut self, event: &Event) {
        let Event { id, tenant, source, event_type, content_type, body_bytes, received_at, .. } = event;
        self.add(0, &format!("{id}  {event_type}  {}", event.state.word()));
        let external = event.external_id.as_ref().map(|id| format!(", external id {id}")).unwrap_or_default();
        self.add(
            1,
            &format!(
                "{received_at}  received for {tenant} by {source}: {body_bytes} bytes of {content_type}{external}"
            ),
        );
        if let Some(key) = &event.ordering_key {
            self.add(2, &format!("ordering key: {key}"));
        }
        for header in &event.headers {
            self.add(2, &format!("header {}: {}", header.name, header.value));
        }
        let state = self.state(&event.state, event.behind);
        self.add(1, &state);
    }

    fn state(&self, state: &EventState, is_behind: bool) -> String {
        let by = |step: &Option<String>| step.as_ref().map(|step| format!(" by step {step}")).unwrap_or_default();
        match state {
            EventState::Received { .. } if is_behind => "waits behind others of its ordering key".to_owned(),
            EventState::Received { passes, due_at, leased: true } => {
                format!("waits, passes so far: {passes}; somebody works on it, until {} at most", self.after(*due_at))
            }
            EventState::Received { passes, due_at, leased: false } => {
                format!("waits, passes so far: {passes}; the next one is due {}", self.after(*due_at))
            }
            EventState::Routed { at, deliveries } => {
                let made = if *deliveries == 1 { "delivery" } else { "deliveries" };
                format!("{}  routed into {deliveries} {made}", self.after(*at))
            }
            EventState::Dropped { at, step, reason } => format!("{}  dropped{}: {reason}", self.after(*at), by(step)),
            EventState::Dead { at, step, reason, replayed_by } => {
                let replayed = replayed_by.as_ref().map(|id| format!("; replayed by {id}")).unwrap_or_default();
                format!("{}  dead{}: {reason}{replayed}", self.after(*at), by(step))
            }
        }
    }

    fn pass(&mut self, pass: &Pass) {
        let whose = pass.replay.as_ref().map(|id| format!(" of {id}")).unwrap_or_default();
        let took = duration(pass.ended_at.since(pass.started_at));
        let line = format!("{}  pass {}{whose}: {}, in {took}", self.after(pass.started_at), pass.number, pass.result);
        self.add(1, &line);
        for step in &pass.steps {
            self.step(step);
        }
        for note in &pass.notes {
            self.add(2, &format!("note: {note}"));
        }
    }

    fn step(&mut self, step: &StepTrace) {
        let output = if step.output == 0 { String::new() } else { format!(" on output {}", step.output) };
        let answers: Vec<_> = step.answers.iter().map(answer).collect();
        let took = duration(Duration::from_micros(step.took_us));
        let StepTrace { step: name, plugin, version, memory_bytes, .. } = step;
        let memory = if *memory_bytes == 0 { String::new() } else { format!(" and {}", bytes(*memory_bytes)) };
        let line =
            format!("step {name}{output} ({plugin} {}): {}, in {took}{memory}", short(version), answers.join(", "));
        self.add(2, &line);
        for call in &step.kv {
            self.add(3, &kept(call));
        }
        for attribute in &step.attributes {
            self.add(3, &format!("sets {} = {}", attribute.name, attribute.value));
        }
        for log in &step.logs {
            self.add(3, &format!("{}: {}", level(log.level), log.message));
        }
    }

    fn replay(&mut self, replay: &Replay) {
        let what = replay.delivery.as_deref().unwrap_or("the event");
        let line = format!("{}  {} repeats {what}", self.after(replay.created_at), replay.id);
        self.add(1, &line);
        let state = self.state(&replay.state, replay.behind);
        self.add(2, &state);
    }

    fn delivery(&mut self, delivery: &Delivery) {
        let Delivery { id, webhook_id, destination, body_bytes, state, .. } = delivery;
        let whose = delivery.replay.as_ref().map(|id| format!(" of {id}")).unwrap_or_default();
        self.add(1, &format!("{id}{whose} to {destination}: {}", state.word()));
        self.add(2, &format!("{}  planned: {body_bytes} bytes as {webhook_id}", self.after(delivery.planned_at)));
        let request = &delivery.request;
        let differs =
            [("type", &request.event_type), ("content-type", &request.content_type), ("method", &request.method)];
        let paths = [("path", &request.path), ("query", &request.query)];
        for (what, value) in differs.into_iter().chain(paths) {
            if let Some(value) = value {
                self.add(3, &format!("with {what} {value}"));
            }
        }
        if let Some(key) = &delivery.ordering_key {
            self.add(3, &format!("under ordering key {key}"));
        }
        for header in &request.headers {
            self.add(3, &format!("with header {}: {}", header.name, header.value));
        }
        for attempt in &delivery.attempts {
            self.attempt(attempt);
        }
        let end = self.end(&delivery.state, delivery.behind);
        self.add(2, &end);
    }

    fn attempt(&mut self, attempt: &Attempt) {
        let took = duration(Duration::from_micros(attempt.took_us));
        let asks = attempt.retry_after_s.map(|wait| format!("; it asks to wait {wait} s")).unwrap_or_default();
        let line = format!(
            "{}  attempt {}: {}, in {took}{asks}",
            self.after(attempt.started_at),
            attempt.number,
            attempt.detail
        );
        self.add(2, &line);
        if let Some(response) = attempt.response.as_ref().filter(|response| !response.body.is_empty()) {
            let shown: String = response.body.chars().take(SHOWN_CHARS_MAX).collect();
            let cut = if shown.len() < response.body.len() { "…" } else { "" };
            self.add(3, &format!("it said {shown:?}{cut}"));
        }
    }

    fn end(&self, state: &DeliveryState, is_behind: bool) -> String {
        match state {
            DeliveryState::Pending { .. } if is_behind => "waits behind others of its ordering key".to_owned(),
            DeliveryState::Pending { due_at, leased: true } => {
                format!("somebody works on it, until {} at most", self.after(*due_at))
            }
            DeliveryState::Pending { due_at, leased: false } => format!("due {}", self.after(*due_at)),
            DeliveryState::Delivered { at } => format!("{}  delivered", self.after(*at)),
            DeliveryState::Dead { at, reason, replayed_by } => {
                let replayed = replayed_by.as_ref().map(|id| format!("; replayed by {id}")).unwrap_or_default();
                format!("{}  dead: {reason}{replayed}", self.after(*at))
            }
            DeliveryState::Dropped { at, reason } => format!("{}  dropped: {reason}", self.after(*at)),
            DeliveryState::Cancelled { at, reason } => format!("{}  cancelled: {reason}", self.after(*at)),
        }
    }
}

fn answer(answer: &RoleAnswer) -> String {
    let role = answer.role;
    match &answer.answer {
        Answer::Kept => format!("{role} kept"),
        Answer::Dropped { reason } => format!("{role} dropped: {reason}"),
        Answer::Transformed { outputs: 1 } => format!("{role} gave 1 output"),
        Answer::Transformed { outputs } => format!("{role} gave {outputs} outputs"),
        Answer::Routed { targets: 1 } => format!("{role} named 1 target"),
        Answer::Routed { targets } => format!("{role} named {targets} targets"),
        Answer::Retry { reason } => format!("{role} asks for another pass: {reason}"),
        Answer::Rejected { reason } => format!("{role} rejected: {reason}"),
        Answer::Fault { class, message } => format!("{role} had a {} fault: {message}", class.as_str()),
    }
}

const fn level(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warn => "warn",
        LogLevel::Error => "error",
    }
}

/// One call to what a plugin keeps.
fn kept(call: &KvCall) -> String {
    match call {
        KvCall::Get { key, found: true } => format!("kv: finds {key}"),
        KvCall::Get { key, found: false } => format!("kv: finds nothing at {key}"),
        KvCall::Set { key, taken: true } => format!("kv: sets {key}"),
        KvCall::Set { key, taken: false } => format!("kv: has no room for {key}"),
        KvCall::Delete { key } => format!("kv: deletes {key}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event() -> Event {
        serde_json::from_value(json!({
            "id": "evt_1",
            "tenant": "shop",
            "source": "api",
            "external_id": "order-7",
            "event_type": "order.created",
            "content_type": "application/json",
            "headers": [{ "name": "x-shop", "value": "north" }],
            "body_bytes": 512,
            "received_at": "2026-01-31T12:00:00Z",
            "state": { "name": "routed", "at": "2026-01-31T12:00:05.009Z", "deliveries": 1 },
            "passes": [
                {
                    "number": 1, "result": "retry",
                    "started_at": "2026-01-31T12:00:00.001Z", "ended_at": "2026-01-31T12:00:00.003Z",
                    "steps": [{
                        "step": "stamp", "plugin": "operator/stamp", "version": "a".repeat(64), "output": 0,
                        "answers": [{ "role": "filter", "answer": "kept" }, { "role": "transform", "answer": "retry", "reason": "busy" }],
                        "took_us": 41,
                        "logs": [{ "level": "warn", "message": "line\u{1b}[2J" }],
                    }],
                },
                {
                    "number": 2, "result": "routed",
                    "started_at": "2026-01-31T12:00:05.001Z", "ended_at": "2026-01-31T12:00:05.009Z",
                    "steps": [{
                        "step": "stamp", "plugin": "operator/stamp", "version": "b".repeat(64), "output": 1,
                        "answers": [{ "role": "transform", "answer": "transformed", "outputs": 1 }],
                        "took_us": 3200,
                        "kv": [{ "call": "get", "key": "seen \u{1b}", "found": false }, { "call": "set", "key": "seen", "taken": true }],
                        "attributes": [{ "name": "stamp", "value": "2" }],
                    }],
                    "notes": ["old is disabled"],
                },
            ],
            "replays": [{
                "id": "rpl_1", "delivery": "dlv_1", "created_at": "2026-01-31T13:00:00Z",
                "state": { "name": "routed", "at": "2026-01-31T13:00:00Z", "deliveries": 2 },
            }],
            "deliveries": [{
                "id": "dlv_1", "webhook_id": "evt_1-1", "pass": 2, "output": 1, "destination": "crm",
                "request": { "event_type": "order.new", "headers": [{ "name": "x-a", "value": "b" }] },
                "body_bytes": 99,
                "planned_at": "2026-01-31T12:00:05.009Z", "ends_at": "2026-02-07T12:00:05.009Z",
                "state": { "name": "dead", "at": "2026-01-31T12:05:05.009Z", "reason": "exhausted", "replayed_by": "rpl_1" },
                "attempts": [{
                    "number": 1, "started_at": "2026-01-31T12:00:05.010Z", "took_us": 1500, "outcome": "rejected",
                    "status": 503, "detail": "answered 503", "retry_after_s": 60,
                    "response": { "headers": [], "body": "down \u{1b}[31m", "body_bytes": 9 },
                }],
            }],
        }))
        .expect("an event as the engine shows it")
    }

    #[test]
    fn a_timeline_tells_every_pass_answer_log_line_and_attempt() {
        let shown = r#"evt_1  order.created  routed
  2026-01-31T12:00:00.000Z  received for shop by api: 512 bytes of application/json, external id order-7
    header x-shop: north
  +5.0 s  routed into 1 delivery
  +1.0 ms  pass 1: retry, in 2.0 ms
    step stamp (operator/stamp aaaaaaaaaaaa): filter kept, transform asks for another pass: busy, in 41 µs
      warn: line\u{1b}[2J
  +5.0 s  pass 2: routed, in 8.0 ms
    step stamp on output 1 (operator/stamp bbbbbbbbbbbb): transform gave 1 output, in 3.2 ms
      kv: finds nothing at seen \u{1b}
      kv: sets seen
      sets stamp = 2
    note: old is disabled
  +1.0 h  rpl_1 repeats dlv_1
    +1.0 h  routed into 2 deliveries
  dlv_1 to crm: dead
    +5.0 s  planned: 99 bytes as evt_1-1
      with type order.new
      with header x-a: b
    +5.0 s  attempt 1: answered 503, in 1.5 ms; it asks to wait 60 s
      it said "down \u{1b}[31m"
    +5.1 min  dead: exhausted; replayed by rpl_1
"#;
        assert_eq!(of(&event()), shown);
    }

    #[test]
    fn what_waits_says_when_it_is_due_and_whether_somebody_works_on_it() {
        let due_at = "2026-01-31T12:00:05Z".parse().expect("a time");
        let mut event = event();
        event.state = EventState::Received { passes: 1, due_at, leased: false };
        event.deliveries[0].state = DeliveryState::Pending { due_at, leased: true };
        let text = of(&event);
        assert!(text.contains("\n  waits, passes so far: 1; the next one is due +5.0 s\n"), "{text}");
        assert!(text.contains("\n    somebody works on it, until +5.0 s at most\n"), "{text}");
    }
}
