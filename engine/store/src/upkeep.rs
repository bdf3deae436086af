//! What housekeeping and metrics ask of the store.

use weft_core::time::Timestamp;

/// What waits, cheaply counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events and replays that wait for a pass, leased ones included.
    pub passes_waiting: u64,
    /// When the one that has waited longest was due, if any is free.
    pub oldest_pass_due_at: Option<Timestamp>,
    /// Deliveries that wait, leased ones included.
    pub deliveries_waiting: u64,
    /// When the one that has waited longest was due, if any is free.
    pub oldest_delivery_due_at: Option<Timestamp>,
    /// Dead events that no replay has taken over.
    pub dead_events: u64,
    /// Dead deliveries that no replay has taken over.
    pub dead_deliveries: u64,
}

/// What one round of retention removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Events with everything that hung on them.
    pub events: u64,
    /// Deliveries.
    pub deliveries: u64,
    /// Remembered idempotency keys that had expired.
    pub dedupe: u64,
    /// Entries of what plugins keep that had expired.
    pub kv: u64,
    /// Whether there is more to remove: call again.
    pub more: bool,
}
