//! Rows in portions: how many at a time, and where the next portion begins.

use serde::{Deserialize, Serialize};

use super::table::{Cell, Row};

/// Bytes that a batch is meant to have: a commit of that size costs as little per row as a larger one.
const BATCH_BYTES: usize = 4 << 20;

/// Rows of the first batch of a table, whose rows may be large.
const ROWS_FIRST: u32 = 16;

/// Rows that a batch has at most: bounds what a step from small rows to large ones can take.
const ROWS_MAX: u32 = 512;

/// Where reading goes on in a table; only the engine that wrote it can read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place(pub(super) Vec<Cell>);

/// A portion of a table.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) rows: Vec<Row>,
    /// Behind the last of them; nothing if there is none.
    pub(super) place: Option<Place>,
    /// Whether nothing follows.
    pub(super) is_last: bool,
}

/// How many rows the next batch of a table has. It grows in small steps: rows may become larger as one goes on.
#[derive(Debug)]
pub(super) struct BatchSize(u32);

impl BatchSize {
    pub(super) const fn new() -> Self {
        Self(ROWS_FIRST)
    }

    pub(super) const fn rows(&self) -> u32 {
        self.0
    }

    /// Adapts to what the last batch weighed.
    pub(super) fn learn(&mut self, batch: &Batch) {
        let bytes: usize = batch.rows.iter().flatten().map(Cell::weight).sum();
        if bytes > BATCH_BYTES {
            self.0 = (self.0 / 2).max(1);
        } else if bytes < BATCH_BYTES / 2 {
            self.0 = (self.0 * 2).min(ROWS_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(rows: usize, bytes: usize) -> Batch {
        let row = || vec![Cell::Bytes(vec![0; bytes])];
        Batch { rows: (0..rows).map(|_| row()).collect(), ..Batch::default() }
    }

    #[test]
    fn a_batch_of_large_rows_is_followed_by_a_smaller_one() {
        let mut size = BatchSize::new();
        (0..20).for_each(|_| size.learn(&batch(10, 10)));
        assert_eq!(size.rows(), ROWS_MAX);
        size.learn(&batch(100, 1 << 20));
        assert_eq!(size.rows(), ROWS_MAX / 2);
        (0..20).for_each(|_| size.learn(&batch(1, BATCH_BYTES + 1)));
        assert_eq!(size.rows(), 1);
    }
}
