//! The one door to the store: every operation, whatever the database behind it.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::watch;
use weft_core::id::{DeliveryId, DestinationId};
use weft_core::limits::DEDUPE_HOURS;
use weft_core::time::Timestamp;

use crate::at::StoreAt;
use crate::dead_letter::{DeadLetterCursor, DeadLetterFilter, DeadLetterPage};
use crate::error::{OpenError, StoreError};
use crate::postgres::{PostgresSnapshot, PostgresStore};
use crate::replay::{NewDeliveryReplay, NewEventReplay, Replayed};
use crate::snapshot::Snapshot;
use crate::sqlite::{SqliteSnapshot, SqliteStore};
use crate::upkeep::{Counts, Pruned};
use crate::work::{
    DeliveryWork, Finished, FinishedAttempt, FinishedPass, Ingested, KeepEvent, Lease, PassKey, PassWork, Waiting,
    WaitingCursor, WaitingPage, Want,
};

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Where it is.
    pub at: StoreAt,
    /// The time of opening.
    pub now: Timestamp,
    /// Connections for reading, at least 1. They never hold up the writer.
    pub readers: u32,
    /// How long an idempotency key is remembered.
    pub dedupe_for: Duration,
    /// Whether a server that does not wait for its disk is refused. `false` is for tests, of what power cuts do not matter to.
    pub durable: bool,
    /// How long a server may be silent before a call fails: [`StoreError::Unavailable`].
    pub answer_within: Duration,
}

/// 10 s: a checkpoint on a slow disk holds up a commit for a few, and senders of webhooks rarely wait longer for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// How long an engine counts as alive after [`Store::keep_alive`]: two beats of three may be lost, and what a dead one works on is
/// taken over within this and the claims' look around.
pub const ALIVE_FOR: Duration = Duration::from_secs(15);

/// Enough for the API's reads and the claims' look-ahead on a small machine.
const READERS: u32 = 4;

/// Destinations of one page, where all are asked for.
const WAITING_AT_ONCE: u32 = 256;

impl StoreOptions {
    /// The usual options for the store at `at`.
    pub fn new(at: impl Into<StoreAt>, now: Timestamp) -> Self {
        let dedupe_for = Duration::from_hours(DEDUPE_HOURS.default);
        Self { at: at.into(), now, readers: READERS, dedupe_for, durable: true, answer_within: ANSWER_WITHIN }
    }
}

/// The store. Clones are cheap and share everything.
#[derive(Clone, Debug)]
pub enum Store {
    /// One file, one engine.
    Sqlite(SqliteStore),
    /// One database, any number of engines.
    Postgres(PostgresStore),
}

impl Store {
    /// Opens the store for an engine, alone: takes the lock, brings the tables up to date, counts this start.
    ///
    /// # Errors
    /// [`OpenError`]; says who holds the lock if another engine runs.
    pub async fn open(options: &StoreOptions) -> Result<Self, OpenError> {
        match &options.at {
            StoreAt::Sqlite(path) => SqliteStore::open(path, options).await.map(Self::Sqlite),
            StoreAt::Postgres(at) => PostgresStore::open(at, options).await.map(Self::Postgres),
        }
    }

    /// Opens what the store holds at this moment for reading, beside a running engine or without one.
    ///
    /// # Errors
    /// [`OpenError`] if there is no such store or its tables are not this program's.
    pub async fn open_snapshot(at: impl Into<StoreAt>) -> Result<Snapshot, OpenError> {
        match at.into() {
            StoreAt::Sqlite(path) => SqliteSnapshot::open(&path).await.map(Snapshot::Sqlite),
            StoreAt::Postgres(at) => PostgresSnapshot::open(&at).await.map(Snapshot::Postgres),
        }
    }

    /// The number of this start: the `owner` of every lease that this engine takes.
    pub fn start_number(&self) -> i64 {
        match self {
            Self::Sqlite(store) => store.start_number(),
            Self::Postgres(store) => store.start_number(),
        }
    }

    /// Finishes what was handed in, gives the lock back and refuses everything after that.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(store) => store.close().await,
            Self::Postgres(store) => store.close().await,
        }
    }

    /// Says that this engine is alive, so that nobody takes over what it works on. To be called every few seconds.
    ///
    /// Over SQLite there is nobody to tell.
    ///
    /// # Errors
    /// [`StoreError`]; also if another engine has taken this one's name meanwhile.
    pub async fn keep_alive(&self, now: Timestamp) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(store) => store.keep_alive(now).await,
        }
    }

    /// Changes whenever another engine has left work behind that this one may claim. Over SQLite there is no other.
    pub fn wakes(&self) -> watch::Receiver<u64> {
        match self {
            Self::Sqlite(store) => store.wakes(),
            Self::Postgres(store) => store.wakes(),
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
            Self::Postgres(store) => store.keep(events, now).await,
        }
    }

    /// Stores one event as [`Self::keep`] does, without making anybody wait: `then` is told how it went, by whoever commits, so
    /// that it must not wait for anything either.
    ///
    /// # Errors
    /// [`StoreError::Busy`] if too much waits for a commit already, [`StoreError::Closed`]; `then` is dropped.
    pub fn keep_then(
        &self,
        event: KeepEvent,
        now: Timestamp,
        then: impl FnOnce(Result<Ingested, StoreError>) + Send + 'static,
    ) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(store) => store.keep_then(event, now, then),
            Self::Postgres(store) => store.keep_then(event, now, then),
        }
    }

    /// Claims up to `limit` passes that are due and free, of events and of replays, oldest due first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim_passes(&self, limit: u32, lease: Lease, now: Timestamp) -> Result<Vec<PassWork>, StoreError> {
        match self {
            Self::Sqlite(store) => store.claim_passes(limit, lease, now).await,
            Self::Postgres(store) => store.claim_passes(limit, lease, now).await,
        }
    }

    /// Stores what passes made: the fan-out. Each pass is written whole or, if its lease is lost, not at all.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if a delivery names a destination that the store does not have: then no pass is stored.
    pub async fn finish_passes(&self, passes: Vec<FinishedPass>) -> Result<Vec<Finished>, StoreError> {
        match self {
            Self::Sqlite(store) => store.finish_passes(passes).await,
            Self::Postgres(store) => store.finish_passes(passes).await,
        }
    }

    /// Gives passes back: free at once, their count untouched. Leases that are lost already are passed over.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn release_passes(&self, passes: Vec<(PassKey, Lease)>) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(store) => store.release_passes(passes).await,
            Self::Postgres(store) => store.release_passes(passes).await,
        }
    }

    /// When the first pass that nobody works on is due; not later than `now` if one waits already.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn next_pass_due(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        match self {
            Self::Sqlite(store) => store.next_pass_due(now).await,
            Self::Postgres(store) => store.next_pass_due(now).await,
        }
    }

    /// Some of the destinations that have deliveries nobody works on, disabled ones included, with the first due time of each: about
    /// `limit` of them behind `after`.
    ///
    /// Costs as much as it answers, however many deliveries wait and at however many destinations.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn waiting_page(
        &self,
        after: Option<WaitingCursor>,
        limit: u32,
        now: Timestamp,
    ) -> Result<WaitingPage, StoreError> {
        match self {
            Self::Sqlite(store) => store.waiting_page(after, limit, now).await,
            Self::Postgres(store) => store.waiting_page(after, limit, now).await,
        }
    }

    /// All of them, each once.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn waiting(&self, now: Timestamp) -> Result<Vec<Waiting>, StoreError> {
        let mut first: BTreeMap<DestinationId, Timestamp> = BTreeMap::new();
        let mut after = None;
        loop {
            let page = self.waiting_page(after, WAITING_AT_ONCE, now).await?;
            for Waiting { destination, due_at } in page.waiting {
                let known = first.entry(destination).or_insert(due_at);
                *known = due_at.min(*known);
            }
            after = page.next;
            if after.is_none() {
                return Ok(first.into_iter().map(|(destination, due_at)| Waiting { destination, due_at }).collect());
            }
        }
    }

    /// Of `destinations`, those that have free deliveries, with the first due time of each. Unknown ones are passed over.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn first_due(&self, destinations: &[DestinationId], now: Timestamp) -> Result<Vec<Waiting>, StoreError> {
        match self {
            Self::Sqlite(store) => store.first_due(destinations, now).await,
            Self::Postgres(store) => store.first_due(destinations).await,
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
            Self::Postgres(store) => store.claim_deliveries(wants, lease, now).await,
        }
    }

    /// Stores attempts, each together with the state of its delivery, or not at all if its lease is lost.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn record(&self, attempts: Vec<FinishedAttempt>) -> Result<Vec<Finished>, StoreError> {
        match self {
            Self::Sqlite(store) => store.record(attempts).await,
            Self::Postgres(store) => store.record(attempts).await,
        }
    }

    /// Gives deliveries back: free at once, attempts untouched. Leases that are lost already are passed over.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn release_deliveries(&self, deliveries: Vec<(DeliveryId, Lease)>) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(store) => store.release_deliveries(deliveries).await,
            Self::Postgres(store) => store.release_deliveries(deliveries).await,
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
            Self::Postgres(store) => store.expire_deliveries(limit, now).await,
        }
    }

    /// Makes a delivery of its own for each dead delivery.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn replay_deliveries(&self, replays: Vec<NewDeliveryReplay>) -> Result<Vec<Replayed>, StoreError> {
        match self {
            Self::Sqlite(store) => store.replay_deliveries(replays).await,
            Self::Postgres(store) => store.replay_deliveries(replays).await,
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
            Self::Postgres(store) => store.replay_events(replays, now).await,
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
            Self::Postgres(store) => store.dead_letters(filter, cursor, limit).await,
        }
    }

    /// What waits and what is dead, for metrics; costs as much as that.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn counts(&self) -> Result<Counts, StoreError> {
        match self {
            Self::Sqlite(store) => store.counts().await,
            Self::Postgres(store) => store.counts().await,
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
            Self::Postgres(store) => store.prune(before, limit, now).await,
        }
    }
}
