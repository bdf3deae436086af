//! What is due in the store, told to those who take it out.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use weft_core::id::DestinationId;
use weft_core::time::Timestamp;

use crate::workers::agenda::Agenda;

/// Wakes the claims; cheap to clone.
#[derive(Clone, Default)]
pub struct ClaimsWake(Arc<Wakes>);

#[derive(Default)]
struct Wakes {
    agenda: Mutex<Agenda>,
    // Told when something is due before everything that was known.
    deliveries: Notify,
    // The earliest time that was said since the last look.
    passes_at: Mutex<Option<Timestamp>>,
    passes: Notify,
    lanes: Notify,
    around: Notify,
}

impl ClaimsWake {
    /// Says that deliveries are due at a destination at `at`. Of what is due already, the outbox is told.
    pub fn deliveries_due(&self, destination: DestinationId, at: Timestamp) {
        if self.agenda().note(destination, at) {
            self.0.deliveries.notify_one();
        }
    }

    /// Says that a pass is due at `at`.
    pub fn passes_due(&self, at: Timestamp) {
        let mut known = lock(&self.0.passes_at);
        if known.is_none_or(|known| at < known) {
            *known = Some(at);
            self.0.passes.notify_one();
        }
    }

    /// Says that something is due, and that nobody here can say what.
    pub fn look_around(&self) {
        self.passes_due(Timestamp::from_ms(i64::MIN));
        self.0.around.notify_one();
    }

    /// What is due when.
    pub(super) fn agenda(&self) -> MutexGuard<'_, Agenda> {
        lock(&self.0.agenda)
    }

    /// Waits until something is due earlier than was known.
    pub(super) async fn deliveries_said(&self) {
        self.0.deliveries.notified().await;
    }

    /// Says that deliveries under ordering keys are due as soon as those before them have ended: a rest would slow all of their kind
    /// down.
    pub(super) fn lanes_opened(&self) {
        self.0.lanes.notify_one();
    }

    /// Waits until that is said.
    pub(super) async fn lanes_said(&self) {
        self.0.lanes.notified().await;
    }

    /// Waits until a pass is said to be due earlier than was known.
    pub(super) async fn passes_said(&self) {
        self.0.passes.notified().await;
    }

    /// The earliest time of a pass that was said since the last call.
    pub(super) fn take_passes_due(&self) -> Option<Timestamp> {
        lock(&self.0.passes_at).take()
    }

    /// Waits until somebody says that there is something to find.
    pub(super) async fn around_said(&self) {
        self.0.around.notified().await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while the lock is held cannot leave anything half changed: no code of others runs under it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
