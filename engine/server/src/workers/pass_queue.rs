//! Events that go on from memory to the plugin threads: bounded, tenants in turn.
//!
//! The takers are plain threads, because a guest may compute for its whole time limit. While there is more than one
//! thread, a tenant never holds the last free one (promise 5: a spinning plugin costs the other tenants next to nothing).
//!
//! Bodies are bounded twice by the same number of bytes: those that wait here, and those that were taken and whose pass is not
//! in the store yet. The threads take nothing more while a slow store leaves them with too much of what they have made.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use weft_core::id::TenantId;
use weft_store::work::PassWork;

use crate::workers::ready::Ready;

/// The queue; cheap to clone.
#[derive(Clone)]
pub struct PassQueue(Arc<Shared>);

/// How much may wait in memory and be under way.
#[derive(Clone, Copy, Debug)]
pub struct PassLimits {
    /// Passes waiting or reserved.
    pub waiting: usize,
    /// Bytes of bodies: waiting or reserved, and as much again under way.
    pub bytes: usize,
    /// Threads that take.
    pub threads: usize,
}

struct Shared {
    limits: PassLimits,
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
    bytes: usize,
    // Taken, and not in the store yet.
    bytes_under_way: usize,
    ready: Ready,
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
pub struct PassReservation {
    // `None` once it is filled.
    queue: Option<PassQueue>,
    bytes: usize,
}

/// The right to run one pass, given back when dropped.
pub struct PassSlot {
    queue: PassQueue,
    tenant: TenantId,
}

/// The bytes of a pass that has been taken, given back when dropped: once its end is in the store.
pub struct PassBytes {
    queue: PassQueue,
    bytes: usize,
}

/// A pass to run, with what is given back when it has run and when it is stored.
pub struct TakenPass {
    /// The pass.
    pub work: PassWork,
    /// Its tenant's turn.
    pub slot: PassSlot,
    /// What it holds in memory.
    pub bytes: PassBytes,
}

impl PassQueue {
    /// An empty queue.
    pub fn new(limits: PassLimits) -> Self {
        Self(Arc::new(Shared {
            limits,
            running_per_tenant: limits.threads.saturating_sub(1).max(1),
            state: Mutex::default(),
            ready: Condvar::new(),
            drained: Notify::new(),
        }))
    }

    /// Reserves a place for an event about to be stored, with a body of `bytes`; `None` if it must wait in the store.
    ///
    /// While events wait in the store, later ones queue behind them.
    pub fn reserve(&self, bytes: usize) -> Option<PassReservation> {
        let mut state = self.lock();
        let limits = self.0.limits;
        // One body may be larger than the whole allowance: it passes when it is alone.
        let has_room = state.places < limits.waiting && (state.bytes == 0 || state.bytes + bytes <= limits.bytes);
        if state.closed || state.overflowed || !has_room {
            state.overflowed = true;
            return None;
        }
        state.places += 1;
        state.bytes += bytes;
        Some(PassReservation { queue: Some(self.clone()), bytes })
    }

    /// Reserves up to `count` places for events that a claim is about to take out of the store. Bodies are counted when the
    /// places are filled.
    pub fn reserve_for_claim(&self, count: usize) -> Vec<PassReservation> {
        let mut state = self.lock();
        let limits = self.0.limits;
        let is_full = state.closed || state.bytes >= limits.bytes;
        let free = if is_full { 0 } else { limits.waiting.saturating_sub(state.places) };
        let count = count.min(free);
        state.places += count;
        (0..count).map(|_| PassReservation { queue: Some(self.clone()), bytes: 0 }).collect()
    }

    /// Says that more may be due in the store than has been claimed.
    pub fn fell_behind(&self) {
        self.lock().overflowed = true;
    }

    /// Says that everything that was due in the store has been claimed.
    pub fn caught_up(&self) {
        self.lock().overflowed = false;
    }

    /// Waits until the tenant's events are no longer taken in faster than their passes begin.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn keeps_up(&self, tenant: TenantId) {
        loop {
            let Some(relief) = self.lock().ready.relief(tenant) else { return };
            relief.await;
        }
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

    /// Takes the next pass whose tenant has its turn; blocks until there is one and what was taken before it is in the store as
    /// far as it must be. `None` once the queue is closed.
    pub fn take(&self) -> Option<TakenPass> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(work) = state.take(self.0.running_per_tenant, self.0.limits) {
                if state.overflowed && state.is_half_empty(self.0.limits) {
                    self.0.drained.notify_one();
                }
                let slot = PassSlot { queue: self.clone(), tenant: work.event.tenant };
                let bytes = PassBytes { queue: self.clone(), bytes: work.event.body.len() };
                return Some(TakenPass { work, slot, bytes });
            }
            state = self.0.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Closes the queue and hands back what waits in it; `take` answers `None` from then on.
    pub fn close(&self) -> Vec<PassWork> {
        let mut state = self.lock();
        state.closed = true;
        state.ready.close();
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
    fn take(&mut self, running_per_tenant: usize, limits: PassLimits) -> Option<PassWork> {
        // One that is alone is taken whatever its size.
        if self.bytes_under_way >= limits.bytes {
            return None;
        }
        let tenant = self.turns.pop_front()?;
        let lane = self.lanes.get_mut(&tenant)?;
        lane.in_turn = false;
        let work = lane.queue.pop_front()?;
        self.ready.remove(tenant, 1);
        lane.running += 1;
        self.places -= 1;
        self.bytes -= work.event.body.len();
        self.bytes_under_way += work.event.body.len();
        self.line_up(tenant, running_per_tenant);
        Some(work)
    }

    const fn is_half_empty(&self, limits: PassLimits) -> bool {
        self.places * 2 <= limits.waiting && self.bytes * 2 <= limits.bytes
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
        let Some(queue) = self.queue.take() else { return };
        let tenant = work.event.tenant;
        let mut state = queue.lock();
        // A claim reserves before it knows the body.
        state.bytes = state.bytes - self.bytes + work.event.body.len();
        state.lanes.entry(tenant).or_default().queue.push_back(work);
        state.ready.add(tenant, 1);
        state.line_up(tenant, queue.0.running_per_tenant);
        queue.0.ready.notify_one();
    }
}

impl Drop for PassReservation {
    fn drop(&mut self) {
        if let Some(queue) = &self.queue {
            let mut state = queue.lock();
            state.places -= 1;
            state.bytes -= self.bytes;
        }
    }
}

impl PassBytes {
    /// Adds what the pass has made.
    pub fn add(&mut self, bytes: usize) {
        self.queue.lock().bytes_under_way += bytes;
        self.bytes += bytes;
    }
}

impl Drop for PassBytes {
    fn drop(&mut self) {
        self.queue.lock().bytes_under_way -= self.bytes;
        // Each pass that is taken gives back once, so that as many threads are woken as may be waiting for room.
        self.queue.0.ready.notify_one();
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

    use crate::workers::ready::READY_MAX;

    const LIMITS: PassLimits = PassLimits { waiting: 10, bytes: 100, threads: 2 };

    fn work_of(tenant: u128, bytes: usize) -> PassWork {
        PassWork {
            event: Arc::new(Event {
                id: EventId::from_uuid(Uuid::from_u128(1)),
                tenant: TenantId::from_uuid(Uuid::from_u128(tenant)),
                source: "api".to_owned(),
                external_id: None,
                ordering_key: None,
                event_type: "a".parse().expect("a type"),
                content_type: "text/plain".to_owned(),
                headers: vec![],
                body: vec![b'.'; bytes].into(),
                received_at: Timestamp::from_ms(0),
            }),
            replay: None,
            number: 1,
            lease: Lease { owner: 1, until: Timestamp::from_ms(0) },
        }
    }

    fn put(queue: &PassQueue, tenant: u128) -> bool {
        put_of(queue, tenant, 0)
    }

    fn put_of(queue: &PassQueue, tenant: u128, bytes: usize) -> bool {
        queue.reserve(bytes).map(|place| place.fill(work_of(tenant, bytes))).is_some()
    }

    #[test]
    fn promise_7_a_tenant_never_holds_the_last_free_thread() {
        let queue = PassQueue::new(LIMITS);
        assert!(put(&queue, 1) && put(&queue, 1) && put(&queue, 2));
        let _first = queue.take().expect("open");
        let second = queue.take().expect("open");
        assert_eq!(second.work.event.tenant, TenantId::from_uuid(Uuid::from_u128(2)));
    }

    #[test]
    fn a_slot_that_is_given_back_lets_the_tenants_next_pass_begin() {
        let queue = PassQueue::new(LIMITS);
        assert!(put(&queue, 1) && put(&queue, 1));
        let first = queue.take().expect("open");
        drop(first);
        assert!(queue.take().is_some());
    }

    #[tokio::test]
    async fn what_finds_no_place_waits_in_the_store_and_later_ones_behind_it() {
        let queue = PassQueue::new(PassLimits { waiting: 2, ..LIMITS });
        assert!(put(&queue, 1) && put(&queue, 1));
        assert!(!put(&queue, 1));
        let _taken = queue.take().expect("open");
        assert!(!put(&queue, 2), "a later event may not overtake what waits in the store");
        queue.drained().await;
        queue.caught_up();
        assert!(put(&queue, 2));
    }

    #[tokio::test]
    async fn promise_7_ingest_of_a_tenant_waits_while_its_passes_do_not_begin() {
        let queue = PassQueue::new(PassLimits { waiting: 2 * READY_MAX, ..LIMITS });
        for _ in 0..=READY_MAX {
            assert!(put(&queue, 1));
        }
        queue.keeps_up(TenantId::from_uuid(Uuid::from_u128(2))).await;
        let waits = tokio::spawn({
            let queue = queue.clone();
            async move { queue.keeps_up(TenantId::from_uuid(Uuid::from_u128(1))).await }
        });
        // It looks once, and finds that it has to wait.
        tokio::task::yield_now().await;
        for taken in 0..=READY_MAX / 2 {
            assert!(!waits.is_finished(), "after {taken}");
            drop(queue.take().expect("open"));
            tokio::task::yield_now().await;
        }
        waits.await.expect("it goes on");
    }

    #[test]
    fn closing_hands_back_what_waits() {
        let queue = PassQueue::new(PassLimits { waiting: 2, ..LIMITS });
        assert!(put(&queue, 1));
        assert_eq!(queue.close().len(), 1);
        assert!(queue.take().is_none());
    }

    #[test]
    fn bodies_are_bounded_in_bytes_and_a_large_one_passes_alone() {
        let queue = PassQueue::new(LIMITS);
        assert!(put_of(&queue, 1, 60) && !put_of(&queue, 1, 60), "120 of 100");
        assert!(queue.reserve_for_claim(5).len() == 5, "what waits in the store is first in line");
        let _taken = queue.take().expect("open");
        queue.caught_up();
        assert!(put_of(&queue, 1, 500) && !put_of(&queue, 1, 1));
        assert!(queue.reserve_for_claim(5).is_empty(), "the claim waits for room as well");
    }

    #[test]
    fn what_a_claim_fills_in_is_counted_when_it_is_known() {
        let queue = PassQueue::new(LIMITS);
        let mut places = queue.reserve_for_claim(2);
        places.pop().expect("a place").fill(work_of(1, 80));
        drop(places);
        assert!(!put_of(&queue, 1, 30), "110 of 100");
    }

    #[test]
    fn threads_take_nothing_more_while_what_they_made_waits_for_the_store() {
        let queue = PassQueue::new(LIMITS);
        assert!(put_of(&queue, 1, 10) && put_of(&queue, 2, 10));
        let mut first = queue.take().expect("open");
        first.bytes.add(90);
        let TakenPass { bytes, .. } = first;
        let (taken, waiting) = std::sync::mpsc::channel();
        let taker = std::thread::spawn({
            let queue = queue.clone();
            move || {
                let next = queue.take().map(|pass| pass.work.event.tenant);
                taken.send(next).expect("the test waits");
            }
        });
        // Nothing can be seen of a thread that waits, but that it is still there when its pass is stored.
        assert!(waiting.try_recv().is_err());
        drop(bytes);
        let next = waiting.recv().expect("it takes");
        assert_eq!(next, Some(TenantId::from_uuid(Uuid::from_u128(2))));
        taker.join().expect("it ends");
    }
}
