//! What a store must know, as plainly as it can be written down: lists, and a loop over them for each question.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use weft_core::attempt::Attempt;
use weft_core::delivery::RequestParts;
use weft_core::destination::{DestinationStatus, DisabledReason};
use weft_core::event::{Event, NewEvent};
use weft_core::id::{DeliveryId, DestinationId, EventId, ReplayId, TenantId};
use weft_core::ordering_key::OrderingKey;
use weft_core::time::Timestamp;
use weft_store::history::PassRecord;
use weft_store::work::{Ingested, Lease, PassKey};

use crate::keeping::ModelEntry;
use crate::lanes::BEHIND;

/// How long a key is remembered, in milliseconds.
const DEDUPE_MS: i64 = 24 * 3_600_000;

/// Where something that passes work on stands: an event, or a replay.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Line {
    Waiting { due: Timestamp, owner: i64 },
    Routed { at: Timestamp, planned: u32 },
    Dropped { at: Timestamp, step: Option<String>, reason: String },
    Dead { at: Timestamp, step: Option<String>, reason: String },
}

impl Line {
    pub(crate) const fn ended_at(&self) -> Option<Timestamp> {
        match self {
            Self::Waiting { .. } => None,
            Self::Routed { at, .. } | Self::Dropped { at, .. } | Self::Dead { at, .. } => Some(*at),
        }
    }

    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Waiting { .. } => "received",
            Self::Routed { .. } => "routed",
            Self::Dropped { .. } => "dropped",
            Self::Dead { .. } => "dead",
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct ModelEvent {
    pub(crate) event: Arc<Event>,
    pub(crate) line: Line,
    /// Where it stands under its ordering key, if it has one.
    pub(crate) place: Option<u64>,
    pub(crate) passes: Vec<PassRecord>,
    pub(crate) replayed_by: Option<ReplayId>,
}

#[derive(Clone, Debug)]
pub(crate) struct ModelReplay {
    pub(crate) id: ReplayId,
    pub(crate) event: EventId,
    pub(crate) delivery: Option<DeliveryId>,
    pub(crate) created_at: Timestamp,
    pub(crate) line: Line,
    pub(crate) place: Option<u64>,
    pub(crate) passes: Vec<PassRecord>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Sending {
    Pending { due: Timestamp, owner: i64 },
    Delivered { at: Timestamp },
    Dead { at: Timestamp, reason: &'static str },
}

#[derive(Clone, Debug)]
pub(crate) struct ModelDelivery {
    pub(crate) id: DeliveryId,
    pub(crate) event: EventId,
    pub(crate) replay: Option<ReplayId>,
    pub(crate) pass: u32,
    pub(crate) output: u32,
    pub(crate) destination: DestinationId,
    pub(crate) body: Bytes,
    /// Which of all the bodies that passes made; `None` for the event's own.
    pub(crate) made: Option<u64>,
    pub(crate) request: RequestParts,
    pub(crate) ordering_key: Option<OrderingKey>,
    pub(crate) place: Option<u64>,
    pub(crate) planned_at: Timestamp,
    pub(crate) ends_at: Timestamp,
    pub(crate) sending: Sending,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) replayed_by: Option<ReplayId>,
}

/// What is remembered under an idempotency key.
#[derive(Clone, Debug)]
pub(crate) struct Remembered {
    event: EventId,
    digest: [u8; 32],
    expires_at: Timestamp,
}

/// Whether deliveries to a destination are made and sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ModelStatus {
    pub(crate) declared: bool,
    pub(crate) disabled: Option<DisabledReason>,
    pub(crate) paused: bool,
}

impl ModelStatus {
    pub(crate) const fn shown(self) -> DestinationStatus {
        match (self.declared, self.disabled, self.paused) {
            (false, ..) => DestinationStatus::Disabled(DisabledReason::Undeclared),
            (true, Some(reason), _) => DestinationStatus::Disabled(reason),
            (true, None, true) => DestinationStatus::Paused,
            (true, None, false) => DestinationStatus::Active,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    /// The start of the engine that is asked at present.
    pub(crate) start: i64,
    /// The starts that have not ended, and until when each is taken for alive by others.
    pub(crate) alive: HashMap<i64, Timestamp>,
    pub(crate) events: Vec<ModelEvent>,
    pub(crate) replays: Vec<ModelReplay>,
    pub(crate) deliveries: Vec<ModelDelivery>,
    pub(crate) keys: HashMap<(TenantId, String, String), Remembered>,
    /// What plugins keep.
    pub(crate) entries: Vec<ModelEntry>,
    pub(crate) statuses: HashMap<DestinationId, ModelStatus>,
    pub(crate) bodies_made: u64,
    pub(crate) places: u64,
    pub(crate) pruned_events: u64,
    pub(crate) pruned_deliveries: u64,
}

impl Model {
    /// Whether nobody works on what `owner` has leased: its start has ended, or has not been heard of. Whoever asks is alive.
    pub(crate) fn is_void(&self, owner: i64, now: Timestamp) -> bool {
        owner > 0 && owner != self.start && self.alive.get(&owner).is_none_or(|until| *until <= now)
    }

    /// Whether a row that waits may be taken: it is free and due, its lease has ended, or its owner has.
    fn may_be_taken(&self, owner: i64, due: Timestamp, now: Timestamp) -> bool {
        self.is_void(owner, now) || owner != BEHIND && due <= now
    }

    pub(crate) fn event(&self, id: EventId) -> Option<&ModelEvent> {
        self.events.iter().find(|it| it.event.id == id)
    }

    pub(crate) fn delivery(&self, id: DeliveryId) -> Option<&ModelDelivery> {
        self.deliveries.iter().find(|it| it.id == id)
    }

    pub(crate) fn delivery_mut(&mut self, id: DeliveryId) -> Option<&mut ModelDelivery> {
        self.deliveries.iter_mut().find(|it| it.id == id)
    }

    /// The answer to an event, which is remembered if it is new.
    pub(crate) fn answer(&mut self, new: &NewEvent, now: Timestamp) -> Ingested {
        let Some(dedupe) = &new.dedupe else { return Ingested::New };
        let key = (new.event.tenant, new.event.source.clone(), dedupe.key.clone());
        match self.keys.get(&key) {
            Some(first) if first.expires_at > now => {
                if first.digest == dedupe.body_digest {
                    Ingested::Duplicate(first.event)
                } else {
                    Ingested::Conflict(first.event)
                }
            }
            Some(_) | None => {
                let expires_at = Timestamp::from_ms(now.as_ms() + DEDUPE_MS);
                self.keys.insert(key, Remembered { event: new.event.id, digest: dedupe.body_digest, expires_at });
                Ingested::New
            }
        }
    }

    /// Where an event or a replay stands, and how many passes it had.
    pub(crate) fn line(&self, key: PassKey) -> Option<(&Line, usize)> {
        match key.replay {
            None => self.event(key.event).map(|it| (&it.line, it.passes.len())),
            Some(replay) => self.replays.iter().find(|it| it.id == replay).map(|it| (&it.line, it.passes.len())),
        }
    }

    pub(crate) fn line_mut(&mut self, key: PassKey) -> Option<(&mut Line, &mut Vec<PassRecord>)> {
        match key.replay {
            None => {
                let event = self.events.iter_mut().find(|it| it.event.id == key.event)?;
                Some((&mut event.line, &mut event.passes))
            }
            Some(replay) => {
                let replay = self.replays.iter_mut().find(|it| it.id == replay)?;
                Some((&mut replay.line, &mut replay.passes))
            }
        }
    }

    /// Puts what waits for a pass back in line, where it stood before anybody took it.
    pub(crate) fn put_back(&mut self, key: PassKey) {
        let replay = self.replays.iter().find(|it| Some(it.id) == key.replay).map(|it| it.created_at);
        let since = replay.or_else(|| self.event(key.event).map(|it| it.event.received_at));
        if let (Some(since), Some((line, _))) = (since, self.line_mut(key)) {
            *line = Line::Waiting { due: since, owner: 0 };
        }
    }

    /// Everything that waits for a pass: (what, due, owner).
    pub(crate) fn waiting_passes(&self) -> impl Iterator<Item = (PassKey, Timestamp, i64)> + '_ {
        let of_events = self.events.iter().map(|it| (PassKey { event: it.event.id, replay: None }, &it.line));
        let of_replays = self.replays.iter().map(|it| (PassKey { event: it.event, replay: Some(it.id) }, &it.line));
        of_events.chain(of_replays).filter_map(|(key, line)| match line {
            Line::Waiting { due, owner } => Some((key, *due, *owner)),
            Line::Routed { .. } | Line::Dropped { .. } | Line::Dead { .. } => None,
        })
    }

    /// What a claim of passes may take: (what, due, owner).
    pub(crate) fn claimable_passes(&self, now: Timestamp) -> Vec<(PassKey, Timestamp, i64)> {
        self.waiting_passes().filter(|(_, due, owner)| self.may_be_taken(*owner, *due, now)).collect()
    }

    /// What waits to be sent: (delivery, due, owner).
    pub(crate) fn pending(&self) -> impl Iterator<Item = (&ModelDelivery, Timestamp, i64)> + '_ {
        self.deliveries.iter().filter_map(|it| match it.sending {
            Sending::Pending { due, owner } => Some((it, due, owner)),
            Sending::Delivered { .. } | Sending::Dead { .. } => None,
        })
    }

    /// What a claim for `destination` may take: (delivery, due, owner).
    pub(crate) fn claimable(&self, destination: DestinationId, now: Timestamp) -> Vec<(DeliveryId, Timestamp, i64)> {
        self.pending()
            .filter(|(it, due, owner)| it.destination == destination && self.may_be_taken(*owner, *due, now))
            .map(|(it, due, owner)| (it.id, due, owner))
            .collect()
    }

    /// When the first of some waiting rows (due, owner) can be taken: now, where a lease is void.
    pub(crate) fn first_due(&self, rows: impl Iterator<Item = (Timestamp, i64)>, now: Timestamp) -> Option<Timestamp> {
        let due = rows.filter_map(|(due, owner)| {
            let is_void = self.is_void(owner, now);
            let is_worked_on = owner != 0 && !is_void && due > now;
            if is_worked_on || owner == BEHIND { None } else { Some(if is_void { now } else { due }) }
        });
        due.min()
    }

    /// Frees what nobody works on any more and nobody will take, because its destination takes nothing.
    pub(crate) fn free_stopped(&mut self, now: Timestamp) {
        let is_stopped = |it: &ModelDelivery| self.statuses[&it.destination].shown() != DestinationStatus::Active;
        let void = self.pending().filter(|(it, _, owner)| is_stopped(it) && self.is_void(*owner, now));
        let void: Vec<_> = void.map(|(it, ..)| it.id).collect();
        for it in self.deliveries.iter_mut().filter(|it| void.contains(&it.id)) {
            it.sending = Sending::Pending { due: it.planned_at, owner: 0 };
        }
    }

    /// Deliveries whose lifetime is over and that nobody works on, free or behind others.
    pub(crate) fn expired(&self, now: Timestamp) -> Vec<DeliveryId> {
        self.pending().filter(|(it, _, owner)| *owner <= 0 && it.ends_at <= now).map(|(it, ..)| it.id).collect()
    }

    /// Whether `lease` still holds a waiting row.
    pub(crate) fn holds(lease: Lease, due: Timestamp, owner: i64) -> bool {
        lease.owner == owner && lease.until == due
    }

    /// Events that ended before `before` with everything that hangs on them.
    pub(crate) fn over(&self, before: Timestamp) -> Vec<EventId> {
        let ended = |at: Option<Timestamp>| at.is_some_and(|at| at < before);
        let sent = |it: &ModelDelivery| match it.sending {
            Sending::Pending { .. } => None,
            Sending::Delivered { at } | Sending::Dead { at, .. } => Some(at),
        };
        let over = |id: EventId| {
            self.deliveries.iter().filter(|it| it.event == id).all(|it| ended(sent(it)))
                && self.replays.iter().filter(|it| it.event == id).all(|it| ended(it.line.ended_at()))
        };
        let events = self.events.iter().filter(|it| ended(it.line.ended_at()) && over(it.event.id));
        events.map(|it| it.event.id).collect()
    }

    /// Forgets an event with everything that hangs on it; its idempotency key outlives it.
    pub(crate) fn prune(&mut self, id: EventId) {
        let before = self.deliveries.len();
        self.deliveries.retain(|it| it.event != id);
        self.pruned_deliveries += (before - self.deliveries.len()) as u64;
        self.replays.retain(|it| it.event != id);
        self.events.retain(|it| it.event.id != id);
        self.pruned_events += 1;
    }
}
