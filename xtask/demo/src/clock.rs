//! The one place of the demo that reads a clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use weft_core::time::Timestamp;

/// Measures from its start on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "how long the demo's parts take is measured, not decided upon")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// The time as a receiver's log would have it.
#[expect(clippy::disallowed_methods, reason = "a receiver is another program than the engine, with a clock of its own")]
pub(crate) fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_ms(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}
