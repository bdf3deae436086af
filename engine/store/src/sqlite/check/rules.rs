//! The rules: each is a statement whose rows break it, and the words for such a row. ?1 bounds the rows.

use weft_core::id::{DeliveryId, DestinationId, EventId, ReplayId};

use super::super::cells::Cells;
use super::super::statements::statements;
use crate::check::Finding;
use crate::error::StoreError;

/// One rule.
pub(super) struct Rule {
    /// What finds the rows that break it.
    pub(super) statement: &'static str,
    /// The table that the rows are of.
    pub(super) table: &'static str,
    /// What is said of such a row.
    pub(super) finding: fn(&Cells<'_>) -> Result<Finding, StoreError>,
}

/// All rules but the ledger's.
pub(super) const RULES: &[Rule] = &[
    Rule { statement: EVENT_DELIVERIES, table: "events", finding: missing_of_event },
    Rule { statement: REPLAY_DELIVERIES, table: "replays", finding: missing_of_replay },
    Rule { statement: EVENT_STATES, table: "events", finding: contradicting_event },
    Rule { statement: REPLAY_STATES, table: "replays", finding: contradicting_replay },
    Rule { statement: DELIVERY_STATES, table: "deliveries", finding: contradicting_delivery },
    Rule { statement: DELIVERED, table: "deliveries", finding: delivered_unaccepted },
    Rule { statement: ACCEPTED, table: "deliveries", finding: accepted_undelivered },
    Rule { statement: AFTER_END, table: "deliveries", finding: attempt_after_end },
    Rule { statement: ATTEMPTS, table: "deliveries", finding: miscounted_attempts },
    Rule { statement: EVENT_PASSES, table: "events", finding: miscounted_passes_of_event },
    Rule { statement: REPLAY_PASSES, table: "replays", finding: miscounted_passes_of_replay },
    Rule { statement: TWICE, table: "deliveries", finding: delivered_twice },
    Rule { statement: EVENT_LEASES, table: "events", finding: lease_of_event },
    Rule { statement: REPLAY_LEASES, table: "replays", finding: lease_of_replay },
    Rule { statement: DELIVERY_LEASES, table: "deliveries", finding: lease_of_delivery },
    Rule { statement: ORPHANS, table: "bodies", finding: orphan },
];

statements! {
    EVENT_DELIVERIES = "\
SELECT * FROM (
    SELECT
        seq, id, planned,
        (SELECT count(*) FROM deliveries WHERE deliveries.event = events.seq AND deliveries.replay IS NULL) AS found,
        state = 'routed' AS is_routed
    FROM events
)
WHERE planned <> found OR is_routed <> (planned > 0)
LIMIT ?1";

    REPLAY_DELIVERIES = "\
SELECT * FROM (
    SELECT
        seq, id, planned,
        (
            SELECT count(*) FROM deliveries
            WHERE deliveries.event = replays.event AND deliveries.replay = replays.seq
        ) AS found,
        state = 'routed' AS is_routed
    FROM replays
)
WHERE planned <> found OR is_routed <> (planned > 0)
LIMIT ?1";

    EVENT_STATES = "\
SELECT seq, id, state, ended_at, due_at, reason, replayed_by
FROM events
WHERE (state = 'received') <> (due_at IS NOT NULL)
    OR (state = 'received') <> (ended_at IS NULL)
    OR (state IN ('dropped', 'dead')) <> (reason IS NOT NULL)
    OR (replayed_by IS NOT NULL AND state <> 'dead')
LIMIT ?1";

    REPLAY_STATES = "\
SELECT seq, id, state, ended_at, due_at, reason, NULL AS replayed_by
FROM replays
WHERE (state = 'received') <> (due_at IS NOT NULL)
    OR (state = 'received') <> (ended_at IS NULL)
    OR (state IN ('dropped', 'dead')) <> (reason IS NOT NULL)
LIMIT ?1";

    DELIVERY_STATES = "\
SELECT seq, id, state, ended_at, due_at, reason, replayed_by
FROM deliveries
WHERE (state = 'pending') <> (due_at IS NOT NULL)
    OR (state = 'pending') <> (ended_at IS NULL)
    OR (state IN ('dropped', 'dead', 'cancelled')) <> (reason IS NOT NULL)
    OR (replayed_by IS NOT NULL AND state <> 'dead')
LIMIT ?1";

    DELIVERED = "\
SELECT seq, id
FROM deliveries
WHERE state = 'delivered'
    AND NOT EXISTS (SELECT 1 FROM attempts WHERE attempts.delivery = deliveries.seq AND outcome = 'accepted')
LIMIT ?1";

    ACCEPTED = "\
SELECT deliveries.seq, deliveries.id, deliveries.state, attempts.number
FROM attempts
CROSS JOIN deliveries ON deliveries.seq = attempts.delivery
WHERE attempts.outcome = 'accepted' AND deliveries.state <> 'delivered'
LIMIT ?1";

    AFTER_END = "\
SELECT deliveries.seq, deliveries.id, attempts.number
FROM attempts
CROSS JOIN deliveries ON deliveries.seq = attempts.delivery
WHERE attempts.started_at > deliveries.ended_at
    OR EXISTS (
        SELECT 1 FROM attempts AS earlier
        WHERE earlier.delivery = attempts.delivery
            AND earlier.number < attempts.number
            AND earlier.outcome = 'accepted'
    )
LIMIT ?1";

    ATTEMPTS = "\
SELECT * FROM (
    SELECT
        seq, id, attempts AS counted,
        (SELECT count(*) FROM attempts WHERE attempts.delivery = deliveries.seq) AS found,
        (SELECT coalesce(max(number), 0) FROM attempts WHERE attempts.delivery = deliveries.seq) AS last
    FROM deliveries
)
WHERE counted <> found OR counted <> last
LIMIT ?1";

    EVENT_PASSES = "\
SELECT * FROM (
    SELECT
        seq, id, passes AS counted,
        (SELECT count(*) FROM passes WHERE passes.event = events.seq AND passes.replay = 0) AS found,
        (SELECT coalesce(max(number), 0) FROM passes WHERE passes.event = events.seq AND passes.replay = 0) AS last
    FROM events
)
WHERE counted <> found OR counted <> last
LIMIT ?1";

    REPLAY_PASSES = "\
SELECT * FROM (
    SELECT
        seq, id, passes AS counted,
        (SELECT count(*) FROM passes WHERE passes.event = replays.event AND passes.replay = replays.seq) AS found,
        (
            SELECT coalesce(max(number), 0) FROM passes
            WHERE passes.event = replays.event AND passes.replay = replays.seq
        ) AS last
    FROM replays
)
WHERE counted <> found OR counted <> last
LIMIT ?1";

    TWICE = "\
SELECT
    min(deliveries.seq) AS seq, events.id AS event, replays.id AS replay, deliveries.pass, deliveries.output,
    destinations.id AS destination, count(*) AS found
FROM deliveries
CROSS JOIN events ON events.seq = deliveries.event
CROSS JOIN destinations ON destinations.seq = deliveries.destination
LEFT JOIN replays ON replays.seq = deliveries.replay
GROUP BY deliveries.event, deliveries.replay, deliveries.pass, deliveries.output, deliveries.destination
HAVING count(*) > 1
LIMIT ?1";

    EVENT_LEASES = "\
SELECT seq, id, state, lease_owner
FROM events
WHERE lease_owner <> 0
    AND (
        state <> 'received'
        OR due_at IS NULL
        OR lease_owner NOT BETWEEN 1 AND (SELECT coalesce(max(number), 0) FROM engine_starts)
    )
LIMIT ?1";

    REPLAY_LEASES = "\
SELECT seq, id, state, lease_owner
FROM replays
WHERE lease_owner <> 0
    AND (
        state <> 'received'
        OR due_at IS NULL
        OR lease_owner NOT BETWEEN 1 AND (SELECT coalesce(max(number), 0) FROM engine_starts)
    )
LIMIT ?1";

    DELIVERY_LEASES = "\
SELECT seq, id, state, lease_owner
FROM deliveries
WHERE lease_owner <> 0
    AND (
        state <> 'pending'
        OR due_at IS NULL
        OR lease_owner NOT BETWEEN 1 AND (SELECT coalesce(max(number), 0) FROM engine_starts)
    )
LIMIT ?1";

    ORPHANS = "\
SELECT seq FROM bodies
EXCEPT SELECT body FROM events
EXCEPT SELECT body FROM deliveries
LIMIT ?1";
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

fn missing_of_event(cells: &Cells<'_>) -> Result<Finding, StoreError> {
    missing(event(cells, "id")?, cells)
}

fn missing_of_replay(cells: &Cells<'_>) -> Result<Finding, StoreError> {
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
        (true, true, false) | (false, false, true) if cells.maybe_int("replayed_by")?.is_some() => {
            "is marked as replayed"
        }
        (true, true, false) | (false, false, true) => "its reason does not go with that",
    };
    Ok(Finding::Contradiction { subject, state, contradiction: contradiction.to_owned() })
}

fn contradicting_event(cells: &Cells<'_>) -> Result<Finding, StoreError> {
    contradicting(event(cells, "id")?, "received", cells)
}

fn contradicting_replay(cells: &Cells<'_>) -> Result<Finding, StoreError> {
    contradicting(replay(cells, "id")?, "received", cells)
}

fn contradicting_delivery(cells: &Cells<'_>) -> Result<Finding, StoreError> {
    contradicting(delivery(cells)?, "pending", cells)
}

fn delivered_unaccepted(cells: &Cells<'_>) -> Result<Finding, StoreError> {
    Ok(Finding::DeliveredUnaccepted { delivery: delivery(cells)? })
}

fn accepted_undelivered(cells: &Cells<'_>) -> Result<Finding, StoreError> {
    let (state, number) = (cells.text("state")?, cells.int("number")?);
    Ok(Finding::AcceptedUndelivered { delivery: delivery(cells)?, state, number })
}

fn attempt_after_end(cells: &Cells<'_>) -> Result<Finding, StoreError> {
    Ok(Finding::AttemptAfterEnd { delivery: delivery(cells)?, number: cells.int("number")? })
}

fn miscounted(subject: String, noun: &'static str, cells: &Cells<'_>) -> Result<Finding, StoreError> {
    let (counted, found) = (cells.int("counted")?, cells.int("found")?);
    // Numbers with a gap: what the last one says differs, however many there are.
    let found = if counted == found { cells.int("last")? } else { found };
    Ok(Finding::Miscounted { subject, noun, counted, found })
}

fn miscounted_attempts(cells: &Cells<'_>) -> Result<Finding, StoreError> {
    miscounted(delivery(cells)?, "attempts", cells)
}

fn miscounted_passes_of_event(cells: &Cells<'_>) -> Result<Finding, StoreError> {
    miscounted(event(cells, "id")?, "passes", cells)
}

fn miscounted_passes_of_replay(cells: &Cells<'_>) -> Result<Finding, StoreError> {
    miscounted(replay(cells, "id")?, "passes", cells)
}

fn delivered_twice(cells: &Cells<'_>) -> Result<Finding, StoreError> {
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

fn lease_of_event(cells: &Cells<'_>) -> Result<Finding, StoreError> {
    lease(event(cells, "id")?, cells)
}

fn lease_of_replay(cells: &Cells<'_>) -> Result<Finding, StoreError> {
    lease(replay(cells, "id")?, cells)
}

fn lease_of_delivery(cells: &Cells<'_>) -> Result<Finding, StoreError> {
    lease(delivery(cells)?, cells)
}

fn orphan(cells: &Cells<'_>) -> Result<Finding, StoreError> {
    Ok(Finding::OrphanBody { row: cells.int("seq")? })
}
