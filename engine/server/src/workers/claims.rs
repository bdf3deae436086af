//! Claim: takes out of the store what does not go on from memory: after a restart, for a retry, after an overflow.
//!
//! A claim's cost depends on what is due and has a place, never on what waits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use weft_core::id::DestinationId;
use weft_core::time::Timestamp;
use weft_store::work::Want;
use weft_store::{Store, StoreError};

use crate::catalog::CurrentCatalog;
use crate::clock::Clock;
use crate::workers::intake::HandOver;
use crate::workers::outbox::Reservation;

/// Deliveries of one destination in one claim at most.
const DELIVERIES_PER_CLAIM: usize = 256;
/// Passes in one claim at most.
const PASSES_PER_CLAIM: usize = 256;
/// Wake-ups may be lost when a node dies; looking this often finds what a dead one has left.
const POLL: Duration = Duration::from_secs(5);

/// Wakes the claims; cheap to clone.
#[derive(Clone, Default)]
pub struct ClaimsWake(Arc<Wake>);

#[derive(Default)]
struct Wake {
    notify: Notify,
    // The earliest time at which something is known to become due, since the last look.
    at: Mutex<Option<Timestamp>>,
}

impl ClaimsWake {
    /// Says that something is due now.
    pub fn wake(&self) {
        self.wake_at(Timestamp::from_ms(i64::MIN));
    }

    /// Says that something will be due at `at`.
    pub fn wake_at(&self, at: Timestamp) {
        let mut known = self.0.at.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_none_or(|known| at < known) {
            *known = Some(at);
            self.0.notify.notify_one();
        }
    }

    /// What was said since the last call.
    fn said(&self) -> Option<Timestamp> {
        self.0.at.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The worker.
pub struct Claims {
    /// Where things wait.
    pub store: Store,
    /// Which destinations are active.
    pub catalog: CurrentCatalog,
    /// Where claimed things go.
    pub hand_over: HandOver,
    /// What is due.
    pub clock: Clock,
}

impl Claims {
    /// Claims what is due and has a place; answers when something is due next.
    ///
    /// # Errors
    /// [`StoreError`]; what was reserved is given back.
    pub async fn tick(&self) -> Result<Timestamp, StoreError> {
        let now = self.clock.now();
        let passes = self.claim_passes(now).await?;
        let deliveries = self.claim_deliveries(now).await?;
        Ok([passes, deliveries].into_iter().flatten().min().unwrap_or(now.plus(POLL)).min(now.plus(POLL)))
    }

    /// Ticks whenever something may be due, until the future is dropped.
    pub async fn run(&self) {
        let mut next = self.clock.now();
        loop {
            if next <= self.clock.now() {
                let said = self.hand_over.claims.said();
                next = match self.tick().await {
                    Ok(next) => said.filter(|said| *said > self.clock.now()).map_or(next, |said| said.min(next)),
                    Err(error) => {
                        tracing::error!(error = &error as &dyn std::error::Error, "nothing could be claimed");
                        self.clock.now().plus(POLL)
                    }
                };
            }
            tokio::select! {
                () = self.clock.sleep_until(next) => {}
                () = self.hand_over.outbox.drained() => next = self.clock.now(),
                () = self.hand_over.passes.drained() => next = self.clock.now(),
                () = self.hand_over.claims.0.notify.notified() => {
                    next = self.hand_over.claims.said().map_or(next, |said| said.min(next));
                }
            }
        }
    }

    async fn claim_passes(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let passes = &self.hand_over.passes;
        // Looking is a read; a claim is a commit.
        match self.store.next_pass_due(now).await? {
            Some(due) if due <= now => {}
            later => {
                passes.caught_up();
                return Ok(later);
            }
        }
        let mut places = passes.reserve_for_claim(PASSES_PER_CLAIM);
        if places.is_empty() {
            // Woken by `drained` as soon as there is room.
            passes.fell_behind();
            return Ok(None);
        }
        let limit = u32::try_from(places.len()).unwrap_or(u32::MAX);
        passes.fell_behind();
        for work in self.store.claim_passes(limit, self.hand_over.term.from(now), now).await? {
            if let Some(place) = places.pop() {
                place.fill(work);
            }
        }
        if places.is_empty() {
            return Ok(Some(now));
        }
        passes.caught_up();
        Ok(self.store.next_pass_due(now).await?.filter(|due| *due > now))
    }

    async fn claim_deliveries(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let outbox = &self.hand_over.outbox;
        let catalog = self.catalog.snapshot();
        let mut next: Option<Timestamp> = None;
        let mut places: HashMap<DestinationId, Vec<Reservation>> = HashMap::new();
        let mut wants = Vec::new();
        for waiting in self.store.waiting(now).await? {
            // What a disabled destination holds is not due, whatever its time.
            if !catalog.destination(waiting.destination).is_some_and(weft_core::destination::Destination::is_active) {
                continue;
            }
            if waiting.due_at > now {
                next = Some(next.map_or(waiting.due_at, |next| next.min(waiting.due_at)));
                outbox.caught_up(waiting.destination);
                continue;
            }
            let reserved = outbox.reserve_for_claim(waiting.destination, DELIVERIES_PER_CLAIM);
            if !reserved.is_empty() {
                let count = u32::try_from(reserved.len()).unwrap_or(u32::MAX);
                wants.push(Want { destination: waiting.destination, count });
                places.insert(waiting.destination, reserved);
            }
        }
        if wants.is_empty() {
            return Ok(next);
        }
        for want in &wants {
            outbox.fell_behind(want.destination);
        }
        let claimed = self.store.claim_deliveries(wants, self.hand_over.term.from(now), now).await?;
        if !claimed.is_empty() {
            // What is due next at these destinations stood behind what was claimed: it is known at the next look.
            next = Some(now);
        }
        for work in claimed {
            if let Some(place) = places.get_mut(&work.destination).and_then(Vec::pop) {
                place.fill(work);
            }
        }
        // A destination with places left over has nothing more that is due.
        for (destination, _) in places.into_iter().filter(|(_, left)| !left.is_empty()) {
            outbox.caught_up(destination);
        }
        Ok(next)
    }
}
