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
/// The rest after a round, by the time that it took: looking takes a fiftieth of the time at most.
const REST: u32 = 49;
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
            let goes_on = self.tick().await.unwrap_or_else(|error| {
                tracing::error!(error = &error as &dyn std::error::Error, "nobody knows what waits in the store");
                false
            });
            if !is_first || !goes_on {
                self.clock.rest(watch.elapsed() * REST).await;
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
