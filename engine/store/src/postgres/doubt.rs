//! What is leased and in nobody's memory, because a commit failed.
//!
//! If the answer to a COMMIT is lost with its connection, the caller is told that it failed, and keeps nothing of it in memory. The rows
//! may be there all the same, leased by this engine, and nobody would work on them until the lease ends. So the writer remembers
//! what it leased, and what it was asked to give back and could not, and gives it back on the next connection.

use uuid::Uuid;
use weft_core::id::{DeliveryId, EventId, ReplayId};

use crate::finish;
use crate::work::{FinishedPass, FirstWay, KeepEvent, Lease, NewDelivery, PassKey};
use crate::writer::Claimed;

/// Leases of rows. Those of a row that is not there, or no longer leased like that, mean nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Leased {
    pub(super) passes: Vec<(PassKey, Lease)>,
    pub(super) deliveries: Vec<(DeliveryId, Lease)>,
}

impl Leased {
    pub(super) const fn is_empty(&self) -> bool {
        self.passes.is_empty() && self.deliveries.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.passes.clear();
        self.deliveries.clear();
    }

    /// Takes over what `other` holds.
    pub(super) fn append(&mut self, other: &mut Self) {
        self.passes.append(&mut other.passes);
        self.deliveries.append(&mut other.deliveries);
    }

    /// What keeping an event leases.
    pub(super) fn by_event(&mut self, keep: &KeepEvent) {
        match &keep.way {
            FirstWay::Pass { lease: Some(lease) } => {
                self.passes.push((PassKey { event: keep.new.event.id, replay: None }, *lease));
            }
            FirstWay::Routed(planned) => self.by_plan(planned),
            FirstWay::Pass { lease: None } | FirstWay::NoDestination => {}
        }
    }

    /// What a finished pass leases.
    pub(super) fn by_pass(&mut self, pass: &FinishedPass) {
        self.by_plan(finish::planned(pass));
    }

    /// What a claim of passes leases.
    pub(super) fn by_claim_of_passes(&mut self, claimed: &Claimed<Uuid>, lease: Lease) {
        let event = |id: &Uuid| PassKey { event: EventId::from_uuid(*id), replay: None };
        // A replay's row is found by its own id alone.
        let replay = |id: &Uuid| PassKey { event: EventId::from_uuid(*id), replay: Some(ReplayId::from_uuid(*id)) };
        let keys = claimed.events.iter().map(event).chain(claimed.replays.iter().map(replay));
        self.passes.extend(keys.map(|key| (key, lease)));
    }

    /// What a claim of deliveries leases.
    pub(super) fn by_claim(&mut self, claimed: &[Uuid], lease: Lease) {
        self.deliveries.extend(claimed.iter().map(|id| (DeliveryId::from_uuid(*id), lease)));
    }

    fn by_plan(&mut self, planned: &[NewDelivery]) {
        self.deliveries.extend(planned.iter().filter_map(|new| Some((new.id, new.lease?))));
    }
}
