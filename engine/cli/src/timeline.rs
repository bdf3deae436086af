//! The trace of an event as a person reads it: what happened, in which order, how long after the acceptance.

use std::fmt::Write as _;
use std::time::Duration;

use weft_client::wire::{Attempt, Delivery, DeliveryState, Event, EventState, Pass, Replay};
use weft_core::time::Timestamp;
use weft_core::trace::{Answer, RoleAnswer, StepTrace};

use crate::print::{duration, short};

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
        let _ = writeln!(self.text, "{:indent$}{line}", "", indent = depth * 2);
    }

    /// How long after the acceptance.
    fn after(&self, at: Timestamp) -> String {
        format!("+{}", duration(at.since(self.from)))
    }

    fn head(&mut self, event: &Event) {
        let Event { id, tenant, source, event_type, content_type, body_bytes, received_at, .. } = event;
        self.add(0, &format!("{id}  {event_type}  {}", event.state.word()));
        let external = event.external_id.as_ref().map(|id| format!(", external id {id}")).unwrap_or_default();
        self.add(1, &format!("{received_at}  received for {tenant} by {source}: {body_bytes} bytes of {content_type}{external}"));
        for header in &event.headers {
            self.add(2, &format!("header {}: {}", header.name, header.value));
        }
        let state = self.state(&event.state);
        self.add(1, &state);
    }

    fn state(&self, state: &EventState) -> String {
        let by = |step: &Option<String>| step.as_ref().map(|step| format!(" by step {step}")).unwrap_or_default();
        match state {
            EventState::Received { passes, due_at, leased: true } => {
                format!("waits after {passes} passes; somebody works on it, until {} at most", self.after(*due_at))
            }
            EventState::Received { passes, due_at, leased: false } => {
                format!("waits after {passes} passes; the next one is due {}", self.after(*due_at))
            }
            EventState::Routed { at, deliveries } => format!("{}  routed into {deliveries} deliveries", self.after(*at)),
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
        let StepTrace { step: name, plugin, version, .. } = step;
        self.add(2, &format!("step {name}{output} ({plugin} {}): {}, in {took}", short(version), answers.join(", ")));
        for attribute in &step.attributes {
            self.add(3, &format!("sets {} = {}", attribute.name, attribute.value));
        }
        for log in &step.logs {
            self.add(3, &format!("{}: {}", format!("{:?}", log.level).to_lowercase(), log.message));
        }
    }

    fn replay(&mut self, replay: &Replay) {
        let what = replay.delivery.as_deref().unwrap_or("the event");
        let line = format!("{}  {} repeats {what}", self.after(replay.created_at), replay.id);
        self.add(1, &line);
        let state = self.state(&replay.state);
        self.add(2, &state);
    }

    fn delivery(&mut self, delivery: &Delivery) {
        let Delivery { id, webhook_id, destination, body_bytes, state, .. } = delivery;
        let whose = delivery.replay.as_ref().map(|id| format!(" of {id}")).unwrap_or_default();
        self.add(1, &format!("{id}{whose} to {destination}: {}", state.word()));
        self.add(2, &format!("{}  planned: {body_bytes} bytes as {webhook_id}", self.after(delivery.planned_at)));
        let request = &delivery.request;
        let differs = [("type", &request.event_type), ("content-type", &request.content_type), ("method", &request.method)];
        let paths = [("path", &request.path), ("query", &request.query)];
        for (what, value) in differs.into_iter().chain(paths) {
            if let Some(value) = value {
                self.add(3, &format!("with {what} {value}"));
            }
        }
        for header in &request.headers {
            self.add(3, &format!("with header {}: {}", header.name, header.value));
        }
        for attempt in &delivery.attempts {
            self.attempt(attempt);
        }
        let end = self.end(&delivery.state);
        self.add(2, &end);
    }

    fn attempt(&mut self, attempt: &Attempt) {
        let took = duration(Duration::from_micros(attempt.took_us));
        let asks = attempt.retry_after_s.map(|wait| format!("; it asks to wait {wait} s")).unwrap_or_default();
        let line =
            format!("{}  attempt {}: {}, in {took}{asks}", self.after(attempt.started_at), attempt.number, attempt.detail);
        self.add(2, &line);
        if let Some(response) = attempt.response.as_ref().filter(|response| !response.body.is_empty()) {
            let shown: String = response.body.chars().take(SHOWN_CHARS_MAX).collect();
            let cut = if shown.len() < response.body.len() { "…" } else { "" };
            self.add(3, &format!("it said {shown:?}{cut}"));
        }
    }

    fn end(&self, state: &DeliveryState) -> String {
        match state {
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
