//! How far a long piece of work has come, for whoever watches it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Written by the work, read by the watcher. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Parts>);

#[derive(Debug, Default)]
struct Parts {
    done: AtomicU64,
    whole: AtomicU64,
}

impl Progress {
    /// How much is done, and how much there is to do: bytes or rows, as the work says. The whole is 0 until it is known, and
    /// may be an estimate.
    pub fn read(&self) -> (u64, u64) {
        (self.0.done.load(Ordering::Relaxed), self.0.whole.load(Ordering::Relaxed))
    }

    /// Says how much there is to do.
    pub(crate) fn is_of(&self, whole: u64) {
        self.0.whole.store(whole, Ordering::Relaxed);
    }

    /// Says how much is done.
    pub(crate) fn has_done(&self, done: u64) {
        self.0.done.store(done, Ordering::Relaxed);
    }
}
