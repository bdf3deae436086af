//! Retention: removes what ended long ago, in small batches, and moves its counts to the ledger.
//!
//! The ids of events begin with their time, so their table is walked from its beginning, a stretch each time, and no index
//! by age is needed. A stretch ends at the first event that is young; then the walk begins anew. An event that is kept
//! by a delivery that still waits is passed over until the next walk.
//!
//! Several engines may prune at once. What goes is held first, then looked at again and removed: whatever gives an ended event
//! new work, a replay, holds it too, so it is either seen or finds nothing. What was removed is what is counted. Where a walk
//! ends, partitions that have become empty are dropped: that gives their space back.

use sqlx::postgres::PgRow;
use uuid::Uuid;
use weft_core::time::Timestamp;

use super::session::Session;
use super::statements::statements;
use super::{kv, partitions};
use crate::error::{StoreError, unavailable};
use crate::ledger::Count;
use crate::rows::Cells;
use crate::rows::prune::{Gone, LOOKED_AT, delivery_count, event_count};
use crate::upkeep::Pruned;

statements! {
    /// A stretch of events, and whether each has ended with everything that hangs on it. $1: first, $2: before, $3: how many.
    STRETCH = "\
SELECT
    events.id, events.received_at,
    coalesce(events.ended_at < $2, false)
    AND NOT EXISTS (
        SELECT 1 FROM deliveries WHERE deliveries.event = events.id AND coalesce(deliveries.ended_at >= $2, true)
    )
    AND NOT EXISTS (
        SELECT 1 FROM replays WHERE replays.event = events.id AND coalesce(replays.ended_at >= $2, true)
    ) AS is_over
FROM events
WHERE events.id >= $1
ORDER BY events.id
LIMIT $3";

    /// Holds those of events $1 that nobody else holds.
    HOLD = "SELECT id FROM events WHERE id = ANY ($1) ORDER BY id FOR UPDATE SKIP LOCKED";

    /// Removes those of the held events $1 that nothing hangs on which did not end before $2.
    REMOVE_EVENTS = "\
DELETE FROM events
WHERE id = ANY ($1)
    AND ended_at < $2
    AND NOT EXISTS (
        SELECT 1 FROM deliveries WHERE deliveries.event = events.id AND coalesce(deliveries.ended_at >= $2, true)
    )
    AND NOT EXISTS (
        SELECT 1 FROM replays WHERE replays.event = events.id AND coalesce(replays.ended_at >= $2, true)
    )
RETURNING id, tenant, received_at / 86400000 AS day, state, 1 AS rows";

    REMOVE_DELIVERIES = "\
DELETE FROM deliveries WHERE event = ANY ($1)
RETURNING id, tenant, planned_at / 86400000 AS day, state, body, replay IS NOT NULL AS is_replay, 1 AS rows";

    /// Removes what else hangs on events $1, their deliveries $2 and the bodies $3 of these: no body is shared between events.
    REMOVE_REST = "\
WITH responses_gone AS (
    DELETE FROM responses WHERE delivery = ANY ($2)
),
attempts_gone AS (
    DELETE FROM attempts WHERE delivery = ANY ($2)
),
bodies_gone AS (
    DELETE FROM bodies WHERE id = ANY ($3)
),
passes_gone AS (
    DELETE FROM passes WHERE event = ANY ($1)
)
DELETE FROM replays WHERE event = ANY ($1) RETURNING tenant, created_at / 86400000 AS day, 1 AS rows";

    /// Forgets idempotency keys. $1: now, $2: how many.
    FORGET_KEYS = "\
DELETE FROM dedupe
WHERE ctid = ANY (ARRAY (
    SELECT ctid FROM dedupe WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
))";
}

/// Removes up to `limit` events that ended before `before`.
pub(super) async fn prune(
    session: &mut Session,
    before: Timestamp,
    limit: u32,
    now: Timestamp,
) -> Result<Pruned, StoreError> {
    let failed = unavailable("prune");
    let (over, more) = stretch(session, before, limit).await?;
    let mut pruned = Pruned { more, ..Pruned::default() };
    if !over.is_empty() {
        remove(session, &over, before, &mut pruned).await?;
    }
    let keys = sqlx::query(FORGET_KEYS).bind(now.as_ms()).bind(i64::from(limit)).execute(&mut session.conn).await;
    pruned.dedupe = keys.map_err(failed)?.rows_affected();
    pruned.kv = kv::forget(&mut session.conn, now, limit).await.map_err(failed)?;
    pruned.more |= limit > 0 && (pruned.dedupe == u64::from(limit) || pruned.kv == u64::from(limit));
    if !pruned.more {
        partitions::drop_empty(session, before).await?;
    }
    Ok(pruned)
}

/// The events of the next stretch that can be removed, and whether the walk goes on.
async fn stretch(session: &mut Session, before: Timestamp, limit: u32) -> Result<(Vec<Uuid>, bool), StoreError> {
    let looked_at = limit.saturating_mul(LOOKED_AT);
    let rows = sqlx::query(STRETCH)
        .bind(session.prune_from)
        .bind(before.as_ms())
        .bind(i64::from(looked_at))
        .fetch_all(&mut session.conn)
        .await
        .map_err(unavailable("look for events to prune"))?;
    let mut over = Vec::new();
    for row in &rows {
        let cells = Cells::new(row, "events", "id");
        let id = cells.uuid("id")?;
        let full = over.len() == limit as usize;
        if full || cells.time("received_at")? >= before {
            session.prune_from = if full { id } else { Uuid::nil() };
            return Ok((over, full));
        }
        // No id lies between this one and the next number.
        session.prune_from = Uuid::from_u128(id.as_u128().saturating_add(1));
        if cells.flag("is_over")? {
            over.push(id);
        }
    }
    let goes_on = rows.len() as u64 == u64::from(looked_at) && limit > 0;
    if !goes_on {
        session.prune_from = Uuid::nil();
    }
    Ok((over, goes_on))
}

/// Removes those of `over` that are still over and that nobody holds.
async fn remove(
    session: &mut Session,
    over: &[Uuid],
    before: Timestamp,
    pruned: &mut Pruned,
) -> Result<(), StoreError> {
    let failed = unavailable("prune");
    let held = sqlx::query(HOLD).bind(over).fetch_all(&mut session.conn).await.map_err(failed)?;
    let held = uuids(&held, "events", "id")?;
    let gone = sqlx::query(REMOVE_EVENTS).bind(&held).bind(before.as_ms()).fetch_all(&mut session.conn).await;
    let gone = gone.map_err(failed)?;
    for row in &gone {
        let cells = Cells::new(row, "events", "id");
        let count = cells.word("state", event_count)?;
        pruned.events += Gone::read(&cells)?.tell(&mut session.ledger, count);
    }
    let events = uuids(&gone, "events", "id")?;
    let gone = sqlx::query(REMOVE_DELIVERIES).bind(&events).fetch_all(&mut session.conn).await.map_err(failed)?;
    let mut bodies = Vec::new();
    for row in &gone {
        let cells = Cells::new(row, "deliveries", "id");
        let is_replay = cells.flag("is_replay")?;
        let count = cells.word("state", |state| delivery_count(state, is_replay))?;
        pruned.deliveries += Gone::read(&cells)?.tell(&mut session.ledger, count);
        bodies.extend(cells.maybe_uuid("body")?);
    }
    let deliveries = uuids(&gone, "deliveries", "id")?;
    let rest = sqlx::query(REMOVE_REST).bind(&events).bind(&deliveries).bind(&bodies);
    for row in rest.fetch_all(&mut session.conn).await.map_err(failed)? {
        Gone::read(&Cells::new(&row, "replays", "tenant"))?.tell(&mut session.ledger, Count::ReplaysPruned);
    }
    Ok(())
}

fn uuids(rows: &[PgRow], table: &'static str, column: &'static str) -> Result<Vec<Uuid>, StoreError> {
    rows.iter().map(|row| Cells::new(row, table, column).uuid(column)).collect()
}
