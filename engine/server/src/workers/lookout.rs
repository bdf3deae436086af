//! Lookout: looks at the attempts under way, so that those whose receivers hang do not stand in the way of the others.

use std::time::Duration;

use weft_store::{Store, StoreError};

use crate::clock::Clock;
use crate::workers::outbox::Outbox;

/// How often it looks: what an attempt counts as changes after a few looks.
const EVERY: Duration = Duration::from_millis(250);

/// The worker.
pub struct Lookout {
    /// Where the attempts are counted.
    pub outbox: Outbox,
    /// Where deliveries go back whose places others need.
    pub store: Store,
    /// When to look.
    pub clock: Clock,
}

impl Lookout {
    /// Looks once, and gives deliveries back to the store that wait in memory for a destination that does not answer.
    ///
    /// # Errors
    /// [`StoreError`]; what was not given back is claimed again when its lease has ended.
    pub async fn tick(&self) -> Result<(), StoreError> {
        let surplus = self.outbox.look();
        if surplus.is_empty() {
            return Ok(());
        }
        self.store.release_deliveries(surplus.iter().map(|work| (work.id, work.lease)).collect()).await?;
        self.outbox.fell_behind(surplus.iter().map(|work| work.destination));
        Ok(())
    }

    /// Ticks for as long as attempts are made, until the future is dropped.
    pub async fn run(&self) {
        loop {
            self.clock.sleep_until(self.clock.now().plus(EVERY)).await;
            if let Err(error) = self.tick().await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "deliveries to destinations that do not answer could not be given back; their leases end by themselves"
                );
            }
        }
    }
}
