//! Finding out where deliveries wait that nobody works on: a few destinations at a time, or some that are named.

use sqlx::postgres::{PgPool, PgRow};
use uuid::Uuid;
use weft_core::id::DestinationId;
use weft_core::time::Timestamp;

use super::statements::statements;
use crate::error::{StoreError, unavailable};
use crate::rows::Cells;
use crate::work::{Waiting, WaitingCursor, WaitingPage};

statements! {
    /// Walks from destination to destination through the index of free rows, and looks at the first of each. The walk goes only as
    /// far as it is read. $1: the destination before, $2: how many.
    PAGE = "\
WITH RECURSIVE waiting (destination) AS (
    SELECT min(destination) FROM deliveries WHERE state = 'pending' AND lease_owner = 0 AND destination > $1
    UNION ALL
    SELECT (
        SELECT min(further.destination)
        FROM deliveries AS further
        WHERE further.state = 'pending' AND further.lease_owner = 0 AND further.destination > waiting.destination
    )
    FROM waiting
    WHERE waiting.destination IS NOT NULL
),
page (destination) AS (
    SELECT destination FROM waiting WHERE destination IS NOT NULL LIMIT $2
)
SELECT
    destinations.seq, destinations.id,
    (
        SELECT min(due_at) FROM deliveries
        WHERE state = 'pending' AND lease_owner = 0 AND destination = destinations.seq
    ) AS due_at
FROM page
JOIN destinations ON destinations.seq = page.destination
ORDER BY destinations.seq";

    /// Destinations with rows that nobody works on any more: leased by a start that has ended, or with a lease that has. There never
    /// are more such rows than fit into the memory of the engines that leased them. $1: now, $2: the start that asks, which is alive.
    VOID = "\
SELECT DISTINCT destinations.seq, destinations.id, $1::bigint AS due_at
FROM engine_starts
CROSS JOIN LATERAL (
    SELECT destination FROM deliveries
    WHERE state = 'pending' AND lease_owner <> 0 AND lease_owner = engine_starts.number
        AND due_at <= CASE
            WHEN engine_starts.alive_until <= $1 AND engine_starts.number <> $2 THEN 9223372036854775807
            ELSE $1
        END
) AS held
JOIN destinations ON destinations.seq = held.destination
WHERE engine_starts.alive_until >= 0";

    /// When the first free rows of the destinations $1 are due.
    FIRST_DUE = "\
SELECT
    destinations.seq, destinations.id,
    (
        SELECT min(due_at) FROM deliveries
        WHERE state = 'pending' AND lease_owner = 0 AND destination = destinations.seq
    ) AS due_at
FROM UNNEST($1::uuid[]) AS wanted (id)
JOIN destinations ON destinations.id = wanted.id";
}

/// Up to `limit` destinations behind `after`; the first page names in addition all those with rows that nobody works on any more.
pub(super) async fn page(
    readers: &PgPool,
    start: i64,
    after: Option<WaitingCursor>,
    limit: u32,
    now: Timestamp,
) -> Result<WaitingPage, StoreError> {
    let failed = unavailable("find out where deliveries wait");
    let from = after.map_or(0, |after| after.0);
    let query = sqlx::query(PAGE).bind(i32::try_from(from).unwrap_or(i32::MAX)).bind(i64::from(limit));
    let rows = query.fetch_all(readers).await.map_err(failed)?;
    let last = if rows.len() == limit as usize { rows.last() } else { None };
    let next = last.map(|row| Cells::new(row, "destinations", "id").int("seq").map(WaitingCursor)).transpose()?;
    let mut waiting = read(&rows)?;
    if after.is_none() {
        let void = sqlx::query(VOID).bind(now.as_ms()).bind(start).fetch_all(readers).await.map_err(failed)?;
        waiting.extend(read(&void)?);
    }
    Ok(WaitingPage { waiting, next })
}

/// Of `destinations`, those that have something waiting.
pub(super) async fn first_due(readers: &PgPool, destinations: &[DestinationId]) -> Result<Vec<Waiting>, StoreError> {
    let ids: Vec<Uuid> = destinations.iter().map(DestinationId::uuid).collect();
    let failed = unavailable("find out when deliveries are due");
    read(&sqlx::query(FIRST_DUE).bind(ids).fetch_all(readers).await.map_err(failed)?)
}

fn read(rows: &[PgRow]) -> Result<Vec<Waiting>, StoreError> {
    let mut waiting = Vec::with_capacity(rows.len());
    for row in rows {
        let cells = Cells::new(row, "destinations", "id");
        if let Some(due_at) = cells.maybe_int("due_at")?.map(Timestamp::from_ms) {
            waiting.push(Waiting { destination: cells.id("id")?, due_at });
        }
    }
    Ok(waiting)
}
