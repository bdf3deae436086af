//! Writing what a commit adds to the ledger.

use sqlx::SqliteConnection;
use sqlx::query::Query;

use super::statements::statements;
use crate::ledger::LedgerChanges;

statements! {
    /// Adds what a commit changes of a tenant and day: ?1, ?2, and the counts in their order.
    ADD = "\
INSERT INTO ledger (
    tenant, day, events, deliveries, replays, replay_deliveries,
    events_routed_pruned, events_dropped_pruned, events_dead_pruned,
    deliveries_delivered_pruned, deliveries_dead_pruned, deliveries_dropped_pruned, deliveries_cancelled_pruned,
    replays_pruned, replay_deliveries_pruned
)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
ON CONFLICT (tenant, day) DO UPDATE SET
    events = events + excluded.events,
    deliveries = deliveries + excluded.deliveries,
    replays = replays + excluded.replays,
    replay_deliveries = replay_deliveries + excluded.replay_deliveries,
    events_routed_pruned = events_routed_pruned + excluded.events_routed_pruned,
    events_dropped_pruned = events_dropped_pruned + excluded.events_dropped_pruned,
    events_dead_pruned = events_dead_pruned + excluded.events_dead_pruned,
    deliveries_delivered_pruned = deliveries_delivered_pruned + excluded.deliveries_delivered_pruned,
    deliveries_dead_pruned = deliveries_dead_pruned + excluded.deliveries_dead_pruned,
    deliveries_dropped_pruned = deliveries_dropped_pruned + excluded.deliveries_dropped_pruned,
    deliveries_cancelled_pruned = deliveries_cancelled_pruned + excluded.deliveries_cancelled_pruned,
    replays_pruned = replays_pruned + excluded.replays_pruned,
    replay_deliveries_pruned = replay_deliveries_pruned + excluded.replay_deliveries_pruned";
}

/// Writes the changes into the ledger and forgets them.
pub(super) fn write(changes: &mut LedgerChanges, direct: &rusqlite::Connection) -> rusqlite::Result<()> {
    let mut add = direct.prepare_cached(ADD)?;
    for row in rows(changes) {
        add.execute(rusqlite::params_from_iter(row))?;
    }
    Ok(())
}

/// Writes the changes into the ledger, forgets them, and commits.
pub(super) async fn commit(changes: &mut LedgerChanges, conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    for row in rows(changes) {
        row.into_iter().fold(sqlx::query(ADD), Query::bind).execute(&mut *conn).await?;
    }
    sqlx::query("COMMIT").execute(conn).await?;
    Ok(())
}

/// The changes as [`ADD`] takes them.
fn rows(changes: &mut LedgerChanges) -> impl Iterator<Item = impl Iterator<Item = i64> + use<>> + use<> {
    changes.take().into_iter().map(|(tenant, day, counts)| [tenant, day].into_iter().chain(counts))
}
