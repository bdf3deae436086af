//! What Weft has given up on, as a list that can be paged through.

use weft_core::event::EventType;
use weft_core::id::{DeliveryId, DestinationId, EventId, ReplayId, TenantId};
use weft_core::time::Timestamp;

/// Which dead letters are wanted; everything that is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadLetterFilter {
    /// Whose.
    pub tenant: Option<TenantId>,
    /// Of which destination; leaves events out.
    pub destination: Option<DestinationId>,
    /// Events or deliveries.
    pub kind: Option<DeadLetterKind>,
    /// With exactly this reason.
    pub reason: Option<String>,
    /// Given up at this time or later.
    pub since: Option<Timestamp>,
    /// Given up before this time.
    pub until: Option<Timestamp>,
    /// Whether those that a replay has taken over are wanted as well.
    pub include_replayed: bool,
}

/// What kind of thing is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadLetterKind {
    /// An event.
    Event,
    /// A delivery.
    Delivery,
}

/// The place of a dead letter in the list: newest first, ids deciding between equals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadLetterCursor {
    /// When it was given up.
    pub at: Timestamp,
    /// The 16 bytes of its event's or delivery's id.
    pub id: [u8; 16],
}

/// Something that Weft has given up on.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// Whose.
    pub tenant: TenantId,
    /// The event, or the event of the delivery.
    pub event: EventId,
    /// The event's type.
    pub event_type: EventType,
    /// The delivery, if it is one.
    pub delivery: Option<DeadDeliveryLetter>,
    /// The step that gave up, if one did.
    pub step: Option<String>,
    /// Why.
    pub reason: String,
    /// Since when.
    pub at: Timestamp,
    /// The replay that took it over.
    pub replayed_by: Option<ReplayId>,
}

/// What only a dead delivery has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadDeliveryLetter {
    /// Its id.
    pub id: DeliveryId,
    /// Where to.
    pub destination: DestinationId,
    /// 0, or the place of the output after a split.
    pub output: u32,
    /// How many attempts it had.
    pub attempts: u32,
}

/// A part of the list.
#[derive(Clone, Debug, Default)]
pub struct DeadLetterPage {
    /// Newest first.
    pub letters: Vec<DeadLetter>,
    /// Where the list goes on, if it does.
    pub next: Option<DeadLetterCursor>,
}
