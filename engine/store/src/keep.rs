//! What a kept event becomes in the tables, and which of several with one key is the first, whatever the database.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use weft_core::event::DedupeKey;
use weft_core::id::EventId;
use weft_core::plan::BodyRef;
use weft_core::time::Timestamp;

use crate::directory::Directory;
use crate::error::StoreError;
use crate::lane::BEHIND;
use crate::work::{FirstWay, Ingested, KeepEvent, NewDelivery};
use crate::writer::Keep;

/// The reason of an event that nobody wanted.
pub(crate) const NO_DESTINATION: &str = "no-destination";

/// An event of a batch whose tenant and destinations are known.
pub(crate) struct Candidate<'a> {
    /// Which ask it came with.
    ask: usize,
    pub(crate) keep: &'a KeepEvent,
    pub(crate) tenant: i64,
    pub(crate) now: Timestamp,
}

impl<'a> Candidate<'a> {
    /// The deliveries that are made with the event.
    pub(crate) fn deliveries(&self) -> &'a [NewDelivery] {
        match &self.keep.way {
            FirstWay::Routed(planned) => planned,
            FirstWay::Pass { .. } | FirstWay::NoDestination => &[],
        }
    }
}

/// Makes sure that the store knows what deliveries name: their destinations, and bodies among the `bodies` of their pass.
pub(crate) fn known(directory: &Directory, planned: &[NewDelivery], bodies: usize) -> Result<(), StoreError> {
    for new in planned {
        directory.destination(new.destination)?;
        match new.body {
            BodyRef::New(index) if index >= bodies => {
                return Err(StoreError::Unknown { noun: "body", id: format!("{index} of delivery {}", new.id) });
            }
            BodyRef::Event | BodyRef::New(_) => {}
        }
    }
    Ok(())
}

/// The events of all asks of a commit, as far as the store knows everything that they name.
pub(crate) struct Candidates<'a> {
    pub(crate) all: Vec<Candidate<'a>>,
    answers: Vec<Result<Vec<Ingested>, StoreError>>,
}

impl<'a> Candidates<'a> {
    pub(crate) fn of(directory: &Directory, asks: &[&'a Keep]) -> Self {
        let mut candidates = Self { all: Vec::new(), answers: Vec::with_capacity(asks.len()) };
        for (ask, input) in asks.iter().enumerate() {
            let candidate = |keep: &'a KeepEvent| {
                if let FirstWay::Routed(planned) = &keep.way {
                    known(directory, planned, 0)?;
                }
                Ok(Candidate { ask, keep, tenant: directory.tenant(keep.new.event.tenant)?, now: input.now })
            };
            let found: Result<Vec<_>, StoreError> = input.events.iter().map(candidate).collect();
            candidates.answers.push(found.map(|found| {
                let answer = Vec::with_capacity(found.len());
                candidates.all.extend(found);
                answer
            }));
        }
        candidates
    }

    /// Whether one of them names something that the directory does not.
    pub(crate) fn any_unknown(&self) -> bool {
        self.answers.iter().any(Result::is_err)
    }

    /// An answer for each ask, of one verdict for each event.
    pub(crate) fn answers(mut self, verdicts: Vec<Ingested>) -> Vec<Result<Vec<Ingested>, StoreError>> {
        for (candidate, verdict) in self.all.iter().zip(verdicts) {
            if let Ok(answer) = &mut self.answers[candidate.ask] {
                answer.push(verdict);
            }
        }
        self.answers
    }
}

/// What is remembered, or has just been remembered, under a key.
#[derive(Clone, Copy)]
pub(crate) struct Remembered {
    pub(crate) event: EventId,
    pub(crate) body_digest: [u8; 32],
}

impl Remembered {
    /// What an event that comes with the same key is told.
    fn verdict(&self, key: &DedupeKey) -> Ingested {
        if self.body_digest == key.body_digest {
            Ingested::Duplicate(self.event)
        } else {
            Ingested::Conflict(self.event)
        }
    }
}

/// A key that asks the table, with the event that brings it.
pub(crate) struct KeyAsked<'a> {
    pub(crate) tenant: i64,
    pub(crate) source: &'a str,
    pub(crate) key: &'a DedupeKey,
    pub(crate) event: EventId,
    pub(crate) now: Timestamp,
}

impl KeyAsked<'_> {
    /// What is remembered if the key is free.
    pub(crate) const fn remembered(&self) -> Remembered {
        Remembered { event: self.event, body_digest: self.key.body_digest }
    }
}

/// The keys of a commit: the first event with each asks the table; the others ask the first.
#[derive(Default)]
pub(crate) struct Keys<'a> {
    pub(crate) asked: Vec<KeyAsked<'a>>,
    /// Of each of `asked`: its place among the candidates.
    firsts: Vec<usize>,
    /// Places of the others, each with the place of its key in `asked`.
    others: Vec<(usize, usize, &'a DedupeKey)>,
}

impl<'a> Keys<'a> {
    pub(crate) fn of(candidates: &[Candidate<'a>]) -> Self {
        let mut keys = Self::default();
        let mut places = HashMap::new();
        for (place, candidate) in candidates.iter().enumerate() {
            let keep: &'a KeepEvent = candidate.keep;
            let (Some(key), event) = (&keep.new.dedupe, &keep.new.event) else { continue };
            let source = event.source.as_str();
            match places.entry((candidate.tenant, source, key.key.as_str())) {
                Entry::Vacant(first) => {
                    first.insert(keys.asked.len());
                    let tenant = candidate.tenant;
                    keys.asked.push(KeyAsked { tenant, source, key, event: event.id, now: candidate.now });
                    keys.firsts.push(place);
                }
                Entry::Occupied(first) => keys.others.push((place, *first.get(), key)),
            }
        }
        keys
    }

    /// A verdict for each of `count` candidates, given what is remembered under each key that asked.
    pub(crate) fn verdicts(&self, count: usize, remembered: &[Remembered]) -> Vec<Ingested> {
        let mut verdicts = vec![Ingested::New; count];
        for ((asked, remembered), &place) in self.asked.iter().zip(remembered).zip(&self.firsts) {
            if remembered.event != asked.event {
                verdicts[place] = remembered.verdict(asked.key);
            }
        }
        for &(place, first, key) in &self.others {
            verdicts[place] = remembered[first].verdict(key);
        }
        verdicts
    }
}

/// The columns of a new event that say what becomes of it.
pub(crate) struct FirstState {
    pub(crate) state: &'static str,
    pub(crate) planned: usize,
    pub(crate) due_at: Option<Timestamp>,
    pub(crate) lease_owner: i64,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) reason: Option<&'static str>,
}

impl FirstState {
    /// `is_behind`: whether events of its ordering key wait for their passes.
    pub(crate) fn of(candidate: &Candidate<'_>, is_behind: bool) -> Self {
        let received_at = candidate.keep.new.event.received_at;
        let waits = Self { state: "received", planned: 0, due_at: None, lease_owner: 0, ended_at: None, reason: None };
        let ends = |state| Self { state, planned: 0, ended_at: Some(candidate.now), ..waits };
        match &candidate.keep.way {
            _ if is_behind => Self { due_at: Some(received_at), lease_owner: BEHIND, ..waits },
            FirstWay::Pass { lease: Some(lease) } => {
                Self { due_at: Some(lease.until), lease_owner: lease.owner, ..waits }
            }
            FirstWay::Pass { lease: None } => Self { due_at: Some(received_at), ..waits },
            FirstWay::Routed(planned) if !planned.is_empty() => Self { planned: planned.len(), ..ends("routed") },
            FirstWay::Routed(_) | FirstWay::NoDestination => Self { reason: Some(NO_DESTINATION), ..ends("dropped") },
        }
    }
}
