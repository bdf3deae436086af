//! What of one destination is in memory, and what is known of it.

use std::collections::VecDeque;

use weft_store::work::DeliveryWork;

use super::accounts::Pace;

/// What is known of a destination. It decides how much of it may be in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Standing {
    /// No attempt has ended yet.
    #[default]
    Unknown,
    /// For about a second, attempts were under way and none was answered.
    Silent,
    /// It answers, whatever it says.
    Answers,
}

/// One destination's deliveries.
#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) queue: VecDeque<DeliveryWork>,
    /// Deliveries waiting and reserved.
    pub(super) places: usize,
    /// Of their bodies.
    pub(super) bytes: usize,
    /// Attempts under way, by the account that they count in.
    pub(super) quick: usize,
    pub(super) slow: usize,
    /// Of their bodies.
    pub(super) bytes_under_way: usize,
    pub(super) standing: Standing,
    /// The look before which it was last heard of.
    pub(super) heard: u64,
    /// The line in which it waits for its turn.
    pub(super) turn: Option<Standing>,
    /// Some deliveries wait in the store because there was no place; later ones queue behind them.
    pub(super) is_behind: bool,
    /// How often that was said of it, so that what is said while a claim is under way is not forgotten by its end.
    pub(super) said_behind: u64,
    /// Attempts that have failed since the last that did not.
    pub(super) failures: u32,
    /// While it fails: how many attempts it has begun since which look.
    pub(super) begun: (u64, usize),
    /// Whether it waits for the next look, because it fails and has begun what it may.
    pub(super) waits_for_look: bool,
    /// The line in which it waits for a claim.
    pub(super) claim_line: Option<ClaimLine>,
}

/// The lines in which destinations wait for places that a claim fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClaimLine {
    /// Of those that answer.
    Answering,
    /// Of the others, who have half of the places.
    Doubtful,
}

/// What a lane adds to the sums over all lanes. What is doubtful may have half of everything.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Weight {
    pub(super) doubtful_places: usize,
    /// Of what waits in those places.
    pub(super) doubtful_bytes: usize,
    pub(super) doubtful_quick: usize,
    pub(super) doubtful_slow: usize,
    /// 1 if it answers, and lets attempts wait.
    pub(super) slow_lanes: usize,
}

impl ClaimLine {
    pub(super) const ALL: [Self; 2] = [Self::Answering, Self::Doubtful];
}

impl Lane {
    /// The line in which it waits for a claim, if it does.
    pub(super) const fn its_claim_line(&self) -> ClaimLine {
        if self.standing.is_doubtful() { ClaimLine::Doubtful } else { ClaimLine::Answering }
    }

    /// Attempts under way.
    pub(super) const fn attempts(&self) -> usize {
        self.quick + self.slow
    }

    /// The attempts that count in one account.
    pub(super) const fn attempts_at(&mut self, pace: Pace) -> &mut usize {
        match pace {
            Pace::Quick => &mut self.quick,
            Pace::Slow => &mut self.slow,
        }
    }

    pub(super) fn weight(&self) -> Weight {
        if self.standing.is_doubtful() {
            Weight {
                doubtful_places: self.places,
                doubtful_bytes: self.bytes,
                doubtful_quick: self.quick,
                doubtful_slow: self.slow,
                slow_lanes: 0,
            }
        } else {
            Weight { slow_lanes: usize::from(self.slow > 0), ..Weight::default() }
        }
    }
}

impl Weight {
    /// This sum, with what a lane weighs now in the place of what it weighed before.
    pub(super) const fn with(self, before: Self, after: Self) -> Self {
        Self {
            doubtful_places: self.doubtful_places - before.doubtful_places + after.doubtful_places,
            doubtful_bytes: self.doubtful_bytes - before.doubtful_bytes + after.doubtful_bytes,
            doubtful_quick: self.doubtful_quick - before.doubtful_quick + after.doubtful_quick,
            doubtful_slow: self.doubtful_slow - before.doubtful_slow + after.doubtful_slow,
            slow_lanes: self.slow_lanes - before.slow_lanes + after.slow_lanes,
        }
    }
}

impl Standing {
    /// In the order in which turns are given. What is doubtful has half of each account at most, so that it can go first.
    pub(super) const ALL: [Self; 3] = [Self::Unknown, Self::Silent, Self::Answers];

    /// Whether it is not known to answer.
    pub(super) const fn is_doubtful(self) -> bool {
        matches!(self, Self::Unknown | Self::Silent)
    }

    /// The account in which an attempt at such a destination begins: of one that has been silent, nobody expects an answer soon.
    pub(super) const fn pace(self) -> Pace {
        match self {
            Self::Unknown | Self::Answers => Pace::Quick,
            Self::Silent => Pace::Slow,
        }
    }
}
