//! The store on Postgres: one database, any number of engines, each with a writer for new events and one for everything else.

mod answer;
mod catalog;
mod check;
pub(crate) mod connect;
mod dead_letters;
mod deliveries;
mod doubt;
mod engine_start;
mod finish;
mod history;
mod keep;
mod kv;
mod lanes;
mod ledger;
mod listener;
mod partitions;
mod passes;
mod plugins;
mod prune;
mod record;
mod replay;
mod session;
mod statements;
mod stats;
mod upkeep;
mod versions;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sqlx::PgConnection;
use sqlx::postgres::PgPool;
use tokio::sync::watch;
use weft_core::destination::DestinationStatus;
use weft_core::digest::Digest;
use weft_core::event::Event;
use weft_core::id::{DeliveryId, DestinationId, EventId, PluginId, TenantId};
use weft_core::name::Name;
use weft_core::time::Timestamp;

pub(crate) use self::connect::shown;
use self::doubt::Leased;
use self::listener::Listener;
use self::session::{Session, Terms};
use crate::at::PostgresAt;
use crate::catalog::{Catalog, Declaration};
use crate::check::CheckReport;
use crate::dead_letter::{DeadLetterCursor, DeadLetterFilter, DeadLetterPage};
use crate::error::{OpenError, StoreError};
use crate::history::EventRecord;
use crate::kv::KvRead;
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

/// The store in one database. Clones are cheap and share everything.
#[derive(Clone, Debug)]
pub struct PostgresStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    writer: Writer<Session>,
    /// The writer of new events.
    intake: Writer<Session>,
    readers: PgPool,
    start: i64,
    listener: Listener,
    answer_within: Duration,
}

impl PostgresStore {
    pub(crate) async fn open(at: &PostgresAt, options: &StoreOptions) -> Result<Self, OpenError> {
        let StoreOptions { now, readers, dedupe_for, durable, answer_within, .. } = *options;
        let terms = Terms { at: at.clone(), durable, dedupe_for, answer_within };
        let of_intake = terms.clone();
        let (writer, start) = Writer::spawn(move || async move {
            let session = Session::open(terms, now).await?;
            let start = session.start;
            Ok((session, start))
        })
        .await?;
        let (intake, ()) = Writer::spawn(async move || Ok((Session::open_intake(of_intake, start).await?, ()))).await?;
        let readers = connect::readers(at, readers, answer_within).await?;
        let listener = Listener::spawn(connect::listener(at)?, start);
        Ok(Self { shared: Arc::new(Shared { writer, intake, readers, start, listener, answer_within }) })
    }

    pub(crate) fn start_number(&self) -> i64 {
        self.shared.start
    }

    /// Waits for what is read, as long as the server may be silent.
    async fn read<T>(&self, answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        answer::within(self.shared.answer_within, "read", answer).await
    }

    pub(crate) fn wakes(&self) -> watch::Receiver<u64> {
        self.shared.listener.wakes()
    }

    pub(crate) async fn close(&self) {
        self.shared.intake.close().await;
        self.shared.writer.close().await;
        self.shared.readers.close().await;
    }

    pub(crate) async fn keep_alive(&self, now: Timestamp) -> Result<(), StoreError> {
        let alive = self.shared.writer.write(move |session| Box::pin(session.keep_alive(now))).await;
        if alive.is_err() {
            self.shared.listener.listen_anew();
        }
        // Its session may have lost its connection too, with something to give back, and nobody may be sending events.
        let intake = self.shared.intake.write(|_| Box::pin(std::future::ready(Ok(())))).await;
        alive.and(intake)
    }

    pub(crate) async fn keep(&self, events: Vec<KeepEvent>, now: Timestamp) -> Result<Vec<Ingested>, StoreError> {
        self.shared.intake.keep(events, now).await
    }

    pub(crate) fn keep_then(
        &self,
        event: KeepEvent,
        now: Timestamp,
        then: impl FnOnce(Result<Ingested, StoreError>) + Send + 'static,
    ) -> Result<(), StoreError> {
        self.shared.intake.keep_then(event, now, then)
    }

    pub(crate) async fn claim_passes(
        &self,
        limit: u32,
        lease: Lease,
        now: Timestamp,
    ) -> Result<Vec<PassWork>, StoreError> {
        let claimed = self.shared.writer.claim_passes(limit, lease, now).await?;
        let loaded = self.read(passes::load(&self.shared.readers, &claimed, lease)).await;
        if loaded.is_err() {
            // Or nobody would work on them until the lease ends; the error to tell is the first one.
            let mut unread = Leased::default();
            unread.by_claim_of_passes(&claimed, lease);
            drop(self.shared.writer.release_passes(unread.passes).await);
        }
        loaded
    }

    pub(crate) async fn finish_passes(&self, passes: Vec<FinishedPass>) -> Result<Vec<Finished>, StoreError> {
        self.shared.writer.finish_passes(passes).await
    }

    pub(crate) async fn release_passes(&self, passes: Vec<(PassKey, Lease)>) -> Result<(), StoreError> {
        self.shared.writer.release_passes(passes).await
    }

    pub(crate) async fn next_pass_due(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        self.read(passes::next_due(&self.shared.readers, self.shared.start, now)).await
    }

    pub(crate) async fn waiting_page(
        &self,
        after: Option<WaitingCursor>,
        limit: u32,
        now: Timestamp,
    ) -> Result<WaitingPage, StoreError> {
        self.read(waiting::page(&self.shared.readers, self.shared.start, after, limit, now)).await
    }

    pub(crate) async fn first_due(&self, destinations: &[DestinationId]) -> Result<Vec<Waiting>, StoreError> {
        self.read(waiting::first_due(&self.shared.readers, destinations)).await
    }

    pub(crate) async fn claim_deliveries(
        &self,
        wants: Vec<Want>,
        lease: Lease,
        now: Timestamp,
    ) -> Result<Vec<DeliveryWork>, StoreError> {
        let claimed = self.shared.writer.claim_deliveries(ClaimDeliveries { wants, lease, now }).await?;
        let loaded = self.read(deliveries::load(&self.shared.readers, &claimed, lease)).await;
        if loaded.is_err() {
            // As with passes.
            let mut unread = Leased::default();
            unread.by_claim(&claimed, lease);
            drop(self.shared.writer.release_deliveries(unread.deliveries).await);
        }
        loaded
    }

    pub(crate) async fn record(&self, attempts: Vec<FinishedAttempt>) -> Result<Vec<Finished>, StoreError> {
        self.shared.writer.record(attempts).await
    }

    pub(crate) async fn release_deliveries(&self, deliveries: Vec<(DeliveryId, Lease)>) -> Result<(), StoreError> {
        self.shared.writer.release_deliveries(deliveries).await
    }

    pub(crate) async fn expire_deliveries(&self, limit: u32, now: Timestamp) -> Result<u64, StoreError> {
        let (expired, lanes) = self.read(deliveries::expired(&self.shared.readers, limit, now)).await?;
        if expired.is_empty() {
            return Ok(0);
        }
        self.shared
            .writer
            .write_in_lanes(lanes, move |session| {
                Box::pin(async move { deliveries::expire(session, &expired, now).await })
            })
            .await
    }

    pub(crate) async fn replay_deliveries(&self, replays: Vec<NewDeliveryReplay>) -> Result<Vec<Replayed>, StoreError> {
        let ids: Vec<_> = replays.iter().map(|replay| replay.delivery.uuid()).collect();
        let lanes = self.read(lanes::of_deliveries(&self.shared.readers, &ids)).await?;
        self.shared
            .writer
            .write_in_lanes(lanes, move |session| Box::pin(async move { replay::deliveries(session, &replays).await }))
            .await
    }

    pub(crate) async fn replay_events(
        &self,
        replays: Vec<NewEventReplay>,
        now: Timestamp,
    ) -> Result<Vec<Replayed>, StoreError> {
        let ids: Vec<_> = replays.iter().map(|replay| replay.event.uuid()).collect();
        let lanes = self.read(lanes::of_events(&self.shared.readers, &ids)).await?;
        self.shared
            .writer
            .write_in_lanes(lanes, move |session| Box::pin(async move { replay::events(session, &replays, now).await }))
            .await
    }

    pub(crate) async fn event(&self, tenant: Option<TenantId>, id: EventId) -> Result<Option<EventRecord>, StoreError> {
        self.read(history::event(&self.shared.readers, tenant, id)).await
    }

    pub(crate) async fn events_before(
        &self,
        tenant: TenantId,
        before: EventId,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError> {
        self.read(history::events_before(&self.shared.readers, tenant, before, limit)).await
    }

    pub(crate) async fn event_of_delivery(
        &self,
        tenant: Option<TenantId>,
        id: DeliveryId,
    ) -> Result<Option<EventId>, StoreError> {
        self.read(history::event_of_delivery(&self.shared.readers, tenant, id)).await
    }

    pub(crate) async fn dead_letters(
        &self,
        filter: &DeadLetterFilter,
        cursor: Option<DeadLetterCursor>,
        limit: u32,
    ) -> Result<DeadLetterPage, StoreError> {
        self.read(dead_letters::page(&self.shared.readers, filter, cursor, limit)).await
    }

    pub(crate) async fn kv_get(
        &self,
        tenant: TenantId,
        plugin: &str,
        key: &str,
        at: Timestamp,
    ) -> Result<Option<KvRead>, StoreError> {
        self.read(kv::get(&self.shared.readers, tenant, plugin, key, at)).await
    }

    pub(crate) async fn counts(&self) -> Result<Counts, StoreError> {
        self.read(upkeep::counts(&self.shared.readers)).await
    }

    pub(crate) async fn prune(&self, before: Timestamp, limit: u32, now: Timestamp) -> Result<Pruned, StoreError> {
        self.shared.writer.write(move |session| Box::pin(prune::prune(session, before, limit, now))).await
    }

    pub(crate) async fn declare(&self, declaration: Declaration, now: Timestamp) -> Result<Catalog, StoreError> {
        self.shared
            .writer
            .write(move |session| Box::pin(async move { catalog::declare(session, &declaration, now).await }))
            .await
    }

    pub(crate) async fn catalog(&self) -> Result<Catalog, StoreError> {
        self.read(catalog::catalog(&self.shared.readers)).await
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
        self.read(catalog::sealed(&self.shared.readers, destination)).await
    }

    pub(crate) async fn plugin(&self, plugin: NewPlugin, now: Timestamp) -> Result<PluginRecord, StoreError> {
        self.shared.writer.write(move |session| Box::pin(plugins::plugin(session, plugin, now))).await
    }

    pub(crate) async fn plugins(&self) -> Result<Vec<PluginRecord>, StoreError> {
        self.read(plugins::plugins(&self.shared.readers)).await
    }

    pub(crate) async fn versions(&self, plugin: PluginId) -> Result<Vec<VersionRecord>, StoreError> {
        self.read(versions::versions(&self.shared.readers, plugin)).await
    }

    pub(crate) async fn component(&self, digest: Digest) -> Result<Option<Bytes>, StoreError> {
        self.read(versions::component(&self.shared.readers, digest)).await
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
        self.read(plugins::activations(&self.shared.readers, plugin, limit)).await
    }

    pub(crate) async fn plugin_files(&self) -> Result<Vec<PluginFileRecord>, StoreError> {
        self.read(plugins::plugin_files(&self.shared.readers)).await
    }
}

/// What the database held at one moment.
#[derive(Debug)]
pub struct PostgresSnapshot {
    conn: PgConnection,
}

impl PostgresSnapshot {
    pub(crate) async fn open(at: &PostgresAt) -> Result<Self, OpenError> {
        let mut conn = connect::reader(at).await?;
        connect::must_be_migrated(&mut conn, at).await?;
        let begun = sqlx::query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").execute(&mut conn).await;
        begun.map_err(connect::server(at, "begin a snapshot of"))?;
        Ok(Self { conn })
    }

    pub(crate) async fn check(&mut self) -> Result<CheckReport, StoreError> {
        check::check(&mut self.conn).await
    }

    pub(crate) async fn stats(&mut self, depth: StatsDepth) -> Result<StoreStats, StoreError> {
        stats::stats(&mut self.conn, depth).await
    }
}

#[cfg(test)]
mod plans;
