//! Rows of one event and of all that was done for it.

use std::time::Duration;

use weft_core::attempt::{Attempt, AttemptOutcome, ResponseSample, Waiting};

use super::Cells;
use crate::error::StoreError;
use crate::history::{DeliveryRecord, DeliveryState, EventRecord, EventState, PassRecord, PassResult, ReplayRecord};
use crate::lane::BEHIND;

/// An event, still without what was done for it.
pub(crate) fn event_record(cells: &Cells<'_>) -> Result<EventRecord, StoreError> {
    Ok(EventRecord {
        id: cells.id("id")?,
        tenant: cells.id("tenant")?,
        tenant_name: cells.parsed("tenant_name")?,
        source: cells.text("source")?,
        external_id: cells.maybe_text("external_id")?,
        ordering_key: cells.maybe_text("ordering_key")?,
        event_type: cells.parsed("type")?,
        content_type: cells.text("content_type")?,
        headers: cells.json("headers")?,
        body_bytes: cells.number("body_bytes")?,
        received_at: cells.time("received_at")?,
        state: event_state(cells)?,
        behind: is_behind(cells)?,
        passes: Vec::new(),
        replays: Vec::new(),
        deliveries: Vec::new(),
    })
}

/// The state of an event or of a replay, whose rows have the same columns for it.
fn event_state(cells: &Cells<'_>) -> Result<EventState, StoreError> {
    let step = || cells.maybe_text("step");
    let reason = || Ok::<_, StoreError>(cells.maybe_text("reason")?.unwrap_or_default());
    match cells.text("state")?.as_str() {
        "received" => Ok(EventState::Received {
            passes: cells.number("passes")?,
            due_at: cells.time_of_state("due_at")?,
            leased: is_leased(cells)?,
        }),
        "routed" => {
            Ok(EventState::Routed { at: cells.time_of_state("ended_at")?, deliveries: cells.number("planned")? })
        }
        "dropped" => Ok(EventState::Dropped { at: cells.time_of_state("ended_at")?, step: step()?, reason: reason()? }),
        "dead" => Ok(EventState::Dead {
            at: cells.time_of_state("ended_at")?,
            step: step()?,
            reason: reason()?,
            replayed_by: cells.maybe_id("replayed_by")?,
        }),
        other => Err(cells.corrupt("state", format!("{other:?} is none of its words"))),
    }
}

pub(crate) fn pass_record(cells: &Cells<'_>) -> Result<PassRecord, StoreError> {
    Ok(PassRecord {
        replay: cells.maybe_id("replay")?,
        number: cells.number("number")?,
        started_at: cells.time("started_at")?,
        ended_at: cells.time("ended_at")?,
        result: cells.word("result", |word| PassResult::ALL.into_iter().find(|result| result.as_str() == word))?,
        trace: cells.json("trace")?,
    })
}

pub(crate) fn replay_record(cells: &Cells<'_>) -> Result<ReplayRecord, StoreError> {
    Ok(ReplayRecord {
        id: cells.id("id")?,
        delivery: cells.maybe_id("delivery")?,
        created_at: cells.time("created_at")?,
        state: event_state(cells)?,
        behind: is_behind(cells)?,
    })
}

/// A delivery, still without its attempts.
pub(crate) fn delivery_record(cells: &Cells<'_>) -> Result<DeliveryRecord, StoreError> {
    Ok(DeliveryRecord {
        id: cells.id("id")?,
        replay: cells.maybe_id("replay")?,
        pass: cells.number("pass")?,
        output: cells.number("output")?,
        destination: cells.id("destination")?,
        destination_name: cells.parsed("destination_name")?,
        request: cells.json("request")?,
        ordering_key: cells.maybe_text("ordering_key")?,
        body_bytes: cells.number("body_bytes")?,
        planned_at: cells.time("planned_at")?,
        ends_at: cells.time("ends_at")?,
        state: delivery_state(cells)?,
        behind: is_behind(cells)?,
        attempts: Vec::new(),
    })
}

/// Whether an engine holds a lease on a row.
fn is_leased(cells: &Cells<'_>) -> Result<bool, StoreError> {
    Ok(cells.int("lease_owner")? > 0)
}

/// Whether a row waits behind another of its lane.
fn is_behind(cells: &Cells<'_>) -> Result<bool, StoreError> {
    Ok(cells.int("lease_owner")? == BEHIND)
}

fn delivery_state(cells: &Cells<'_>) -> Result<DeliveryState, StoreError> {
    let reason = || Ok::<_, StoreError>(cells.maybe_text("reason")?.unwrap_or_default());
    match cells.text("state")?.as_str() {
        "pending" => Ok(DeliveryState::Pending { due_at: cells.time_of_state("due_at")?, leased: is_leased(cells)? }),
        "delivered" => Ok(DeliveryState::Delivered { at: cells.time_of_state("ended_at")? }),
        "dead" => Ok(DeliveryState::Dead {
            at: cells.time_of_state("ended_at")?,
            reason: reason()?,
            replayed_by: cells.maybe_id("replayed_by")?,
        }),
        "dropped" => Ok(DeliveryState::Dropped { at: cells.time_of_state("ended_at")?, reason: reason()? }),
        "cancelled" => Ok(DeliveryState::Cancelled { at: cells.time_of_state("ended_at")?, reason: reason()? }),
        other => Err(cells.corrupt("state", format!("{other:?} is none of its words"))),
    }
}

pub(crate) fn attempt(cells: &Cells<'_>) -> Result<Attempt, StoreError> {
    let response = match cells.maybe_text("headers")? {
        Some(_) => Some(ResponseSample { headers: cells.json("headers")?, body: cells.bytes("body")? }),
        None => None,
    };
    Ok(Attempt {
        number: cells.number("number")?,
        started_at: cells.time("started_at")?,
        took: cells.micros("took_us")?,
        outcome: outcome(cells)?,
        response,
    })
}

fn outcome(cells: &Cells<'_>) -> Result<AttemptOutcome, StoreError> {
    let reason = || Ok::<_, StoreError>(cells.maybe_text("detail")?.unwrap_or_default());
    match cells.text("outcome")?.as_str() {
        "accepted" => Ok(AttemptOutcome::Accepted { status: cells.number("status")? }),
        "rejected" => Ok(AttemptOutcome::Rejected {
            status: cells.number("status")?,
            retry_after: cells.maybe_number("retry_after_ms")?.map(Duration::from_millis),
        }),
        "timed-out" => Ok(AttemptOutcome::TimedOut {
            waiting_for: cells.word("detail", |word| {
                [Waiting::Connection, Waiting::Response].into_iter().find(|waiting| waiting_word(*waiting) == word)
            })?,
        }),
        "unreachable" => Ok(AttemptOutcome::Unreachable { reason: reason()? }),
        "forbidden" => Ok(AttemptOutcome::Forbidden { reason: reason()? }),
        other => Err(cells.corrupt("outcome", format!("{other:?} is none of its words"))),
    }
}

/// The words for what an attempt was waiting for when its time passed.
pub(crate) const fn waiting_word(waiting: Waiting) -> &'static str {
    match waiting {
        Waiting::Connection => "connection",
        Waiting::Response => "response",
    }
}
