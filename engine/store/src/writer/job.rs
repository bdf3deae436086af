//! Work that is not asked in every commit: it runs by itself, in a part of the transaction of its own.

use std::pin::Pin;

use tokio::sync::oneshot;

use super::session::Session;
use crate::error::StoreError;
use crate::lane::Lane;

/// What a job's work comes to.
pub(crate) type Working<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Something that the writer is asked for now and then.
pub(super) trait Job<S>: Send {
    /// Whether it needs the way of what is rare.
    fn is_rare(&self) -> bool;

    /// The lanes that it enters or leaves.
    fn lanes(&self) -> &[Lane];

    /// Does the work; answers whether what it did is to be kept.
    fn run<'a>(&'a mut self, session: &'a mut S) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>>;

    /// Answers, once it is known whether the commit succeeded.
    fn settle(self: Box<Self>, failure: Option<StoreError>);
}

/// A [`Job`] made of a closure.
pub(super) struct Work<F, T> {
    is_rare: bool,
    lanes: Vec<Lane>,
    work: Option<F>,
    outcome: Option<Result<T, StoreError>>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Work<F, T> {
    pub(super) const fn rare(lanes: Vec<Lane>, work: F, answer: oneshot::Sender<Result<T, StoreError>>) -> Self {
        Self { is_rare: true, lanes, work: Some(work), outcome: None, answer }
    }

    pub(super) const fn along(work: F, answer: oneshot::Sender<Result<T, StoreError>>) -> Self {
        Self { is_rare: false, lanes: Vec::new(), work: Some(work), outcome: None, answer }
    }
}

impl<S, F, T> Job<S> for Work<F, T>
where
    S: Session,
    F: for<'s> FnOnce(&'s mut S) -> Working<'s, T> + Send,
    T: Send,
{
    fn is_rare(&self) -> bool {
        self.is_rare
    }

    fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    fn run<'a>(&'a mut self, session: &'a mut S) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
        Box::pin(async move {
            let Some(work) = self.work.take() else { return true };
            let outcome = work(session).await;
            let keep = outcome.is_ok();
            self.outcome = Some(outcome);
            keep
        })
    }

    fn settle(self: Box<Self>, failure: Option<StoreError>) {
        let outcome = match failure {
            Some(error) => Err(error),
            None => self.outcome.unwrap_or(Err(StoreError::Closed)),
        };
        // Whoever asked may have gone away.
        drop(self.answer.send(outcome));
    }
}
