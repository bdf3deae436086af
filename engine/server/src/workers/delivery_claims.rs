//! Claim deliveries: takes them out of the store when they do not go on from memory: after a restart, for a retry, after an
//! overflow.
//!
//! A claim asks for destinations that are known to have something due and have places free; its cost depends on what it finds, never
//! on what waits or at how many destinations. What is due later stands in the agenda, and the survey finds what
//! nobody here has said.

#[cfg(test)]
mod tests;

use std::time::Duration;

use weft_core::id::DestinationId;
use weft_core::time::Timestamp;
use weft_store::work::{Waiting, Want};
use weft_store::{Store, StoreError};

use crate::catalog::CurrentCatalog;
use crate::clock::Clock;
use crate::workers::claim_size::ClaimSize;
use crate::workers::intake::HandOver;
use crate::workers::outbox::ClaimPlaces;

/// Deliveries in one claim at most.
const DELIVERIES_PER_CLAIM: usize = 4_096;
/// What the bodies of one claim may take of the memory that bodies have: there is room for others beside it.
const SHARE_OF_BYTES: usize = 4;
/// A claim of fewer than this many is followed by a rest, in which more gathers for the next: each is a commit of its own.
const FEW: usize = 64;
const REST: Duration = Duration::from_millis(20);
/// The wait before a claim that failed is tried again.
const STORE_RETRY: Duration = Duration::from_millis(500);

/// The worker.
pub struct DeliveryClaims {
    store: Store,
    catalog: CurrentCatalog,
    hand_over: HandOver,
    clock: Clock,
    size: ClaimSize,
}

impl DeliveryClaims {
    /// A worker that takes deliveries out of `store` and puts them where `hand_over` says; `bytes_max` is what their bodies may take in
    /// memory.
    pub fn new(store: Store, catalog: CurrentCatalog, hand_over: HandOver, clock: Clock, bytes_max: usize) -> Self {
        let size = ClaimSize::new(DELIVERIES_PER_CLAIM, bytes_max / SHARE_OF_BYTES);
        Self { store, catalog, hand_over, clock, size }
    }

    /// Claims what is due and has a place; answers how many deliveries.
    ///
    /// # Errors
    /// [`StoreError`]; what was reserved is given back.
    pub async fn tick(&self) -> Result<usize, StoreError> {
        let now = self.clock.now();
        let outbox = &self.hand_over.outbox;
        let due = self.hand_over.claims.agenda().take_due(now);
        outbox.fell_behind(due);
        let mut places = outbox.places_for_claim(self.size.rows());
        places.sort_unstable_by_key(ClaimPlaces::destination);
        // What a disabled destination holds is not due, whatever its time.
        let catalog = self.catalog.snapshot();
        let (mut places, held): (Vec<_>, Vec<_>) =
            places.into_iter().partition(|places| catalog.is_active(places.destination()));
        held.into_iter().for_each(ClaimPlaces::done);
        if places.is_empty() {
            return Ok(0);
        }
        let want = |places: &ClaimPlaces| Want {
            destination: places.destination(),
            count: u32::try_from(places.left()).unwrap_or(u32::MAX),
        };
        let wants = places.iter().map(want).collect();
        let claimed = self.store.claim_deliveries(wants, self.hand_over.term.from(now), now).await?;
        self.size.found(claimed.iter().map(|work| work.body.len()));
        let count = claimed.len();
        for work in claimed {
            if let Ok(place) = places.binary_search_by_key(&work.destination, ClaimPlaces::destination) {
                places[place].fill(work);
            }
        }
        self.note_what_is_left(places, now).await?;
        Ok(count)
    }

    /// Looks when the next is due at the destinations of which everything has been claimed that was.
    async fn note_what_is_left(&self, places: Vec<ClaimPlaces>, now: Timestamp) -> Result<(), StoreError> {
        let caught_up: Vec<DestinationId> =
            places.iter().filter(|places| places.left() > 0).map(ClaimPlaces::destination).collect();
        places.into_iter().for_each(ClaimPlaces::done);
        if caught_up.is_empty() {
            return Ok(());
        }
        let left = self.store.first_due(&caught_up, now).await;
        if left.is_err() {
            self.hand_over.claims.look_around();
        }
        self.hand_over.note(left?, now);
        Ok(())
    }

    /// Ticks whenever something is due and has a place, until the future is dropped.
    pub async fn run(&self) {
        let claims = &self.hand_over.claims;
        loop {
            match self.tick().await {
                Ok(1..FEW) => tokio::select! {
                    () = self.clock.rest(REST) => {}
                    () = claims.lanes_said() => {}
                },
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "no delivery could be claimed");
                    self.clock.rest(STORE_RETRY).await;
                }
            }
            let next = claims.agenda().next();
            tokio::select! {
                () = self.clock.sleep_until(next.unwrap_or(Timestamp::from_ms(i64::MAX))) => {}
                () = self.hand_over.outbox.drained() => {}
                () = claims.deliveries_said() => {}
            }
        }
    }
}

impl HandOver {
    /// Notes where the next under an ordering key waits, since the one before it has ended.
    pub(super) fn lanes_opened(&self, waiting: Vec<Waiting>, now: Timestamp) {
        self.note(waiting, now);
        self.claims.lanes_opened();
    }

    /// Notes where deliveries wait in the store: what is due can be claimed, the rest in its time.
    pub(super) fn note(&self, waiting: Vec<Waiting>, now: Timestamp) {
        let (due, later): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|waiting| waiting.due_at <= now);
        self.outbox.fell_behind(due.into_iter().map(|waiting| waiting.destination));
        for Waiting { destination, due_at } in later {
            self.claims.deliveries_due(destination, due_at);
        }
    }
}
