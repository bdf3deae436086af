//! Upkeep: ends what has outlived itself, and prunes what ended long ago.

use std::time::Duration;

use weft_store::{Store, StoreError};

use crate::clock::{Clock, Stopwatch};
use crate::workers::claims_wake::ClaimsWake;

/// Rows of one batch at most: what live traffic waits for, a few milliseconds on a slow disk. `cargo xtask bench retention`
/// measures it.
const BATCH: u32 = 25;
/// How long upkeep rests after a batch, as a multiple of the time that the batch took: live traffic has the larger share of the
/// store, however slow the store is.
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
    /// Ends held deliveries whose lifetime is over and prunes what ended before the retention, in small batches; rests after each,
    /// `rest` times as long as it took.
    ///
    /// # Errors
    /// [`StoreError`]; what was done is done.
    pub async fn tick(&self, rest: u32) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut has_ended = false;
        loop {
            let batch = Stopwatch::start();
            if self.store.expire_deliveries(BATCH, now).await? == 0 {
                break;
            }
            has_ended = true;
            self.clock.rest(batch.elapsed() * rest).await;
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
            self.clock.rest(batch.elapsed() * rest).await;
        }
    }

    /// Ticks now and then, until the future is dropped.
    pub async fn run(&self) {
        let mut rest = REST;
        loop {
            let round = Stopwatch::start();
            if let Err(error) = self.tick(rest).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "upkeep could not be finished");
            }
            rest = rest_after(round.elapsed(), rest);
            self.clock.sleep_until(self.clock.now().plus(EVERY)).await;
        }
    }
}

/// How long to rest in the next round, after one that took so long: what comes faster than it goes would fill the disk, so then
/// live traffic has to give way.
fn rest_after(took: Duration, rest: u32) -> u32 {
    if took > EVERY { rest / 2 } else { REST }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upkeep_that_falls_behind_rests_less_until_it_has_caught_up() {
        let behind = EVERY * 2;
        let after_each = [behind, behind, behind, behind, EVERY / 2].into_iter().scan(REST, |rest, took| {
            *rest = rest_after(took, *rest);
            Some(*rest)
        });
        assert_eq!(after_each.collect::<Vec<_>>(), [2, 1, 0, 0, REST]);
    }
}
