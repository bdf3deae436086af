//! Events that go on from memory to the plugin threads: bounded, tenants in turn.
//!
//! The takers are plain threads, because a guest may compute for its whole time limit. While there is more than one
//! thread, a tenant never holds the last free one (promise 5: a spinning plugin costs the other tenants next to nothing).

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use weft_core::id::TenantId;
use weft_store::work::PassWork;

/// The queue; cheap to clone.
#[derive(Clone)]
pub struct PassQueue(Arc<Shared>);

struct Shared {
    // Waiting and reserved.
    places_max: usize,
    // Passes of one tenant under way.
    running_per_tenant: usize,
    state: Mutex<State>,
    ready: Condvar,
    drained: Notify,
}

#[derive(Default)]
struct State {
    lanes: HashMap<TenantId, Lane>,
    turns: VecDeque<TenantId>,
    places: usize,
    overflowed: bool,
    closed: bool,
}

#[derive(Default)]
struct Lane {
    queue: VecDeque<PassWork>,
    running: usize,
    in_turn: bool,
}

/// A place for one pass, given back when dropped unused.
pub struct PassReservation(Option<PassQueue>);

/// The right to run one pass, given back when dropped.
pub struct PassSlot {
    queue: PassQueue,
    tenant: TenantId,
}

impl PassQueue {
    /// An empty queue for `threads` takers with `places_max` places.
    pub fn new(places_max: usize, threads: usize) -> Self {
        Self(Arc::new(Shared {
            places_max,
            running_per_tenant: threads.saturating_sub(1).max(1),
            state: Mutex::default(),
            ready: Condvar::new(),
            drained: Notify::new(),
        }))
    }

    /// Reserves a place for an event about to be stored; `None` if it must wait in the store.
    ///
    /// While events wait in the store, later ones queue behind them.
    pub fn reserve(&self) -> Option<PassReservation> {
        let mut state = self.lock();
        if state.closed || state.overflowed || state.places >= self.0.places_max {
            state.overflowed = true;
            return None;
        }
        state.places += 1;
        Some(PassReservation(Some(self.clone())))
    }

    /// Reserves up to `count` places for events that a claim is about to take out of the store.
    pub fn reserve_for_claim(&self, count: usize) -> Vec<PassReservation> {
        let mut state = self.lock();
        let free = if state.closed { 0 } else { self.0.places_max.saturating_sub(state.places) };
        let count = count.min(free);
        state.places += count;
        (0..count).map(|_| PassReservation(Some(self.clone()))).collect()
    }

    /// Says that more may be due in the store than has been claimed.
    pub fn fell_behind(&self) {
        self.lock().overflowed = true;
    }

    /// Says that everything that was due in the store has been claimed.
    pub fn caught_up(&self) {
        self.lock().overflowed = false;
    }

    /// Passes waiting or reserved in memory.
    pub fn waiting(&self) -> usize {
        self.lock().places
    }

    /// Waits until a claim is wanted: something waits in the store and half of the places are free.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn drained(&self) {
        self.0.drained.notified().await;
    }

    /// Takes the next pass whose tenant has its turn; blocks until there is one, `None` once the queue is closed.
    pub fn take(&self) -> Option<(PassWork, PassSlot)> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some((work, tenant)) = state.take(self.0.running_per_tenant) {
                if state.overflowed && state.places * 2 <= self.0.places_max {
                    self.0.drained.notify_one();
                }
                return Some((work, PassSlot { queue: self.clone(), tenant }));
            }
            state = self.0.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Closes the queue and hands back what waits in it; `take` answers `None` from then on.
    pub fn close(&self) -> Vec<PassWork> {
        let mut state = self.lock();
        state.closed = true;
        let waiting = state.lanes.values_mut().flat_map(|lane| lane.queue.drain(..)).collect();
        self.0.ready.notify_all();
        waiting
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock is held cannot leave the counts half changed: no code of others runs under it.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, running_per_tenant: usize) -> Option<(PassWork, TenantId)> {
        let tenant = self.turns.pop_front()?;
        let lane = self.lanes.get_mut(&tenant)?;
        lane.in_turn = false;
        let work = lane.queue.pop_front()?;
        lane.running += 1;
        self.places -= 1;
        self.line_up(tenant, running_per_tenant);
        Some((work, tenant))
    }

    /// Gives a tenant its turn if it can use one.
    fn line_up(&mut self, tenant: TenantId, running_per_tenant: usize) {
        let Some(lane) = self.lanes.get_mut(&tenant) else { return };
        if !lane.in_turn && !lane.queue.is_empty() && lane.running < running_per_tenant {
            lane.in_turn = true;
            self.turns.push_back(tenant);
        }
    }
}

impl PassReservation {
    /// Puts the pass into its place.
    pub fn fill(mut self, work: PassWork) {
        let Some(queue) = self.0.take() else { return };
        let tenant = work.event.tenant;
        let mut state = queue.lock();
        state.lanes.entry(tenant).or_default().queue.push_back(work);
        state.line_up(tenant, queue.0.running_per_tenant);
        queue.0.ready.notify_one();
    }
}

impl Drop for PassReservation {
    fn drop(&mut self) {
        if let Some(queue) = &self.0 {
            queue.lock().places -= 1;
        }
    }
}

impl Drop for PassSlot {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        if let Some(lane) = state.lanes.get_mut(&self.tenant) {
            lane.running -= 1;
            if lane.running == 0 && lane.queue.is_empty() {
                state.lanes.remove(&self.tenant);
            }
        }
        state.line_up(self.tenant, self.queue.0.running_per_tenant);
        self.queue.0.ready.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;
    use weft_core::event::Event;
    use weft_core::id::EventId;
    use weft_core::time::Timestamp;
    use weft_store::work::Lease;

    fn work(tenant: u128) -> PassWork {
        PassWork {
            event: Arc::new(Event {
                id: EventId::from_uuid(Uuid::from_u128(1)),
                tenant: TenantId::from_uuid(Uuid::from_u128(tenant)),
                source: "api".to_owned(),
                external_id: None,
                event_type: "a".parse().expect("a type"),
                content_type: "text/plain".to_owned(),
                headers: vec![],
                body: bytes::Bytes::new(),
                received_at: Timestamp::from_ms(0),
            }),
            replay: None,
            number: 1,
            lease: Lease { owner: 1, until: Timestamp::from_ms(0) },
        }
    }

    fn put(queue: &PassQueue, tenant: u128) -> bool {
        queue.reserve().map(|place| place.fill(work(tenant))).is_some()
    }

    #[test]
    fn promise_7_a_tenant_never_holds_the_last_free_thread() {
        let queue = PassQueue::new(10, 2);
        assert!(put(&queue, 1) && put(&queue, 1) && put(&queue, 2));
        let (_, _first) = queue.take().expect("open");
        let (second, _other) = queue.take().expect("open");
        assert_eq!(second.event.tenant, TenantId::from_uuid(Uuid::from_u128(2)));
    }

    #[test]
    fn a_slot_that_is_given_back_lets_the_tenants_next_pass_begin() {
        let queue = PassQueue::new(10, 2);
        assert!(put(&queue, 1) && put(&queue, 1));
        let first = queue.take().expect("open");
        drop(first);
        assert!(queue.take().is_some());
    }

    #[tokio::test]
    async fn what_finds_no_place_waits_in_the_store_and_later_ones_behind_it() {
        let queue = PassQueue::new(2, 2);
        assert!(put(&queue, 1) && put(&queue, 1));
        assert!(!put(&queue, 1));
        let _taken = queue.take().expect("open");
        assert!(!put(&queue, 2), "a later event may not overtake what waits in the store");
        queue.drained().await;
        queue.caught_up();
        assert!(put(&queue, 2));
    }

    #[test]
    fn closing_hands_back_what_waits() {
        let queue = PassQueue::new(2, 2);
        assert!(put(&queue, 1));
        assert_eq!(queue.close().len(), 1);
        assert!(queue.take().is_none());
    }
}
