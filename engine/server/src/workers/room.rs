//! Room for events on their way in: from the first byte of a body to the commit, in events and in bytes.
//!
//! Connections are many and bodies large: without this, senders that outrun the disk would fill the memory with what waits
//! for a commit. A tenant gets a share of it, so that one that floods is told so while the others are taken in (promise 7).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use weft_core::id::TenantId;

/// How much may be on its way in at once.
#[derive(Clone, Copy, Debug)]
pub struct RoomLimits {
    /// Events. See [`weft_core::limits::INGEST_EVENTS`].
    pub events: usize,
    /// Bytes of their bodies. See [`weft_core::limits::INGEST_BYTES`].
    pub bytes: usize,
}

/// The room; cheap to clone.
#[derive(Clone, Debug)]
pub struct Room(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: RoomLimits,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    all: Load,
    tenants: HashMap<TenantId, Load>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Load {
    events: usize,
    bytes: usize,
}

/// The place of one event, given back when dropped.
#[derive(Debug)]
pub struct Place {
    room: Room,
    tenant: TenantId,
    bytes: usize,
}

/// Why there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoom {
    /// The tenant has taken its share.
    OfTenant,
    /// All tenants together have taken everything.
    OfAll,
}

impl Room {
    /// An empty room.
    pub fn new(limits: RoomLimits) -> Self {
        Self(Arc::new(Shared { limits, state: Mutex::default() }))
    }

    /// Takes a place for an event whose body is still to be read.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn enter(&self, tenant: TenantId) -> Result<Place, NoRoom> {
        self.lock().exchange(tenant, Load::default(), Load { events: 1, bytes: 0 }, self.0.limits)?;
        Ok(Place { room: self.clone(), tenant, bytes: 0 })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock is held cannot leave the counts half changed: no code of others runs under it.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RoomLimits {
    /// What one tenant may take: half, so that there is always room for another.
    const fn of_tenant(self) -> Self {
        Self { events: self.events.div_ceil(2), bytes: self.bytes.div_ceil(2) }
    }
}

impl State {
    /// Puts `new` in the place of `old`, if there is room for it.
    fn exchange(&mut self, tenant: TenantId, old: Load, new: Load, limits: RoomLimits) -> Result<(), NoRoom> {
        let of_tenant = self.tenants.get(&tenant).copied().unwrap_or_default().without(old);
        if !of_tenant.has_room(new, limits.of_tenant()) {
            return Err(NoRoom::OfTenant);
        }
        let all = self.all.without(old);
        if !all.has_room(new, limits) {
            return Err(NoRoom::OfAll);
        }
        self.all = all.with(new);
        self.tenants.insert(tenant, of_tenant.with(new));
        Ok(())
    }

    fn give_back(&mut self, tenant: TenantId, old: Load) {
        self.all = self.all.without(old);
        if let Some(of_tenant) = self.tenants.get_mut(&tenant) {
            *of_tenant = of_tenant.without(old);
            if of_tenant.events == 0 {
                self.tenants.remove(&tenant);
            }
        }
    }
}

impl Load {
    /// One body may be larger than the whole allowance: it passes when it is alone.
    const fn has_room(self, more: Self, limits: RoomLimits) -> bool {
        let bytes_fit = more.bytes == 0 || self.bytes == 0 || self.bytes + more.bytes <= limits.bytes;
        self.events + more.events <= limits.events && bytes_fit
    }

    const fn with(self, more: Self) -> Self {
        Self { events: self.events + more.events, bytes: self.bytes + more.bytes }
    }

    const fn without(self, less: Self) -> Self {
        Self { events: self.events - less.events, bytes: self.bytes - less.bytes }
    }
}

impl Place {
    /// Makes the place large enough for a body of `bytes`; it never becomes smaller.
    ///
    /// # Errors
    /// [`NoRoom`]; the place stays as large as it was.
    pub fn hold(&mut self, bytes: usize) -> Result<(), NoRoom> {
        if bytes <= self.bytes {
            return Ok(());
        }
        let of_bodies = |bytes| Load { events: 0, bytes };
        let limits = self.room.0.limits;
        self.room.lock().exchange(self.tenant, of_bodies(self.bytes), of_bodies(bytes), limits)?;
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.lock().give_back(self.tenant, Load { events: 1, bytes: self.bytes });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const LIMITS: RoomLimits = RoomLimits { events: 4, bytes: 100 };

    fn tenant(number: u128) -> TenantId {
        TenantId::from_uuid(Uuid::from_u128(number))
    }

    fn enter(room: &Room, number: u128, bytes: usize) -> Result<Place, NoRoom> {
        let mut place = room.enter(tenant(number))?;
        place.hold(bytes)?;
        Ok(place)
    }

    #[test]
    fn promise_7_a_tenant_gets_half_and_is_told_so_while_others_come_in() {
        let room = Room::new(LIMITS);
        let _first = enter(&room, 1, 30).expect("room");
        assert_eq!(enter(&room, 1, 30).expect_err("60 of 50"), NoRoom::OfTenant);
        let _second = enter(&room, 1, 20).expect("room");
        assert_eq!(room.enter(tenant(1)).expect_err("three of two"), NoRoom::OfTenant);
        let _other = enter(&room, 2, 50).expect("the other half");
        assert_eq!(enter(&room, 3, 1).expect_err("101 of 100"), NoRoom::OfAll);
    }

    #[test]
    fn what_leaves_makes_room_in_events_and_in_bytes() {
        let room = Room::new(LIMITS);
        let places: Vec<_> = (1..=4).map(|number| enter(&room, number, 25).expect("room")).collect();
        assert_eq!(room.enter(tenant(5)).expect_err("five of four"), NoRoom::OfAll);
        drop(places);
        assert!(room.lock().tenants.is_empty(), "a tenant that is gone costs nothing");
        let _whole = enter(&room, 1, 50).expect("room");
    }

    #[test]
    fn a_body_larger_than_everything_passes_alone_and_grows_in_its_place() {
        let room = Room::new(LIMITS);
        let mut large = enter(&room, 1, 40).expect("room");
        large.hold(500).expect("it is alone");
        large.hold(10).expect("a smaller one fits in");
        assert_eq!(enter(&room, 2, 1).expect_err("nothing fits beside it"), NoRoom::OfAll);
        drop(large);
        let _small = enter(&room, 2, 1).expect("room again");
    }

    #[test]
    fn a_place_that_cannot_grow_stays_as_it_was() {
        let room = Room::new(LIMITS);
        let _other = enter(&room, 2, 50).expect("room");
        let _beside = enter(&room, 1, 20).expect("room");
        let mut place = enter(&room, 1, 20).expect("room");
        assert_eq!(place.hold(31), Err(NoRoom::OfTenant));
        place.hold(30).expect("what was left");
        drop(place);
        let _again = enter(&room, 1, 30).expect("everything came back");
    }
}
