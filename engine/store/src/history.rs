//! Everything that happened to one event, as it is read back.

use weft_core::attempt::Attempt;
use weft_core::delivery::RequestParts;
use weft_core::event::{Event, EventType, Header};
use weft_core::id::{DeliveryId, DestinationId, EventId, ReplayId, TenantId};
use weft_core::name::Name;
use weft_core::time::Timestamp;
use weft_core::trace::PassTrace;

use crate::error::StoreError;
use crate::store::Store;

/// One event with all that was done for it.
#[derive(Clone, Debug)]
pub struct EventRecord {
    /// Its id.
    pub id: EventId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The tenant's name.
    pub tenant_name: Name,
    /// The way it came in.
    pub source: String,
    /// The sender's own id.
    pub external_id: Option<String>,
    /// The key that orders it.
    pub ordering_key: Option<String>,
    /// What happened.
    pub event_type: EventType,
    /// As the sender gave it.
    pub content_type: String,
    /// The inbound headers that were kept.
    pub headers: Vec<Header>,
    /// Length of the payload.
    pub body_bytes: u64,
    /// Its acceptance time.
    pub received_at: Timestamp,
    /// Where it stands.
    pub state: EventState,
    /// Whether it waits behind others of its ordering key.
    pub behind: bool,
    /// Every pass, of the event and of its replays, oldest first.
    pub passes: Vec<PassRecord>,
    /// Every replay of the event or of one of its deliveries, oldest first.
    pub replays: Vec<ReplayRecord>,
    /// Every delivery, oldest first.
    pub deliveries: Vec<DeliveryRecord>,
}

/// Where an event, or a replay of it, stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventState {
    /// It waits for a pass. Entered by `keep`, left by `finish_passes`.
    Received {
        /// How many passes it had.
        passes: u32,
        /// When the next one is due; of a leased one, when the lease ends.
        due_at: Timestamp,
        /// Whether somebody holds a lease on it.
        leased: bool,
    },
    /// Its deliveries are planned.
    Routed {
        /// Since when.
        at: Timestamp,
        /// How many deliveries.
        deliveries: u32,
    },
    /// It ended without a delivery.
    Dropped {
        /// Since when.
        at: Timestamp,
        /// By which step, if one did it.
        step: Option<String>,
        /// Why.
        reason: String,
    },
    /// It was given up.
    Dead {
        /// Since when.
        at: Timestamp,
        /// By which step, if one did it.
        step: Option<String>,
        /// Why.
        reason: String,
        /// The replay that took it over.
        replayed_by: Option<ReplayId>,
    },
}

/// One pass.
#[derive(Clone, Debug)]
pub struct PassRecord {
    /// The replay that it belongs to, if any.
    pub replay: Option<ReplayId>,
    /// 1 for the first of its event or replay.
    pub number: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// How it ended: `routed`, `dropped`, `dead` or `retry`.
    pub result: PassResult,
    /// What each step did.
    pub trace: PassTrace,
}

/// How a pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassResult {
    /// With deliveries.
    Routed,
    /// The event ended there.
    Dropped,
    /// The event was given up.
    Dead,
    /// Another pass follows.
    Retry,
}

impl PassResult {
    /// All results.
    pub const ALL: [Self; 4] = [Self::Routed, Self::Dropped, Self::Dead, Self::Retry];

    /// The word for this result in the tables and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Routed => "routed",
            Self::Dropped => "dropped",
            Self::Dead => "dead",
            Self::Retry => "retry",
        }
    }
}

/// One replay.
#[derive(Clone, Debug)]
pub struct ReplayRecord {
    /// Its id.
    pub id: ReplayId,
    /// The delivery that it repeats; `None` if it repeats the event.
    pub delivery: Option<DeliveryId>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Where it stands.
    pub state: EventState,
    /// Whether it waits behind others of its event's ordering key.
    pub behind: bool,
}

/// One delivery with its attempts.
#[derive(Clone, Debug)]
pub struct DeliveryRecord {
    /// Its id.
    pub id: DeliveryId,
    /// The replay that it belongs to, if any.
    pub replay: Option<ReplayId>,
    /// The pass that planned it; 0 if it was planned as the event was kept, or by a delivery's replay.
    pub pass: u32,
    /// 0, or the place of the output after a split.
    pub output: u32,
    /// Where to.
    pub destination: DestinationId,
    /// The destination's name.
    pub destination_name: Name,
    /// What differs from the plain event.
    pub request: RequestParts,
    /// The key that orders it at its destination.
    pub ordering_key: Option<String>,
    /// Length of the body.
    pub body_bytes: u64,
    /// When it was planned.
    pub planned_at: Timestamp,
    /// When its lifetime ends.
    pub ends_at: Timestamp,
    /// Where it stands.
    pub state: DeliveryState,
    /// Whether it waits behind others of its ordering key.
    pub behind: bool,
    /// Every attempt, first to last.
    pub attempts: Vec<Attempt>,
}

/// Where a delivery stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// It waits to be sent. Entered by `keep`, `finish_passes` and replays; left by `record`.
    Pending {
        /// When it is due; of a leased one, when the lease ends.
        due_at: Timestamp,
        /// Whether somebody holds a lease on it.
        leased: bool,
    },
    /// The receiver has accepted it.
    Delivered {
        /// When.
        at: Timestamp,
    },
    /// It was given up.
    Dead {
        /// Since when.
        at: Timestamp,
        /// Why: one of `DeadDelivery`.
        reason: String,
        /// The replay that took it over.
        replayed_by: Option<ReplayId>,
    },
    /// A step of its destination dropped it.
    Dropped {
        /// Since when.
        at: Timestamp,
        /// Why.
        reason: String,
    },
    /// A person gave it up.
    Cancelled {
        /// Since when.
        at: Timestamp,
        /// Why.
        reason: String,
    },
}

impl Store {
    /// Everything that is known about an event; nothing if it is another tenant's than `tenant`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn event(&self, tenant: Option<TenantId>, id: EventId) -> Result<Option<EventRecord>, StoreError> {
        match self {
            Self::Sqlite(store) => store.event(tenant, id).await,
            Self::Postgres(store) => store.event(tenant, id).await,
        }
    }

    /// A tenant's events as they were accepted, before `before`, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn events_before(&self, tenant: TenantId, before: EventId, limit: u32) -> Result<Vec<Event>, StoreError> {
        match self {
            Self::Sqlite(store) => store.events_before(tenant, before, limit).await,
            Self::Postgres(store) => store.events_before(tenant, before, limit).await,
        }
    }

    /// The event that a delivery came from; nothing if it is another tenant's than `tenant`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn event_of_delivery(
        &self,
        tenant: Option<TenantId>,
        id: DeliveryId,
    ) -> Result<Option<EventId>, StoreError> {
        match self {
            Self::Sqlite(store) => store.event_of_delivery(tenant, id).await,
            Self::Postgres(store) => store.event_of_delivery(tenant, id).await,
        }
    }
}
