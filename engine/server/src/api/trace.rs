//! The store's record of an event, as the API shows it.

use weft_client::wire::{self, Attempt, Delivery, Event, Pass, Replay, ResponseSample};
use weft_core::attempt::{self, AttemptOutcome};
use weft_core::id::{EventId, webhook_id};
use weft_store::history::{DeliveryRecord, DeliveryState, EventRecord, EventState, PassRecord, ReplayRecord};

/// The trace of an event.
pub(super) fn of(record: EventRecord) -> Event {
    let id = record.id;
    Event {
        id: id.to_string(),
        tenant: record.tenant_name.to_string(),
        source: record.source,
        external_id: record.external_id,
        ordering_key: record.ordering_key,
        event_type: record.event_type.to_string(),
        content_type: record.content_type,
        headers: record.headers,
        body_bytes: record.body_bytes,
        received_at: record.received_at,
        state: event_state(record.state),
        behind: record.behind,
        passes: record.passes.into_iter().map(pass).collect(),
        replays: record.replays.into_iter().map(replay).collect(),
        deliveries: record.deliveries.into_iter().map(|record| delivery(id, record)).collect(),
    }
}

fn event_state(state: EventState) -> wire::EventState {
    match state {
        EventState::Received { passes, due_at, leased } => wire::EventState::Received { passes, due_at, leased },
        EventState::Routed { at, deliveries } => wire::EventState::Routed { at, deliveries },
        EventState::Dropped { at, step, reason } => wire::EventState::Dropped { at, step, reason },
        EventState::Dead { at, step, reason, replayed_by } => {
            wire::EventState::Dead { at, step, reason, replayed_by: replayed_by.map(|id| id.to_string()) }
        }
    }
}

fn pass(record: PassRecord) -> Pass {
    Pass {
        replay: record.replay.map(|id| id.to_string()),
        number: record.number,
        result: record.result.as_str().to_owned(),
        started_at: record.started_at,
        ended_at: record.ended_at,
        steps: record.trace.steps,
        notes: record.trace.notes,
    }
}

fn replay(record: ReplayRecord) -> Replay {
    Replay {
        id: record.id.to_string(),
        delivery: record.delivery.map(|id| id.to_string()),
        created_at: record.created_at,
        state: event_state(record.state),
        behind: record.behind,
    }
}

fn delivery(event: EventId, record: DeliveryRecord) -> Delivery {
    Delivery {
        id: record.id.to_string(),
        webhook_id: webhook_id(event, record.output),
        replay: record.replay.map(|id| id.to_string()),
        pass: record.pass,
        output: record.output,
        destination: record.destination_name.to_string(),
        request: record.request,
        ordering_key: record.ordering_key,
        body_bytes: record.body_bytes,
        planned_at: record.planned_at,
        ends_at: record.ends_at,
        state: delivery_state(record.state),
        behind: record.behind,
        attempts: record.attempts.into_iter().map(attempt).collect(),
    }
}

fn delivery_state(state: DeliveryState) -> wire::DeliveryState {
    match state {
        DeliveryState::Pending { due_at, leased } => wire::DeliveryState::Pending { due_at, leased },
        DeliveryState::Delivered { at } => wire::DeliveryState::Delivered { at },
        DeliveryState::Dead { at, reason, replayed_by } => {
            wire::DeliveryState::Dead { at, reason, replayed_by: replayed_by.map(|id| id.to_string()) }
        }
        DeliveryState::Dropped { at, reason } => wire::DeliveryState::Dropped { at, reason },
        DeliveryState::Cancelled { at, reason } => wire::DeliveryState::Cancelled { at, reason },
    }
}

fn attempt(record: attempt::Attempt) -> Attempt {
    let retry_after = match &record.outcome {
        AttemptOutcome::Rejected { retry_after, .. } => *retry_after,
        AttemptOutcome::Accepted { .. }
        | AttemptOutcome::TimedOut { .. }
        | AttemptOutcome::Unreachable { .. }
        | AttemptOutcome::Forbidden { .. } => None,
    };
    Attempt {
        number: record.number,
        started_at: record.started_at,
        took_us: u64::try_from(record.took.as_micros()).unwrap_or(u64::MAX),
        outcome: record.outcome.as_str().to_owned(),
        status: record.outcome.status(),
        detail: record.outcome.describe(),
        retry_after_s: retry_after.map(|wait| wait.as_secs()),
        response: record.response.map(|sample| ResponseSample {
            body: String::from_utf8_lossy(&sample.body).into_owned(),
            body_bytes: sample.body.len() as u64,
            headers: sample.headers,
        }),
    }
}
