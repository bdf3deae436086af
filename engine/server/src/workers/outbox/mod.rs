//! Deliveries that go on from memory: a bounded queue for each destination, served in turn.
//!
//! A place is reserved before the commit that stores a delivery, so that what has been stored with a lease always finds
//! its place; where none is free, the delivery is stored without a lease and waits in the store. Destinations take turns,
//! and what one may hold depends on what is known of it (promise 7):
//!
//! | a destination | attempts under way | waiting in memory |
//! |---|---|---|
//! | answers | its limit; its share of the slow ones once those are many | its limit; a part of what is free while most of its attempts are slow |
//! | has not been tried yet | few | its limit |
//! | is silent: has answered nothing for a second | few, which count as slow from the start | no more than may be under way |
//!
//! An attempt that its receiver lets wait leaves the account of the quick ones, and those of which it is not known that they answer have
//! half of each account at most. So many may hang at once, and the others keep their rate.

mod accounts;
mod claim_lines;
mod failing;
mod lane;
mod state;
#[cfg(test)]
mod tests;
mod under_way;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use weft_core::attempt::AttemptOutcome;
use weft_core::id::{DestinationId, TenantId};
use weft_store::work::DeliveryWork;

use self::state::State;

/// How much may wait in memory and be under way.
#[derive(Clone, Copy, Debug)]
pub struct OutboxLimits {
    /// Deliveries waiting or reserved.
    pub waiting: usize,
    /// Deliveries of one destination waiting or reserved.
    pub waiting_per_destination: usize,
    /// Bytes of bodies waiting or reserved; as much again of quick attempts, and of slow ones.
    pub bytes: usize,
    /// Attempts under way that may be answered at any moment. See [`weft_core::limits::ATTEMPTS`].
    pub attempts: usize,
    /// Attempts under way that their receivers let wait. See [`weft_core::limits::ATTEMPTS_SLOW`].
    pub attempts_slow: usize,
    /// Attempts under way to one destination.
    pub attempts_per_destination: usize,
}

/// The queue; cheap to clone.
#[derive(Clone)]
pub struct Outbox(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    // Told when a delivery may have become ready or the outbox was closed.
    ready: Notify,
    // Told when places have become free.
    drained: Notify,
}

/// A place for one delivery, given back when dropped unused.
pub struct Reservation {
    outbox: Outbox,
    destination: DestinationId,
    bytes: usize,
    used: bool,
}

/// Places of one destination for what a claim finds, given back when dropped unused.
pub struct ClaimPlaces {
    outbox: Outbox,
    destination: DestinationId,
    places: Vec<Reservation>,
    said_behind: u64,
}

/// The right to one attempt, given back when dropped.
pub struct AttemptSlot {
    outbox: Outbox,
    // `None` once it is given back.
    number: Option<usize>,
}

/// What came of the right to an attempt, as far as it says something of the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// An attempt that the receiver answered: it took the delivery, or refused it for what it is.
    Answered,
    /// An attempt that the receiver answered by saying that it cannot take anything at present.
    Overloaded,
    /// An attempt without an answer: nobody there, or no patience left.
    Unanswered,
    /// No attempt.
    Nothing,
}

impl Made {
    /// What an outcome says of the destination.
    pub fn of(outcome: &AttemptOutcome) -> Self {
        match outcome {
            // RFC 9110 and 6585: these are about the receiver, whatever it was sent.
            AttemptOutcome::Rejected { status: 408 | 429 | 500..=599, .. } => Self::Overloaded,
            AttemptOutcome::Accepted { .. } | AttemptOutcome::Rejected { .. } => Self::Answered,
            AttemptOutcome::TimedOut { .. } | AttemptOutcome::Unreachable { .. } | AttemptOutcome::Forbidden { .. } => {
                Self::Unanswered
            }
        }
    }
}

impl Outbox {
    /// An empty outbox.
    pub fn new(limits: OutboxLimits) -> Self {
        let state = Mutex::new(State::new(limits));
        Self(Arc::new(Shared { state, ready: Notify::new(), drained: Notify::new() }))
    }

    /// Reserves a place for a delivery about to be stored; `None` if it must wait in the store.
    pub fn reserve(&self, destination: DestinationId, bytes: usize) -> Option<Reservation> {
        let is_reserved = self.lock().reserve(destination, bytes);
        is_reserved.then(|| Reservation { outbox: self.clone(), destination, bytes, used: false })
    }

    /// Reserves places for deliveries that a claim is about to take out of the store, up to `rows` of them: for destinations that are
    /// behind and have room, in turn.
    ///
    /// What waits in the store is first in line, so being behind does not stand in its way. Bodies are counted when the
    /// places are filled.
    pub fn places_for_claim(&self, rows: usize) -> Vec<ClaimPlaces> {
        let mut state = self.lock();
        let taken = state.places_for_claim(rows);
        self.wake_claims(&state);
        drop(state);
        let place = |destination| Reservation { outbox: self.clone(), destination, bytes: 0, used: false };
        let places = |(destination, count, said_behind)| {
            let places = (0..count).map(|_| place(destination)).collect();
            ClaimPlaces { outbox: self.clone(), destination, places, said_behind }
        };
        taken.into_iter().map(places).collect()
    }

    /// Says that deliveries of these destinations are due in the store, after the commit that put them there.
    pub fn fell_behind(&self, destinations: impl IntoIterator<Item = DestinationId>) {
        let mut state = self.lock();
        destinations.into_iter().for_each(|destination| state.fell_behind(destination));
        self.wake_claims(&state);
    }

    /// Waits until the tenant's events are no longer taken in faster than their deliveries are sent, as far as that is not
    /// the receivers' doing.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn keeps_up(&self, tenant: TenantId) {
        loop {
            let Some(relief) = self.relief(tenant) else { return };
            relief.await;
        }
    }

    fn relief(&self, tenant: TenantId) -> Option<OwnedNotified> {
        let mut state = self.lock();
        if state.is_busy() { None } else { state.ready.relief(tenant) }
    }

    /// Deliveries waiting or reserved in memory.
    pub fn waiting(&self) -> usize {
        self.lock().places
    }

    /// Attempts under way: those that may be answered at any moment, and those that their receivers let wait.
    pub fn attempts(&self) -> (usize, usize) {
        self.lock().attempts()
    }

    /// Waits until a claim is worth its cost: something is due in the store, and half of the places that it lacked are free.
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
                if let Some(taken) = self.take_of(&mut state) {
                    return Some(taken);
                }
            }
            // A wake-up between looking and waiting is not lost: `notify_one` leaves a permit.
            self.0.ready.notified().await;
        }
    }

    /// Looks at what is under way; to be called every quarter of a second. Attempts that last become slow, and destinations that
    /// answer none become silent.
    ///
    /// Answers deliveries that wait for such destinations in places that others need: they are to be given back to the store, where
    /// the rest of their destination waits already.
    #[must_use = "what is answered is in memory no more, and its lease keeps it from being claimed"]
    pub fn look(&self) -> Vec<DeliveryWork> {
        let mut state = self.lock();
        let surplus = state.look();
        self.wake_if_ready(&state);
        surplus
    }

    /// Closes the outbox and hands back what waits in it; `take` answers `None` from then on.
    pub fn close(&self) -> Vec<DeliveryWork> {
        let waiting = self.lock().close();
        self.0.ready.notify_one();
        waiting
    }

    /// Wakes whoever waits in `take`, if there is something to take.
    fn wake_if_ready(&self, state: &State) {
        if state.can_begin() {
            self.0.ready.notify_one();
        }
    }

    fn take_of(&self, state: &mut State) -> Option<(DeliveryWork, AttemptSlot)> {
        let (work, number) = state.take()?;
        self.wake_claims(state);
        Some((work, AttemptSlot { outbox: self.clone(), number: Some(number) }))
    }

    /// Wakes whoever waits in `drained`, if a claim has become worth its cost.
    fn wake_claims(&self, state: &State) {
        if state.wants_claim() {
            self.0.drained.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock is held cannot leave the counts half changed: no code of others runs under it.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reservation {
    /// Puts the delivery into its place.
    pub fn fill(mut self, work: DeliveryWork) {
        let outbox = self.outbox.clone();
        self.used = true;
        if outbox.lock().fill(work, self.bytes) {
            outbox.0.ready.notify_one();
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if !self.used {
            let mut state = self.outbox.lock();
            state.vacate(self.destination, self.bytes);
            self.outbox.wake_claims(&state);
        }
    }
}

impl ClaimPlaces {
    /// Whose places these are.
    pub fn destination(&self) -> DestinationId {
        self.destination
    }

    /// How many are not filled.
    pub fn left(&self) -> usize {
        self.places.len()
    }

    /// Puts a delivery into one of them.
    pub fn fill(&mut self, work: DeliveryWork) {
        // The claim was asked for no more than there are places; a delivery more would be claimed again when its lease has ended.
        if let Some(place) = self.places.pop() {
            place.fill(work);
        }
    }

    /// Says that the claim has found what it could: with places left, nothing more of the destination is due in the store.
    pub fn done(self) {
        let mut state = self.outbox.lock();
        if self.places.is_empty() {
            state.line_up_for_claim(self.destination);
        } else {
            state.caught_up(self.destination, self.said_behind);
        }
        self.outbox.wake_claims(&state);
        drop(state);
    }
}

impl AttemptSlot {
    /// Says that the receiver is done with the attempt: what it waits for from now on is no fault of the destination.
    pub fn is_over(&self, made: Made) {
        if let Some(number) = self.number {
            let mut state = self.outbox.lock();
            state.is_over(number, made);
            self.outbox.wake_if_ready(&state);
        }
    }

    /// Gives the slot back, and takes the next delivery whose destination has its turn, if one waits.
    pub fn pass_on(mut self, made: Made) -> Option<(DeliveryWork, Self)> {
        let outbox = self.outbox.clone();
        let mut state = outbox.lock();
        self.give_back(&mut state, made);
        let next = if state.closed { None } else { outbox.take_of(&mut state) };
        outbox.wake_if_ready(&state);
        next
    }

    fn give_back(&mut self, state: &mut State, made: Made) {
        let Some(number) = self.number.take() else { return };
        state.is_over(number, made);
        state.end(number);
        self.outbox.wake_claims(state);
    }
}

impl Drop for AttemptSlot {
    fn drop(&mut self) {
        if self.number.is_some() {
            let outbox = self.outbox.clone();
            let mut state = outbox.lock();
            self.give_back(&mut state, Made::Nothing);
            outbox.wake_if_ready(&state);
        }
    }
}
