//! `wasi:random`: chance that depends on the event and the output alone.
//!
//! None of it is secret: a plugin that needs real entropy must be granted it. Languages seed their hash maps from here, whose
//! order would else change an output from run to run.

use wasmtime::component::Linker;
use wasmtime::{Result, StoreContextMut, bail};
use weft_core::id::EventId;

use crate::guest::Guest;

/// Bytes that one request may ask for; seeds and keys are shorter than a hundred.
const BYTES_MAX: u64 = 1024 * 1024;

/// A sequence of numbers (SplitMix64; Steele, Lea and Flood, 2014).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// The sequence of one output of one event.
    pub(crate) fn of(event: EventId, output: u32) -> Self {
        let (high, low) = event.uuid().as_u64_pair();
        let mut seed = Self(high);
        let mut seed = Self(seed.next() ^ low);
        Self(seed.next() ^ u64::from(output))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn bytes(&mut self, len: u64) -> Result<Vec<u8>> {
        if len > BYTES_MAX {
            bail!("the guest asked for {len} random bytes at once; the most is {BYTES_MAX}");
        }
        let len = usize::try_from(len)?;
        let mut bytes = Vec::with_capacity(len.next_multiple_of(8));
        while bytes.len() < len {
            bytes.extend_from_slice(&self.next().to_le_bytes());
        }
        bytes.truncate(len);
        Ok(bytes)
    }
}

pub(super) fn link(linker: &mut Linker<Guest>) -> Result<()> {
    type Store<'a> = StoreContextMut<'a, Guest>;

    for (interface, bytes, number) in [
        ("wasi:random/random@0.2.0", "get-random-bytes", "get-random-u64"),
        ("wasi:random/insecure@0.2.0", "get-insecure-random-bytes", "get-insecure-random-u64"),
    ] {
        let mut random = linker.instance(interface)?;
        random.func_wrap(bytes, |mut store: Store<'_>, (len,): (u64,)| Ok((store.data_mut().dice.bytes(len)?,)))?;
        random.func_wrap(number, |mut store: Store<'_>, (): ()| Ok((store.data_mut().dice.next(),)))?;
    }
    linker.instance("wasi:random/insecure-seed@0.2.0")?.func_wrap("insecure-seed", |mut store: Store<'_>, (): ()| {
        let dice = &mut store.data_mut().dice;
        Ok(((dice.next(), dice.next()),))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(n: u128) -> EventId {
        EventId::from_uuid(uuid::Uuid::from_u128(n))
    }

    #[test]
    fn the_same_output_of_the_same_event_throws_the_same_dice_and_others_throw_others() {
        let throw = |n, output| Dice::of(event(n), output).next();
        assert_eq!(throw(7, 1), throw(7, 1));
        for other in [throw(7, 2), throw(8, 1), throw(7 << 64, 1)] {
            assert_ne!(throw(7, 1), other);
        }
    }

    #[test]
    fn promise_5_a_guest_gets_as_many_random_bytes_as_it_asks_for_up_to_a_limit() {
        let mut dice = Dice::of(event(7), 0);
        assert_eq!(dice.bytes(13).expect("few bytes").len(), 13);
        assert!(dice.bytes(u64::MAX).is_err());
    }
}
