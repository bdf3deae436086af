//! The writer: the task that changes the database, whichever it is.
//!
//! It takes everything that waits into one transaction, asks of one kind together in a few statements, and answers after the
//! commit. If the commit fails, everything that was in it is told so, and the writer goes on. Nothing of it is
//! stored then; where a server has gone away in the middle of a commit nobody knows, and the session sees to what may be there.

mod batch;
mod job;
mod session;

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tracing::warn;
use weft_core::id::DeliveryId;
use weft_core::time::Timestamp;

use self::batch::{Ask, Batch, Command};
pub(crate) use self::batch::{ClaimDeliveries, ClaimPasses, Claimed, Keep};
pub(crate) use self::job::Working;
use self::job::{Job, Work};
pub(crate) use self::session::{Answers, Session};
use crate::error::{self, OpenError, StoreError};
use crate::failpoint;
use crate::lane::Lane;
use crate::work::{Finished, FinishedAttempt, FinishedPass, Ingested, KeepEvent, Lease, PassKey};

/// Commands that may wait for the writer; past that, callers wait. A few commits' worth.
const QUEUE_MAX: usize = 4096;

/// Commands that one commit takes: past a thousand, a longer transaction gains nothing and delays its first answer.
const COMMIT_COMMANDS_MAX: usize = 1024;

/// Asks the writer; clones ask the same one.
pub(crate) struct Writer<S: Session> {
    commands: mpsc::Sender<Command<S>>,
}

impl<S: Session> Writer<S> {
    /// Gives the writer a thread and a runtime of its own, in which `open` opens its session; answers what that says beside it.
    ///
    /// As a task it would stand in line behind requests, several times in each commit; and what its connection receives would be
    /// received by another thread.
    pub(crate) async fn spawn<T, O>(open: impl FnOnce() -> O + Send + 'static) -> Result<(Self, T), OpenError>
    where
        T: Send + 'static,
        O: Future<Output = Result<(S, T), OpenError>>,
    {
        let failed = |source| OpenError::Thread { source };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (commands, waiting) = mpsc::channel(QUEUE_MAX);
        let (opened, said) = oneshot::channel();
        let work = move || {
            runtime.block_on(async move {
                match open().await {
                    Ok((session, beside)) => {
                        // Nobody listens if the caller has gone away: then nobody can ask, and the session closes at once.
                        opened.send(Ok(beside)).ok();
                        run(session, waiting).await;
                    }
                    Err(error) => drop(opened.send(Err(error))),
                }
            });
        };
        std::thread::Builder::new().name("weft-writer".to_owned()).spawn(work).map_err(failed)?;
        let said =
            said.await.unwrap_or_else(|_| Err(failed(std::io::Error::other("the writer's thread has ended"))))?;
        Ok((Self { commands }, said))
    }

    /// Finishes what was handed in, and refuses everything after that.
    pub(crate) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.commands.send(Command::Close(done)).await.is_ok() {
            drop(closed.await);
        }
    }

    /// Asks for something hot.
    async fn ask<I, O: Send + 'static>(
        &self,
        input: I,
        command: impl FnOnce(Ask<I, O>) -> Command<S>,
    ) -> Result<O, StoreError> {
        let (answer, answered) = oneshot::channel();
        // A caller that has gone away does not matter.
        let command = command(Ask { input, answer: Box::new(|outcome| drop(answer.send(outcome))) });
        self.commands.send(command).await.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }

    /// Asks for something rare.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'s> FnOnce(&'s mut S) -> Working<'s, T> + Send + 'static,
    {
        self.write_in_lanes(Vec::new(), work).await
    }

    /// Asks for something that goes the way of what every commit does, together with that.
    pub(crate) async fn write_along<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'s> FnOnce(&'s mut S) -> Working<'s, T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        self.give(Work::along(work, answer), answered).await
    }

    /// Asks for something rare that enters or leaves `lanes`.
    pub(crate) async fn write_in_lanes<T, F>(&self, lanes: Vec<Lane>, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'s> FnOnce(&'s mut S) -> Working<'s, T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        self.give(Work::rare(lanes, work, answer), answered).await
    }

    async fn give<T>(
        &self,
        job: impl Job<S> + 'static,
        answered: oneshot::Receiver<Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.commands.send(Command::Job(Box::new(job))).await.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }

    pub(crate) async fn keep(&self, events: Vec<KeepEvent>, now: Timestamp) -> Result<Vec<Ingested>, StoreError> {
        self.ask(Keep { events, now }, Command::Keep).await
    }

    /// Asks for one event to be kept; whoever commits tells `then` how it went.
    pub(crate) fn keep_then(
        &self,
        event: KeepEvent,
        now: Timestamp,
        then: impl FnOnce(Result<Ingested, StoreError>) + Send + 'static,
    ) -> Result<(), StoreError> {
        let answer = |outcome: Result<Vec<Ingested>, _>| {
            then(outcome.map(|mut answers| answers.pop().expect("every event is answered")));
        };
        let ask = Ask { input: Keep { events: vec![event], now }, answer: Box::new(answer) };
        self.commands.try_send(Command::Keep(ask)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Busy,
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
        })
    }

    pub(crate) async fn claim_passes(
        &self,
        limit: u32,
        lease: Lease,
        now: Timestamp,
    ) -> Result<Claimed<S::Row>, StoreError> {
        self.ask(ClaimPasses { limit, lease, now }, Command::ClaimPasses).await
    }

    pub(crate) async fn finish_passes(&self, passes: Vec<FinishedPass>) -> Result<Vec<Finished>, StoreError> {
        self.ask(passes, Command::FinishPasses).await
    }

    pub(crate) async fn release_passes(&self, passes: Vec<(PassKey, Lease)>) -> Result<(), StoreError> {
        self.ask(passes, Command::ReleasePasses).await
    }

    pub(crate) async fn claim_deliveries(&self, ask: ClaimDeliveries) -> Result<Vec<S::Row>, StoreError> {
        self.ask(ask, Command::ClaimDeliveries).await
    }

    pub(crate) async fn record(&self, attempts: Vec<FinishedAttempt>) -> Result<Vec<Finished>, StoreError> {
        self.ask(attempts, Command::Record).await
    }

    pub(crate) async fn release_deliveries(&self, deliveries: Vec<(DeliveryId, Lease)>) -> Result<(), StoreError> {
        self.ask(deliveries, Command::ReleaseDeliveries).await
    }
}

impl<S: Session> std::fmt::Debug for Writer<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("waiting", &(QUEUE_MAX - self.commands.capacity())).finish()
    }
}

/// Works until it is closed or until nobody can ask any more.
async fn run<S: Session>(mut session: S, mut commands: mpsc::Receiver<Command<S>>) {
    let mut waiting = Vec::with_capacity(COMMIT_COMMANDS_MAX);
    let mut done = None;
    while done.is_none() && commands.recv_many(&mut waiting, COMMIT_COMMANDS_MAX).await > 0 {
        let (mut usual, rare) = Batch::of(waiting.drain(..));
        done = usual.close.take();
        commit(&mut session, usual, false).await;
        commit(&mut session, rare, true).await;
        session.rest().await;
    }
    commands.close();
    let patience = session.patience();
    let _ = patiently(patience, session.close()).await;
    if let Some(done) = done {
        // Whoever asked for the end may have gone away.
        done.send(()).ok();
    }
}

async fn commit<S: Session>(session: &mut S, mut batch: Batch<S>, is_rare: bool) {
    if batch.is_empty() {
        return;
    }
    let patience = session.patience();
    let failure = match patiently(patience, transaction(session, &mut batch, is_rare)).await {
        Some(done) => done.err(),
        None => {
            session.give_up();
            Some(error::silent("commit", patience.unwrap_or_default()))
        }
    };
    if let Some(error) = &failure {
        warn!(error = error as &dyn std::error::Error, "this commit is not known to be stored");
        if patiently(patience, session.roll_back()).await.is_none() {
            session.give_up();
        }
        batch.is_owed_by(session);
    }
    if patiently(patience, session.settle()).await.is_none() {
        session.give_up();
    }
    batch.settle(failure.as_ref());
}

/// Waits for `work`, for as long as there is patience; `None` if that was not long enough.
async fn patiently<T>(patience: Option<Duration>, work: impl Future<Output = T>) -> Option<T> {
    match patience {
        Some(limit) => tokio::time::timeout(limit, work).await.ok(),
        None => Some(work.await),
    }
}

async fn transaction<S: Session>(session: &mut S, batch: &mut Batch<S>, is_rare: bool) -> Result<(), StoreError> {
    let lanes = batch.lanes();
    if is_rare {
        session.begin_rare().await?;
    } else {
        session.begin(batch.is_lone() && lanes.is_empty()).await?;
    }
    if !lanes.is_empty() {
        session.hold_lanes(&lanes).await?;
    }
    batch.write(session).await?;
    batch.points().for_each(|(before, _)| failpoint::reached(before));
    session.commit().await?;
    batch.points().for_each(|(_, after)| failpoint::reached(after));
    Ok(())
}
