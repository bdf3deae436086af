//! The store on SQLite: one file, one engine, one writer.

mod catalog;
mod cells;
mod check;
mod connect;
mod dead_letters;
mod deliveries;
pub(crate) mod failpoint;
mod finish;
mod history;
mod keep;
mod ledger;
mod lock;
mod passes;
mod plugins;
mod prune;
mod record;
mod replay;
mod session;
mod statements;
mod upkeep;
mod versions;
mod writer;

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqlitePool;
use tokio::sync::{mpsc, oneshot};
use weft_core::destination::DestinationStatus;
use weft_core::digest::Digest;
use weft_core::id::{DeliveryId, DestinationId, EventId, PluginId, TenantId};
use weft_core::name::Name;
use weft_core::time::Timestamp;

use self::lock::EngineLock;
use self::session::{Directory, Numbers, Session};
use self::writer::{Ask, ClaimDeliveries, ClaimPasses, Command, Job, Keep};
use crate::catalog::{Catalog, Declaration};
use crate::check::CheckReport;
use crate::dead_letter::{DeadLetterCursor, DeadLetterFilter, DeadLetterPage};
use crate::error::{OpenError, StoreError};
use crate::history::EventRecord;
use crate::plugin::{
    Activated, Activation, ActivationRecord, NewPlugin, NewRefusal, NewVersion, PluginFileRecord, PluginRecord,
    RolledBack, VersionRecord,
};
use crate::replay::{NewDeliveryReplay, NewEventReplay, Replayed};
use crate::store::StoreOptions;
use crate::upkeep::{Counts, Pruned};
use crate::work::{
    DeliveryWork, Finished, FinishedAttempt, FinishedPass, Ingested, KeepEvent, Lease, PassKey, PassWork, Waiting, Want,
};

/// Counts an engine start.
const START: &str = "INSERT INTO engine_starts (started_at) VALUES (?1)";

/// The store on one SQLite file. Clones are cheap and share everything.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    commands: mpsc::Sender<Command>,
    readers: SqlitePool,
    start: i64,
}

/// What a job's work comes to.
type Working<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A [`Job`] made of a closure.
struct Work<F, T> {
    work: Option<F>,
    outcome: Option<Result<T, StoreError>>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Job for Work<F, T>
where
    F: for<'s> FnOnce(&'s mut Session) -> Working<'s, T> + Send,
    T: Send,
{
    fn run<'a>(&'a mut self, session: &'a mut Session) -> Working<'a, ()> {
        Box::pin(async move {
            let Some(work) = self.work.take() else { return Ok(()) };
            let outcome = work(session).await;
            let refused = outcome.is_err();
            self.outcome = Some(outcome);
            if refused { Err(StoreError::Closed) } else { Ok(()) }
        })
    }

    fn settle(self: Box<Self>, failure: Option<StoreError>) {
        let outcome = match failure {
            Some(error) => Err(error),
            None => self.outcome.unwrap_or(Err(StoreError::Closed)),
        };
        drop(self.answer.send(outcome));
    }
}

impl SqliteStore {
    pub(crate) async fn open(options: &StoreOptions) -> Result<Self, OpenError> {
        let path = options.path.as_path();
        let lock = EngineLock::take(path)?;
        let mut conn = connect::writer(path).await?;
        connect::migrate(&mut conn, path).await?;
        let session = session(conn, options).await.map_err(connect::database(path, "start on"))?;
        let start = session.start;
        let readers = connect::readers(path, options.readers).await?;
        let (commands, waiting) = mpsc::channel(writer::QUEUE_MAX);
        writer::spawn(session, waiting, lock).map_err(|source| OpenError::File {
            doing: "start the writer's thread for",
            path: path.to_owned(),
            source,
        })?;
        Ok(Self { shared: Arc::new(Shared { commands, readers, start }) })
    }

    pub(crate) fn start_number(&self) -> i64 {
        self.shared.start
    }

    pub(crate) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        // Readers first: the last connection to leave tidies the write-ahead log away, and that must be the writer's.
        self.shared.readers.close().await;
        if self.shared.commands.send(Command::Close(done)).await.is_ok() {
            drop(closed.await);
        }
    }

    /// Asks the writer for something hot.
    async fn ask<I, O>(&self, input: I, command: impl FnOnce(Ask<I, O>) -> Command) -> Result<O, StoreError> {
        let (answer, answered) = oneshot::channel();
        let command = command(Ask { input, answer });
        self.shared.commands.send(command).await.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }

    /// Asks the writer for something rare.
    async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'s> FnOnce(&'s mut Session) -> Working<'s, T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(Work { work: Some(work), outcome: None, answer });
        self.shared.commands.send(Command::Job(job)).await.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }

    pub(crate) async fn keep(&self, events: Vec<KeepEvent>, now: Timestamp) -> Result<Vec<Ingested>, StoreError> {
        self.ask(Keep { events, now }, Command::Keep).await
    }

    pub(crate) async fn claim_passes(
        &self,
        limit: u32,
        lease: Lease,
        now: Timestamp,
    ) -> Result<Vec<PassWork>, StoreError> {
        let claimed = self.ask(ClaimPasses { limit, lease, now }, Command::ClaimPasses).await?;
        passes::load(&self.shared.readers, &claimed, lease).await
    }

    pub(crate) async fn finish_passes(&self, passes: Vec<FinishedPass>) -> Result<Vec<Finished>, StoreError> {
        self.ask(passes, Command::FinishPasses).await
    }

    pub(crate) async fn release_passes(&self, passes: Vec<(PassKey, Lease)>) -> Result<(), StoreError> {
        self.ask(passes, Command::ReleasePasses).await
    }

    pub(crate) async fn next_pass_due(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        passes::next_due(&self.shared.readers, self.shared.start, now).await
    }

    pub(crate) async fn waiting(&self, now: Timestamp) -> Result<Vec<Waiting>, StoreError> {
        deliveries::waiting(&self.shared.readers, self.shared.start, now).await
    }

    pub(crate) async fn claim_deliveries(
        &self,
        wants: Vec<Want>,
        lease: Lease,
        now: Timestamp,
    ) -> Result<Vec<DeliveryWork>, StoreError> {
        let claimed = self.ask(ClaimDeliveries { wants, lease, now }, Command::ClaimDeliveries).await?;
        deliveries::load(&self.shared.readers, &claimed, lease).await
    }

    pub(crate) async fn record(&self, attempts: Vec<FinishedAttempt>) -> Result<Vec<Finished>, StoreError> {
        self.ask(attempts, Command::Record).await
    }

    pub(crate) async fn release_deliveries(&self, deliveries: Vec<(DeliveryId, Lease)>) -> Result<(), StoreError> {
        self.ask(deliveries, Command::ReleaseDeliveries).await
    }

    pub(crate) async fn expire_deliveries(&self, limit: u32, now: Timestamp) -> Result<u64, StoreError> {
        let expired = deliveries::expired(&self.shared.readers, limit, now).await?;
        if expired.is_empty() {
            return Ok(0);
        }
        self.write(move |session| Box::pin(async move { deliveries::expire(session, &expired, now).await })).await
    }

    pub(crate) async fn replay_deliveries(&self, replays: Vec<NewDeliveryReplay>) -> Result<Vec<Replayed>, StoreError> {
        self.write(move |session| Box::pin(async move { replay::deliveries(session, &replays).await })).await
    }

    pub(crate) async fn replay_events(
        &self,
        replays: Vec<NewEventReplay>,
        now: Timestamp,
    ) -> Result<Vec<Replayed>, StoreError> {
        self.write(move |session| Box::pin(async move { replay::events(session, &replays, now).await })).await
    }

    pub(crate) async fn event(&self, tenant: Option<TenantId>, id: EventId) -> Result<Option<EventRecord>, StoreError> {
        history::event(&self.shared.readers, tenant, id).await
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

    pub(crate) async fn counts(&self) -> Result<Counts, StoreError> {
        upkeep::counts(&self.shared.readers).await
    }

    pub(crate) async fn prune(&self, before: Timestamp, limit: u32, now: Timestamp) -> Result<Pruned, StoreError> {
        self.write(move |session| Box::pin(prune::prune(session, before, limit, now))).await
    }

    pub(crate) async fn declare(&self, declaration: Declaration, now: Timestamp) -> Result<Catalog, StoreError> {
        self.write(move |session| Box::pin(async move { catalog::declare(session, &declaration, now).await })).await
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
        self.write(move |session| Box::pin(catalog::set_destination_status(session, id, status, now))).await
    }

    pub(crate) async fn put_sealed(
        &self,
        destination: DestinationId,
        name: Name,
        sealed: Bytes,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(move |session| Box::pin(catalog::put_sealed(session, destination, name, sealed, now))).await
    }

    pub(crate) async fn sealed(&self, destination: DestinationId) -> Result<Vec<(Name, Bytes)>, StoreError> {
        catalog::sealed(&self.shared.readers, destination).await
    }

    pub(crate) async fn plugin(&self, plugin: NewPlugin, now: Timestamp) -> Result<PluginRecord, StoreError> {
        self.write(move |session| Box::pin(plugins::plugin(session, plugin, now))).await
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
        self.write(move |session| Box::pin(versions::save_version(session, version, now))).await
    }

    pub(crate) async fn save_refusal(&self, refusal: NewRefusal, now: Timestamp) -> Result<(), StoreError> {
        self.write(move |session| Box::pin(versions::save_refusal(session, refusal, now))).await
    }

    pub(crate) async fn activate(&self, activation: Activation, now: Timestamp) -> Result<Activated, StoreError> {
        self.write(move |session| Box::pin(plugins::activate(session, activation, now))).await
    }

    pub(crate) async fn rollback(&self, plugin: PluginId, now: Timestamp) -> Result<RolledBack, StoreError> {
        self.write(move |session| Box::pin(plugins::rollback(session, plugin, now))).await
    }

    pub(crate) async fn activations(&self, plugin: PluginId, limit: u32) -> Result<Vec<ActivationRecord>, StoreError> {
        plugins::activations(&self.shared.readers, plugin, limit).await
    }

    pub(crate) async fn plugin_files(&self) -> Result<Vec<PluginFileRecord>, StoreError> {
        plugins::plugin_files(&self.shared.readers).await
    }
}

/// Counts this start and reads what the writer keeps in memory.
async fn session(mut conn: SqliteConnection, options: &StoreOptions) -> Result<Session, sqlx::Error> {
    let started = sqlx::query(START).bind(options.now.as_ms()).execute(&mut conn).await?;
    Ok(Session {
        numbers: Numbers::load(&mut conn).await?,
        directory: Directory::load(&mut conn).await?,
        conn,
        path: options.path.clone(),
        start: started.last_insert_rowid(),
        dedupe_for: options.dedupe_for,
        ledger: ledger::LedgerChanges::default(),
        prune_from: 0,
    })
}

/// What the file held at one moment.
#[derive(Debug)]
pub struct SqliteSnapshot {
    conn: SqliteConnection,
}

impl SqliteSnapshot {
    pub(crate) async fn open(path: &Path) -> Result<Self, OpenError> {
        let mut conn = connect::reader(path).await?;
        let failed = |doing| connect::database(path, doing);
        sqlx::query("BEGIN").execute(&mut conn).await.map_err(failed("begin a snapshot of"))?;
        Ok(Self { conn })
    }

    pub(crate) async fn check(&mut self) -> Result<CheckReport, StoreError> {
        check::check(&mut self.conn).await
    }
}

#[cfg(test)]
mod plans;
