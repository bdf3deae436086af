//! What the ledger is told about rows that retention removes.

use super::Cells;
use crate::error::StoreError;
use crate::ledger::{Count, LedgerChanges};

/// Events looked at for each one that may be removed: what bounds a round when many are kept by something that waits.
pub(crate) const LOOKED_AT: u32 = 4;

/// Rows of one kind that are removed: so many of a tenant and day.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gone {
    pub(crate) tenant: i64,
    pub(crate) day: i64,
    pub(crate) rows: i64,
}

impl Gone {
    /// Reads a row that stands for `rows` others.
    pub(crate) fn read(cells: &Cells<'_>) -> Result<Self, StoreError> {
        Ok(Self { tenant: cells.int("tenant")?, day: cells.int("day")?, rows: cells.int("rows")? })
    }

    /// Counts them; answers how many.
    pub(crate) fn tell(self, ledger: &mut LedgerChanges, count: Count) -> u64 {
        ledger.add_on(self.tenant, self.day, count, self.rows);
        self.rows.unsigned_abs()
    }
}

/// How events that ended in `state` are counted.
pub(crate) fn event_count(state: &str) -> Option<Count> {
    match state {
        "routed" => Some(Count::EventsRoutedPruned),
        "dropped" => Some(Count::EventsDroppedPruned),
        "dead" => Some(Count::EventsDeadPruned),
        _ => None,
    }
}

/// How deliveries that ended in `state` are counted.
pub(crate) fn delivery_count(state: &str, is_replay: bool) -> Option<Count> {
    let count = match state {
        "delivered" => Count::DeliveriesDeliveredPruned,
        "dead" => Count::DeliveriesDeadPruned,
        "dropped" => Count::DeliveriesDroppedPruned,
        "cancelled" => Count::DeliveriesCancelledPruned,
        _ => return None,
    };
    Some(if is_replay { Count::ReplayDeliveriesPruned } else { count })
}
