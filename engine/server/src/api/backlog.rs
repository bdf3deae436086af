//! What waits, counted for metrics. A count costs as much as there is to count, so a long one is not made again soon.

use std::time::Duration;

use tokio::sync::Mutex;
use weft_core::time::Timestamp;
use weft_store::upkeep::Counts;
use weft_store::{Store, StoreError};

use crate::clock::Clock;

/// 99: counting takes at most a hundredth of the time, whatever waits and however often somebody asks. A million deliveries are
/// counted in less than a tenth of a second, and then at most every ten seconds.
const REST: u32 = 99;
/// The longest time that a count is told again: a slow one may have waited for a busy store, and what metrics say must not be older
/// than the usual time between two scrapes.
const HOLDS_MAX: Duration = Duration::from_secs(10);

/// The last count.
#[derive(Default)]
pub(super) struct Backlog(Mutex<Option<Counted>>);

#[derive(Clone, Copy)]
struct Counted {
    counts: Counts,
    ended_at: Timestamp,
    took: Duration,
}

impl Counted {
    /// Whether it is too early to count again.
    fn holds(&self, now: Timestamp) -> bool {
        now.since(self.ended_at) < self.took.saturating_mul(REST).min(HOLDS_MAX)
    }
}

impl Backlog {
    /// What waits and what is dead, now or a short time ago. Callers that come together share one count.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn counts(&self, store: &Store, clock: &Clock) -> Result<Counts, StoreError> {
        let mut last = self.0.lock().await;
        let began_at = clock.now();
        if let Some(counted) = last.filter(|counted| counted.holds(began_at)) {
            return Ok(counted.counts);
        }
        let counts = store.counts().await?;
        let ended_at = clock.now();
        *last = Some(Counted { counts, ended_at, took: ended_at.since(began_at) });
        Ok(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_long_to_count_is_not_counted_again_soon() {
        let ended_at = Timestamp::from_ms(1_700_000_000_000);
        let counted = |took| Counted { counts: Counts::default(), ended_at, took: Duration::from_millis(took) };
        let after = |ms| ended_at.plus(Duration::from_millis(ms));
        assert!(!counted(0).holds(after(0)), "what costs nothing is always counted");
        assert!(counted(80).holds(after(7_919)));
        assert!(!counted(80).holds(after(7_920)));
    }

    #[test]
    fn a_count_that_waited_for_a_busy_store_is_not_told_for_minutes() {
        let ended_at = Timestamp::from_ms(1_700_000_000_000);
        let counted = Counted { counts: Counts::default(), ended_at, took: Duration::from_secs(5) };
        assert!(counted.holds(ended_at.plus(HOLDS_MAX / 2)));
        assert!(!counted.holds(ended_at.plus(HOLDS_MAX)));
    }
}
