//! The clock that stops guests: one thread that moves the engine's epoch on, tick by tick.

use std::thread;
use std::time::Duration;

use wasmtime::Engine;

/// Length of a tick: what a limit of a call is rounded up to, and how much later than asked a guest may be stopped.
pub(crate) const TICK: Duration = Duration::from_millis(1);

/// Starts the thread that ticks for `engine` until the last user of `engine` is gone.
///
/// It is a thread of the operating system: a task of a runtime would not run while guests keep that runtime's threads
/// busy, and nothing would stop them.
pub(crate) fn start(engine: &Engine) -> std::io::Result<()> {
    let engine = engine.weak();
    thread::Builder::new().name("weft-epoch".to_owned()).spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    })?;
    Ok(())
}

/// How many ticks stand for `limit`: at least the limit, at most two ticks more.
pub(crate) fn ticks(limit: Duration) -> u64 {
    // The first tick may come at once, so it does not count.
    u64::try_from(limit.as_nanos().div_ceil(TICK.as_nanos())).unwrap_or(u64::MAX / 4).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_rounded_up_to_ticks_and_the_first_one_does_not_count() {
        assert_eq!(ticks(Duration::from_millis(50)), 51);
        assert_eq!(ticks(Duration::from_micros(1)), 2);
    }
}
