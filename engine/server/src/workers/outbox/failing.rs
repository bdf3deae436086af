//! Destinations whose every attempt fails: nobody there, or a receiver that says that it cannot.
//!
//! Such attempts are over at once, so nothing holds them back: each is a connection, a commit and a retry, and a dead destination with a
//! backlog would take as much of the machine as all the others together. So attempts at one that fails have a pace, and all of
//! them together another; the first success ends that. Nobody's attempts are lost by it: they are made later.

use std::collections::VecDeque;

use weft_core::id::DestinationId;

use super::lane::Lane;

/// So many attempts must have failed in a row: as many as are under way at once, so that a receiver that starts again is not held back.
pub(super) const FAILING_AFTER: u32 = 64;
/// Attempts that may begin at one such destination between two looks: two hundred a second.
pub(super) const BEGUN_PER_LOOK: usize = 50;
/// Attempts that may begin at all of them together between two looks. At a tenth of a millisecond each, that is a twenty-fifth of one core.
pub(super) const BEGUN_PER_LOOK_BY_ALL: usize = 100;

/// What they may still do until the next look.
#[derive(Debug, Default)]
pub(super) struct Failing {
    begun: usize,
    // Destinations with a delivery that waits for the next look, each once.
    waiting: VecDeque<DestinationId>,
}

impl Failing {
    /// Whether a destination that fails may begin an attempt before the next look.
    pub(super) const fn may_begin(&self, lane: &Lane, look: u64) -> bool {
        !lane.is_failing() || (self.begun < BEGUN_PER_LOOK_BY_ALL && lane.begun_at(look) < BEGUN_PER_LOOK)
    }

    /// Counts an attempt that begins.
    pub(super) const fn begins(&mut self, lane: &mut Lane, look: u64) {
        if lane.is_failing() {
            self.begun += 1;
            lane.begun = (look, lane.begun_at(look) + 1);
        }
    }

    /// Remembers a destination until the next look.
    pub(super) fn waits(&mut self, destination: DestinationId, lane: &mut Lane) {
        if lane.is_failing() && !lane.waits_for_look && !lane.queue.is_empty() {
            lane.waits_for_look = true;
            self.waiting.push_back(destination);
        }
    }

    /// Begins anew, and answers who has waited for it.
    pub(super) fn looked(&mut self) -> VecDeque<DestinationId> {
        self.begun = 0;
        std::mem::take(&mut self.waiting)
    }
}

impl Lane {
    /// Whether all its attempts of late have failed.
    pub(super) const fn is_failing(&self) -> bool {
        self.failures >= FAILING_AFTER
    }

    /// How many attempts it has begun since the look of this number.
    pub(super) const fn begun_at(&self, look: u64) -> usize {
        if self.begun.0 == look { self.begun.1 } else { 0 }
    }
}
