//! What a commit adds to the ledger: one row for each tenant and day that it touches.

use std::collections::BTreeMap;

use weft_core::time::Timestamp;

use super::statements::{json, statements};

statements! {
    /// Adds the changes of a commit, and commits: one hop for both.
    ADD_AND_COMMIT = "\
INSERT INTO ledger (
    tenant, day, events, deliveries, replays, replay_deliveries,
    events_routed_pruned, events_dropped_pruned, events_dead_pruned,
    deliveries_delivered_pruned, deliveries_dead_pruned, deliveries_dropped_pruned, deliveries_cancelled_pruned,
    replays_pruned, replay_deliveries_pruned
)
SELECT
    value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
    value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14
FROM json_each(?1)
WHERE true
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
    replay_deliveries_pruned = replay_deliveries_pruned + excluded.replay_deliveries_pruned;
COMMIT";
}

/// A column of the ledger, in the order of [`ADD_AND_COMMIT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    Events,
    Deliveries,
    Replays,
    ReplayDeliveries,
    EventsRoutedPruned,
    EventsDroppedPruned,
    EventsDeadPruned,
    DeliveriesDeliveredPruned,
    DeliveriesDeadPruned,
    DeliveriesDroppedPruned,
    DeliveriesCancelledPruned,
    ReplaysPruned,
    ReplayDeliveriesPruned,
}

const COUNTS: usize = Count::ReplayDeliveriesPruned as usize + 1;

/// The changes of one commit.
#[derive(Debug, Default)]
pub(super) struct LedgerChanges {
    rows: BTreeMap<(i64, i64), [i64; COUNTS]>,
}

impl LedgerChanges {
    /// Counts `by` more for a tenant on the day of `at`.
    pub(super) fn add(&mut self, tenant: i64, at: Timestamp, count: Count, by: i64) {
        self.add_on(tenant, at.day(), count, by);
    }

    /// Counts `by` more for a tenant on a day.
    pub(super) fn add_on(&mut self, tenant: i64, day: i64, count: Count, by: i64) {
        self.rows.entry((tenant, day)).or_default()[count as usize] += by;
    }

    /// Forgets what has not been written.
    pub(super) fn clear(&mut self) {
        self.rows.clear();
    }

    /// Writes the changes into the ledger, forgets them, and commits.
    pub(super) async fn commit(&mut self, conn: &mut sqlx::SqliteConnection) -> Result<(), sqlx::Error> {
        if self.rows.is_empty() {
            sqlx::query("COMMIT").execute(conn).await?;
            return Ok(());
        }
        let rows: Vec<Vec<i64>> =
            self.rows.iter().map(|(&(tenant, day), counts)| [&[tenant, day][..], counts].concat()).collect();
        self.rows.clear();
        sqlx::query(ADD_AND_COMMIT).bind(json(&rows)).execute(conn).await?;
        Ok(())
    }
}
