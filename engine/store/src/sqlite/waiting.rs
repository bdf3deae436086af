//! Finding out where deliveries wait that nobody works on: a few destinations at a time, or some that are named.
//!
//! For each destination there are three ranges of the index of waiting rows to look at the first of: free rows, those that earlier
//! starts leased, and those of this start whose lease has ended. What waits behind the first row costs nothing.

use sqlx::sqlite::{SqlitePool, SqliteRow};
use weft_core::id::DestinationId;
use weft_core::time::Timestamp;

use super::statements::{Hex, bytes, json, statements};
use crate::error::{StoreError, unavailable};
use crate::rows::Cells;
use crate::work::{Waiting, WaitingCursor, WaitingPage};

statements! {
    /// Walks from destination to destination through the index. ?1: this start, ?2: the destination before, ?3: how many.
    PAGE = "\
WITH RECURSIVE waiting (destination) AS (
    SELECT min(destination) FROM deliveries WHERE state = 'pending' AND destination > ?2
    UNION ALL
    SELECT (
        SELECT min(further.destination)
        FROM deliveries AS further
        WHERE further.state = 'pending' AND further.destination > waiting.destination
    )
    FROM waiting
    WHERE waiting.destination IS NOT NULL
    LIMIT ?3
)
SELECT
    destinations.seq, destinations.id,
    (
        SELECT min(due_at) FROM deliveries
        WHERE state = 'pending' AND destination = waiting.destination AND lease_owner = 0
    ) AS free_due_at,
    EXISTS (
        SELECT 1 FROM deliveries
        WHERE state = 'pending' AND destination = waiting.destination AND lease_owner > 0 AND lease_owner < ?1
    ) AS has_void,
    (
        SELECT min(due_at) FROM deliveries
        WHERE state = 'pending' AND destination = waiting.destination AND lease_owner = ?1
    ) AS lease_ends_at
FROM waiting
CROSS JOIN destinations ON destinations.seq = waiting.destination";

    /// The same for the destinations ?2.
    FIRST_DUE = "\
SELECT
    destinations.seq, destinations.id,
    (
        SELECT min(due_at) FROM deliveries
        WHERE state = 'pending' AND destination = destinations.seq AND lease_owner = 0
    ) AS free_due_at,
    EXISTS (
        SELECT 1 FROM deliveries
        WHERE state = 'pending' AND destination = destinations.seq AND lease_owner > 0 AND lease_owner < ?1
    ) AS has_void,
    (
        SELECT min(due_at) FROM deliveries
        WHERE state = 'pending' AND destination = destinations.seq AND lease_owner = ?1
    ) AS lease_ends_at
FROM json_each(?2) AS wanted
CROSS JOIN destinations ON destinations.id = unhex(wanted.value)";
}

/// Up to `limit` destinations behind `after`.
pub(super) async fn page(
    readers: &SqlitePool,
    start: i64,
    after: Option<WaitingCursor>,
    limit: u32,
    now: Timestamp,
) -> Result<WaitingPage, StoreError> {
    let query = sqlx::query(PAGE).bind(start).bind(after.map_or(0, |after| after.0)).bind(limit);
    let rows = query.fetch_all(readers).await.map_err(unavailable("find out where deliveries wait"))?;
    // The walk ends with a destination that is none, which the last page has no room for if it is full.
    let last = if rows.len() == limit as usize { rows.last() } else { None };
    let next = last.map(|row| Cells::new(row, "destinations", "id").int("seq").map(WaitingCursor)).transpose()?;
    Ok(WaitingPage { waiting: waiting(&rows, now)?, next })
}

/// Of `destinations`, those that have something waiting.
pub(super) async fn first_due(
    readers: &SqlitePool,
    start: i64,
    destinations: &[DestinationId],
    now: Timestamp,
) -> Result<Vec<Waiting>, StoreError> {
    let ids: Vec<_> = destinations.iter().map(|id| Hex(&bytes(id)).to_string()).collect();
    let query = sqlx::query(FIRST_DUE).bind(start).bind(json(&ids));
    let rows = query.fetch_all(readers).await.map_err(unavailable("find out when deliveries are due"))?;
    waiting(&rows, now)
}

fn waiting(rows: &[SqliteRow], now: Timestamp) -> Result<Vec<Waiting>, StoreError> {
    let mut waiting = Vec::with_capacity(rows.len());
    for row in rows {
        let cells = Cells::new(row, "destinations", "id");
        let free = cells.maybe_int("free_due_at")?.map(Timestamp::from_ms);
        let void = cells.flag("has_void")?.then_some(now);
        // A lease of our own that has not ended is somebody's work, not a waiting row.
        let ended = cells.maybe_int("lease_ends_at")?.map(Timestamp::from_ms).filter(|ends_at| *ends_at <= now);
        if let Some(due_at) = [free, void, ended].into_iter().flatten().min() {
            waiting.push(Waiting { destination: cells.id("id")?, due_at });
        }
    }
    Ok(waiting)
}
