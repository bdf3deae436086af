//! Survey: finds out where deliveries wait in the store that nobody here has spoken of: after a start, left behind by another
//! engine, or with a lease that has ended.
//!
//! It walks over the destinations that have some, a few at a time, and takes a small part of the time for it.

use std::time::Duration;

use weft_store::work::WaitingCursor;
use weft_store::{Store, StoreError};

use crate::catalog::CurrentCatalog;
use crate::clock::{Clock, Stopwatch};
use crate::workers::intake::HandOver;

/// Destinations that it looks at in one round.
const AT_ONCE: u32 = 256;
/// The rest after a round, by the time that it took: looking takes a fiftieth of the time.
const REST: u32 = 49;
/// The longest rest. A look that took long may have waited for a busy store, or for a server that is away: that is no reason to leave
/// for minutes what nobody else knows of.
const REST_MAX: Duration = EVERY;
/// The wait before a look that failed is tried again.
const STORE_RETRY: Duration = Duration::from_millis(500);
/// The time between two walks, if nobody asks for one. Other engines' words may be lost, and a dead one says none.
const EVERY: Duration = Duration::from_secs(5);

/// The worker.
pub struct Survey {
    store: Store,
    catalog: CurrentCatalog,
    hand_over: HandOver,
    clock: Clock,
    // Where the walk goes on.
    after: Option<WaitingCursor>,
}

impl Survey {
    /// A worker that tells `hand_over` what it finds in `store`.
    pub const fn new(store: Store, catalog: CurrentCatalog, hand_over: HandOver, clock: Clock) -> Self {
        Self { store, catalog, hand_over, clock, after: None }
    }

    /// Looks at the next destinations; answers whether the walk goes on.
    ///
    /// # Errors
    /// [`StoreError`]; the walk begins anew.
    pub async fn tick(&mut self) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let page = self.store.waiting_page(self.after.take(), AT_ONCE, now).await?;
        let catalog = self.catalog.snapshot();
        let mut waiting = page.waiting;
        waiting.retain(|waiting| catalog.is_active(waiting.destination));
        self.hand_over.note(waiting, now);
        self.after = page.next;
        Ok(self.after.is_some())
    }

    /// Walks at the start without a rest, and then now and then or when somebody asks for it, until the future is dropped.
    pub async fn run(mut self) {
        let mut others = self.store.wakes();
        let claims = self.hand_over.claims.clone();
        let mut is_first = true;
        loop {
            let watch = Stopwatch::start();
            let goes_on = match self.tick().await {
                Ok(goes_on) => goes_on,
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "nobody knows what waits in the store");
                    self.clock.rest(STORE_RETRY).await;
                    continue;
                }
            };
            if !is_first || !goes_on {
                self.clock.rest(rest_after(watch.elapsed())).await;
            }
            if goes_on {
                continue;
            }
            is_first = false;
            tokio::select! {
                () = self.clock.sleep_until(self.clock.now().plus(EVERY)) => {}
                () = claims.around_said() => {}
                Ok(()) = others.changed() => {}
            }
        }
    }
}

/// How long it rests after a look that took so long.
fn rest_after(look: Duration) -> Duration {
    look.saturating_mul(REST).min(REST_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promise_2_looking_takes_a_fiftieth_of_the_time_and_never_pauses_for_long() {
        assert_eq!(rest_after(Duration::from_millis(10)), Duration::from_millis(490));
        assert_eq!(rest_after(Duration::from_secs(10)), EVERY, "a server that was silent for ten seconds");
        assert_eq!(rest_after(Duration::MAX), EVERY);
    }
}
