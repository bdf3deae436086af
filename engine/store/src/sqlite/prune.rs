//! Retention: removes what ended long ago, in small batches, and moves its counts to the ledger.
//!
//! Events are numbered in the order in which they came, so their table is walked from its beginning, a stretch each
//! time, and no index by age is needed. A stretch ends at the first event that is young; then the walk begins anew. An event that
//! is kept by a delivery that still waits is passed over until the next walk.

use sqlx::sqlite::SqliteRow;
use weft_core::time::Timestamp;

use super::session::Session;
use super::statements::{json, statements};
use crate::error::{StoreError, unavailable};
use crate::rows::Cells;
use crate::rows::prune::{LOOKED_AT, count_deliveries, count_events, count_replays};
use crate::upkeep::Pruned;

/// Pages given back to the file system in a round: as many as a round can free, and no long stall.
const PAGES_GIVEN_BACK: &str = "PRAGMA incremental_vacuum(1024)";

statements! {
    /// A stretch of events, and whether each has ended with everything that hangs on it. ?1: first, ?2: before, ?3: how many.
    STRETCH = "\
SELECT
    events.seq, events.received_at,
    coalesce(events.ended_at < ?2, 0)
    AND NOT EXISTS (
        SELECT 1 FROM deliveries WHERE deliveries.event = events.seq AND coalesce(deliveries.ended_at >= ?2, 1)
    )
    AND NOT EXISTS (
        SELECT 1 FROM replays WHERE replays.event = events.seq AND coalesce(replays.ended_at >= ?2, 1)
    ) AS is_over
FROM events
WHERE events.seq >= ?1
ORDER BY events.seq
LIMIT ?3";

    /// What the ledger is told about events ?1.
    COUNT_EVENTS = "\
SELECT tenant, received_at / 86400000 AS day, state, count(*) AS rows
FROM events
WHERE seq IN (SELECT value FROM json_each(?1))
GROUP BY tenant, day, state";

    COUNT_DELIVERIES = "\
SELECT tenant, planned_at / 86400000 AS day, state, replay IS NOT NULL AS is_replay, count(*) AS rows
FROM deliveries
WHERE event IN (SELECT value FROM json_each(?1))
GROUP BY tenant, day, state, is_replay";

    COUNT_REPLAYS = "\
SELECT tenant, created_at / 86400000 AS day, count(*) AS rows
FROM replays
WHERE event IN (SELECT value FROM json_each(?1))
GROUP BY tenant, day";

    /// Removes events ?1 with everything that hangs on them: no body is shared between events.
    REMOVE = "\
DELETE FROM responses
WHERE delivery IN (SELECT seq FROM deliveries WHERE event IN (SELECT value FROM json_each(?1)));
DELETE FROM attempts
WHERE delivery IN (SELECT seq FROM deliveries WHERE event IN (SELECT value FROM json_each(?1)));
DELETE FROM bodies
WHERE seq IN (SELECT body FROM deliveries WHERE event IN (SELECT value FROM json_each(?1)));
DELETE FROM bodies
WHERE seq IN (SELECT body FROM events WHERE seq IN (SELECT value FROM json_each(?1)));
DELETE FROM deliveries WHERE event IN (SELECT value FROM json_each(?1));
DELETE FROM passes WHERE event IN (SELECT value FROM json_each(?1));
DELETE FROM replays WHERE event IN (SELECT value FROM json_each(?1));
DELETE FROM events WHERE seq IN (SELECT value FROM json_each(?1))";

    /// Forgets idempotency keys, which lie in the order of their expiry. ?1: now, ?2: how many to look at.
    FORGET_KEYS = "\
DELETE FROM dedupe
WHERE seq IN (SELECT seq FROM dedupe WHERE seq > 0 ORDER BY seq LIMIT ?2) AND expires_at <= ?1";
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
        let events = json(&over);
        for row in grouped(session, COUNT_EVENTS, &events).await? {
            pruned.events += count_events(&mut session.ledger, &Cells::new(&row, "events", "tenant"))?;
        }
        for row in grouped(session, COUNT_DELIVERIES, &events).await? {
            pruned.deliveries += count_deliveries(&mut session.ledger, &Cells::new(&row, "deliveries", "tenant"))?;
        }
        for row in grouped(session, COUNT_REPLAYS, &events).await? {
            count_replays(&mut session.ledger, &Cells::new(&row, "replays", "tenant"))?;
        }
        sqlx::query(REMOVE).bind(&events).execute(&mut session.conn).await.map_err(failed)?;
    }
    let keys = sqlx::query(FORGET_KEYS).bind(now.as_ms()).bind(limit).execute(&mut session.conn).await;
    pruned.dedupe = keys.map_err(failed)?.rows_affected();
    pruned.more |= limit > 0 && pruned.dedupe == u64::from(limit);
    sqlx::query(PAGES_GIVEN_BACK).execute(&mut session.conn).await.map_err(failed)?;
    Ok(pruned)
}

/// The events of the next stretch that can be removed, and whether the walk goes on.
async fn stretch(session: &mut Session, before: Timestamp, limit: u32) -> Result<(Vec<i64>, bool), StoreError> {
    let looked_at = limit.saturating_mul(LOOKED_AT);
    let rows = sqlx::query(STRETCH)
        .bind(session.prune_from)
        .bind(before.as_ms())
        .bind(looked_at)
        .fetch_all(&mut session.conn)
        .await
        .map_err(unavailable("look for events to prune"))?;
    let mut over = Vec::new();
    for row in &rows {
        let cells = Cells::new(row, "events", "seq");
        let seq = cells.int("seq")?;
        let full = over.len() == limit as usize;
        if full || cells.time("received_at")? >= before {
            session.prune_from = if full { seq } else { 0 };
            return Ok((over, full));
        }
        session.prune_from = seq + 1;
        if cells.flag("is_over")? {
            over.push(seq);
        }
    }
    let goes_on = rows.len() as u64 == u64::from(looked_at) && limit > 0;
    if !goes_on {
        session.prune_from = 0;
    }
    Ok((over, goes_on))
}

async fn grouped(session: &mut Session, statement: &'static str, events: &str) -> Result<Vec<SqliteRow>, StoreError> {
    let counted = sqlx::query(statement).bind(events).fetch_all(&mut session.conn).await;
    counted.map_err(unavailable("count what is pruned"))
}
