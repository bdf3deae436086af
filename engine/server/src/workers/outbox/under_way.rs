//! The attempts under way, each under a number that it keeps.

use weft_core::id::DestinationId;

use super::accounts::Pace;

/// One attempt.
#[derive(Debug)]
pub(super) struct UnderWay {
    pub(super) destination: DestinationId,
    /// Of its body.
    pub(super) bytes: usize,
    pub(super) pace: Pace,
    /// The number of looks before it began.
    pub(super) began: u64,
    /// The receiver is done with it: it waits for our own store.
    pub(super) is_over: bool,
}

/// All attempts.
#[derive(Debug, Default)]
pub(super) struct AttemptsUnderWay {
    entries: Vec<Option<UnderWay>>,
    free: Vec<usize>,
}

impl AttemptsUnderWay {
    /// Adds an attempt; answers its number.
    pub(super) fn add(&mut self, attempt: UnderWay) -> usize {
        let number = self.free.pop().unwrap_or(self.entries.len());
        match self.entries.get_mut(number) {
            Some(entry) => *entry = Some(attempt),
            None => self.entries.push(Some(attempt)),
        }
        number
    }

    pub(super) fn get_mut(&mut self, number: usize) -> Option<&mut UnderWay> {
        self.entries.get_mut(number)?.as_mut()
    }

    /// Takes an attempt out.
    pub(super) fn remove(&mut self, number: usize) -> Option<UnderWay> {
        let removed = self.entries.get_mut(number)?.take();
        if removed.is_some() {
            self.free.push(number);
        }
        removed
    }

    /// Those that a receiver has not done with.
    pub(super) fn waiting_mut(&mut self) -> impl Iterator<Item = &mut UnderWay> {
        self.entries.iter_mut().flatten().filter(|attempt| !attempt.is_over)
    }
}
