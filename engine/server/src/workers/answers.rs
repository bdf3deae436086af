//! Room for what receivers said, from the end of an attempt to the commit that stores it.
//!
//! What a failed attempt got back is stored for the person who must find out why. Until then it is in memory, and receivers choose
//! how long it is: while the store is slow, it is bytes that must be bounded, not attempts.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use weft_core::attempt::ResponseSample;

/// The bytes that answers may have in memory; cheap to clone.
#[derive(Clone, Debug)]
pub struct AnswerRoom {
    free: Arc<Semaphore>,
    bytes_max: usize,
}

/// The room of one answer, given back when dropped.
#[derive(Debug)]
pub struct HeldAnswer {
    _bytes: Option<OwnedSemaphorePermit>,
}

impl AnswerRoom {
    /// Room for answers of `bytes_max` bytes together.
    pub fn new(bytes_max: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(bytes_max)), bytes_max }
    }

    /// Takes room for an answer, if there is some.
    pub fn try_hold(&self, answer: Option<&ResponseSample>) -> Option<HeldAnswer> {
        match self.bytes_of(answer) {
            0 => Some(HeldAnswer { _bytes: None }),
            bytes => {
                let held = self.free.clone().try_acquire_many_owned(bytes).ok()?;
                Some(HeldAnswer { _bytes: Some(held) })
            }
        }
    }

    /// Waits for room for an answer.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn hold(&self, answer: Option<&ResponseSample>) -> HeldAnswer {
        let bytes = self.bytes_of(answer);
        // Nobody closes it, so that this cannot fail.
        HeldAnswer { _bytes: self.free.clone().acquire_many_owned(bytes).await.ok() }
    }

    /// One answer may be larger than the whole room: it waits until it is alone.
    fn bytes_of(&self, answer: Option<&ResponseSample>) -> u32 {
        let bytes = answer.map_or(0, |answer| {
            let headers = answer.headers.iter().map(|header| header.name.len() + header.value.len());
            answer.body.len() + headers.sum::<usize>()
        });
        u32::try_from(bytes.min(self.bytes_max)).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weft_core::event::Header;

    fn answer(bytes: usize) -> ResponseSample {
        let headers = vec![Header { name: "a".repeat(bytes / 4), value: "b".repeat(bytes / 4) }];
        ResponseSample { headers, body: vec![b'.'; bytes - bytes / 4 * 2].into() }
    }

    #[tokio::test]
    async fn answers_that_wait_for_the_store_are_bounded_in_bytes() {
        let room = AnswerRoom::new(100);
        let first = room.try_hold(Some(&answer(60))).expect("there is room");
        assert!(room.try_hold(Some(&answer(41))).is_none(), "101 of 100");
        assert!(room.try_hold(None).is_some(), "an attempt that was accepted has none to store");
        let _second = room.try_hold(Some(&answer(40))).expect("there is room");
        let waiting = tokio::spawn({
            let room = room.clone();
            async move { room.hold(Some(&answer(60))).await }
        });
        drop(first);
        waiting.await.expect("it has room");
    }

    #[tokio::test]
    async fn an_answer_larger_than_the_room_waits_until_it_is_alone() {
        let room = AnswerRoom::new(100);
        let small = room.try_hold(Some(&answer(1))).expect("there is room");
        assert!(room.try_hold(Some(&answer(5_000))).is_none());
        drop(small);
        room.hold(Some(&answer(5_000))).await;
    }
}
