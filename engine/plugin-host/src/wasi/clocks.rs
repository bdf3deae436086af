//! `wasi:clocks`: time stands at the event's acceptance and moves only when the guest waits, at once.
//!
//! So a guest that sleeps loses nothing, a guest that measures measures nothing, and both do the same whenever they are run.

use wasmtime::component::{ComponentType, Linker, Lower};
use wasmtime::{Result, StoreContextMut};
use weft_core::time::Timestamp;

use crate::guest::Guest;
use crate::wasi::io::Pollable;

const NS_PER_MS: u64 = 1_000_000;

/// What one instance takes for the time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VirtualTime {
    start: Timestamp,
    waited_ms: u32,
}

impl VirtualTime {
    /// It is `start`, and the monotonic clock shows zero.
    pub(crate) fn starting_at(start: Timestamp) -> Self {
        Self { start, waited_ms: 0 }
    }

    /// Whether the monotonic clock has reached `due_ms`.
    pub(crate) fn has_reached(self, due_ms: u32) -> bool {
        self.waited_ms >= due_ms
    }

    /// Moves the clocks on to `due_ms`, unless they are there.
    pub(crate) fn wait_until(&mut self, due_ms: u32) {
        self.waited_ms = self.waited_ms.max(due_ms);
    }

    fn monotonic_ns(self) -> u64 {
        u64::from(self.waited_ms) * NS_PER_MS
    }

    fn wall(self) -> DateTime {
        let ms = u64::try_from(self.start.as_ms()).unwrap_or(0) + u64::from(self.waited_ms);
        let nanoseconds = u32::try_from(ms % 1000 * NS_PER_MS).expect("less than a second");
        DateTime { seconds: ms / 1000, nanoseconds }
    }
}

/// `wasi:clocks/wall-clock.datetime`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ComponentType, Lower)]
#[component(record)]
struct DateTime {
    seconds: u64,
    nanoseconds: u32,
}

pub(super) fn link(linker: &mut Linker<Guest>) -> Result<()> {
    type Store<'a> = StoreContextMut<'a, Guest>;

    let mut wall = linker.instance("wasi:clocks/wall-clock@0.2.0")?;
    wall.func_wrap("now", |store: Store<'_>, (): ()| Ok((store.data().time.wall(),)))?;
    wall.func_wrap("resolution", |_: Store<'_>, (): ()| Ok((DateTime { seconds: 0, nanoseconds: 1_000_000 },)))?;

    let mut monotonic = linker.instance("wasi:clocks/monotonic-clock@0.2.0")?;
    monotonic.func_wrap("now", |store: Store<'_>, (): ()| Ok((store.data().time.monotonic_ns(),)))?;
    monotonic.func_wrap("resolution", |_: Store<'_>, (): ()| Ok((NS_PER_MS,)))?;
    monotonic.func_wrap("subscribe-instant", |_: Store<'_>, (at_ns,): (u64,)| Ok((Pollable::due_at(ms(at_ns)),)))?;
    monotonic.func_wrap("subscribe-duration", |store: Store<'_>, (ns,): (u64,)| {
        Ok((Pollable::due_at(ms(store.data().time.monotonic_ns().saturating_add(ns))),))
    })
}

/// Whole milliseconds, rounded up: a wait is never shorter than asked for. 49 days are the end of time.
fn ms(ns: u64) -> u32 {
    u32::try_from(ns.div_ceil(NS_PER_MS)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_moves_both_clocks_and_never_back() {
        let mut time = VirtualTime::starting_at(Timestamp::from_ms(1_999));
        assert_eq!(time.wall(), DateTime { seconds: 1, nanoseconds: 999_000_000 });
        time.wait_until(ms(1));
        assert_eq!(time.wall(), DateTime { seconds: 2, nanoseconds: 0 });
        assert_eq!(time.monotonic_ns(), NS_PER_MS);
        time.wait_until(0);
        assert!(time.has_reached(1));
        assert!(!time.has_reached(ms(u64::MAX)));
    }
}
