//! What the attempts under way hold, in two accounts, and how many of them a destination may have.
//!
//! An attempt begins in the account of the quick ones, whose limit is what the machine works on at a time. One that its
//! receiver lets wait does no work: it moves into the account of the slow ones, which bounds what waiting costs (a socket and some
//! memory each). Destinations of which it is not known that they answer may have half of either account, so that the
//! others always find room in both.

use super::OutboxLimits;
use super::lane::{Lane, Standing, Weight};

/// Attempts under way to a destination that is not known to answer: enough to find out beside one that hangs by accident, and
/// few enough for a thousand such destinations. Once they have a quarter of the slow account, each gets one.
pub(super) const DOUBTFUL_ATTEMPTS: usize = 4;
/// A destination may have this part of the bytes that wait, and of those under way: large bodies for one that hangs leave room for
/// the others.
pub(super) const PART_OF_BYTES: usize = 4;

/// The account that an attempt counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// It may be answered at any moment.
    Quick,
    /// Its receiver lets it wait.
    Slow,
}

/// Both accounts.
#[derive(Debug)]
pub(super) struct Accounts {
    limits: OutboxLimits,
    quick: Account,
    slow: Account,
    lanes: Weight,
}

#[derive(Clone, Copy, Debug, Default)]
struct Account {
    attempts: usize,
    // Of bodies.
    bytes: usize,
}

impl Accounts {
    pub(super) fn new(limits: OutboxLimits) -> Self {
        Self { limits, quick: Account::default(), slow: Account::default(), lanes: Weight::default() }
    }

    /// Attempts under way, quick and slow.
    pub(super) const fn attempts(&self) -> (usize, usize) {
        (self.quick.attempts, self.slow.attempts)
    }

    /// Whether an attempt may begin at a destination of this standing, whatever its body.
    pub(super) const fn has_slot(&self, standing: Standing) -> bool {
        let (account, doubtful, most) = match standing.pace() {
            Pace::Quick => (&self.quick, self.lanes.doubtful_quick, self.limits.attempts),
            Pace::Slow => (&self.slow, self.lanes.doubtful_slow, self.limits.attempts_slow),
        };
        account.attempts < most && !(standing.is_doubtful() && doubtful >= most.div_ceil(2))
    }

    /// Whether an attempt with a body of `bytes` may begin at a destination of this standing.
    pub(super) const fn has_room(&self, standing: Standing, bytes: usize) -> bool {
        let account = match standing.pace() {
            Pace::Quick => &self.quick,
            Pace::Slow => &self.slow,
        };
        self.has_slot(standing) && fits(account.bytes, bytes, self.limits.bytes)
    }

    pub(super) const fn add(&mut self, pace: Pace, bytes: usize) {
        let account = self.account(pace);
        account.attempts += 1;
        account.bytes += bytes;
    }

    pub(super) const fn remove(&mut self, pace: Pace, bytes: usize) {
        let account = self.account(pace);
        account.attempts -= 1;
        account.bytes -= bytes;
    }

    /// Moves a quick attempt into the account of the slow ones, if there is room for it; answers whether there was.
    pub(super) const fn slow_down(&mut self, bytes: usize) -> bool {
        let has_room =
            self.slow.attempts < self.limits.attempts_slow && fits(self.slow.bytes, bytes, self.limits.bytes);
        if has_room {
            self.remove(Pace::Quick, bytes);
            self.add(Pace::Slow, bytes);
        }
        has_room
    }

    /// Puts what a lane weighs now in the place of what it weighed before.
    pub(super) const fn reweigh(&mut self, before: Weight, after: Weight) {
        self.lanes = self.lanes.with(before, after);
    }

    /// Places that destinations may still have of which it is not known that they answer: half of all are for the others.
    pub(super) const fn places_for_doubtful(&self) -> usize {
        let has_bytes = self.lanes.doubtful_bytes < self.limits.bytes / 2;
        if has_bytes { self.limits.waiting.div_ceil(2).saturating_sub(self.lanes.doubtful_places) } else { 0 }
    }

    /// Whether half of those are free.
    pub(super) const fn places_for_doubtful_are_drained(&self) -> bool {
        self.places_for_doubtful() * 2 >= self.limits.waiting.div_ceil(2)
    }

    /// Whether a body of `bytes` may wait for a destination of which it is not known that it answers.
    pub(super) const fn has_bytes_for_doubtful(&self, bytes: usize) -> bool {
        fits(self.lanes.doubtful_bytes, bytes, self.limits.bytes / 2)
    }

    /// How many attempts a destination may have under way; one at least.
    pub(super) fn allowed(&self, lane: &Lane) -> usize {
        let slow_max = self.limits.attempts_slow;
        let allowed = if lane.standing.is_doubtful() {
            if self.lanes.doubtful_slow * 4 < slow_max { DOUBTFUL_ATTEMPTS } else { 1 }
        } else if lane.slow > 0 && self.slow.attempts * 2 > slow_max {
            // An equal share of what the silent ones leave, for each that answers slowly.
            (slow_max.saturating_sub(self.lanes.doubtful_slow) / self.lanes.slow_lanes.max(1)).max(1)
        } else {
            self.limits.attempts_per_destination
        };
        allowed.min(self.limits.attempts_per_destination)
    }

    /// Whether a destination may begin its first delivery now, as far as its own share goes.
    pub(super) fn may_begin(&self, lane: &Lane) -> bool {
        let its_bytes = self.limits.bytes / PART_OF_BYTES;
        let is_small_enough = |bytes: usize| fits(lane.bytes_under_way, bytes, its_bytes);
        lane.queue.front().is_some_and(|first| is_small_enough(first.body.len()))
            && lane.attempts() < self.allowed(lane)
    }

    /// Whether it is its receiver that a destination's deliveries wait for: slow attempts take half of what it may have.
    pub(super) fn is_slow(&self, lane: &Lane) -> bool {
        lane.slow > 0 && lane.slow * 2 >= self.allowed(lane)
    }

    const fn account(&mut self, pace: Pace) -> &mut Account {
        match pace {
            Pace::Quick => &mut self.quick,
            Pace::Slow => &mut self.slow,
        }
    }
}

/// Whether a body of `bytes` fits beside what is held already. One may be larger than the whole allowance: it passes when it is alone.
pub(super) const fn fits(held: usize, bytes: usize, most: usize) -> bool {
    held == 0 || held + bytes <= most
}
