//! Heartbeat: says that this engine lives, so that no other one takes over what it works on.

use std::time::Duration;

use weft_store::{Store, StoreError};

use crate::clock::Clock;

/// How often it is said: two beats of three may be late or lost.
const EVERY: Duration = Duration::from_secs(weft_store::ALIVE_FOR.as_secs() / 3);

/// The worker.
pub struct Heartbeat {
    /// Where it is said.
    pub store: Store,
    /// From when on it counts.
    pub clock: Clock,
}

impl Heartbeat {
    /// Says it once.
    ///
    /// # Errors
    /// [`StoreError`]; if that goes on, other engines do this one's work again.
    pub async fn tick(&self) -> Result<(), StoreError> {
        self.store.keep_alive(self.clock.now()).await
    }

    /// Ticks for as long as the engine runs, until the future is dropped.
    pub async fn run(&self) {
        loop {
            self.clock.sleep_until(self.clock.now().plus(EVERY)).await;
            if let Err(error) = self.tick().await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the store was not told that this engine lives"
                );
            }
        }
    }
}
