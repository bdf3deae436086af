//! Deliveries that go on from memory: a bounded queue for each destination, served in turn.
//!
//! A place is reserved before the commit that stores a delivery, so that what has been stored with a lease always finds
//! its place; where none is free, the delivery is stored without a lease and waits in the store. Destinations take turns,
//! and none has more attempts under way than its share: one that hangs holds up its own queue only (promise 7).

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use weft_core::id::DestinationId;
use weft_store::work::DeliveryWork;

/// How much may wait in memory and be under way.
#[derive(Clone, Copy, Debug)]
pub struct OutboxLimits {
    /// Deliveries waiting or reserved.
    pub waiting: usize,
    /// Deliveries of one destination waiting or reserved.
    pub waiting_per_destination: usize,
    /// Bytes of bodies waiting or reserved.
    pub bytes: usize,
    /// Attempts under way.
    pub attempts: usize,
    /// Attempts under way to one destination.
    pub attempts_per_destination: usize,
}

/// The queue; cheap to clone.
#[derive(Clone)]
pub struct Outbox(Arc<Shared>);

struct Shared {
    limits: OutboxLimits,
    state: Mutex<State>,
    // Told when a delivery may have become ready or the outbox was closed.
    ready: Notify,
    // Told when places have become free.
    drained: Notify,
}

#[derive(Default)]
struct State {
    lanes: HashMap<DestinationId, Lane>,
    // Destinations that have a delivery waiting and an attempt free, each once.
    turns: VecDeque<DestinationId>,
    places: usize,
    bytes: usize,
    attempts: usize,
    // Some deliveries wait in the store because the whole outbox was full.
    was_full: bool,
    closed: bool,
}

#[derive(Default)]
struct Lane {
    queue: VecDeque<DeliveryWork>,
    // Waiting and reserved.
    places: usize,
    attempts: usize,
    in_turn: bool,
    // Some deliveries of this destination wait in the store because there was no place; later ones queue behind them.
    overflowed: bool,
}

/// A place for one delivery, given back when dropped unused.
pub struct Reservation {
    outbox: Outbox,
    destination: DestinationId,
    bytes: usize,
    used: bool,
}

/// The right to one attempt, given back when dropped.
pub struct AttemptSlot {
    outbox: Outbox,
    destination: DestinationId,
}

impl Outbox {
    /// An empty outbox.
    pub fn new(limits: OutboxLimits) -> Self {
        Self(Arc::new(Shared { limits, state: Mutex::default(), ready: Notify::new(), drained: Notify::new() }))
    }

    /// Reserves a place for a delivery about to be stored; `None` if it must wait in the store.
    pub fn reserve(&self, destination: DestinationId, bytes: usize) -> Option<Reservation> {
        let mut state = self.lock();
        let lane = state.lanes.entry(destination).or_default();
        if lane.overflowed || !state.occupy(destination, bytes, &self.0.limits) {
            return None;
        }
        Some(Reservation { outbox: self.clone(), destination, bytes, used: false })
    }

    /// Reserves places for deliveries that a claim is about to take out of the store: up to `count` of them.
    ///
    /// What waits in the store is first in line, so an overflow does not stand in its way. Bodies are counted when the
    /// places are filled.
    pub fn reserve_for_claim(&self, destination: DestinationId, count: usize) -> Vec<Reservation> {
        let mut state = self.lock();
        let occupied = (0..count).take_while(|_| state.occupy(destination, 0, &self.0.limits)).count();
        drop(state);
        let reservation = |_| Reservation { outbox: self.clone(), destination, bytes: 0, used: false };
        (0..occupied).map(reservation).collect()
    }

    /// Says that more of this destination may be due in the store than has been claimed.
    pub fn fell_behind(&self, destination: DestinationId) {
        self.lock().lanes.entry(destination).or_default().overflowed = true;
    }

    /// Says that everything of this destination that was due in the store has been claimed.
    pub fn caught_up(&self, destination: DestinationId) {
        let mut state = self.lock();
        if let Some(lane) = state.lanes.get_mut(&destination) {
            lane.overflowed = false;
            state.forget_if_idle(destination);
        }
    }

    /// Whether deliveries of this destination wait in the store for want of a place.
    pub fn is_behind(&self, destination: DestinationId) -> bool {
        self.lock().lanes.get(&destination).is_some_and(|lane| lane.overflowed)
    }

    /// Deliveries waiting or reserved in memory.
    pub fn waiting(&self) -> usize {
        self.lock().places
    }

    /// Waits until a claim is worth its cost: something waits in the store, and half of the places that it lacked are free.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn drained(&self) {
        self.0.drained.notified().await;
    }

    /// Takes the next delivery whose destination has its turn; `None` once the outbox is closed.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn take(&self) -> Option<(DeliveryWork, AttemptSlot)> {
        loop {
            {
                let mut state = self.lock();
                if state.closed {
                    return None;
                }
                if let Some(work) = state.take(&self.0.limits) {
                    if state.claim_is_worth_it(work.destination, &self.0.limits) {
                        self.0.drained.notify_one();
                    }
                    let slot = AttemptSlot { outbox: self.clone(), destination: work.destination };
                    return Some((work, slot));
                }
            }
            // A wake-up between looking and waiting is not lost: `notify_one` leaves a permit.
            self.0.ready.notified().await;
        }
    }

    /// Closes the outbox and hands back what waits in it; `take` answers `None` from then on.
    pub fn close(&self) -> Vec<DeliveryWork> {
        let mut state = self.lock();
        state.closed = true;
        let waiting = state.lanes.values_mut().flat_map(|lane| lane.queue.drain(..)).collect();
        self.0.ready.notify_one();
        waiting
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock is held cannot leave the counts half changed: no code of others runs under it.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn vacate(&self, destination: DestinationId, bytes: usize) {
        let mut state = self.lock();
        state.vacate(destination, bytes);
        if state.claim_is_worth_it(destination, &self.0.limits) {
            self.0.drained.notify_one();
        }
    }
}

impl State {
    /// Takes a place; if there is none, remembers that the destination has fallen behind.
    fn occupy(&mut self, destination: DestinationId, bytes: usize, limits: &OutboxLimits) -> bool {
        // One body may be larger than the whole allowance: it passes when it is alone.
        let has_room = self.places < limits.waiting && (self.bytes == 0 || self.bytes + bytes <= limits.bytes);
        let lane = self.lanes.entry(destination).or_default();
        if self.closed || !has_room || lane.places >= limits.waiting_per_destination {
            lane.overflowed = true;
            self.was_full |= !has_room;
            return false;
        }
        lane.places += 1;
        self.places += 1;
        self.bytes += bytes;
        true
    }

    /// Whether a place of `destination` that has become free makes a claim worth its cost.
    fn claim_is_worth_it(&mut self, destination: DestinationId, limits: &OutboxLimits) -> bool {
        if self.places * 2 > limits.waiting {
            return false;
        }
        let lane_drained = |lane: &Lane| lane.overflowed && lane.places * 2 <= limits.waiting_per_destination;
        std::mem::take(&mut self.was_full) || self.lanes.get(&destination).is_some_and(lane_drained)
    }

    fn vacate(&mut self, destination: DestinationId, bytes: usize) {
        self.places -= 1;
        self.bytes -= bytes;
        if let Some(lane) = self.lanes.get_mut(&destination) {
            lane.places -= 1;
            self.forget_if_idle(destination);
        }
    }

    fn take(&mut self, limits: &OutboxLimits) -> Option<DeliveryWork> {
        if self.attempts >= limits.attempts {
            return None;
        }
        let destination = self.turns.pop_front()?;
        let lane = self.lanes.get_mut(&destination)?;
        lane.in_turn = false;
        let work = lane.queue.pop_front()?;
        lane.attempts += 1;
        self.attempts += 1;
        self.line_up(destination, limits);
        self.vacate(destination, work.body.len());
        Some(work)
    }

    /// Gives a destination its turn if it can use one.
    fn line_up(&mut self, destination: DestinationId, limits: &OutboxLimits) -> bool {
        let Some(lane) = self.lanes.get_mut(&destination) else { return false };
        if lane.in_turn || lane.queue.is_empty() || lane.attempts >= limits.attempts_per_destination {
            return false;
        }
        lane.in_turn = true;
        self.turns.push_back(destination);
        true
    }

    fn forget_if_idle(&mut self, destination: DestinationId) {
        let idle = |lane: &Lane| lane.places == 0 && lane.attempts == 0 && !lane.overflowed;
        if self.lanes.get(&destination).is_some_and(idle) {
            self.lanes.remove(&destination);
        }
    }
}

impl Reservation {
    /// Puts the delivery into its place.
    pub fn fill(mut self, work: DeliveryWork) {
        let outbox = self.outbox.clone();
        self.used = true;
        let mut state = outbox.lock();
        // A claim reserves before it knows the body.
        state.bytes = state.bytes - self.bytes + work.body.len();
        let Some(lane) = state.lanes.get_mut(&self.destination) else { return };
        lane.queue.push_back(work);
        if state.line_up(self.destination, &outbox.0.limits) {
            outbox.0.ready.notify_one();
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if !self.used {
            self.outbox.vacate(self.destination, self.bytes);
        }
    }
}

impl Drop for AttemptSlot {
    fn drop(&mut self) {
        let mut state = self.outbox.lock();
        state.attempts -= 1;
        if let Some(lane) = state.lanes.get_mut(&self.destination) {
            lane.attempts -= 1;
        }
        state.line_up(self.destination, &self.outbox.0.limits);
        state.forget_if_idle(self.destination);
        if !state.turns.is_empty() {
            self.outbox.0.ready.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use uuid::Uuid;
    use weft_core::delivery::RequestParts;
    use weft_core::id::{DeliveryId, EventId, TenantId};
    use weft_core::time::Timestamp;
    use weft_store::work::Lease;

    const LIMITS: OutboxLimits =
        OutboxLimits { waiting: 6, waiting_per_destination: 4, bytes: 100, attempts: 3, attempts_per_destination: 2 };

    fn destination(number: u128) -> DestinationId {
        DestinationId::from_uuid(Uuid::from_u128(number))
    }

    fn work(number: u128) -> DeliveryWork {
        DeliveryWork {
            id: DeliveryId::from_uuid(Uuid::from_u128(7)),
            event: EventId::from_uuid(Uuid::from_u128(7)),
            tenant: TenantId::from_uuid(Uuid::from_u128(7)),
            destination: destination(number),
            output: 0,
            event_type: "a".to_owned(),
            content_type: "text/plain".to_owned(),
            request: RequestParts::default(),
            body: Bytes::from_static(b"0123456789"),
            number: 1,
            ends_at: Timestamp::from_ms(0),
            lease: Lease { owner: 1, until: Timestamp::from_ms(0) },
        }
    }

    fn put(outbox: &Outbox, number: u128) -> bool {
        outbox.reserve(destination(number), 10).map(|place| place.fill(work(number))).is_some()
    }

    async fn next(outbox: &Outbox) -> (DestinationId, AttemptSlot) {
        let (work, slot) = outbox.take().await.expect("open");
        (work.destination, slot)
    }

    #[tokio::test]
    async fn promise_7_destinations_take_turns_and_none_takes_all_attempts() {
        let outbox = Outbox::new(LIMITS);
        for number in [1, 1, 1, 2] {
            assert!(put(&outbox, number));
        }
        let (first, _one) = next(&outbox).await;
        let (second, _two) = next(&outbox).await;
        let (third, _three) = next(&outbox).await;
        assert_eq!([first, second, third], [destination(1), destination(2), destination(1)]);
        assert_eq!(outbox.waiting(), 1, "the third of destination 1 waits for a slot");
    }

    #[tokio::test]
    async fn a_slot_that_is_given_back_lets_the_next_attempt_begin() {
        let outbox = Outbox::new(LIMITS);
        for _ in 0..3 {
            assert!(put(&outbox, 1));
        }
        let slots = (next(&outbox).await, next(&outbox).await);
        let waiting = tokio::spawn({
            let outbox = outbox.clone();
            async move { outbox.take().await.is_some() }
        });
        drop(slots);
        assert!(waiting.await.expect("the taker returns"));
    }

    #[tokio::test]
    async fn what_finds_no_place_waits_in_the_store_and_later_ones_behind_it() {
        let outbox = Outbox::new(LIMITS);
        for _ in 0..4 {
            assert!(put(&outbox, 1));
        }
        assert!(!put(&outbox, 1), "the destination's places are taken");
        let _taken = (next(&outbox).await, next(&outbox).await);
        assert!(!put(&outbox, 1), "a later one may not overtake what waits in the store");
        assert!(put(&outbox, 2), "another destination has places");
        outbox.drained().await;
        assert!(outbox.is_behind(destination(1)));
        outbox.caught_up(destination(1));
        assert!(put(&outbox, 1));
        assert!(!outbox.is_behind(destination(1)));
    }

    #[test]
    fn a_place_that_is_not_used_is_given_back() {
        let outbox = Outbox::new(LIMITS);
        drop(outbox.reserve(destination(1), 100));
        assert_eq!(outbox.waiting(), 0);
        assert!(outbox.reserve(destination(1), 100).is_some());
    }

    #[test]
    fn bodies_are_bounded_but_a_single_large_one_passes() {
        let outbox = Outbox::new(LIMITS);
        let large = outbox.reserve(destination(1), 5_000);
        assert!(large.is_some());
        assert!(outbox.reserve(destination(2), 1).is_none());
    }

    #[tokio::test]
    async fn closing_hands_back_what_waits() {
        let outbox = Outbox::new(LIMITS);
        assert!(put(&outbox, 1) && put(&outbox, 2));
        assert_eq!(outbox.close().len(), 2);
        assert!(outbox.take().await.is_none());
        assert!(outbox.reserve(destination(1), 1).is_none());
    }
}
