//! What the engine says has become of each event: the sum of all traces.

use std::collections::{BTreeMap, BTreeSet};

use weft_client::wire::{DeliveryState, Event, EventState};
use weft_core::time::Timestamp;
use weft_core::trace::Answer;

use crate::counts::TenantCounts;
use crate::receipts::Place;

/// The names of the steps, as the pipelines of the quickstart call them.
const FILTER: &str = "json-filter";
const SPLIT: &str = "split-array";
/// The step whose plugin is replaced while events flow.
pub(crate) const STAMP: &str = "stamp";
/// The attribute in which it leaves its version.
const STAMP_ATTRIBUTE: &str = "stamp-version";

/// The deliveries of one destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PlaceCounts {
    pub(crate) deliveries: u64,
    pub(crate) delivered: u64,
    pub(crate) dead: u64,
    pub(crate) attempts: u64,
}

/// A version of the stamp, as traces tell of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamped {
    /// The content digest, hex.
    pub(crate) version: String,
    /// What it wrote.
    pub(crate) stamp: String,
}

/// How many events a version handled, and which first.
#[derive(Clone, Debug)]
pub(crate) struct Handled {
    pub(crate) events: u64,
    pub(crate) first: Timestamp,
    pub(crate) first_event: String,
}

/// The sum of the traces of ended events.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    pub(crate) tenants: BTreeMap<String, TenantCounts>,
    pub(crate) places: BTreeMap<Place, PlaceCounts>,
    pub(crate) stamps: BTreeMap<Stamped, Handled>,
    /// When each event was accepted.
    pub(crate) accepted: BTreeMap<String, Timestamp>,
    /// Events and deliveries that ended in a way that nothing here should, in words.
    pub(crate) strange: Vec<String>,
}

/// Whether nothing more happens to an event by itself.
pub(crate) fn has_ended(event: &Event) -> bool {
    let mut passes = std::iter::once(&event.state).chain(event.replays.iter().map(|replay| &replay.state));
    let mut deliveries = event.deliveries.iter();
    !passes.any(|state| matches!(state, EventState::Received { .. }))
        && !deliveries.any(|delivery| matches!(delivery.state, DeliveryState::Pending { .. }))
}

impl Traces {
    /// Adds an event that has ended.
    pub(crate) fn add(&mut self, event: &Event) {
        self.accepted.insert(event.id.clone(), event.received_at);
        let counts = self.tenants.entry(event.tenant.clone()).or_default();
        counts.accepted += 1;
        match &event.state {
            EventState::Dropped { step: Some(step), .. } if step == FILTER => counts.filtered += 1,
            EventState::Dropped { step: Some(step), .. } if step == SPLIT => counts.emptied += 1,
            EventState::Routed { .. } => {
                let outputs: BTreeSet<_> = event.deliveries.iter().map(|delivery| delivery.output).collect();
                counts.outputs += outputs.len() as u64;
            }
            EventState::Dropped { step, reason, .. } | EventState::Dead { step, reason, .. } => {
                let by = step.as_deref().unwrap_or("no step");
                self.strange.push(format!("{}: {} by {by}: {reason}", event.id, event.state.word()));
            }
            EventState::Received { .. } => self.strange.push(format!("{}: still waits for a pass", event.id)),
        }
        counts.split += u64::from(was_split(event));
        self.add_deliveries(event);
        self.add_stamp(event);
    }

    fn add_deliveries(&mut self, event: &Event) {
        for delivery in &event.deliveries {
            let place = Place::new(&event.tenant, &delivery.destination);
            let counts = self.places.entry(place).or_default();
            counts.deliveries += 1;
            counts.attempts += delivery.attempts.len() as u64;
            match &delivery.state {
                DeliveryState::Delivered { .. } => counts.delivered += 1,
                DeliveryState::Dead { .. } => counts.dead += 1,
                DeliveryState::Pending { .. } | DeliveryState::Dropped { .. } | DeliveryState::Cancelled { .. } => {
                    self.strange.push(format!("{}: {}", delivery.id, delivery.state.word()));
                }
            }
        }
    }

    fn add_stamp(&mut self, event: &Event) {
        let steps = event.passes.iter().flat_map(|pass| pass.steps.iter().map(move |step| (pass, step)));
        for (pass, step) in steps.filter(|(_, step)| step.step == STAMP) {
            let stamp = step.attributes.iter().find(|attribute| attribute.name == STAMP_ATTRIBUTE);
            let stamp = stamp.map(|attribute| attribute.value.clone()).unwrap_or_default();
            let seen = Handled { events: 0, first: pass.started_at, first_event: event.id.clone() };
            let handled = self.stamps.entry(Stamped { version: step.version.clone(), stamp }).or_insert(seen);
            handled.events += 1;
            // Ids are in order of acceptance, which decides within a millisecond.
            if (pass.started_at, event.id.as_str()) < (handled.first, handled.first_event.as_str()) {
                handled.first = pass.started_at;
                handled.first_event.clone_from(&event.id);
            }
        }
    }
}

/// Whether the split made several outputs of the event.
fn was_split(event: &Event) -> bool {
    let steps = event.passes.iter().flat_map(|pass| &pass.steps).filter(|step| step.step == SPLIT);
    let mut answers = steps.flat_map(|step| &step.answers);
    answers.any(|role| matches!(role.answer, Answer::Transformed { outputs } if outputs > 1))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event(id: &str, state: &Value, changes: &Value) -> Event {
        let mut event = json!({
            "id": id, "tenant": "shop", "source": "api", "event_type": "order.created", "content_type": "application/json",
            "body_bytes": 2, "received_at": "2026-01-31T12:00:00Z", "state": state, "passes": [], "deliveries": [],
        });
        let (Some(event_members), Some(changes)) = (event.as_object_mut(), changes.as_object()) else {
            panic!("two objects")
        };
        event_members.extend(changes.clone());
        serde_json::from_value(event).expect("an event as the API shows it")
    }

    fn pass(started_at: &str, steps: &Value) -> Value {
        json!({"number": 1, "result": "routed", "started_at": started_at, "ended_at": started_at, "steps": steps})
    }

    fn stamp(version: &str, stamp: &str) -> Value {
        json!({"step": STAMP, "plugin": "operator/stamp", "version": version, "output": 0, "answers": [], "took_us": 1,
               "attributes": [{"name": STAMP_ATTRIBUTE, "value": stamp}]})
    }

    #[test]
    fn a_dropped_event_counts_for_the_step_that_dropped_it_and_is_strange_for_any_other() {
        let dropped =
            |step: &str| json!({"name": "dropped", "at": "2026-01-31T12:00:01Z", "step": step, "reason": "r"});
        let mut traces = Traces::default();
        for (id, step) in [("evt_1", FILTER), ("evt_2", SPLIT), ("evt_3", "field-router")] {
            traces.add(&event(id, &dropped(step), &json!({})));
        }
        let counts = TenantCounts { accepted: 3, filtered: 1, emptied: 1, ..TenantCounts::default() };
        assert_eq!(traces.tenants["shop"], counts);
        assert_eq!(traces.strange, ["evt_3: dropped by field-router: r"]);
    }

    #[test]
    fn deliveries_count_for_their_destination_with_their_attempts() {
        let attempt = |number| {
            json!({"number": number, "started_at": "2026-01-31T12:00:01Z", "took_us": 1,
                                      "outcome": "rejected", "detail": "503"})
        };
        let delivery = |output, state: &Value| {
            json!({"id": "dlv_1", "webhook_id": "evt_1-1", "pass": 1, "output": output, "destination": "crm", "body_bytes": 2,
                   "planned_at": "2026-01-31T12:00:01Z", "ends_at": "2026-02-07T12:00:01Z", "state": state,
                   "attempts": [attempt(1), attempt(2)]})
        };
        let delivered = json!({"name": "delivered", "at": "2026-01-31T12:00:01Z"});
        let dead = json!({"name": "dead", "at": "2026-01-31T12:00:01Z", "reason": "exhausted"});
        let split = json!({"step": SPLIT, "plugin": "operator/split-array", "version": "aa", "output": 0, "took_us": 1,
                           "answers": [{"role": "transform", "answer": "transformed", "outputs": 2}]});
        let routed = json!({"name": "routed", "at": "2026-01-31T12:00:01Z", "deliveries": 2});
        let event = event(
            "evt_1",
            &routed,
            &json!({
                "passes": [pass("2026-01-31T12:00:01Z", &json!([split]))],
                "deliveries": [delivery(1, &delivered), delivery(2, &dead)],
            }),
        );
        assert!(has_ended(&event));
        let mut traces = Traces::default();
        traces.add(&event);
        let counts = PlaceCounts { deliveries: 2, delivered: 1, dead: 1, attempts: 4 };
        assert_eq!(traces.places[&Place::new("shop", "crm")], counts);
        assert_eq!((traces.tenants["shop"].split, traces.tenants["shop"].outputs), (1, 2));
    }

    #[test]
    fn the_first_event_of_a_version_is_the_one_whose_pass_began_first() {
        let routed = json!({"name": "routed", "at": "2026-01-31T12:00:01Z", "deliveries": 0});
        let mut traces = Traces::default();
        for (id, second, version, written) in
            [("evt_1", 1, "aa", "1"), ("evt_3", 3, "bb", "2"), ("evt_2", 2, "bb", "2"), ("evt_4", 2, "bb", "2")]
        {
            let started = format!("2026-01-31T12:00:0{second}Z");
            let passes = json!([pass(&started, &json!([stamp(version, written)]))]);
            traces.add(&event(id, &routed, &json!({"passes": passes})));
        }
        let second = &traces.stamps[&Stamped { version: "bb".to_owned(), stamp: "2".to_owned() }];
        assert_eq!((second.events, second.first_event.as_str()), (3, "evt_2"));
    }
}
