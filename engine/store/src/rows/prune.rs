//! What the ledger is told about rows that retention removes. Each row stands for `rows` of one tenant, day and state.

use super::Cells;
use crate::error::StoreError;
use crate::ledger::{Count, LedgerChanges};

/// Events looked at for each one that may be removed: what bounds a round when many are kept by something that waits.
pub(crate) const LOOKED_AT: u32 = 4;

/// Counts events; answers how many.
pub(crate) fn count_events(ledger: &mut LedgerChanges, cells: &Cells<'_>) -> Result<u64, StoreError> {
    let count = cells.word("state", |state| match state {
        "routed" => Some(Count::EventsRoutedPruned),
        "dropped" => Some(Count::EventsDroppedPruned),
        "dead" => Some(Count::EventsDeadPruned),
        _ => None,
    })?;
    add(ledger, cells, count)
}

/// Counts deliveries; answers how many.
pub(crate) fn count_deliveries(ledger: &mut LedgerChanges, cells: &Cells<'_>) -> Result<u64, StoreError> {
    if cells.flag("is_replay")? {
        return add(ledger, cells, Count::ReplayDeliveriesPruned);
    }
    let count = cells.word("state", |state| match state {
        "delivered" => Some(Count::DeliveriesDeliveredPruned),
        "dead" => Some(Count::DeliveriesDeadPruned),
        "dropped" => Some(Count::DeliveriesDroppedPruned),
        "cancelled" => Some(Count::DeliveriesCancelledPruned),
        _ => None,
    })?;
    add(ledger, cells, count)
}

/// Counts replays; answers how many.
pub(crate) fn count_replays(ledger: &mut LedgerChanges, cells: &Cells<'_>) -> Result<u64, StoreError> {
    add(ledger, cells, Count::ReplaysPruned)
}

fn add(ledger: &mut LedgerChanges, cells: &Cells<'_>, count: Count) -> Result<u64, StoreError> {
    ledger.add_on(cells.int("tenant")?, cells.int("day")?, count, cells.int("rows")?);
    cells.number("rows")
}
