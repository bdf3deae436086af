//! What a writer works with: its connection, its transaction, and the short names of tenants and destinations.

use std::collections::BTreeSet;
use std::time::Duration;

use sqlx::postgres::{PgPool, PgRow};
use sqlx::{Connection, PgConnection, Postgres, Row, Transaction};
use tracing::warn;
use uuid::Uuid;
use weft_core::id::{DeliveryId, DestinationId, TenantId};
use weft_core::time::Timestamp;

use super::connect::Backend;
use super::doubt::Leased;
use super::listener::CHANNEL;
use super::statements::{Statement, statements};
use super::{connect, deliveries, engine_start, finish, keep, lanes, ledger, partitions, passes, record};
use crate::at::PostgresAt;
use crate::directory::Directory;
use crate::error::{OpenError, StoreError, unavailable};
use crate::lane::Lane;
use crate::ledger::LedgerChanges;
use crate::work::{Finished, FinishedAttempt, FinishedPass, Ingested, Lease, PassKey};
use crate::writer::{self, Answers, ClaimDeliveries, ClaimPasses, Claimed, Keep};

statements! {
    /// Tells other engines that there is work. $1: channel, $2: this start.
    WAKE = "SELECT pg_notify($1, $2)";

    TENANTS = "SELECT seq, id FROM tenants";

    DESTINATIONS = "SELECT seq, id FROM destinations";
}

/// What a session writes, and what its connection holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Duty {
    /// Everything but new events; it holds the lock of the node.
    Node,
    /// New events. They need nothing of the rest, and neither waits for the other's commits.
    Intake,
}

/// How far a commit has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// One operation is all of it: nothing has been said to the server yet.
    Unbegun,
    /// Its one statement was a transaction by itself.
    AtOnce,
    /// A transaction has begun.
    Begun,
    /// It has been told to commit.
    Committing,
}

/// What a session is opened with.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) at: PostgresAt,
    pub(super) durable: bool,
    /// How long an idempotency key is remembered.
    pub(super) dedupe_for: Duration,
    /// How long the server may be silent.
    pub(super) answer_within: Duration,
}

/// Everything that a commit needs. A writer owns it.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) conn: PgConnection,
    /// What the server calls the other end of `conn`.
    backend: Backend,
    duty: Duty,
    phase: Phase,
    terms: Terms,
    /// The number of this engine start.
    pub(super) start: i64,
    pub(super) directory: Directory,
    pub(super) ledger: LedgerChanges,
    /// The event that retention looks at next.
    pub(super) prune_from: Uuid,
    /// Whether this commit leaves work behind that anybody may claim.
    pub(super) leaves_work: bool,
    /// Until when partitions have been made.
    pub(super) partitioned_until: Timestamp,
    /// What this commit leases.
    pub(super) leases: Leased,
    /// What earlier commits may have leased, or were to give back, though they failed.
    in_doubt: Leased,
    /// Whether the last commit failed: the server may be another than it was.
    doubtful: bool,
    /// Whether `conn` was given up in the middle of something.
    given_up: bool,
}

impl Session {
    /// Connects, brings the tables up to date and counts this start; earlier starts of the node end.
    pub(super) async fn open(terms: Terms, now: Timestamp) -> Result<Self, OpenError> {
        let (mut conn, backend) = connect::node_writer(&terms.at, terms.durable, None).await?;
        connect::migrate(&mut conn, &terms.at).await?;
        connect::refuse_half_moved(&mut conn, &terms.at).await?;
        let failed = connect::server(&terms.at, "start on");
        let partitioned_until = partitions::make(&mut conn, now).await.map_err(&failed)?;
        let start = engine_start::begin(&mut conn, &terms.at.node, now).await.map_err(&failed)?;
        let directory = directory(&mut conn).await.map_err(&failed)?;
        Ok(Self::new(conn, backend, Duty::Node, terms, start, directory, partitioned_until))
    }

    /// Connects beside the session that has counted `start`, to store what comes in.
    pub(super) async fn open_intake(terms: Terms, start: i64) -> Result<Self, OpenError> {
        let (mut conn, backend) = connect::writer(&terms.at, terms.durable, None).await?;
        let directory = directory(&mut conn).await.map_err(connect::server(&terms.at, "start on"))?;
        Ok(Self::new(conn, backend, Duty::Intake, terms, start, directory, Timestamp::from_ms(0)))
    }

    fn new(
        conn: PgConnection,
        backend: Backend,
        duty: Duty,
        terms: Terms,
        start: i64,
        directory: Directory,
        partitioned_until: Timestamp,
    ) -> Self {
        Self {
            conn,
            backend,
            duty,
            phase: Phase::Unbegun,
            terms,
            start,
            directory,
            ledger: LedgerChanges::default(),
            prune_from: Uuid::nil(),
            leaves_work: false,
            partitioned_until,
            leases: Leased::default(),
            in_doubt: Leased::default(),
            doubtful: false,
            given_up: false,
        }
    }

    /// How long an idempotency key is remembered.
    pub(super) const fn dedupe_for(&self) -> Duration {
        self.terms.dedupe_for
    }

    /// The shard of the ledger that this session writes into.
    pub(super) fn shard(&self) -> i16 {
        let session = 2 * self.start + i64::from(self.duty == Duty::Intake);
        i16::try_from(session.rem_euclid(LEDGER_SHARDS)).unwrap_or_default()
    }

    /// Says that this engine is alive, makes the partitions of the time to come, and lays ended starts to rest.
    pub(super) async fn keep_alive(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let alive = engine_start::keep_alive(&mut self.conn, self.start, now).await;
        alive.map_err(unavailable("say that this engine is alive"))?;
        partitions::make_ahead(self, now).await
    }

    /// Reads the directory again: something is asked for that another engine may have declared.
    pub(super) async fn learn(&mut self) -> Result<(), sqlx::Error> {
        self.directory = directory(&mut self.conn).await?;
        Ok(())
    }

    /// Makes sure that what follows commits together: it is more than one statement.
    pub(super) async fn use_transaction(&mut self) -> Result<(), sqlx::Error> {
        if self.phase == Phase::Unbegun {
            sqlx::query("BEGIN").execute(&mut self.conn).await?;
            self.phase = Phase::Begun;
        }
        Ok(())
    }

    /// Runs a statement that changes rows: in the transaction, or as the whole commit.
    pub(super) async fn write(&mut self, statement: Statement<'_>) -> Result<(), sqlx::Error> {
        self.is_written();
        statement.execute(&mut self.conn).await.map(drop)
    }

    /// The same of a statement that answers one row.
    pub(super) async fn write_and_read(&mut self, statement: Statement<'_>) -> Result<PgRow, sqlx::Error> {
        self.is_written();
        statement.fetch_one(&mut self.conn).await
    }

    const fn is_written(&mut self) {
        if matches!(self.phase, Phase::Unbegun) {
            self.phase = Phase::AtOnce;
        }
    }

    /// Whether this connection can go on after a commit has failed: it answers, and its server still is fit.
    async fn is_fit(&mut self) -> bool {
        !self.given_up && connect::must_be_fit(&mut self.conn, &self.terms.at, self.terms.durable).await.is_ok()
    }

    async fn reconnect(&mut self) -> Result<(), StoreError> {
        let failed = unavailable("connect to the database again");
        let opened = match self.duty {
            Duty::Node => connect::node_writer(&self.terms.at, self.terms.durable, Some(&self.backend)).await,
            Duty::Intake => connect::writer(&self.terms.at, self.terms.durable, Some(&self.backend)).await,
        };
        let (mut conn, backend) = opened.map_err(|error| failed(sqlx::Error::Configuration(Box::new(error))))?;
        // Without the lock of the node, only the table can say that another engine has it.
        if self.duty == Duty::Intake && !engine_start::is_last(&mut conn, self.start).await.map_err(failed)? {
            return Err(failed(engine_start::ended_by_another(self.start)));
        }
        engine_start::rise(&mut conn, self.start).await.map_err(failed)?;
        self.conn = conn;
        self.backend = backend;
        self.given_up = false;
        self.doubtful = false;
        Ok(())
    }

    /// Gives back what is leased by nobody's memory.
    async fn resolve_doubt(&mut self) -> Result<(), StoreError> {
        if self.in_doubt.is_empty() {
            return Ok(());
        }
        let failed = unavailable("give back what nobody works on since a commit failed");
        // It stays in doubt until both are done: a server that falls silent again has this dropped half-way.
        let Leased { passes, deliveries } = self.in_doubt.clone();
        passes::release(self, &[&passes]).await.map_err(failed)?;
        deliveries::release(self, &[&deliveries]).await.map_err(failed)?;
        self.in_doubt.clear();
        Ok(())
    }
}

/// Shards of the ledger: as many sessions as write without ever waiting for each other there, two of each engine.
const LEDGER_SHARDS: i64 = 16;

impl writer::Session for Session {
    type Row = Uuid;

    const HOLDS_LANES: bool = true;

    fn patience(&self) -> Option<Duration> {
        Some(self.terms.answer_within)
    }

    fn give_up(&mut self) {
        self.given_up = true;
        self.doubtful = true;
    }

    async fn begin(&mut self, lone: bool) -> Result<(), StoreError> {
        self.phase = Phase::Unbegun;
        self.leases.clear();
        // A new connection beside one that still answers would meet the lock of the node, which that one holds.
        if self.doubtful && !self.is_fit().await {
            self.reconnect().await?;
        }
        self.doubtful = false;
        self.resolve_doubt().await?;
        if lone || self.use_transaction().await.is_ok() {
            return Ok(());
        }
        self.reconnect().await?;
        self.use_transaction().await.map_err(unavailable("begin a transaction"))
    }

    async fn commit(&mut self) -> Result<(), StoreError> {
        if self.phase != Phase::Begun {
            return Ok(());
        }
        ledger::write(self).await.map_err(unavailable("write the ledger"))?;
        if std::mem::take(&mut self.leaves_work) {
            let wake = sqlx::query(WAKE).bind(CHANNEL).bind(self.start.to_string());
            wake.execute(&mut self.conn).await.map_err(unavailable("tell other engines"))?;
        }
        self.phase = Phase::Committing;
        sqlx::query("COMMIT").execute(&mut self.conn).await.map(drop).map_err(unavailable("commit"))
    }

    async fn roll_back(&mut self) {
        self.ledger.clear();
        self.leaves_work = false;
        if matches!(self.phase, Phase::AtOnce | Phase::Committing) {
            self.in_doubt.append(&mut self.leases);
        }
        if self.phase == Phase::Begun && !self.given_up {
            drop(sqlx::query("ROLLBACK").execute(&mut self.conn).await);
        }
        // A failed statement may have been the end of the connection, and a server that has begun to refuse writes still answers
        // this one: the next commit looks at both before it begins.
        self.doubtful = true;
    }

    fn owes(&mut self, passes: &[&Vec<(PassKey, Lease)>], deliveries: &[&Vec<(DeliveryId, Lease)>]) {
        self.in_doubt.passes.extend(passes.iter().copied().flatten());
        self.in_doubt.deliveries.extend(deliveries.iter().copied().flatten());
    }

    async fn settle(&mut self) {
        if self.directory.stale && !self.given_up {
            match directory(&mut self.conn).await {
                Ok(directory) => self.directory = directory,
                Err(error) => warn!(%error, "the catalog could not be read again; the next commit tries again"),
            }
        }
    }

    async fn close(mut self) {
        let ended = match self.duty {
            Duty::Node => engine_start::end(&mut self.conn, self.start).await,
            Duty::Intake => Ok(()),
        };
        if let Err(error) = ended.and(self.conn.close().await) {
            warn!(%error, "the database was not told that this engine stops; its leases end by themselves");
        }
    }

    async fn begin_part(&mut self) -> Result<(), StoreError> {
        self.ledger.begin_part();
        let begun = sqlx::query("SAVEPOINT job").execute(&mut self.conn).await;
        begun.map(drop).map_err(unavailable("use a savepoint"))
    }

    async fn end_part(&mut self, keep: bool) -> Result<(), StoreError> {
        let failed = unavailable("use a savepoint");
        if !keep {
            self.ledger.undo_part();
            sqlx::query("ROLLBACK TO job").execute(&mut self.conn).await.map_err(failed)?;
        }
        sqlx::query("RELEASE job").execute(&mut self.conn).await.map(drop).map_err(failed)
    }

    async fn hold_lanes(&mut self, lanes: &BTreeSet<Lane>) -> Result<(), StoreError> {
        self.use_transaction().await.map_err(unavailable("begin a transaction"))?;
        lanes::hold(&mut self.conn, lanes).await
    }

    async fn keep(&mut self, asks: &[&Keep]) -> Answers<Vec<Ingested>> {
        asks.iter().flat_map(|ask| &ask.events).for_each(|keep| self.leases.by_event(keep));
        keep::keep(self, asks).await.map_err(unavailable("keep events"))
    }

    async fn claim_passes(&mut self, ask: &ClaimPasses) -> Result<Claimed<Uuid>, StoreError> {
        let claimed = passes::claim(self, ask).await.map_err(unavailable("claim passes"))?;
        self.leases.by_claim_of_passes(&claimed, ask.lease);
        Ok(claimed)
    }

    async fn finish_passes(&mut self, asks: &[&Vec<FinishedPass>]) -> Answers<Vec<Finished>> {
        asks.iter().flat_map(|ask| ask.iter()).for_each(|pass| self.leases.by_pass(pass));
        finish::finish_passes(self, asks).await.map_err(unavailable("finish passes"))
    }

    async fn release_passes(&mut self, asks: &[&Vec<(PassKey, Lease)>]) -> Answers<()> {
        passes::release(self, asks).await.map_err(unavailable("release passes"))
    }

    async fn claim_deliveries(&mut self, ask: &ClaimDeliveries) -> Result<Result<Vec<Uuid>, StoreError>, StoreError> {
        let claimed = deliveries::claim(self, ask).await.map_err(unavailable("claim deliveries"))?;
        self.leases.by_claim(claimed.as_deref().unwrap_or_default(), ask.lease);
        Ok(claimed)
    }

    async fn record(&mut self, asks: &[&Vec<FinishedAttempt>]) -> Answers<Vec<Finished>> {
        record::record(self, asks).await.map_err(unavailable("record attempts"))
    }

    async fn release_deliveries(&mut self, asks: &[&Vec<(DeliveryId, Lease)>]) -> Answers<()> {
        deliveries::release(self, asks).await.map_err(unavailable("release deliveries"))
    }
}

/// Reads the row numbers of tenants and destinations.
async fn directory(conn: &mut PgConnection) -> Result<Directory, sqlx::Error> {
    let mut tenants = Vec::new();
    for row in sqlx::query(TENANTS).fetch_all(&mut *conn).await? {
        tenants.push((TenantId::from_uuid(row.try_get("id")?), i64::from(row.try_get::<i32, _>("seq")?)));
    }
    let mut destinations = Vec::new();
    for row in sqlx::query(DESTINATIONS).fetch_all(&mut *conn).await? {
        destinations.push((DestinationId::from_uuid(row.try_get("id")?), i64::from(row.try_get::<i32, _>("seq")?)));
    }
    Ok(Directory::new(tenants.into_iter().collect(), destinations.into_iter().collect()))
}

/// Begins to read what the database holds at this moment, however many statements ask for it.
pub(super) async fn moment(
    readers: &PgPool,
    doing: &'static str,
) -> Result<Transaction<'static, Postgres>, StoreError> {
    readers.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.map_err(unavailable(doing))
}
