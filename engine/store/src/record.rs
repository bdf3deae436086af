//! What an attempt becomes in the tables, whatever the database.

use std::collections::HashSet;

use weft_core::attempt::{Attempt, AttemptOutcome, ResponseSample};
use weft_core::decide::NextStep;
use weft_core::time::Timestamp;

use crate::error::StoreError;
use crate::rows::history::waiting_word;
use crate::work::{Finished, FinishedAttempt, LaneNews};

/// The columns of an attempt that say how it went.
pub(crate) struct OutcomeColumns<'a> {
    pub(crate) took_us: i64,
    pub(crate) outcome: &'static str,
    pub(crate) status: Option<u16>,
    pub(crate) retry_after_ms: Option<i64>,
    pub(crate) detail: Option<&'a str>,
}

impl<'a> OutcomeColumns<'a> {
    pub(crate) fn of(attempt: &'a Attempt) -> Self {
        let (retry_after_ms, detail) = match &attempt.outcome {
            AttemptOutcome::Accepted { .. } => (None, None),
            AttemptOutcome::Rejected { retry_after, .. } => {
                (retry_after.map(|wish| i64::try_from(wish.as_millis()).unwrap_or(i64::MAX)), None)
            }
            AttemptOutcome::TimedOut { waiting_for } => (None, Some(waiting_word(*waiting_for))),
            AttemptOutcome::Unreachable { reason } | AttemptOutcome::Forbidden { reason } => {
                (None, Some(reason.as_str()))
            }
        };
        Self {
            took_us: i64::try_from(attempt.took.as_micros()).unwrap_or(i64::MAX),
            outcome: attempt.outcome.as_str(),
            status: attempt.outcome.status(),
            retry_after_ms,
            detail,
        }
    }
}

/// The columns of a delivery that an attempt changes.
pub(crate) struct MovedOn {
    pub(crate) state: &'static str,
    pub(crate) due_at: Option<Timestamp>,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) reason: Option<&'static str>,
}

impl MovedOn {
    pub(crate) fn by(finished: &FinishedAttempt) -> Self {
        let ended_at = Some(finished.attempt.started_at.plus(finished.attempt.took));
        match finished.next {
            NextStep::Delivered => Self { state: "delivered", due_at: None, ended_at, reason: None },
            NextStep::Retry(at) => Self { state: "pending", due_at: Some(at), ended_at: None, reason: None },
            NextStep::Dead(why) => Self { state: "dead", due_at: None, ended_at, reason: Some(why.as_str()) },
        }
    }
}

/// What came back, where it is kept: for failures only.
pub(crate) fn sample(attempt: &Attempt) -> Option<&ResponseSample> {
    attempt.response.as_ref().filter(|_| !matches!(attempt.outcome, AttemptOutcome::Accepted { .. }))
}

/// The attempts of all asks of a commit, and what is known of each.
pub(crate) struct Attempts<'a> {
    pub(crate) all: Vec<&'a FinishedAttempt>,
    finished: Vec<Finished>,
}

impl<'a> Attempts<'a> {
    pub(crate) fn of(asks: &[&'a Vec<FinishedAttempt>]) -> Self {
        let all: Vec<_> = asks.iter().flat_map(|ask| ask.iter()).collect();
        let mut seen = HashSet::with_capacity(all.len());
        // The second of two in one commit comes late.
        let state = |attempt: &&FinishedAttempt| {
            if seen.insert(attempt.delivery) { Finished::Done } else { Finished::LeaseLost }
        };
        let finished = all.iter().map(state).collect();
        Self { all, finished }
    }

    /// Those that are not known to be late, each with its place.
    pub(crate) fn standing(&self) -> impl Iterator<Item = (usize, &'a FinishedAttempt)> {
        let places = self.all.iter().zip(&self.finished).enumerate();
        places.filter(|(_, (_, finished))| finished.is_done()).map(|(place, (attempt, _))| (place, *attempt))
    }

    /// Marks the attempt at `place` as late.
    pub(crate) fn late(&mut self, place: usize) {
        if let Some(finished) = self.finished.get_mut(place) {
            *finished = Finished::LeaseLost;
        }
    }

    /// Says that the attempt at `place` has opened the next of its lane, which is due at `opened`.
    pub(crate) fn opened(&mut self, place: usize, opened: Timestamp) {
        if let Some(finished) = self.finished.get_mut(place) {
            *finished = Finished::DoneInLane(LaneNews { opened: Some(opened), behind: Vec::new() });
        }
    }

    /// An answer for each ask.
    pub(crate) fn answers(self, asks: &[&Vec<FinishedAttempt>]) -> Vec<Result<Vec<Finished>, StoreError>> {
        let mut finished = self.finished.into_iter();
        asks.iter().map(|ask| Ok(finished.by_ref().take(ask.len()).collect())).collect()
    }
}
