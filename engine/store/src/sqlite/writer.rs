//! The writer: the one task that changes the database.
//!
//! It takes everything that waits into one transaction, asks of one kind together in a few statements, and answers after the
//! commit. If the commit fails, everything that was in it is told so, and nothing of it is stored; the writer goes on.

use std::pin::Pin;

use tokio::sync::{mpsc, oneshot};
use tracing::warn;
use weft_core::id::DeliveryId;
use weft_core::time::Timestamp;

use super::failpoint;
use super::lock::EngineLock;
use super::session::{Directory, Session, unavailable};
use super::{connect, deliveries, finish, keep, passes, record};
use crate::error::StoreError;
use crate::work::{Finished, FinishedAttempt, FinishedPass, Ingested, KeepEvent, Lease, PassKey, Want};

/// Commands that may wait for the writer; past that, callers wait. A few commits' worth.
pub(super) const QUEUE_MAX: usize = 4096;

/// Commands that one commit takes: past a thousand, a longer transaction gains nothing and delays its first answer.
const COMMIT_COMMANDS_MAX: usize = 1024;

/// What is asked, and where the answer goes.
#[derive(Debug)]
pub(super) struct Ask<I, O> {
    pub(super) input: I,
    pub(super) answer: oneshot::Sender<Result<O, StoreError>>,
}

/// Events to keep.
#[derive(Debug)]
pub(super) struct Keep {
    pub(super) events: Vec<KeepEvent>,
    pub(super) now: Timestamp,
}

/// A wish for passes.
#[derive(Debug)]
pub(super) struct ClaimPasses {
    pub(super) limit: u32,
    pub(super) lease: Lease,
    pub(super) now: Timestamp,
}

/// The row numbers of claimed passes.
#[derive(Debug, Default)]
pub(super) struct ClaimedPasses {
    pub(super) events: Vec<i64>,
    pub(super) replays: Vec<i64>,
}

/// A wish for deliveries.
#[derive(Debug)]
pub(super) struct ClaimDeliveries {
    pub(super) wants: Vec<Want>,
    pub(super) lease: Lease,
    pub(super) now: Timestamp,
}

/// Something rare: it runs by itself, in a savepoint of its own.
pub(super) trait Job: Send {
    /// Does the work; an error undoes this job alone.
    fn run<'a>(
        &'a mut self,
        session: &'a mut Session,
    ) -> Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send + 'a>>;

    /// Answers, once it is known whether the commit succeeded.
    fn settle(self: Box<Self>, failure: Option<StoreError>);
}

/// What the writer can be asked.
pub(super) enum Command {
    Keep(Ask<Keep, Vec<Ingested>>),
    ClaimPasses(Ask<ClaimPasses, ClaimedPasses>),
    FinishPasses(Ask<Vec<FinishedPass>, Vec<Finished>>),
    ReleasePasses(Ask<Vec<(PassKey, Lease)>, ()>),
    ClaimDeliveries(Ask<ClaimDeliveries, Vec<i64>>),
    Record(Ask<Vec<FinishedAttempt>, Vec<Finished>>),
    ReleaseDeliveries(Ask<Vec<(DeliveryId, Lease)>, ()>),
    Job(Box<dyn Job>),
    Close(oneshot::Sender<()>),
}

/// All asks of one kind in a commit.
struct Kind<I, O> {
    asks: Vec<Ask<I, O>>,
    answers: Vec<Result<O, StoreError>>,
}

impl<I, O> Default for Kind<I, O> {
    fn default() -> Self {
        Self { asks: Vec::new(), answers: Vec::new() }
    }
}

impl<I, O> Kind<I, O> {
    fn inputs(&self) -> Vec<&I> {
        self.asks.iter().map(|ask| &ask.input).collect()
    }

    /// Answers all; a caller that has gone away does not matter.
    fn settle(self, failure: Option<&StoreError>) {
        match failure {
            None => self.asks.into_iter().zip(self.answers).for_each(|(ask, answer)| drop(ask.answer.send(answer))),
            Some(error) => self.asks.into_iter().for_each(|ask| drop(ask.answer.send(Err(error.clone())))),
        }
    }
}

/// Everything that goes into one commit.
#[derive(Default)]
struct Batch {
    keep: Kind<Keep, Vec<Ingested>>,
    claim_passes: Kind<ClaimPasses, ClaimedPasses>,
    finish_passes: Kind<Vec<FinishedPass>, Vec<Finished>>,
    release_passes: Kind<Vec<(PassKey, Lease)>, ()>,
    claim_deliveries: Kind<ClaimDeliveries, Vec<i64>>,
    record: Kind<Vec<FinishedAttempt>, Vec<Finished>>,
    release_deliveries: Kind<Vec<(DeliveryId, Lease)>, ()>,
    jobs: Vec<Box<dyn Job>>,
    close: Option<oneshot::Sender<()>>,
}

impl Batch {
    fn of(commands: impl Iterator<Item = Command>) -> Self {
        let mut batch = Self::default();
        for command in commands {
            match command {
                Command::Keep(ask) => batch.keep.asks.push(ask),
                Command::ClaimPasses(ask) => batch.claim_passes.asks.push(ask),
                Command::FinishPasses(ask) => batch.finish_passes.asks.push(ask),
                Command::ReleasePasses(ask) => batch.release_passes.asks.push(ask),
                Command::ClaimDeliveries(ask) => batch.claim_deliveries.asks.push(ask),
                Command::Record(ask) => batch.record.asks.push(ask),
                Command::ReleaseDeliveries(ask) => batch.release_deliveries.asks.push(ask),
                Command::Job(job) => batch.jobs.push(job),
                Command::Close(done) => batch.close = Some(done),
            }
        }
        batch
    }

    /// Runs every statement of the commit. What frees rows comes before what claims them.
    async fn write(&mut self, session: &mut Session) -> Result<(), StoreError> {
        if !self.record.asks.is_empty() {
            self.record.answers =
                record::record(session, &self.record.inputs()).await.map_err(unavailable("record attempts"))?;
        }
        if !self.finish_passes.asks.is_empty() {
            self.finish_passes.answers = finish::finish_passes(session, &self.finish_passes.inputs())
                .await
                .map_err(unavailable("finish passes"))?;
        }
        if !self.keep.asks.is_empty() {
            self.keep.answers = keep::keep(session, &self.keep.inputs()).await.map_err(unavailable("keep events"))?;
        }
        if !self.release_passes.asks.is_empty() {
            self.release_passes.answers =
                passes::release(session, &self.release_passes.inputs()).await.map_err(unavailable("release passes"))?;
        }
        if !self.release_deliveries.asks.is_empty() {
            self.release_deliveries.answers = deliveries::release(session, &self.release_deliveries.inputs())
                .await
                .map_err(unavailable("release deliveries"))?;
        }
        for job in &mut self.jobs {
            run_job(session, job.as_mut()).await?;
        }
        for ask in &self.claim_passes.asks {
            let claimed = passes::claim(session, &ask.input).await.map_err(unavailable("claim passes"))?;
            self.claim_passes.answers.push(Ok(claimed));
        }
        for ask in &self.claim_deliveries.asks {
            let claimed = deliveries::claim(session, &ask.input).await.map_err(unavailable("claim deliveries"))?;
            self.claim_deliveries.answers.push(claimed);
        }
        Ok(())
    }

    fn settle(self, failure: Option<&StoreError>) {
        self.keep.settle(failure);
        self.claim_passes.settle(failure);
        self.finish_passes.settle(failure);
        self.release_passes.settle(failure);
        self.claim_deliveries.settle(failure);
        self.record.settle(failure);
        self.release_deliveries.settle(failure);
        self.jobs.into_iter().for_each(|job| job.settle(failure.cloned()));
    }

    /// The points at which a `failpoints` build can die before and after this commit.
    fn points(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let points = [
            (!self.keep.asks.is_empty(), failpoint::KEEP_BEFORE, failpoint::KEEP_AFTER),
            (!self.claim_passes.asks.is_empty(), failpoint::CLAIM_PASSES_BEFORE, failpoint::CLAIM_PASSES_AFTER),
            (!self.finish_passes.asks.is_empty(), failpoint::FINISH_PASSES_BEFORE, failpoint::FINISH_PASSES_AFTER),
            (
                !self.claim_deliveries.asks.is_empty(),
                failpoint::CLAIM_DELIVERIES_BEFORE,
                failpoint::CLAIM_DELIVERIES_AFTER,
            ),
            (!self.record.asks.is_empty(), failpoint::RECORD_BEFORE, failpoint::RECORD_AFTER),
            (
                !self.release_passes.asks.is_empty() || !self.release_deliveries.asks.is_empty(),
                failpoint::RELEASE_BEFORE,
                failpoint::RELEASE_AFTER,
            ),
            (!self.jobs.is_empty(), failpoint::JOB_BEFORE, failpoint::JOB_AFTER),
        ];
        points.into_iter().filter(|point| point.0).map(|(_, before, after)| (before, after))
    }
}

/// A savepoint, so that one job's refusal is not everybody's.
async fn run_job(session: &mut Session, job: &mut dyn Job) -> Result<(), StoreError> {
    let failed = unavailable("use a savepoint");
    sqlx::query("SAVEPOINT job").execute(&mut session.conn).await.map_err(failed)?;
    let end = match job.run(session).await {
        Ok(()) => "RELEASE job",
        Err(_) => "ROLLBACK TO job; RELEASE job",
    };
    sqlx::query(end).execute(&mut session.conn).await.map_err(failed)?;
    Ok(())
}

/// Gives the writer a thread of its own: as a task it would stand in line behind requests, several times in each commit.
pub(super) fn spawn(session: Session, commands: mpsc::Receiver<Command>, lock: EngineLock) -> std::io::Result<()> {
    let runtime = tokio::runtime::Handle::current();
    let writer = move || runtime.block_on(run(session, commands, lock));
    std::thread::Builder::new().name("weft-writer".to_owned()).spawn(writer).map(drop)
}

/// Works until it is closed or until nobody can ask any more. The lock is given back last.
async fn run(mut session: Session, mut commands: mpsc::Receiver<Command>, lock: EngineLock) {
    let mut waiting = Vec::with_capacity(COMMIT_COMMANDS_MAX);
    let mut done = None;
    while done.is_none() && commands.recv_many(&mut waiting, COMMIT_COMMANDS_MAX).await > 0 {
        let mut batch = Batch::of(waiting.drain(..));
        done = batch.close.take();
        commit(&mut session, batch).await;
    }
    commands.close();
    if let Err(error) = sqlx::Connection::close(session.conn).await {
        warn!(%error, "the database did not close cleanly; the next start repairs it");
    }
    drop(lock);
    if let Some(done) = done {
        // Whoever asked for the end may have gone away.
        done.send(()).ok();
    }
}

async fn commit(session: &mut Session, mut batch: Batch) {
    let failure = transaction(session, &mut batch).await.err();
    if let Some(error) = &failure {
        warn!(error = error as &dyn std::error::Error, "nothing of this commit is stored");
        session.ledger.clear();
        // A failed statement may have ended the transaction already.
        drop(sqlx::query("ROLLBACK").execute(&mut session.conn).await);
    }
    if session.directory.stale {
        match Directory::load(&mut session.conn).await {
            Ok(directory) => session.directory = directory,
            Err(error) => warn!(%error, "the catalog could not be read again; the next commit tries again"),
        }
    }
    batch.settle(failure.as_ref());
}

async fn transaction(session: &mut Session, batch: &mut Batch) -> Result<(), StoreError> {
    begin(session).await?;
    batch.write(session).await?;
    batch.points().for_each(|(before, _)| failpoint::reached(before));
    session.ledger.commit(&mut session.conn).await.map_err(unavailable("commit"))?;
    batch.points().for_each(|(_, after)| failpoint::reached(after));
    Ok(())
}

/// Begins a transaction, on another connection if this one is broken.
async fn begin(session: &mut Session) -> Result<(), StoreError> {
    const BEGIN: &str = "BEGIN IMMEDIATE";
    let failed = unavailable("begin a transaction");
    if sqlx::query(BEGIN).execute(&mut session.conn).await.is_ok() {
        return Ok(());
    }
    let opened = connect::writer(&session.path).await;
    session.conn = opened.map_err(|error| failed(sqlx::Error::Configuration(Box::new(error))))?;
    sqlx::query(BEGIN).execute(&mut session.conn).await.map_err(failed)?;
    Ok(())
}
