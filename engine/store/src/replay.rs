//! Asking for something that has ended to be done again.

use weft_core::id::{DeliveryId, EventId, ReplayId, TenantId};
use weft_core::time::Timestamp;

/// A dead delivery to send again: the same output, destination, body and `webhook-id`, as a delivery of its own.
#[derive(Clone, Copy, Debug)]
pub struct NewDeliveryReplay {
    /// The id of the replay, made by the clock.
    pub replay: ReplayId,
    /// The dead delivery.
    pub delivery: DeliveryId,
    /// The id of the delivery to make, made by the clock.
    pub new_delivery: DeliveryId,
    /// Whose it must be; `None` when the operator asks.
    pub tenant: Option<TenantId>,
    /// When it was asked for; the new delivery is due at once, and lives as long as the dead one did.
    pub planned_at: Timestamp,
}

/// A dead event to run through the pipeline again.
#[derive(Clone, Copy, Debug)]
pub struct NewEventReplay {
    /// The id of the replay, made by the clock.
    pub replay: ReplayId,
    /// The dead event.
    pub event: EventId,
    /// Whose it must be; `None` when the operator asks.
    pub tenant: Option<TenantId>,
}

/// What became of a wish for a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::enum_variant_names, reason = "`Already` alone would not say what")]
pub enum Replayed {
    /// It is stored, and waits to be done.
    Started,
    /// There is no such event or delivery, or it is another tenant's.
    NotFound,
    /// Only what is dead can be replayed.
    NotDead {
        /// The state that it is in.
        state: String,
    },
    /// An earlier replay has taken it over.
    AlreadyReplayed(ReplayId),
}
