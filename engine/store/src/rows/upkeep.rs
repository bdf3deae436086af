//! The row of what metrics ask.

use weft_core::time::Timestamp;

use super::Cells;
use crate::error::StoreError;
use crate::upkeep::Counts;

pub(crate) fn counts(cells: &Cells<'_>) -> Result<Counts, StoreError> {
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
