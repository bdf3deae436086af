//! The one place of the bench that reads a clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Nanoseconds since 1970, for times that travel from one process to another on the same machine.
#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
#[must_use]
pub fn now_ns() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX)
}

/// Measures within one process, from its start on.
#[derive(Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts measuring.
    #[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the start.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// The moment that lies `after` the start.
    #[must_use]
    pub fn moment(self, after: Duration) -> tokio::time::Instant {
        (self.0 + after).into()
    }
}
