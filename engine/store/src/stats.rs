//! What `weft store stats` shows: how much is stored, how much waits, and how much room it takes.

use crate::check::{DeliveryCounts, EventCounts};
use crate::upkeep::Counts;
use weft_core::time::Timestamp;

/// How much trouble the figures are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatsDepth {
    /// What indexes and the ledger know, and for the rest a sample: costs about the same for every store.
    Sampled,
    /// Every row and every page is looked at.
    Whole,
}

/// A figure, and whether it was counted or estimated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figure {
    /// How many.
    pub value: u64,
    /// Whether it was estimated from a sample.
    pub estimated: bool,
}

impl Figure {
    /// A figure that was counted.
    pub const fn exact(value: u64) -> Self {
        Self { value, estimated: false }
    }
}

/// What a store holds at one moment.
#[derive(Clone, Debug, Default)]
pub struct StoreStats {
    /// The room that it takes.
    pub size: StoreSize,
    /// Events by state. `received` and `dead` are exact, and so is the sum.
    pub events: EventCounts,
    /// Deliveries by state, those of replays included. `pending` and `dead` are exact, and so is the sum.
    pub deliveries: DeliveryCounts,
    /// Whether the other states were estimated from a sample.
    pub states_estimated: bool,
    /// What waits and what is dead; exact.
    pub counts: Counts,
    /// When the oldest event that is still there was accepted.
    pub oldest_event_at: Option<Timestamp>,
    /// What the ledger has counted; exact.
    pub ledger: LedgerTotals,
    /// Every table, in the order of their importance.
    pub tables: Vec<TableStats>,
}

/// The room that a store takes, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreSize {
    /// All of it, the log of SQLite aside.
    pub bytes: u64,
    /// What of it is free for new rows.
    pub free_bytes: u64,
    /// The write-ahead log beside the database.
    pub log_bytes: u64,
}

/// What the ledger has counted over all tenants and days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerTotals {
    /// Events that were accepted.
    pub events: u64,
    /// Deliveries that were planned for them.
    pub deliveries: u64,
    /// Replays that were asked for.
    pub replays: u64,
    /// Deliveries that replays planned.
    pub replay_deliveries: u64,
    /// Events that retention has removed.
    pub events_pruned: u64,
    /// Deliveries that retention has removed.
    pub deliveries_pruned: u64,
    /// Replays that retention has removed.
    pub replays_pruned: u64,
    /// Deliveries of replays that retention has removed.
    pub replay_deliveries_pruned: u64,
}

/// One table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableStats {
    /// Its name.
    pub name: &'static str,
    /// Its rows.
    pub rows: Figure,
    /// Its bytes: with its indexes if they are exact, what stands in its rows if they are estimated.
    pub bytes: Figure,
}
