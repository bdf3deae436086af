//! Time, chance and fresh ids: the one place that reads a clock or throws dice.
//!
//! Everything else takes a [`Timestamp`], a [`Jitter`] or an id as an argument. Tests hand the engine a
//! [`Clock::manual`] and move it; nothing in the engine can tell the difference.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;
use type_safe_id::{StaticType, TypeSafeId};
use uuid::{ContextV7, Uuid};
use weft_core::retry::Jitter;
use weft_core::time::Timestamp;

use crate::secrets::fill_random;

/// A source of time, chance and fresh ids; cheap to clone.
#[derive(Clone)]
pub struct Clock {
    source: Source,
    // Counts within a millisecond, so that ids made one after the other sort in that order.
    sequence: Arc<Mutex<ContextV7>>,
}

#[derive(Clone)]
enum Source {
    System,
    Manual(Arc<watch::Sender<Timestamp>>),
}

impl Clock {
    /// The machine's clock and dice.
    pub fn system() -> Self {
        Self { source: Source::System, sequence: Arc::default() }
    }

    /// A clock that stands at `start` until it is moved, with dice that always fall in the middle.
    pub fn manual(start: Timestamp) -> Self {
        Self { source: Source::Manual(Arc::new(watch::Sender::new(start))), sequence: Arc::default() }
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        match &self.source {
            Source::System => system_now(),
            Source::Manual(time) => *time.borrow(),
        }
    }

    /// Moves a manual clock on and wakes all who wait for a time that has come; the machine's clock moves by itself.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(time) = &self.source {
            time.send_modify(|now| *now = now.plus(by));
        }
    }

    /// Waits until `at`.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn sleep_until(&self, at: Timestamp) {
        match &self.source {
            Source::System => tokio::time::sleep(at.since(system_now())).await,
            Source::Manual(time) => {
                let mut time = time.subscribe();
                // The sender lives in `self`, so the channel cannot be closed while this waits.
                let _ = time.wait_for(|now| *now >= at).await;
            }
        }
    }

    /// Lets others go first for a while. What is paced is the machine, not the course of events: while a manual clock stands, there is
    /// nothing to wait for.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn rest(&self, time: Duration) {
        match self.source {
            Source::System => tokio::time::sleep(time).await,
            Source::Manual(_) => tokio::task::yield_now().await,
        }
    }

    /// A throw of the dice for the jitter of a wait.
    pub fn jitter(&self) -> Jitter {
        match self.source {
            Source::System => Jitter::new(fastrand::f64() * 2.0 - 1.0),
            Source::Manual(_) => Jitter::NONE,
        }
    }

    /// Fills `bytes` with what nobody can foresee; a manual clock's dice fall the same way every time.
    ///
    /// # Errors
    /// The operating system has no random bytes to give.
    pub fn random(&self, bytes: &mut [u8]) -> std::io::Result<()> {
        match self.source {
            Source::System => fill_random(bytes),
            Source::Manual(_) => {
                bytes.fill(4);
                Ok(())
            }
        }
    }

    /// A fresh id; ids made later sort later.
    pub fn fresh<K: StaticType>(&self) -> TypeSafeId<K> {
        let now = self.now().as_ms();
        let seconds = u64::try_from(now.div_euclid(1000)).unwrap_or(0);
        let nanos = u32::try_from(now.rem_euclid(1000)).unwrap_or(0) * 1_000_000;
        let sequence = self.sequence.lock().unwrap_or_else(PoisonError::into_inner);
        TypeSafeId::from_uuid(Uuid::new_v7(uuid::Timestamp::from_unix(&*sequence, seconds, nanos)))
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
fn system_now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Measures how long something took, for traces and metrics, and for the pace of what is done in the background.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[expect(clippy::disallowed_methods, reason = "a measured duration decides nothing but a pace")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the start.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weft_core::id::EventIdKind;

    #[test]
    fn ids_made_later_sort_later_even_within_a_millisecond() {
        let clock = Clock::manual(Timestamp::from_ms(1_700_000_000_000));
        let ids: Vec<_> = (0..1000).map(|_| clock.fresh::<EventIdKind>()).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
    }

    #[tokio::test]
    async fn a_sleeper_wakes_when_the_manual_clock_reaches_its_time() {
        let clock = Clock::manual(Timestamp::from_ms(0));
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep_until(Timestamp::from_ms(5_000)).await }
        });
        clock.advance(Duration::from_secs(5));
        sleeper.await.expect("the sleeper returns");
    }
}
