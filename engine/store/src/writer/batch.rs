//! Everything that goes into one commit: what was asked, kind by kind, and the answers.

use std::collections::BTreeSet;

use tokio::sync::oneshot;
use weft_core::id::DeliveryId;
use weft_core::time::Timestamp;

use super::job::Job;
use super::session::Session;
use crate::error::StoreError;
use crate::failpoint;
use crate::lane::{self, Lane};
use crate::work::{Finished, FinishedAttempt, FinishedPass, Ingested, KeepEvent, Lease, PassKey, Want};

/// Takes an answer, on the writer's thread: it must not wait.
pub(super) type Answer<O> = Box<dyn FnOnce(Result<O, StoreError>) + Send>;

/// What is asked, and where the answer goes.
pub(super) struct Ask<I, O> {
    pub(super) input: I,
    pub(super) answer: Answer<O>,
}

/// Events to keep.
#[derive(Debug)]
pub(crate) struct Keep {
    pub(crate) events: Vec<KeepEvent>,
    pub(crate) now: Timestamp,
}

/// A wish for passes.
#[derive(Debug)]
pub(crate) struct ClaimPasses {
    pub(crate) limit: u32,
    pub(crate) lease: Lease,
    pub(crate) now: Timestamp,
}

/// The rows of claimed passes.
#[derive(Debug)]
pub(crate) struct Claimed<R> {
    pub(crate) events: Vec<R>,
    pub(crate) replays: Vec<R>,
}

impl<R> Default for Claimed<R> {
    fn default() -> Self {
        Self { events: Vec::new(), replays: Vec::new() }
    }
}

/// A wish for deliveries.
#[derive(Debug)]
pub(crate) struct ClaimDeliveries {
    pub(crate) wants: Vec<Want>,
    pub(crate) lease: Lease,
    pub(crate) now: Timestamp,
}

/// What the writer can be asked.
pub(super) enum Command<S: Session> {
    Keep(Ask<Keep, Vec<Ingested>>),
    ClaimPasses(Ask<ClaimPasses, Claimed<S::Row>>),
    FinishPasses(Ask<Vec<FinishedPass>, Vec<Finished>>),
    ReleasePasses(Ask<Vec<(PassKey, Lease)>, ()>),
    ClaimDeliveries(Ask<ClaimDeliveries, Vec<S::Row>>),
    Record(Ask<Vec<FinishedAttempt>, Vec<Finished>>),
    ReleaseDeliveries(Ask<Vec<(DeliveryId, Lease)>, ()>),
    Job(Box<dyn Job<S>>),
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

    /// Answers all.
    fn settle(self, failure: Option<&StoreError>) {
        match failure {
            None => self.asks.into_iter().zip(self.answers).for_each(|(ask, answer)| (ask.answer)(answer)),
            Some(error) => self.asks.into_iter().for_each(|ask| (ask.answer)(Err(error.clone()))),
        }
    }
}

/// Everything that goes into one commit.
pub(super) struct Batch<S: Session> {
    keep: Kind<Keep, Vec<Ingested>>,
    claim_passes: Kind<ClaimPasses, Claimed<S::Row>>,
    finish_passes: Kind<Vec<FinishedPass>, Vec<Finished>>,
    release_passes: Kind<Vec<(PassKey, Lease)>, ()>,
    claim_deliveries: Kind<ClaimDeliveries, Vec<S::Row>>,
    record: Kind<Vec<FinishedAttempt>, Vec<Finished>>,
    release_deliveries: Kind<Vec<(DeliveryId, Lease)>, ()>,
    jobs: Vec<Box<dyn Job<S>>>,
    pub(super) close: Option<oneshot::Sender<()>>,
}

impl<S: Session> Command<S> {
    /// Whether an event's usual journey does without it: what restart, overflow and people need.
    fn is_rare(&self) -> bool {
        match self {
            Self::Keep(_) | Self::FinishPasses(_) | Self::Record(_) | Self::Close(_) => false,
            Self::ClaimPasses(_) | Self::ReleasePasses(_) | Self::ClaimDeliveries(_) | Self::ReleaseDeliveries(_) => {
                true
            }
            Self::Job(job) => job.is_rare(),
        }
    }
}

impl<S: Session> Default for Batch<S> {
    fn default() -> Self {
        Self {
            keep: Kind::default(),
            claim_passes: Kind::default(),
            finish_passes: Kind::default(),
            release_passes: Kind::default(),
            claim_deliveries: Kind::default(),
            record: Kind::default(),
            release_deliveries: Kind::default(),
            jobs: Vec::new(),
            close: None,
        }
    }
}

impl<S: Session> Batch<S> {
    /// What goes into one commit, and what goes into another one after it: nothing, unless what is rare is apart.
    pub(super) fn of(commands: impl Iterator<Item = Command<S>>) -> (Self, Self) {
        let (mut usual, mut rare) = (Self::default(), Self::default());
        for command in commands {
            let batch = if S::RARE_APART && command.is_rare() { &mut rare } else { &mut usual };
            batch.put(command);
        }
        (usual, rare)
    }

    fn put(&mut self, command: Command<S>) {
        match command {
            Command::Keep(ask) => self.keep.asks.push(ask),
            Command::ClaimPasses(ask) => self.claim_passes.asks.push(ask),
            Command::FinishPasses(ask) => self.finish_passes.asks.push(ask),
            Command::ReleasePasses(ask) => self.release_passes.asks.push(ask),
            Command::ClaimDeliveries(ask) => self.claim_deliveries.asks.push(ask),
            Command::Record(ask) => self.record.asks.push(ask),
            Command::ReleaseDeliveries(ask) => self.release_deliveries.asks.push(ask),
            Command::Job(job) => self.jobs.push(job),
            Command::Close(done) => self.close = Some(done),
        }
    }

    /// Whether all of it is to keep events, or all of it is to record attempts.
    pub(super) const fn is_lone(&self) -> bool {
        (self.keep.asks.is_empty() || self.record.asks.is_empty())
            && self.finish_passes.asks.is_empty()
            && self.claim_passes.asks.is_empty()
            && self.release_passes.asks.is_empty()
            && self.claim_deliveries.asks.is_empty()
            && self.release_deliveries.asks.is_empty()
            && self.jobs.is_empty()
    }

    /// Whether nothing is asked.
    pub(super) const fn is_empty(&self) -> bool {
        self.keep.asks.is_empty() && self.record.asks.is_empty() && self.is_lone()
    }

    /// The lanes that this commit enters or leaves and that must be held meanwhile.
    pub(super) fn lanes(&self) -> BTreeSet<Lane> {
        if !S::HOLDS_LANES {
            return BTreeSet::new();
        }
        let mut lanes = BTreeSet::new();
        lanes.extend(self.record.inputs().into_iter().flatten().filter_map(lane::left_by_attempt));
        lanes.extend(self.finish_passes.inputs().into_iter().flatten().flat_map(lane::touched_by_pass));
        let events = self.keep.asks.iter().flat_map(|ask| &ask.input.events);
        lanes.extend(events.flat_map(lane::entered_by_event));
        lanes.extend(self.jobs.iter().flat_map(|job| job.lanes()).cloned());
        lanes
    }

    /// Runs every statement of the commit. What frees rows comes before what claims them.
    pub(super) async fn write(&mut self, session: &mut S) -> Result<(), StoreError> {
        if !self.record.asks.is_empty() {
            self.record.answers = session.record(&self.record.inputs()).await?;
        }
        if !self.finish_passes.asks.is_empty() {
            self.finish_passes.answers = session.finish_passes(&self.finish_passes.inputs()).await?;
        }
        if !self.keep.asks.is_empty() {
            self.keep.answers = session.keep(&self.keep.inputs()).await?;
        }
        if !self.release_passes.asks.is_empty() {
            self.release_passes.answers = session.release_passes(&self.release_passes.inputs()).await?;
        }
        if !self.release_deliveries.asks.is_empty() {
            self.release_deliveries.answers = session.release_deliveries(&self.release_deliveries.inputs()).await?;
        }
        for job in &mut self.jobs {
            // One job's refusal is not everybody's.
            session.begin_part().await?;
            let keep = job.run(session).await;
            session.end_part(keep).await?;
        }
        for ask in &self.claim_passes.asks {
            self.claim_passes.answers.push(Ok(session.claim_passes(&ask.input).await?));
        }
        for ask in &self.claim_deliveries.asks {
            self.claim_deliveries.answers.push(session.claim_deliveries(&ask.input).await?);
        }
        Ok(())
    }

    /// Tells the session what a failed commit was to give back.
    pub(super) fn is_owed_by(&self, session: &mut S) {
        session.owes(&self.release_passes.inputs(), &self.release_deliveries.inputs());
    }

    pub(super) fn settle(self, failure: Option<&StoreError>) {
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
    pub(super) fn points(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
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
