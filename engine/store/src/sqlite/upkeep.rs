//! What metrics ask: counted from the indexes of what waits and of what is dead, never from the tables.

use sqlx::SqliteExecutor;

use super::statements::statements;
use crate::error::{StoreError, unavailable};
use crate::rows::{Cells, upkeep};
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
pub(super) async fn counts(readers: impl SqliteExecutor<'_>) -> Result<Counts, StoreError> {
    let row = sqlx::query(COUNTS).fetch_one(readers).await.map_err(unavailable("count what waits"))?;
    upkeep::counts(&Cells::new(&row, "deliveries", "deliveries_waiting"))
}
