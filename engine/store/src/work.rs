//! What the workers hand to the store, and what it hands to them.

use std::sync::Arc;

use bytes::Bytes;
use weft_core::attempt::Attempt;
use weft_core::decide::NextStep;
use weft_core::delivery::RequestParts;
use weft_core::event::{Event, NewEvent};
use weft_core::id::{DeliveryId, DestinationId, EventId, ReplayId, TenantId};
use weft_core::kv::KvTouch;
use weft_core::ordering_key::OrderingKey;
use weft_core::plan::BodyRef;
use weft_core::time::Timestamp;
use weft_core::trace::PassTrace;

/// The right to work on a row: who holds it, until when.
///
/// The pair names one claim: a row that was lost and claimed again, even by the same engine, has another `until`, so a late
/// finisher is recognised. Over SQLite the owner is the engine's start number: a new start voids all older leases at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The start number of the engine that holds it.
    pub owner: i64,
    /// When it ends by itself.
    pub until: Timestamp,
}

/// An event to keep, with what is known about its way.
#[derive(Clone, Debug)]
pub struct KeepEvent {
    /// The event.
    pub new: NewEvent,
    /// What becomes of it.
    pub way: FirstWay,
}

/// What becomes of an event in the commit that stores it.
#[derive(Clone, Debug)]
pub enum FirstWay {
    /// It waits for a pass: leased if it goes on from memory, else free to be claimed.
    Pass {
        /// The lease, if it goes on from memory.
        lease: Option<Lease>,
    },
    /// Its tenant has no step: the deliveries are made at once.
    Routed(Vec<NewDelivery>),
    /// Its tenant has no step and nobody subscribes: it ends dropped, `no-destination`.
    NoDestination,
}

/// What the store answers to an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ingested {
    /// It is stored.
    New,
    /// It is stored, and waits behind others of its ordering key, or some of its deliveries do: whatever lease was asked for, none of
    /// that is leased.
    Behind(Behind),
    /// The same event was stored before, under this id.
    Duplicate(EventId),
    /// Another body was stored before under the same key, as this event.
    Conflict(EventId),
}

/// What of an event waits behind others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behind {
    /// Its pass, whichever way it was to go: events of its key wait for theirs. Nothing is planned.
    Pass,
    /// These of its deliveries.
    Deliveries(Vec<DeliveryId>),
}

/// A delivery to store.
#[derive(Clone, Debug)]
pub struct NewDelivery {
    /// Its id, made by the clock.
    pub id: DeliveryId,
    /// Where to.
    pub destination: DestinationId,
    /// 0, or the place of the output after a split.
    pub output: u32,
    /// The event's body, or an entry of the pass's bodies.
    pub body: BodyRef,
    /// What differs from the plain event.
    pub request: RequestParts,
    /// The key that orders it at its destination, if any.
    pub ordering_key: Option<OrderingKey>,
    /// When it was planned.
    pub planned_at: Timestamp,
    /// When it is due.
    pub due_at: Timestamp,
    /// When its lifetime ends.
    pub ends_at: Timestamp,
    /// The lease, if it goes on from memory.
    pub lease: Option<Lease>,
}

/// What a pass works for: an event, or a replay of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PassKey {
    /// The event.
    pub event: EventId,
    /// The replay that asked for it, if any.
    pub replay: Option<ReplayId>,
}

/// A pass to run.
#[derive(Clone, Debug)]
pub struct PassWork {
    /// The event, whole.
    pub event: Arc<Event>,
    /// The replay that asked for it, if any.
    pub replay: Option<ReplayId>,
    /// 1 for the first pass of this event or replay.
    pub number: u32,
    /// The right to run it.
    pub lease: Lease,
}

/// A pass that has run.
#[derive(Clone, Debug)]
pub struct FinishedPass {
    /// What it worked for.
    pub key: PassKey,
    /// Whose event it is.
    pub tenant: TenantId,
    /// The event's ordering key, if any: what follows under it is opened when this ends.
    pub ordering_key: Option<OrderingKey>,
    /// 1 for the first pass of this event or replay.
    pub number: u32,
    /// The right under which it ran.
    pub lease: Lease,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// What each step did.
    pub trace: PassTrace,
    /// What it found and left of its plugins' keys. Where a key is no longer as it was found, nothing of the pass is stored.
    pub kv: Vec<KvTouch>,
    /// How it ended.
    pub end: PassEnd,
}

/// How a pass ended.
#[derive(Clone, Debug)]
pub enum PassEnd {
    /// With deliveries.
    Routed {
        /// Bodies that differ from the event's.
        bodies: Vec<Bytes>,
        /// At least one.
        deliveries: Vec<NewDelivery>,
    },
    /// The event ends here.
    Dropped {
        /// Which step, if one did.
        step: Option<String>,
        /// Why; `no-destination` if nobody wanted it.
        reason: String,
    },
    /// The event is given up.
    Dead {
        /// Which step, if one did.
        step: Option<String>,
        /// Why.
        reason: String,
    },
    /// Another pass begins at this time.
    Retry {
        /// When.
        at: Timestamp,
    },
}

/// Whether a change of state took place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finished {
    /// It is stored.
    Done,
    /// It is stored, and there is news of ordering keys.
    DoneInLane(LaneNews),
    /// What the pass had read of its plugins' keys has changed. Nothing of it is stored, and it is free to be run again, as if it had not
    /// been.
    Conflict,
    /// The row is no longer ours: somebody else works on it or has ended it. Nothing was written.
    LeaseLost,
}

impl Finished {
    /// Whether it is stored.
    pub const fn is_done(&self) -> bool {
        match self {
            Self::Done | Self::DoneInLane(_) => true,
            Self::Conflict | Self::LeaseLost => false,
        }
    }
}

/// What a change of state has done to what waits under ordering keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LaneNews {
    /// When the next under its key is due, which was behind it and is free: the tenant's next pass, or the destination's next delivery.
    pub opened: Option<Timestamp>,
    /// The deliveries that wait behind others at their destination: whatever lease was asked for, they are not leased.
    pub behind: Vec<DeliveryId>,
}

/// A delivery to send.
#[derive(Clone, Debug)]
pub struct DeliveryWork {
    /// Its id.
    pub id: DeliveryId,
    /// The event that it came from; with `output` it makes the `webhook-id`.
    pub event: EventId,
    /// Whose event it is.
    pub tenant: TenantId,
    /// Where to.
    pub destination: DestinationId,
    /// 0, or the place of the output after a split.
    pub output: u32,
    /// The type to announce: the output's, else the event's.
    pub event_type: String,
    /// The content type to announce: the output's, else the event's.
    pub content_type: String,
    /// What differs from the plain event.
    pub request: RequestParts,
    /// The key that orders it at its destination, if any.
    pub ordering_key: Option<OrderingKey>,
    /// The exact bytes to send.
    pub body: Bytes,
    /// The number of the next attempt, 1 for the first.
    pub number: u32,
    /// When its lifetime ends.
    pub ends_at: Timestamp,
    /// The right to send it.
    pub lease: Lease,
}

/// An attempt that has been made, with what comes after it.
#[derive(Clone, Debug)]
pub struct FinishedAttempt {
    /// Which delivery.
    pub delivery: DeliveryId,
    /// Where it was made.
    pub destination: DestinationId,
    /// The delivery's ordering key, if any: what follows under it is opened when this ends.
    pub ordering_key: Option<OrderingKey>,
    /// The right under which it was made.
    pub lease: Lease,
    /// What happened.
    pub attempt: Attempt,
    /// What comes next.
    pub next: NextStep,
}

/// How many deliveries of one destination a claim may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    /// The destination.
    pub destination: DestinationId,
    /// At most this many.
    pub count: u32,
}

/// A destination with deliveries that wait in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The destination.
    pub destination: DestinationId,
    /// When the first of them is due.
    pub due_at: Timestamp,
}

/// A place in the walk over the destinations that have deliveries waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitingCursor(pub(crate) i64);

/// Some of the destinations that have deliveries waiting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingPage {
    /// Each with its first due time. One may stand on two pages, with two times.
    pub waiting: Vec<Waiting>,
    /// Behind what the next page begins; nothing after the last.
    pub next: Option<WaitingCursor>,
}
