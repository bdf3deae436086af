//! Where the rows of deliveries lie that this engine has leased as it stored them.

use std::collections::HashMap;

use weft_core::id::DeliveryId;

/// As many as are remembered. An engine has fewer in its memory, but for those whose attempt is never recorded.
const ROWS_MAX: usize = 1 << 16;

/// Row numbers by delivery: a hint that saves a look-up by id for each attempt. It may be out of date, so whoever uses it compares
/// the id in the row.
#[derive(Debug, Default)]
pub(super) struct LeasedRows(HashMap<DeliveryId, i64>);

impl LeasedRows {
    /// Remembers where a leased delivery lies.
    pub(super) fn put(&mut self, delivery: DeliveryId, row: i64) {
        if self.0.len() >= ROWS_MAX {
            self.0.clear();
        }
        self.0.insert(delivery, row);
    }

    /// Where a delivery may lie, once.
    pub(super) fn take(&mut self, delivery: DeliveryId) -> Option<i64> {
        self.0.remove(&delivery)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn promise_7_what_is_never_asked_for_does_not_fill_the_memory() {
        let mut rows = LeasedRows::default();
        let id = |n: usize| DeliveryId::from_uuid(Uuid::from_u128(n as u128));
        for n in 0..3 * ROWS_MAX {
            rows.put(id(n), 1);
            assert!(rows.0.len() <= ROWS_MAX);
        }
        assert_eq!((rows.take(id(3 * ROWS_MAX - 1)), rows.take(id(0))), (Some(1), None));
    }
}
