//! How many rows a claim takes: their bodies come into memory with them, and nobody knows their size before.
//!
//! The last claim tells what to expect of the next one. A claim that is wrong about it is bounded by the most rows that one may
//! take, and the one after it is right.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Rows of the first claim, of which nothing is known.
const FIRST_ROWS: usize = 64;

/// The size of one kind of claim.
#[derive(Debug)]
pub(super) struct ClaimSize {
    rows_max: usize,
    bytes: usize,
    // The largest body that is expected.
    body: AtomicUsize,
}

impl ClaimSize {
    /// Claims of up to `rows_max` rows, whose bodies are to be `bytes` together.
    pub(super) fn new(rows_max: usize, bytes: usize) -> Self {
        Self { rows_max, bytes, body: AtomicUsize::new(bytes / FIRST_ROWS) }
    }

    /// How many rows the next claim takes; at least one.
    pub(super) fn rows(&self) -> usize {
        let body = self.body.load(Ordering::Relaxed).max(1);
        (self.bytes / body).clamp(1, self.rows_max)
    }

    /// Learns from the bodies that a claim has found. It expects more at once, and less little by little.
    pub(super) fn found(&self, bodies: impl Iterator<Item = usize>) {
        if let Some(largest) = bodies.max() {
            let expected = self.body.load(Ordering::Relaxed);
            self.body.store(largest.max(expected / 2), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_bodies_are_claimed_in_full_and_large_ones_few_at_a_time() {
        let size = ClaimSize::new(256, 1_000_000);
        assert_eq!(size.rows(), FIRST_ROWS, "nothing is known yet");
        for _ in 0..4 {
            size.found([1_000, 10].into_iter());
        }
        assert_eq!(size.rows(), 256);
        size.found([10, 100_000].into_iter());
        assert_eq!(size.rows(), 10, "one large body is enough");
        size.found(std::iter::empty());
        assert_eq!(size.rows(), 10, "nothing was learnt");
        size.found([5_000_000].into_iter());
        assert_eq!(size.rows(), 1, "there is always a next one");
    }
}
