//! The one door to the store: every operation, whatever the database behind it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use weft_core::id::{DeliveryId, EventId, TenantId};
use weft_core::limits::DEDUPE_HOURS;
use weft_core::time::Timestamp;

use crate::check::CheckReport;
use crate::dead_letter::{DeadLetterCursor, DeadLetterFilter, DeadLetterPage};
use crate::error::{OpenError, StoreError};
use crate::history::EventRecord;
use crate::replay::{NewDeliveryReplay, NewEventReplay, Replayed};
use crate::sqlite::{SqliteSnapshot, SqliteStore};
use crate::upkeep::{Counts, Pruned};
use crate::work::{
    DeliveryWork, Finished, FinishedAttempt, FinishedPass, Ingested, KeepEvent, Lease, PassKey, PassWork, Waiting, Want,
};

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The database file; made if it is missing, with a lock file beside it.
    pub path: PathBuf,
    /// The time of opening.
    pub now: Timestamp,
    /// Connections for reading, at least 1. They never hold up the writer.
    pub readers: u32,
    /// How long an idempotency key is remembered.
    pub dedupe_for: Duration,
}

/// Enough for the API's reads and the claims' look-ahead on a small machine.
const READERS: u32 = 4;

impl StoreOptions {
    /// The usual options for the database at `path`.
    pub fn new(path: impl Into<PathBuf>, now: Timestamp) -> Self {
        Self { path: path.into(), now, readers: READERS, dedupe_for: Duration::from_hours(DEDUPE_HOURS.default) }
    }
}

/// The store. Clones are cheap and share everything.
#[derive(Clone, Debug)]
pub enum Store {
    /// One file, one engine.
    Sqlite(SqliteStore),
}

impl Store {
    /// Opens the store for an engine, alone: takes the lock, brings the tables up to date, counts this start.
    ///
    /// # Errors
    /// [`OpenError`]; says who holds the lock if another engine runs.
    pub async fn open(options: &StoreOptions) -> Result<Self, OpenError> {
        SqliteStore::open(options).await.map(Self::Sqlite)
    }

    /// Opens what the store holds at this moment for reading, beside a running engine or without one.
    ///
    /// # Errors
    /// [`OpenError`] if there is no such store or its tables are not this program's.
    pub async fn open_snapshot(path: &Path) -> Result<Snapshot, OpenError> {
        SqliteSnapshot::open(path).await.map(Snapshot::Sqlite)
    }

    /// The number of this start: the `owner` of every lease that this engine takes.
    pub fn start_number(&self) -> i64 {
        match self {
            Self::Sqlite(store) => store.start_number(),
        }
    }

    /// Finishes what was handed in, gives the lock back and refuses everything after that.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(store) => store.close().await,
        }
    }

    /// Stores events, with their deliveries where those are known. Answers in the order of `events`, after the commit.
    ///
    /// An event whose idempotency key is remembered stores nothing; that holds within `events` as well.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if one names a tenant or destination that the store does not have: then none is stored.
    pub async fn keep(&self, events: Vec<KeepEvent>, now: Timestamp) -> Result<Vec<Ingested>, StoreError> {
        match self {
            Self::Sqlite(store) => store.keep(events, now).await,
        }
    }

    /// Claims up to `limit` passes that are due and free, of events and of replays, oldest due first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim_passes(&self, limit: u32, lease: Lease, now: Timestamp) -> Result<Vec<PassWork>, StoreError> {
        match self {
            Self::Sqlite(store) => store.claim_passes(limit, lease, now).await,
        }
    }

    /// Stores what passes made: the fan-out. Each pass is written whole or, if its lease is lost, not at all.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if a delivery names a destination that the store does not have: then no pass is stored.
    pub async fn finish_passes(&self, passes: Vec<FinishedPass>) -> Result<Vec<Finished>, StoreError> {
        match self {
            Self::Sqlite(store) => store.finish_passes(passes).await,
        }
    }

    /// Gives passes back: free at once, their count untouched. Leases that are lost already are passed over.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn release_passes(&self, passes: Vec<(PassKey, Lease)>) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(store) => store.release_passes(passes).await,
        }
    }

    /// When the first pass that nobody works on is due; not later than `now` if one waits already.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn next_pass_due(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        match self {
            Self::Sqlite(store) => store.next_pass_due(now).await,
        }
    }

    /// The destinations that have deliveries nobody works on, disabled ones included, with the first due time of each.
    ///
    /// Costs as much as there are such destinations, however many deliveries wait.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn waiting(&self, now: Timestamp) -> Result<Vec<Waiting>, StoreError> {
        match self {
            Self::Sqlite(store) => store.waiting(now).await,
        }
    }

    /// Claims deliveries that are due and free, for each destination the oldest due first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim_deliveries(
        &self,
        wants: Vec<Want>,
        lease: Lease,
        now: Timestamp,
    ) -> Result<Vec<DeliveryWork>, StoreError> {
        match self {
            Self::Sqlite(store) => store.claim_deliveries(wants, lease, now).await,
        }
    }

    /// Stores attempts, each together with the state of its delivery, or not at all if its lease is lost.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn record(&self, attempts: Vec<FinishedAttempt>) -> Result<Vec<Finished>, StoreError> {
        match self {
            Self::Sqlite(store) => store.record(attempts).await,
        }
    }

    /// Gives deliveries back: free at once, attempts untouched. Leases that are lost already are passed over.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn release_deliveries(&self, deliveries: Vec<(DeliveryId, Lease)>) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(store) => store.release_deliveries(deliveries).await,
        }
    }

    /// Ends up to `limit` free deliveries whose lifetime is over, dead by `lifetime`: what a disabled destination holds.
    /// Answers how many.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn expire_deliveries(&self, limit: u32, now: Timestamp) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(store) => store.expire_deliveries(limit, now).await,
        }
    }

    /// Makes a delivery of its own for each dead delivery.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn replay_deliveries(&self, replays: Vec<NewDeliveryReplay>) -> Result<Vec<Replayed>, StoreError> {
        match self {
            Self::Sqlite(store) => store.replay_deliveries(replays).await,
        }
    }

    /// Puts each dead event in line for another pass. A replay that itself ends dead makes its event a dead letter again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn replay_events(
        &self,
        replays: Vec<NewEventReplay>,
        now: Timestamp,
    ) -> Result<Vec<Replayed>, StoreError> {
        match self {
            Self::Sqlite(store) => store.replay_events(replays, now).await,
        }
    }

    /// Everything that is known about an event; nothing if it is another tenant's than `tenant`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn event(&self, tenant: Option<TenantId>, id: EventId) -> Result<Option<EventRecord>, StoreError> {
        match self {
            Self::Sqlite(store) => store.event(tenant, id).await,
        }
    }

    /// The event that a delivery came from; nothing if it is another tenant's than `tenant`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn event_of_delivery(
        &self,
        tenant: Option<TenantId>,
        id: DeliveryId,
    ) -> Result<Option<EventId>, StoreError> {
        match self {
            Self::Sqlite(store) => store.event_of_delivery(tenant, id).await,
        }
    }

    /// Up to `limit` dead letters, newest first, from `cursor` on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn dead_letters(
        &self,
        filter: &DeadLetterFilter,
        cursor: Option<DeadLetterCursor>,
        limit: u32,
    ) -> Result<DeadLetterPage, StoreError> {
        match self {
            Self::Sqlite(store) => store.dead_letters(filter, cursor, limit).await,
        }
    }

    /// What waits and what is dead, for metrics; costs as much as that.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn counts(&self) -> Result<Counts, StoreError> {
        match self {
            Self::Sqlite(store) => store.counts().await,
        }
    }

    /// Removes up to `limit` events that ended, with everything that hangs on them, before `before`, and as many idempotency keys
    /// that had expired by `now`; their counts move to the ledger in the same transaction, and space is given back.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn prune(&self, before: Timestamp, limit: u32, now: Timestamp) -> Result<Pruned, StoreError> {
        match self {
            Self::Sqlite(store) => store.prune(before, limit, now).await,
        }
    }
}

/// What a store held at one moment, for reading.
#[derive(Debug)]
pub enum Snapshot {
    /// One read transaction on the file.
    Sqlite(SqliteSnapshot),
}

impl Snapshot {
    /// Proves what the tables must fulfil, and adds up the ledger.
    ///
    /// # Errors
    /// [`StoreError`] if something cannot be read at all.
    pub async fn check(&mut self) -> Result<CheckReport, StoreError> {
        match self {
            Self::Sqlite(snapshot) => snapshot.check().await,
        }
    }
}
