//! What the store shows, beside what the model knows.

use std::collections::HashSet;

use weft_core::id::{EventId, ReplayId};
use weft_store::check::{DeliveryCounts, EventCounts};
use weft_store::history::{DeliveryRecord, DeliveryState, EventRecord, EventState, ReplayRecord};
use weft_store::upkeep::Counts;

use crate::ground::Ground;
use crate::lanes::BEHIND;
use crate::model::{Line, Model, ModelDelivery, Sending};
use crate::scenery::{DESTINATIONS, destination, destination_name, tenant, tenant_name};
use crate::walk::Walk;

impl<G: Ground> Walk<G> {
    /// Compares what a step has changed, one other event, one key of a plugin, and what waits.
    pub(crate) async fn compare_step(&mut self) {
        let mut touched = std::mem::take(&mut self.touched);
        touched.extend(self.dice.one(&self.model.events).map(|it| it.event.id));
        touched.sort();
        touched.dedup();
        for id in touched {
            self.compare_event(id).await;
        }
        self.compare_a_key().await;
        assert_eq!(self.store.counts().await.expect("counts"), counts(&self.model));
        let due = self.store.next_pass_due(self.now).await.expect("due");
        let expected = self.model.first_due(self.model.waiting_passes().map(|(_, due, owner)| (due, owner)), self.now);
        assert_eq!(due.map(|due| due.max(self.now)), expected.map(|due| due.max(self.now)), "the next pass");
        let mut waiting = self.store.waiting(self.now).await.expect("waiting");
        waiting.sort_by_key(|it| it.destination);
        let expected: Vec<_> = DESTINATIONS
            .into_iter()
            .filter_map(|(n, ..)| {
                let rows = self.model.pending().filter(|(it, ..)| it.destination == destination(n));
                let due = self.model.first_due(rows.map(|(_, due, owner)| (due, owner)), self.now)?;
                Some((destination(n), due.max(self.now)))
            })
            .collect();
        let waiting: Vec<_> = waiting.into_iter().map(|it| (it.destination, it.due_at.max(self.now))).collect();
        assert_eq!(waiting, expected, "where deliveries wait");
    }

    /// Compares every event, the list of dead letters, what plugins keep, the catalog and the check.
    pub(crate) async fn compare_everything(&mut self) {
        self.note("look at everything");
        let ids: Vec<_> = self.model.events.iter().map(|it| it.event.id).collect();
        for id in ids {
            self.compare_event(id).await;
        }
        self.compare_dead_letters().await;
        self.compare_keys().await;
        let catalog = self.store.catalog().await.expect("catalog");
        for it in catalog.tenants.iter().flat_map(|tenant| &tenant.destinations) {
            assert_eq!(it.status, self.model.statuses[&it.id].shown(), "destination {}", it.name);
        }
        let report = self.ground.check().await;
        assert!(report.findings.is_empty(), "{:#?}", report.findings);
        let counted = report.counted;
        assert_eq!(counted.events, events_by_state(&self.model));
        assert_eq!(counted.deliveries, deliveries_by_state(&self.model));
        let model = &self.model;
        let attempts: usize = model.deliveries.iter().map(|it| it.attempts.len()).sum();
        let passes = model.events.iter().map(|it| it.passes.len()).sum::<usize>()
            + model.replays.iter().map(|it| it.passes.len()).sum::<usize>();
        let made: HashSet<_> = model.deliveries.iter().filter_map(|it| it.made).collect();
        let bodies = made.len() + model.events.len();
        let is = [counted.attempts, counted.passes, counted.replays, counted.bodies];
        let expected = [attempts, passes, model.replays.len(), bodies].map(|count| count as u64);
        assert_eq!(is, expected, "attempts, passes, replays, bodies");
        let is = (counted.pruned_events, counted.pruned_deliveries);
        assert_eq!(is, (model.pruned_events, model.pruned_deliveries), "what was pruned");
    }

    async fn compare_event(&mut self, id: EventId) {
        let shown = self.store.event(None, id).await.expect("read");
        let expected = expected(&self.model, id);
        assert_eq!(format!("{shown:#?}"), format!("{expected:#?}"), "the store on the left, the model on the right");
        let Some(record) = shown else { return };
        let other = if record.tenant == tenant(1) { tenant(2) } else { tenant(1) };
        assert!(self.store.event(Some(other), id).await.expect("read").is_none(), "it is nobody else's");
        if let Some(delivery) = record.deliveries.first() {
            assert_eq!(self.store.event_of_delivery(None, delivery.id).await.expect("read"), Some(id));
        }
    }
}

/// What the store must show of an event.
fn expected(model: &Model, id: EventId) -> Option<EventRecord> {
    let it = model.event(id)?;
    let event = &it.event;
    let of_event = model.replays.iter().filter(|it| it.event == id);
    let replay = |it: &crate::model::ModelReplay| ReplayRecord {
        id: it.id,
        delivery: it.delivery,
        created_at: it.created_at,
        state: state(&it.line, it.passes.len(), None),
        behind: is_behind(&it.line),
    };
    Some(EventRecord {
        id,
        tenant: event.tenant,
        tenant_name: tenant_name(event.tenant).parse().expect("a name"),
        source: event.source.clone(),
        external_id: event.external_id.clone(),
        ordering_key: event.ordering_key.as_ref().map(ToString::to_string),
        event_type: event.event_type.clone(),
        content_type: event.content_type.clone(),
        headers: event.headers.clone(),
        body_bytes: event.body.len() as u64,
        received_at: event.received_at,
        state: state(&it.line, it.passes.len(), it.replayed_by),
        behind: is_behind(&it.line),
        passes: it.passes.iter().chain(of_event.clone().flat_map(|it| &it.passes)).cloned().collect(),
        replays: of_event.map(replay).collect(),
        deliveries: model.deliveries.iter().filter(|it| it.event == id).map(delivery).collect(),
    })
}

const fn is_behind(line: &Line) -> bool {
    matches!(line, Line::Waiting { owner: BEHIND, .. })
}

fn state(line: &Line, passes: usize, replayed_by: Option<ReplayId>) -> EventState {
    match line.clone() {
        Line::Waiting { due, owner } => {
            EventState::Received { passes: u32::try_from(passes).expect("few"), due_at: due, leased: owner > 0 }
        }
        Line::Routed { at, planned } => EventState::Routed { at, deliveries: planned },
        Line::Dropped { at, step, reason } => EventState::Dropped { at, step, reason },
        Line::Dead { at, step, reason } => EventState::Dead { at, step, reason, replayed_by },
    }
}

fn delivery(it: &ModelDelivery) -> DeliveryRecord {
    let state = match it.sending {
        Sending::Pending { due, owner } => DeliveryState::Pending { due_at: due, leased: owner > 0 },
        Sending::Delivered { at } => DeliveryState::Delivered { at },
        Sending::Dead { at, reason } => {
            DeliveryState::Dead { at, reason: reason.to_owned(), replayed_by: it.replayed_by }
        }
    };
    DeliveryRecord {
        id: it.id,
        replay: it.replay,
        pass: it.pass,
        output: it.output,
        destination: it.destination,
        destination_name: destination_name(it.destination).parse().expect("a name"),
        request: it.request.clone(),
        ordering_key: it.ordering_key.as_ref().map(ToString::to_string),
        body_bytes: it.body.len() as u64,
        planned_at: it.planned_at,
        ends_at: it.ends_at,
        state,
        behind: matches!(it.sending, Sending::Pending { owner: BEHIND, .. }),
        attempts: it.attempts.clone(),
    }
}

fn counts(model: &Model) -> Counts {
    let dead = |it: &&crate::model::ModelEvent| matches!(it.line, Line::Dead { .. }) && it.replayed_by.is_none();
    let given_up = |it: &&ModelDelivery| matches!(it.sending, Sending::Dead { .. }) && it.replayed_by.is_none();
    Counts {
        passes_waiting: model.waiting_passes().count() as u64,
        oldest_pass_due_at: model.waiting_passes().filter(|(_, _, owner)| *owner == 0).map(|(_, due, _)| due).min(),
        deliveries_waiting: model.pending().count() as u64,
        oldest_delivery_due_at: model.pending().filter(|(_, _, owner)| *owner == 0).map(|(_, due, _)| due).min(),
        dead_events: model.events.iter().filter(dead).count() as u64,
        dead_deliveries: model.deliveries.iter().filter(given_up).count() as u64,
    }
}

fn events_by_state(model: &Model) -> EventCounts {
    let mut counts = EventCounts::default();
    for it in &model.events {
        let count = match it.line {
            Line::Waiting { .. } => &mut counts.received,
            Line::Routed { .. } => &mut counts.routed,
            Line::Dropped { .. } => &mut counts.dropped,
            Line::Dead { .. } => &mut counts.dead,
        };
        *count += 1;
    }
    counts
}

fn deliveries_by_state(model: &Model) -> DeliveryCounts {
    let mut counts = DeliveryCounts::default();
    for it in &model.deliveries {
        let count = match it.sending {
            Sending::Pending { .. } => &mut counts.pending,
            Sending::Delivered { .. } => &mut counts.delivered,
            Sending::Dead { .. } => &mut counts.dead,
        };
        *count += 1;
    }
    counts
}
