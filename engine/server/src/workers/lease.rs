//! How long this engine may work on a row.

use std::time::Duration;

use weft_core::time::Timestamp;
use weft_store::work::Lease;

/// The term of every lease that this engine takes.
#[derive(Clone, Copy, Debug)]
pub struct LeaseTerm {
    /// The engine's start number.
    pub owner: i64,
    /// How long it lasts.
    pub lasts: Duration,
}

impl LeaseTerm {
    /// A lease that begins at `now`.
    pub fn from(self, now: Timestamp) -> Lease {
        Lease { owner: self.owner, until: now.plus(self.lasts) }
    }
}
