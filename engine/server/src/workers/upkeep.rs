//! Upkeep: ends what has outlived itself, and prunes what ended long ago.

use std::time::Duration;

use weft_store::{Store, StoreError};

use crate::clock::{Clock, Stopwatch};
use crate::workers::claims_wake::ClaimsWake;

/// Rows of one transaction at most: a batch must not hold up the commits of live traffic.
const BATCH: u32 = 100;
/// How long upkeep rests after a batch, as a multiple of the time that the batch took: live traffic has the larger share of the
/// store, however slow the store is. `cargo xtask bench retention` measures what its commits still wait.
const REST: u32 = 4;
/// How often it is looked for.
const EVERY: Duration = Duration::from_secs(60);

/// The worker.
pub struct Upkeep {
    /// What is kept up.
    pub store: Store,
    /// Told when what has ended lets others go.
    pub claims: ClaimsWake,
    /// For ages.
    pub clock: Clock,
    /// Age at which ended rows are pruned.
    pub retention: Duration,
}

impl Upkeep {
    /// Ends held deliveries whose lifetime is over and prunes what ended before the retention, in small batches.
    ///
    /// # Errors
    /// [`StoreError`]; what was done is done.
    pub async fn tick(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut has_ended = false;
        loop {
            let batch = Stopwatch::start();
            if self.store.expire_deliveries(BATCH, now).await? == 0 {
                break;
            }
            has_ended = true;
            self.clock.rest(batch.elapsed() * REST).await;
        }
        if has_ended {
            // What waited behind it under its ordering key may be open.
            self.claims.look_around();
        }
        let before = now.minus(self.retention);
        loop {
            let batch = Stopwatch::start();
            if !self.store.prune(before, BATCH, now).await?.more {
                return Ok(());
            }
            self.clock.rest(batch.elapsed() * REST).await;
        }
    }

    /// Ticks now and then, until the future is dropped.
    pub async fn run(&self) {
        loop {
            if let Err(error) = self.tick().await {
                tracing::warn!(error = &error as &dyn std::error::Error, "upkeep could not be finished");
            }
            self.clock.sleep_until(self.clock.now().plus(EVERY)).await;
        }
    }
}
