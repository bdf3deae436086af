//! The store on SQLite: one file, one engine, one writer.

pub(crate) mod backup;
mod catalog;
pub(crate) mod check;
mod checkpoint;
pub(crate) mod connect;
mod dead_letters;
mod deliveries;
mod finish;
mod history;
mod keep;
mod kv;
mod lanes;
mod leased_rows;
mod ledger;
pub(crate) mod lock;
mod passes;
mod plugins;
mod prune;
mod record;
mod replay;
pub(crate) mod restore;
mod session;
pub(crate) mod statements;
mod stats;
mod upkeep;
mod versions;
mod waiting;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqlitePool;
use tokio::sync::watch;
use weft_core::destination::DestinationStatus;
use weft_core::digest::Digest;
use weft_core::event::Event;
use weft_core::id::{DeliveryId, DestinationId, EventId, PluginId, TenantId};
use weft_core::name::Name;
use weft_core::time::Timestamp;

use self::checkpoint::Checkpointer;
use self::leased_rows::LeasedRows;
use self::lock::EngineLock;
use self::prune::Retention;
use self::session::{Numbers, Session};
use crate::catalog::{Catalog, Declaration};
use crate::check::CheckReport;
use crate::dead_letter::{DeadLetterCursor, DeadLetterFilter, DeadLetterPage};
use crate::error::{OpenError, StoreError};
use crate::history::EventRecord;
use crate::kv::KvRead;
use crate::ledger::LedgerChanges;
use crate::plugin::{
    Activated, Activation, ActivationRecord, NewPlugin, NewRefusal, NewVersion, PluginFileRecord, PluginRecord,
    RolledBack, VersionRecord,
};
use crate::replay::{NewDeliveryReplay, NewEventReplay, Replayed};
use crate::stats::{StatsDepth, StoreStats};
use crate::store::StoreOptions;
use crate::upkeep::{Counts, Pruned};
use crate::work::{
    DeliveryWork, Finished, FinishedAttempt, FinishedPass, Ingested, KeepEvent, Lease, PassKey, PassWork, Waiting,
    WaitingCursor, WaitingPage, Want,
};
use crate::writer::{ClaimDeliveries, Writer};

/// Counts an engine start.
const START: &str = "INSERT INTO engine_starts (started_at) VALUES (?1)";

/// The store on one SQLite file. Clones are cheap and share everything.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    writer: Writer<Session>,
    readers: SqlitePool,
    start: i64,
    /// Nobody else works on the file, so nobody is ever woken.
    wakes: watch::Sender<u64>,
}

impl SqliteStore {
    pub(crate) async fn open(path: &Path, options: &StoreOptions) -> Result<Self, OpenError> {
        let lock = EngineLock::take(path)?;
        let mut conn = connect::writer(path).await?;
        connect::migrate(&mut conn, path).await?;
        connect::refuse_half_moved(&mut conn, path).await?;
        let direct = connect::direct(path)?;
        let checkpointer = Checkpointer::start(path.to_owned())?;
        let session = session(conn, direct, checkpointer, path, options, lock).await;
        let session = session.map_err(connect::database(path, "start on"))?;
        let start = session.start;
        let readers = connect::readers(path, options.readers).await?;
        let (writer, ()) = Writer::spawn(async move || Ok((session, ()))).await?;
        Ok(Self { shared: Arc::new(Shared { writer, readers, start, wakes: watch::Sender::new(0) }) })
    }

    pub(crate) fn start_number(&self) -> i64 {
        self.shared.start
    }

    pub(crate) fn wakes(&self) -> watch::Receiver<u64> {
        self.shared.wakes.subscribe()
    }

    pub(crate) async fn close(&self) {
        // Readers first: the last connection to leave tidies the write-ahead log away, and that must be the writer's.
        self.shared.readers.close().await;
        self.shared.writer.close().await;
    }

    pub(crate) async fn keep(&self, events: Vec<KeepEvent>, now: Timestamp) -> Result<Vec<Ingested>, StoreError> {
        self.shared.writer.keep(events, now).await
    }

    pub(crate) fn keep_then(
        &self,
        event: KeepEvent,
        now: Timestamp,
        then: impl FnOnce(Result<Ingested, StoreError>) + Send + 'static,
    ) -> Result<(), StoreError> {
        self.shared.writer.keep_then(event, now, then)
    }

    pub(crate) async fn claim_passes(
        &self,
        limit: u32,
        lease: Lease,
        now: Timestamp,
    ) -> Result<Vec<PassWork>, StoreError> {
        let claimed = self.shared.writer.claim_passes(limit, lease, now).await?;
        passes::load(&self.shared.readers, &claimed, lease).await
    }

    pub(crate) async fn finish_passes(&self, passes: Vec<FinishedPass>) -> Result<Vec<Finished>, StoreError> {
        self.shared.writer.finish_passes(passes).await
    }

    pub(crate) async fn release_passes(&self, passes: Vec<(PassKey, Lease)>) -> Result<(), StoreError> {
        self.shared.writer.release_passes(passes).await
    }

    pub(crate) async fn next_pass_due(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        passes::next_due(&self.shared.readers, self.shared.start, now).await
    }

    pub(crate) async fn waiting_page(
        &self,
        after: Option<WaitingCursor>,
        limit: u32,
        now: Timestamp,
    ) -> Result<WaitingPage, StoreError> {
        waiting::page(&self.shared.readers, self.shared.start, after, limit, now).await
    }

    pub(crate) async fn first_due(
        &self,
        destinations: &[DestinationId],
        now: Timestamp,
    ) -> Result<Vec<Waiting>, StoreError> {
        waiting::first_due(&self.shared.readers, self.shared.start, destinations, now).await
    }

    pub(crate) async fn claim_deliveries(
        &self,
        wants: Vec<Want>,
        lease: Lease,
        now: Timestamp,
    ) -> Result<Vec<DeliveryWork>, StoreError> {
        let claimed = self.shared.writer.claim_deliveries(ClaimDeliveries { wants, lease, now }).await?;
        deliveries::load(&self.shared.readers, &claimed, lease).await
    }

    pub(crate) async fn record(&self, attempts: Vec<FinishedAttempt>) -> Result<Vec<Finished>, StoreError> {
        self.shared.writer.record(attempts).await
    }

    pub(crate) async fn release_deliveries(&self, deliveries: Vec<(DeliveryId, Lease)>) -> Result<(), StoreError> {
        self.shared.writer.release_deliveries(deliveries).await
    }

    pub(crate) async fn expire_deliveries(&self, limit: u32, now: Timestamp) -> Result<u64, StoreError> {
        let expired = deliveries::expired(&self.shared.readers, limit, now).await?;
        if expired.is_empty() {
            return Ok(0);
        }
        self.shared
            .writer
            .write(move |session| Box::pin(async move { deliveries::expire(session, &expired, now).await }))
            .await
    }

    pub(crate) async fn replay_deliveries(&self, replays: Vec<NewDeliveryReplay>) -> Result<Vec<Replayed>, StoreError> {
        self.shared
            .writer
            .write(move |session| Box::pin(async move { replay::deliveries(session, &replays).await }))
            .await
    }

    pub(crate) async fn replay_events(
        &self,
        replays: Vec<NewEventReplay>,
        now: Timestamp,
    ) -> Result<Vec<Replayed>, StoreError> {
        self.shared
            .writer
            .write(move |session| Box::pin(async move { replay::events(session, &replays, now).await }))
            .await
    }

    pub(crate) async fn event(&self, tenant: Option<TenantId>, id: EventId) -> Result<Option<EventRecord>, StoreError> {
        history::event(&self.shared.readers, tenant, id).await
    }

    pub(crate) async fn events_before(
        &self,
        tenant: TenantId,
        before: EventId,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError> {
        history::events_before(&self.shared.readers, tenant, before, limit).await
    }

    pub(crate) async fn event_of_delivery(
        &self,
        tenant: Option<TenantId>,
        id: DeliveryId,
    ) -> Result<Option<EventId>, StoreError> {
        history::event_of_delivery(&self.shared.readers, tenant, id).await
    }

    pub(crate) async fn dead_letters(
        &self,
        filter: &DeadLetterFilter,
        cursor: Option<DeadLetterCursor>,
        limit: u32,
    ) -> Result<DeadLetterPage, StoreError> {
        dead_letters::page(&self.shared.readers, filter, cursor, limit).await
    }

    pub(crate) async fn kv_get(
        &self,
        tenant: TenantId,
        plugin: &str,
        key: &str,
        at: Timestamp,
    ) -> Result<Option<KvRead>, StoreError> {
        kv::get(&self.shared.readers, tenant, plugin, key, at).await
    }

    pub(crate) async fn counts(&self) -> Result<Counts, StoreError> {
        upkeep::counts(&self.shared.readers).await
    }

    pub(crate) async fn prune(&self, before: Timestamp, limit: u32, now: Timestamp) -> Result<Pruned, StoreError> {
        let prune = move |session: &mut Session| prune::prune(session, before, limit, now);
        self.shared.writer.write_along(move |session| Box::pin(std::future::ready(prune(session)))).await
    }

    pub(crate) async fn declare(&self, declaration: Declaration, now: Timestamp) -> Result<Catalog, StoreError> {
        self.shared
            .writer
            .write(move |session| Box::pin(async move { catalog::declare(session, &declaration, now).await }))
            .await
    }

    pub(crate) async fn catalog(&self) -> Result<Catalog, StoreError> {
        catalog::catalog(&self.shared.readers).await
    }

    pub(crate) async fn set_destination_status(
        &self,
        id: DestinationId,
        status: DestinationStatus,
        now: Timestamp,
    ) -> Result<Option<DestinationStatus>, StoreError> {
        self.shared
            .writer
            .write(move |session| Box::pin(catalog::set_destination_status(session, id, status, now)))
            .await
    }

    pub(crate) async fn put_sealed(
        &self,
        destination: DestinationId,
        name: Name,
        sealed: Bytes,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.shared
            .writer
            .write(move |session| Box::pin(catalog::put_sealed(session, destination, name, sealed, now)))
            .await
    }

    pub(crate) async fn sealed(&self, destination: DestinationId) -> Result<Vec<(Name, Bytes)>, StoreError> {
        catalog::sealed(&self.shared.readers, destination).await
    }

    pub(crate) async fn plugin(&self, plugin: NewPlugin, now: Timestamp) -> Result<PluginRecord, StoreError> {
        self.shared.writer.write(move |session| Box::pin(plugins::plugin(session, plugin, now))).await
    }

    pub(crate) async fn plugins(&self) -> Result<Vec<PluginRecord>, StoreError> {
        plugins::plugins(&self.shared.readers).await
    }

    pub(crate) async fn versions(&self, plugin: PluginId) -> Result<Vec<VersionRecord>, StoreError> {
        versions::versions(&self.shared.readers, plugin).await
    }

    pub(crate) async fn component(&self, digest: Digest) -> Result<Option<Bytes>, StoreError> {
        versions::component(&self.shared.readers, digest).await
    }

    pub(crate) async fn save_version(&self, version: NewVersion, now: Timestamp) -> Result<(), StoreError> {
        self.shared.writer.write(move |session| Box::pin(versions::save_version(session, version, now))).await
    }

    pub(crate) async fn save_refusal(&self, refusal: NewRefusal, now: Timestamp) -> Result<(), StoreError> {
        self.shared.writer.write(move |session| Box::pin(versions::save_refusal(session, refusal, now))).await
    }

    pub(crate) async fn activate(&self, activation: Activation, now: Timestamp) -> Result<Activated, StoreError> {
        self.shared.writer.write(move |session| Box::pin(plugins::activate(session, activation, now))).await
    }

    pub(crate) async fn rollback(&self, plugin: PluginId, now: Timestamp) -> Result<RolledBack, StoreError> {
        self.shared.writer.write(move |session| Box::pin(plugins::rollback(session, plugin, now))).await
    }

    pub(crate) async fn activations(&self, plugin: PluginId, limit: u32) -> Result<Vec<ActivationRecord>, StoreError> {
        plugins::activations(&self.shared.readers, plugin, limit).await
    }

    pub(crate) async fn plugin_files(&self) -> Result<Vec<PluginFileRecord>, StoreError> {
        plugins::plugin_files(&self.shared.readers).await
    }
}

/// Counts this start and reads what the writer keeps in memory.
async fn session(
    mut conn: SqliteConnection,
    direct: rusqlite::Connection,
    checkpointer: Checkpointer,
    path: &Path,
    options: &StoreOptions,
    lock: EngineLock,
) -> Result<Session, sqlx::Error> {
    connect::leave_log(&mut conn).await?;
    let started = sqlx::query(START).bind(options.now.as_ms()).execute(&mut conn).await?;
    Ok(Session {
        numbers: Numbers::load(&mut conn).await?,
        directory: session::directory(&mut conn).await?,
        conn,
        direct,
        checkpointer,
        is_rare: false,
        path: path.to_owned(),
        start: started.last_insert_rowid(),
        dedupe_for: options.dedupe_for,
        ledger: LedgerChanges::default(),
        leased: LeasedRows::default(),
        retention: Retention::START,
        lock,
    })
}

/// What the file held at one moment.
#[derive(Debug)]
pub struct SqliteSnapshot {
    conn: SqliteConnection,
    path: PathBuf,
}

impl SqliteSnapshot {
    pub(crate) async fn open(path: &Path) -> Result<Self, OpenError> {
        let mut conn = connect::reader(path).await?;
        let failed = |doing| connect::database(path, doing);
        sqlx::query("BEGIN").execute(&mut conn).await.map_err(failed("begin a snapshot of"))?;
        Ok(Self { conn, path: path.to_owned() })
    }

    pub(crate) async fn check(&mut self) -> Result<CheckReport, StoreError> {
        check::check(&mut self.conn).await
    }

    pub(crate) async fn stats(&mut self, depth: StatsDepth) -> Result<StoreStats, StoreError> {
        stats::stats(&mut self.conn, &self.path, depth).await
    }
}

#[cfg(test)]
mod plans;
