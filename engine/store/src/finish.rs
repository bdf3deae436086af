//! What a pass becomes in the tables, whatever the database.

use std::collections::HashSet;

use bytes::Bytes;
use weft_core::plan::BodyRef;
use weft_core::time::Timestamp;

use crate::directory::Directory;
use crate::error::StoreError;
use crate::history::PassResult;
use crate::keep::{self, NO_DESTINATION};
use crate::work::{Finished, FinishedPass, LaneNews, NewDelivery, PassEnd};

/// The passes of all asks of a commit, as far as the store knows everything that they name.
pub(crate) struct Passes<'a> {
    /// Each with its ask and its place in that.
    all: Vec<(usize, usize, &'a FinishedPass)>,
    answers: Vec<Result<Vec<Finished>, StoreError>>,
}

impl<'a> Passes<'a> {
    pub(crate) fn of(directory: &Directory, asks: &[&'a Vec<FinishedPass>]) -> Self {
        let mut passes = Self { all: Vec::new(), answers: Vec::with_capacity(asks.len()) };
        for (ask, input) in asks.iter().enumerate() {
            match input.iter().try_for_each(|pass| known(directory, pass)) {
                Ok(()) => {
                    passes.all.extend(input.iter().enumerate().map(|(place, pass)| (ask, place, pass)));
                    passes.answers.push(Ok(vec![Finished::LeaseLost; input.len()]));
                }
                Err(unknown) => passes.answers.push(Err(unknown)),
            }
        }
        passes
    }

    /// Whether one of them names something that the directory does not.
    pub(crate) fn any_unknown(&self) -> bool {
        self.answers.iter().any(Result::is_err)
    }

    /// Those to store, each with its place. The second of two in one commit comes late.
    pub(crate) fn standing(&self) -> impl Iterator<Item = (usize, &'a FinishedPass)> {
        let mut seen = HashSet::with_capacity(self.all.len());
        let places = self.all.iter().enumerate().map(|(place, (_, _, pass))| (place, *pass));
        places.filter(move |(_, pass)| seen.insert(pass.key))
    }

    /// The pass at `place`, which is stored.
    pub(crate) fn done(&mut self, place: usize) -> Option<&'a FinishedPass> {
        self.answer(place, Finished::Done);
        self.all.get(place).map(|(_, _, pass)| *pass)
    }

    /// What the pass at `place` has read is not so any more: it is not stored, and free.
    pub(crate) fn conflict(&mut self, place: usize) {
        self.answer(place, Finished::Conflict);
    }

    /// Says what the pass at `place`, which is stored, has done to lanes.
    pub(crate) fn news(&mut self, place: usize, news: LaneNews) {
        if news != LaneNews::default() {
            self.answer(place, Finished::DoneInLane(news));
        }
    }

    fn answer(&mut self, place: usize, finished: Finished) {
        if let Some((ask, place, _)) = self.all.get(place).copied()
            && let Ok(answer) = &mut self.answers[ask]
        {
            answer[place] = finished;
        }
    }

    /// An answer for each ask.
    pub(crate) fn answers(self) -> Vec<Result<Vec<Finished>, StoreError>> {
        self.answers
    }
}

fn known(directory: &Directory, pass: &FinishedPass) -> Result<(), StoreError> {
    match &pass.end {
        PassEnd::Routed { bodies, deliveries } => keep::known(directory, deliveries, bodies.len()),
        PassEnd::Dropped { .. } | PassEnd::Dead { .. } | PassEnd::Retry { .. } => Ok(()),
    }
}

/// The columns of an event or a replay that a pass changes.
pub(crate) struct PassedState<'a> {
    pub(crate) state: &'static str,
    pub(crate) due_at: Option<Timestamp>,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) step: Option<&'a str>,
    pub(crate) reason: Option<&'a str>,
}

impl<'a> PassedState<'a> {
    pub(crate) fn of(pass: &'a FinishedPass) -> Self {
        let ended_at = Some(pass.ended_at);
        match &pass.end {
            PassEnd::Routed { deliveries, .. } if deliveries.is_empty() => {
                Self { state: "dropped", due_at: None, ended_at, step: None, reason: Some(NO_DESTINATION) }
            }
            PassEnd::Routed { .. } => Self { state: "routed", due_at: None, ended_at, step: None, reason: None },
            PassEnd::Dropped { step, reason } => {
                Self { state: "dropped", due_at: None, ended_at, step: step.as_deref(), reason: Some(reason) }
            }
            PassEnd::Dead { step, reason } => {
                Self { state: "dead", due_at: None, ended_at, step: step.as_deref(), reason: Some(reason) }
            }
            PassEnd::Retry { at } => {
                Self { state: "received", due_at: Some(*at), ended_at: None, step: None, reason: None }
            }
        }
    }
}

/// The word for how a pass ended.
pub(crate) fn result(pass: &FinishedPass) -> PassResult {
    match &pass.end {
        PassEnd::Routed { deliveries, .. } if deliveries.is_empty() => PassResult::Dropped,
        PassEnd::Routed { .. } => PassResult::Routed,
        PassEnd::Dropped { .. } => PassResult::Dropped,
        PassEnd::Dead { .. } => PassResult::Dead,
        PassEnd::Retry { .. } => PassResult::Retry,
    }
}

/// The deliveries that a pass planned.
pub(crate) fn planned(pass: &FinishedPass) -> &[NewDelivery] {
    match &pass.end {
        PassEnd::Routed { deliveries, .. } => deliveries,
        PassEnd::Dropped { .. } | PassEnd::Dead { .. } | PassEnd::Retry { .. } => &[],
    }
}

/// The bodies that a pass made, each with the first delivery that sends it. One that no delivery sends would be nobody's.
pub(crate) fn sent_bodies(pass: &FinishedPass) -> Vec<Option<(&Bytes, &NewDelivery)>> {
    let PassEnd::Routed { bodies, deliveries } = &pass.end else { return Vec::new() };
    let mut first = vec![None; bodies.len()];
    for delivery in deliveries {
        if let BodyRef::New(index) = delivery.body {
            first[index] = first[index].or(Some(delivery));
        }
    }
    bodies.iter().zip(first).map(|(body, first)| first.map(|first| (body, first))).collect()
}
