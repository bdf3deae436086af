//! What metrics ask: counted from the indexes of what waits and of what is dead, never from the tables.

use sqlx::sqlite::SqlitePool;
use weft_core::time::Timestamp;

use super::cells::Cells;
use super::session::unavailable;
use super::statements::statements;
use crate::error::StoreError;
use crate::upkeep::Counts;

statements! {
    COUNTS = "\
WITH RECURSIVE waiting (destination) AS (
    SELECT min(destination) FROM deliveries WHERE state = 'pending'
    UNION ALL
    SELECT (
        SELECT min(further.destination)
        FROM deliveries AS further
        WHERE further.state = 'pending' AND further.destination > waiting.destination
    )
    FROM waiting
    WHERE waiting.destination IS NOT NULL
)
SELECT
    (SELECT count(*) FROM events WHERE state = 'received')
    + (SELECT count(*) FROM replays WHERE state = 'received') AS passes_waiting,
    (SELECT min(due_at) FROM events WHERE state = 'received' AND lease_owner = 0) AS event_due_at,
    (SELECT min(due_at) FROM replays WHERE state = 'received' AND lease_owner = 0) AS replay_due_at,
    (SELECT count(*) FROM deliveries WHERE state = 'pending') AS deliveries_waiting,
    (
        SELECT min((
            SELECT min(due_at) FROM deliveries
            WHERE state = 'pending' AND destination = waiting.destination AND lease_owner = 0
        ))
        FROM waiting
    ) AS delivery_due_at,
    (SELECT count(*) FROM events WHERE state = 'dead' AND (replayed_by IS NOT NULL) = 0) AS dead_events,
    (SELECT count(*) FROM deliveries WHERE state = 'dead' AND (replayed_by IS NOT NULL) = 0) AS dead_deliveries";
}

/// What waits and what is dead.
pub(super) async fn counts(readers: &SqlitePool) -> Result<Counts, StoreError> {
    let row = sqlx::query(COUNTS).fetch_one(readers).await.map_err(unavailable("count what waits"))?;
    let cells = Cells::new(&row, "deliveries", "deliveries_waiting");
    let time = |column| Ok::<_, StoreError>(cells.maybe_int(column)?.map(Timestamp::from_ms));
    Ok(Counts {
        passes_waiting: cells.number("passes_waiting")?,
        oldest_pass_due_at: [time("event_due_at")?, time("replay_due_at")?].into_iter().flatten().min(),
        deliveries_waiting: cells.number("deliveries_waiting")?,
        oldest_delivery_due_at: time("delivery_due_at")?,
        dead_events: cells.number("dead_events")?,
        dead_deliveries: cells.number("dead_deliveries")?,
    })
}
