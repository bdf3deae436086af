//! What a commit adds to the ledger: one row for each tenant and day that it touches.

use std::collections::BTreeMap;

use weft_core::time::Timestamp;

/// A column of the ledger, in the order of the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
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

/// How many of them there are.
pub(crate) const COUNTS: usize = Count::ReplayDeliveriesPruned as usize + 1;

/// What a commit adds for a tenant and a day: the counts in the order of [`Count`].
pub(crate) type Change = (i64, i64, [i64; COUNTS]);

/// The changes of one commit.
#[derive(Debug, Default)]
pub(crate) struct LedgerChanges {
    rows: BTreeMap<(i64, i64), [i64; COUNTS]>,
    /// What `rows` was when the present part of the transaction began.
    before_part: BTreeMap<(i64, i64), [i64; COUNTS]>,
}

impl LedgerChanges {
    /// Counts `by` more for a tenant on the day of `at`.
    pub(crate) fn add(&mut self, tenant: i64, at: Timestamp, count: Count, by: i64) {
        self.add_on(tenant, at.day(), count, by);
    }

    /// Counts `by` more for a tenant on a day.
    pub(crate) fn add_on(&mut self, tenant: i64, day: i64, count: Count, by: i64) {
        self.rows.entry((tenant, day)).or_default()[count as usize] += by;
    }

    /// Remembers what has been counted, for a part of the transaction that may be undone.
    pub(crate) fn begin_part(&mut self) {
        self.before_part.clone_from(&self.rows);
    }

    /// Forgets what has been counted since [`begin_part`](Self::begin_part).
    pub(crate) fn undo_part(&mut self) {
        self.rows.clone_from(&self.before_part);
    }

    /// Forgets what has not been written.
    pub(crate) fn clear(&mut self) {
        self.rows.clear();
    }

    /// Takes what is to be written.
    pub(crate) fn take(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.rows).into_iter().map(|((tenant, day), counts)| (tenant, day, counts)).collect()
    }
}
