//! Claim passes: takes events and replays out of the store that do not go on from memory: after a restart, for a retry, after
//! an overflow.

use std::time::Duration;

use weft_core::time::Timestamp;
use weft_store::{Store, StoreError};

use crate::clock::Clock;
use crate::workers::claim_size::ClaimSize;
use crate::workers::intake::HandOver;

/// Passes in one claim at most.
const PASSES_PER_CLAIM: usize = 256;
/// What the bodies of one claim may take of the memory that bodies have: there is room for others beside it.
const SHARE_OF_BYTES: usize = 4;
/// Other engines' words may be lost, and a dead one says none; looking this often finds what they have left.
const POLL: Duration = Duration::from_secs(5);

/// The worker.
pub struct PassClaims {
    store: Store,
    hand_over: HandOver,
    clock: Clock,
    size: ClaimSize,
}

impl PassClaims {
    /// A worker that takes passes out of `store` and puts them where `hand_over` says; `bytes_max` is what their bodies may take in
    /// memory.
    pub fn new(store: Store, hand_over: HandOver, clock: Clock, bytes_max: usize) -> Self {
        Self { store, hand_over, clock, size: ClaimSize::new(PASSES_PER_CLAIM, bytes_max / SHARE_OF_BYTES) }
    }

    /// Claims what is due and has a place; answers when something is due next, as far as that is known.
    ///
    /// # Errors
    /// [`StoreError`]; what was reserved is given back.
    pub async fn tick(&self) -> Result<Option<Timestamp>, StoreError> {
        let now = self.clock.now();
        let passes = &self.hand_over.passes;
        // Looking is a read; a claim is a commit.
        match self.store.next_pass_due(now).await? {
            Some(due) if due <= now => {}
            later => {
                passes.caught_up();
                return Ok(later);
            }
        }
        let mut places = passes.reserve_for_claim(self.size.rows());
        passes.fell_behind();
        if places.is_empty() {
            // Woken by `drained` as soon as there is room.
            return Ok(None);
        }
        let limit = u32::try_from(places.len()).unwrap_or(u32::MAX);
        let claimed = self.store.claim_passes(limit, self.hand_over.term.from(now), now).await?;
        self.size.found(claimed.iter().map(|work| work.event.body.len()));
        for work in claimed {
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

    /// Ticks whenever a pass may be due, until the future is dropped.
    pub async fn run(&self) {
        let claims = &self.hand_over.claims;
        let mut others = self.store.wakes();
        let mut next = self.clock.now();
        loop {
            if next <= self.clock.now() {
                let said = claims.take_passes_due().filter(|said| *said > self.clock.now());
                let found = self.tick().await.unwrap_or_else(|error| {
                    tracing::error!(error = &error as &dyn std::error::Error, "no pass could be claimed");
                    None
                });
                next = [said, found].into_iter().flatten().fold(self.clock.now().plus(POLL), Timestamp::min);
            }
            tokio::select! {
                () = self.clock.sleep_until(next) => {}
                () = self.hand_over.passes.drained() => next = self.clock.now(),
                Ok(()) = others.changed() => next = self.clock.now(),
                () = claims.passes_said() => next = claims.take_passes_due().map_or(next, |said| said.min(next)),
            }
        }
    }
}
