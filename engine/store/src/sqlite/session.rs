//! What the writer works with: its connection, the numbers of the next rows, and the short names of tenants and destinations.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sqlx::{Connection, Row, SqliteConnection};
use tracing::warn;
use weft_core::id::{DeliveryId, DestinationId, TenantId};

use super::checkpoint::Checkpointer;
use super::leased_rows::LeasedRows;
use super::lock::EngineLock;
use super::prune::Retention;
use super::statements::statements;
use super::{connect, deliveries, finish, keep, ledger, passes, record};
use crate::directory::Directory;
use crate::error::{StoreError, unavailable};
use crate::ledger::LedgerChanges;
use crate::work::{Finished, FinishedAttempt, FinishedPass, Ingested, Lease, PassKey};
use crate::writer::{self, Answers, ClaimDeliveries, ClaimPasses, Claimed, Keep};

const BEGIN: &str = "BEGIN IMMEDIATE";
const COMMIT: &str = "COMMIT";
const BEGIN_PART: &str = "SAVEPOINT job";
const KEEP_PART: &str = "RELEASE job";
const UNDO_PART: &str = "ROLLBACK TO job; RELEASE job";

statements! {
    TENANTS = "SELECT seq, id FROM tenants";

    DESTINATIONS = "SELECT seq, id FROM destinations";

    /// Where the numbering of rows goes on, and that of places in lanes: nothing but what waits in one must come before.
    LAST_NUMBERS = "\
SELECT
    coalesce((SELECT max(seq) FROM events), 0) AS events,
    coalesce((SELECT max(seq) FROM bodies), 0) AS bodies,
    coalesce((SELECT max(seq) FROM deliveries), 0) AS deliveries,
    coalesce((SELECT max(seq) FROM replays), 0) AS replays,
    max(
        coalesce((SELECT max(place) FROM events WHERE ordering_key IS NOT NULL AND state = 'received'), 0),
        coalesce((SELECT max(place) FROM replays WHERE ordering_key IS NOT NULL AND state = 'received'), 0),
        coalesce((SELECT max(place) FROM deliveries WHERE ordering_key IS NOT NULL AND state = 'pending'), 0)
    ) AS places";
}

/// Everything that a commit needs. There is one, and the writer owns it.
#[derive(Debug)]
pub(super) struct Session {
    /// For what is rare.
    pub(super) conn: SqliteConnection,
    /// For what every commit does: no other thread stands between it and the file.
    pub(super) direct: rusqlite::Connection,
    pub(super) checkpointer: Checkpointer,
    /// Whether the transaction at hand is that of `conn`; there is one at a time.
    pub(super) is_rare: bool,
    pub(super) path: PathBuf,
    /// The number of this engine start.
    pub(super) start: i64,
    /// How long an idempotency key is remembered.
    pub(super) dedupe_for: Duration,
    pub(super) numbers: Numbers,
    pub(super) directory: Directory,
    pub(super) ledger: LedgerChanges,
    pub(super) leased: LeasedRows,
    pub(super) retention: Retention,
    /// Given back last.
    pub(super) lock: EngineLock,
}

impl writer::Session for Session {
    type Row = i64;

    const RARE_APART: bool = true;

    async fn begin(&mut self, _lone: bool) -> Result<(), StoreError> {
        self.is_rare = false;
        let begin = |direct: &rusqlite::Connection| direct.prepare_cached(BEGIN)?.execute(());
        if begin(&self.direct).is_ok() {
            return Ok(());
        }
        let failed = |error| StoreError::Unavailable { doing: "open the database", source: Arc::new(error) };
        self.direct = connect::direct(&self.path).map_err(failed)?;
        begin(&self.direct).map(drop).map_err(refused("begin a transaction"))
    }

    async fn begin_rare(&mut self) -> Result<(), StoreError> {
        self.is_rare = true;
        let failed = unavailable("begin a transaction");
        if sqlx::query(BEGIN).execute(&mut self.conn).await.is_ok() {
            return Ok(());
        }
        let opened = connect::writer(&self.path).await;
        self.conn = opened.map_err(|error| failed(sqlx::Error::Configuration(Box::new(error))))?;
        connect::leave_log(&mut self.conn).await.map_err(failed)?;
        sqlx::query(BEGIN).execute(&mut self.conn).await.map_err(failed)?;
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), StoreError> {
        if self.is_rare {
            return ledger::commit(&mut self.ledger, &mut self.conn).await.map_err(unavailable("commit"));
        }
        ledger::write(&mut self.ledger, &self.direct).map_err(refused("add to the ledger"))?;
        let commit = self.direct.prepare_cached(COMMIT).and_then(|mut commit| commit.execute(()));
        commit.map(drop).map_err(refused("commit"))
    }

    async fn roll_back(&mut self) {
        self.ledger.clear();
        // A failed statement may have ended the transaction already.
        if self.is_rare {
            drop(sqlx::query("ROLLBACK").execute(&mut self.conn).await);
        } else {
            drop(self.direct.execute_batch("ROLLBACK"));
        }
    }

    async fn settle(&mut self) {
        if self.directory.stale {
            match directory(&mut self.conn).await {
                Ok(directory) => self.directory = directory,
                Err(error) => warn!(%error, "the catalog could not be read again; the next commit tries again"),
            }
        }
    }

    async fn rest(&mut self) {
        if let Err(error) = self.checkpointer.look(&self.direct) {
            warn!(error = &error as &dyn std::error::Error, "the log was not copied; it grows meanwhile");
        }
    }

    async fn close(self) {
        drop(self.checkpointer);
        drop(self.direct);
        if let Err(error) = self.conn.close().await {
            warn!(%error, "the database did not close cleanly; the next start repairs it");
        }
        drop(self.lock);
    }

    async fn begin_part(&mut self) -> Result<(), StoreError> {
        self.ledger.begin_part();
        if self.is_rare {
            let begun = sqlx::query(BEGIN_PART).execute(&mut self.conn).await;
            return begun.map(drop).map_err(unavailable("use a savepoint"));
        }
        self.direct.execute_batch(BEGIN_PART).map_err(refused("use a savepoint"))
    }

    async fn end_part(&mut self, keep: bool) -> Result<(), StoreError> {
        if !keep {
            self.ledger.undo_part();
        }
        let end = if keep { KEEP_PART } else { UNDO_PART };
        if self.is_rare {
            let ended = sqlx::query(end).execute(&mut self.conn).await;
            return ended.map(drop).map_err(unavailable("use a savepoint"));
        }
        self.direct.execute_batch(end).map_err(refused("use a savepoint"))
    }

    async fn keep(&mut self, asks: &[&Keep]) -> Answers<Vec<Ingested>> {
        keep::keep(&mut self.desk(), asks).map_err(refused("keep events"))
    }

    async fn claim_passes(&mut self, ask: &ClaimPasses) -> Result<Claimed<i64>, StoreError> {
        passes::claim(self, ask).await.map_err(unavailable("claim passes"))
    }

    async fn finish_passes(&mut self, asks: &[&Vec<FinishedPass>]) -> Answers<Vec<Finished>> {
        finish::finish_passes(&mut self.desk(), asks).map_err(refused("finish passes"))
    }

    async fn release_passes(&mut self, asks: &[&Vec<(PassKey, Lease)>]) -> Answers<()> {
        passes::release(self, asks).await.map_err(unavailable("release passes"))
    }

    async fn claim_deliveries(&mut self, ask: &ClaimDeliveries) -> Result<Result<Vec<i64>, StoreError>, StoreError> {
        deliveries::claim(self, ask).await.map_err(unavailable("claim deliveries"))
    }

    async fn record(&mut self, asks: &[&Vec<FinishedAttempt>]) -> Answers<Vec<Finished>> {
        record::record(&mut self.desk(), asks).map_err(refused("record attempts"))
    }

    async fn release_deliveries(&mut self, asks: &[&Vec<(DeliveryId, Lease)>]) -> Answers<()> {
        deliveries::release(self, asks).await.map_err(unavailable("release deliveries"))
    }
}

impl Session {
    const fn desk(&mut self) -> Desk<'_> {
        Desk {
            direct: &self.direct,
            dedupe_for: self.dedupe_for,
            numbers: &mut self.numbers,
            directory: &self.directory,
            ledger: &mut self.ledger,
            leased: &mut self.leased,
        }
    }
}

/// What the statements of every commit work with.
pub(super) struct Desk<'s> {
    pub(super) direct: &'s rusqlite::Connection,
    pub(super) dedupe_for: Duration,
    pub(super) numbers: &'s mut Numbers,
    pub(super) directory: &'s Directory,
    pub(super) ledger: &'s mut LedgerChanges,
    pub(super) leased: &'s mut LeasedRows,
}

/// Makes a [`StoreError`] of what the database said to the writer's own connection.
pub(super) fn refused(doing: &'static str) -> impl Fn(rusqlite::Error) -> StoreError + Copy {
    move |source| StoreError::Unavailable { doing, source: Arc::new(source) }
}

/// The numbers of the last rows. A commit that fails leaves gaps, which mean nothing.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    events: i64,
    bodies: i64,
    deliveries: i64,
    replays: i64,
    places: i64,
}

impl Numbers {
    pub(super) const fn event(&mut self) -> i64 {
        self.events += 1;
        self.events
    }

    pub(super) const fn body(&mut self) -> i64 {
        self.bodies += 1;
        self.bodies
    }

    pub(super) const fn delivery(&mut self) -> i64 {
        self.deliveries += 1;
        self.deliveries
    }

    pub(super) const fn replay(&mut self) -> i64 {
        self.replays += 1;
        self.replays
    }

    /// The next place in whatever lane.
    pub(super) const fn place(&mut self) -> i64 {
        self.places += 1;
        self.places
    }

    pub(super) async fn load(conn: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        let row = sqlx::query(LAST_NUMBERS).fetch_one(conn).await?;
        Ok(Self {
            events: row.try_get("events")?,
            bodies: row.try_get("bodies")?,
            deliveries: row.try_get("deliveries")?,
            replays: row.try_get("replays")?,
            places: row.try_get("places")?,
        })
    }
}

/// Reads the row numbers of tenants and destinations.
pub(super) async fn directory(conn: &mut SqliteConnection) -> Result<Directory, sqlx::Error> {
    let tenants = sqlx::query(TENANTS).fetch_all(&mut *conn).await?;
    let destinations = sqlx::query(DESTINATIONS).fetch_all(&mut *conn).await?;
    Ok(Directory::new(
        tenants
            .iter()
            .map(|row| Ok((TenantId::from_uuid(uuid_of(row)?), row.try_get("seq")?)))
            .collect::<Result<_, sqlx::Error>>()?,
        destinations
            .iter()
            .map(|row| Ok((DestinationId::from_uuid(uuid_of(row)?), row.try_get("seq")?)))
            .collect::<Result<_, sqlx::Error>>()?,
    ))
}

fn uuid_of(row: &sqlx::sqlite::SqliteRow) -> Result<uuid::Uuid, sqlx::Error> {
    let bytes: &[u8] = row.try_get("id")?;
    uuid::Uuid::from_slice(bytes).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
