//! The rules of the check: what is said of a row that breaks one, and the counts of what was looked at.

use weft_core::id::{DeliveryId, DestinationId, EventId, ReplayId, TenantId};

use super::Cells;
use crate::check::{Counted, DeliveryCounts, EventCounts, Finding};
use crate::error::StoreError;
use crate::lane::BEHIND;

/// Findings per rule: enough to see what is wrong, whatever the size of the damage.
pub(crate) const FINDINGS_MAX: u32 = 1000;

/// One rule: a statement whose rows break it. Its one value bounds the rows.
#[derive(Debug)]
pub(crate) struct Rule {
    /// What finds the rows that break it.
    pub(crate) statement: &'static str,
    /// The table that the rows are of.
    pub(crate) table: &'static str,
    /// What is said of such a row.
    pub(crate) finding: fn(&Cells<'_>) -> Result<Finding, StoreError>,
}

impl Rule {
    /// What is said of a row; one that cannot be read is a finding, too.
    pub(crate) fn said(&self, cells: &Cells<'_>) -> Finding {
        (self.finding)(cells).unwrap_or_else(|error| Finding::Unreadable(error.to_string()))
    }
}

/// The name of a row by its id.
fn event(cells: &Cells<'_>, column: &'static str) -> Result<String, StoreError> {
    cells.id(column).map(|id: EventId| id.to_string())
}

fn replay(cells: &Cells<'_>, column: &'static str) -> Result<String, StoreError> {
    cells.id(column).map(|id: ReplayId| id.to_string())
}

fn delivery(cells: &Cells<'_>) -> Result<String, StoreError> {
    cells.id("id").map(|id: DeliveryId| id.to_string())
}

fn missing(subject: String, cells: &Cells<'_>) -> Result<Finding, StoreError> {
    let (planned, found) = (cells.int("planned")?, cells.int("found")?);
    if planned == found {
        let state = if cells.flag("is_routed")? { "routed" } else { "not routed" };
        let contradiction = format!("it has {found} deliveries");
        return Ok(Finding::Contradiction { subject, state: state.to_owned(), contradiction });
    }
    Ok(Finding::MissingDelivery { subject, planned, found })
}

pub(crate) fn missing_of_event(cells: &Cells<'_>) -> Result<Finding, StoreError> {
    missing(event(cells, "id")?, cells)
}

pub(crate) fn missing_of_replay(cells: &Cells<'_>) -> Result<Finding, StoreError> {
    missing(replay(cells, "id")?, cells)
}

fn contradicting(subject: String, waits: &str, cells: &Cells<'_>) -> Result<Finding, StoreError> {
    let state = cells.text("state")?;
    let due = cells.maybe_int("due_at")?.is_some();
    let ended = cells.maybe_int("ended_at")?.is_some();
    let contradiction = match (state == waits, due, ended) {
        (true, false, _) => "has no time at which somebody would work on it",
        (true, true, true) => "has the time of an end",
        (false, true, _) => "waits for a time",
        (false, false, false) => "has no time of its end",
        (true, true, false) | (false, false, true) if cells.is_there("replayed_by") => "is marked as replayed",
        (true, true, false) | (false, false, true) => "its reason does not go with that",
    };
    Ok(Finding::Contradiction { subject, state, contradiction: contradiction.to_owned() })
}

/// What a plugin keeps is counted otherwise than it is.
pub(crate) fn miscounted_kv(cells: &Cells<'_>) -> Result<Finding, StoreError> {
    let subject = format!("what {} keeps for {}", cells.text("plugin")?, cells.text("tenant")?);
    let (entries, found) = (cells.int("entries")?, cells.int("found_entries")?);
    if entries != found {
        return Ok(Finding::Miscounted { subject, noun: "entries", counted: entries, found });
    }
    let (counted, found) = (cells.int("bytes")?, cells.int("found_bytes")?);
    Ok(Finding::Miscounted { subject, noun: "bytes", counted, found })
}

pub(crate) fn contradicting_event(cells: &Cells<'_>) -> Result<Finding, StoreError> {
    contradicting(event(cells, "id")?, "received", cells)
}

pub(crate) fn contradicting_replay(cells: &Cells<'_>) -> Result<Finding, StoreError> {
    contradicting(replay(cells, "id")?, "received", cells)
}

pub(crate) fn contradicting_delivery(cells: &Cells<'_>) -> Result<Finding, StoreError> {
    contradicting(delivery(cells)?, "pending", cells)
}

pub(crate) fn delivered_unaccepted(cells: &Cells<'_>) -> Result<Finding, StoreError> {
    Ok(Finding::DeliveredUnaccepted { delivery: delivery(cells)? })
}

pub(crate) fn accepted_undelivered(cells: &Cells<'_>) -> Result<Finding, StoreError> {
    let (state, number) = (cells.text("state")?, cells.int("number")?);
    Ok(Finding::AcceptedUndelivered { delivery: delivery(cells)?, state, number })
}

pub(crate) fn attempt_after_end(cells: &Cells<'_>) -> Result<Finding, StoreError> {
    Ok(Finding::AttemptAfterEnd { delivery: delivery(cells)?, number: cells.int("number")? })
}

fn miscounted(subject: String, noun: &'static str, cells: &Cells<'_>) -> Result<Finding, StoreError> {
    let (counted, found) = (cells.int("counted")?, cells.int("found")?);
    // Numbers with a gap: what the last one says differs, however many there are.
    let found = if counted == found { cells.int("last")? } else { found };
    Ok(Finding::Miscounted { subject, noun, counted, found })
}

pub(crate) fn miscounted_attempts(cells: &Cells<'_>) -> Result<Finding, StoreError> {
    miscounted(delivery(cells)?, "attempts", cells)
}

pub(crate) fn miscounted_passes_of_event(cells: &Cells<'_>) -> Result<Finding, StoreError> {
    miscounted(event(cells, "id")?, "passes", cells)
}

pub(crate) fn miscounted_passes_of_replay(cells: &Cells<'_>) -> Result<Finding, StoreError> {
    miscounted(replay(cells, "id")?, "passes", cells)
}

pub(crate) fn delivered_twice(cells: &Cells<'_>) -> Result<Finding, StoreError> {
    let destination: DestinationId = cells.id("destination")?;
    let replay: Option<ReplayId> = cells.maybe_id("replay")?;
    Ok(Finding::DeliveredTwice {
        event: event(cells, "event")?,
        replay: replay.map(|id| id.to_string()),
        pass: cells.int("pass")?,
        output: cells.int("output")?,
        destination: destination.to_string(),
        found: cells.int("found")?,
    })
}

fn lease(subject: String, cells: &Cells<'_>) -> Result<Finding, StoreError> {
    Ok(Finding::LeaseWithoutOwner { subject, state: cells.text("state")?, owner: cells.int("lease_owner")? })
}

pub(crate) fn lease_of_event(cells: &Cells<'_>) -> Result<Finding, StoreError> {
    lease(event(cells, "id")?, cells)
}

pub(crate) fn lease_of_replay(cells: &Cells<'_>) -> Result<Finding, StoreError> {
    lease(replay(cells, "id")?, cells)
}

pub(crate) fn lease_of_delivery(cells: &Cells<'_>) -> Result<Finding, StoreError> {
    lease(delivery(cells)?, cells)
}

fn out_of_lane(subject: String, cells: &Cells<'_>) -> Result<Finding, StoreError> {
    let contradiction = if cells.maybe_int("place")?.is_none() {
        "it has no place among those before and behind it"
    } else if cells.flag("is_twice")? {
        "another has the same place"
    } else if cells.int("lease_owner")? == BEHIND {
        "it stands behind others, and none is before it"
    } else {
        "it may be worked on while another stands before it"
    };
    Ok(Finding::OutOfLane { subject, state: cells.text("state")?, contradiction })
}

pub(crate) fn pass_out_of_lane(cells: &Cells<'_>) -> Result<Finding, StoreError> {
    let subject = if cells.flag("is_replay")? { replay(cells, "id")? } else { event(cells, "id")? };
    out_of_lane(subject, cells)
}

pub(crate) fn delivery_out_of_lane(cells: &Cells<'_>) -> Result<Finding, StoreError> {
    out_of_lane(delivery(cells)?, cells)
}

pub(crate) fn orphan(cells: &Cells<'_>) -> Result<Finding, StoreError> {
    Ok(Finding::OrphanBody { row: cells.name() })
}

/// A sum of the ledger that is off.
pub(crate) fn ledger(cells: &Cells<'_>) -> Result<Finding, StoreError> {
    let tenant: Option<TenantId> = cells.maybe_id("tenant")?;
    Ok(Finding::Ledger {
        tenant: tenant.map_or_else(|| "an unknown tenant".to_owned(), |id| id.to_string()),
        day: cells.int("day")?,
        noun: cells.text("noun")?,
        counted: cells.int("counted")?,
        found: cells.int("found")?,
        pruned: cells.int("pruned")?,
    })
}

/// Notes how many events are in one state.
pub(crate) fn count_events(counts: &mut EventCounts, cells: &Cells<'_>) -> Result<(), StoreError> {
    let EventCounts { received, routed, dropped, dead } = counts;
    let place = match cells.text("state")?.as_str() {
        "received" => received,
        "routed" => routed,
        "dropped" => dropped,
        "dead" => dead,
        other => return Err(cells.corrupt("state", format!("{other:?} is none of its words"))),
    };
    *place = cells.number("rows")?;
    Ok(())
}

/// Notes how many deliveries are in one state.
pub(crate) fn count_deliveries(counts: &mut DeliveryCounts, cells: &Cells<'_>) -> Result<(), StoreError> {
    let DeliveryCounts { pending, delivered, dead, dropped, cancelled } = counts;
    let place = match cells.text("state")?.as_str() {
        "pending" => pending,
        "delivered" => delivered,
        "dead" => dead,
        "dropped" => dropped,
        "cancelled" => cancelled,
        other => return Err(cells.corrupt("state", format!("{other:?} is none of its words"))),
    };
    *place = cells.number("rows")?;
    Ok(())
}

/// Notes how much there is of everything else.
pub(crate) fn count_others(counted: &mut Counted, cells: &Cells<'_>) -> Result<(), StoreError> {
    counted.attempts = cells.number("attempts")?;
    counted.passes = cells.number("passes")?;
    counted.replays = cells.number("replays")?;
    counted.bodies = cells.number("bodies")?;
    counted.pruned_events = cells.number("pruned_events")?;
    counted.pruned_deliveries = cells.number("pruned_deliveries")?;
    Ok(())
}
/// A row that points to one that is not there.
pub(crate) fn dangling(cells: &Cells<'_>) -> Result<Finding, StoreError> {
    Ok(Finding::Dangling { table: cells.text("child")?, row: cells.name(), parent: cells.text("parent")? })
}
