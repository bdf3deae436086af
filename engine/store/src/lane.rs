//! Lanes: what waits under one ordering key, in the order in which it was accepted (promise 4).
//!
//! A lane holds the passes of one key of a tenant, or the deliveries of one key for a destination. Only its first row may be
//! leased or claimed; every other is *behind*: its `lease_owner` is [`BEHIND`], which no claim looks for. Whatever ends
//! the first one opens the next in the same commit, so that the order needs no lease of its own, and holds whatever
//! crashes and however many engines there are. Rows without a key know nothing of this.

use uuid::Uuid;
use weft_core::id::{DestinationId, TenantId};
use weft_core::ordering_key::OrderingKey;

use crate::work::{FinishedAttempt, FinishedPass, FirstWay, KeepEvent, NewDelivery};

/// The `lease_owner` of a row that waits behind another of its lane: no engine start has this number.
pub(crate) const BEHIND: i64 = -1;

/// The name of a lane, whatever the database: the id of the tenant or of the destination, and the key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Lane {
    owner: Uuid,
    key: OrderingKey,
}

impl Lane {
    /// The passes of a tenant under a key.
    pub(crate) fn of_passes(tenant: TenantId, key: &OrderingKey) -> Self {
        Self { owner: tenant.uuid(), key: key.clone() }
    }

    /// The deliveries for a destination under a key.
    pub(crate) fn of_deliveries(destination: DestinationId, key: &OrderingKey) -> Self {
        Self { owner: destination.uuid(), key: key.clone() }
    }

    /// A number below `count` that is the same on every engine, whatever its version (FNV-1a).
    pub(crate) fn stripe(&self, count: u32) -> u32 {
        let bytes = self.owner.as_bytes().iter().chain(self.key.as_str().as_bytes());
        let hash = bytes
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
        // Some of its bits know little of the last bytes: both halves together know all.
        u32::try_from((hash ^ hash >> 32) % u64::from(count)).unwrap_or_default()
    }
}

/// The lanes that keeping an event may enter.
pub(crate) fn entered_by_event(keep: &KeepEvent) -> impl Iterator<Item = Lane> {
    let event = &keep.new.event;
    let planned = match &keep.way {
        FirstWay::Routed(planned) => planned.as_slice(),
        FirstWay::Pass { .. } | FirstWay::NoDestination => &[],
    };
    event.ordering_key.iter().map(|key| Lane::of_passes(event.tenant, key)).chain(entered(planned))
}

/// The lanes that a pass leaves and that its deliveries enter.
pub(crate) fn touched_by_pass(pass: &FinishedPass) -> impl Iterator<Item = Lane> {
    let left = pass.ordering_key.iter().map(|key| Lane::of_passes(pass.tenant, key));
    left.chain(entered(crate::finish::planned(pass)))
}

/// The lane that a delivery may leave by an attempt.
pub(crate) fn left_by_attempt(made: &FinishedAttempt) -> Option<Lane> {
    made.ordering_key.as_ref().map(|key| Lane::of_deliveries(made.destination, key))
}

fn entered(planned: &[NewDelivery]) -> impl Iterator<Item = Lane> {
    planned.iter().filter_map(|new| Some(Lane::of_deliveries(new.destination, new.ordering_key.as_ref()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promise_4_every_engine_finds_a_lane_under_the_same_number() {
        let lane = |owner: u128, key: &str| {
            Lane::of_passes(TenantId::from_uuid(Uuid::from_u128(owner)), &key.parse().expect("a key")).stripe(512)
        };
        // Of an engine of another version, too: these numbers never change.
        assert_eq!([lane(1, "a"), lane(1, "b"), lane(2, "a")], [374, 399, 389]);
        let used: std::collections::HashSet<_> = (0..4_096).map(|n| lane(1, &format!("order-{n}"))).collect();
        assert!(used.len() > 500, "{} of 512", used.len());
    }
}
