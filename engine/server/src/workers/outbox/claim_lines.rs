//! Who may have places filled out of the store: destinations that are behind and have room, in turn.
//!
//! A destination lines up when it is known to have something due in the store and half of its places are free. So a claim asks for
//! nothing that has no place, and one that hangs is not looked at again before one of its attempts has ended.

use std::collections::VecDeque;

use weft_core::id::DestinationId;

use super::lane::ClaimLine;
use super::state::State;

/// A claim takes so many deliveries of each destination at least, however many are behind: looking for one costs more than a second.
const ROWS_PER_DESTINATION: usize = 16;

impl State {
    /// Something of a destination is due in the store.
    pub(super) fn fell_behind(&mut self, destination: DestinationId) {
        let lane = self.lane(destination);
        lane.is_behind = true;
        lane.said_behind += 1;
        self.line_up_for_claim(destination);
    }

    /// A claim has found that nothing of a destination is due in the store, unless that was said since it began.
    pub(super) fn caught_up(&mut self, destination: DestinationId, said_behind: u64) {
        let lane = self.lane(destination);
        lane.is_behind = lane.said_behind != said_behind;
        self.line_up_for_claim(destination);
    }

    /// Whether a claim is worth its cost: half of the places that one of the lines may have are free.
    pub(super) fn wants_claim(&self) -> bool {
        !self.is_crowded()
            && ClaimLine::ALL.into_iter().any(|line| {
                let is_drained = line == ClaimLine::Answering || self.accounts.places_for_doubtful_are_drained();
                is_drained && !self.claim_lines[line as usize].is_empty()
            })
    }

    /// Takes places for what a claim may find, up to `rows` of them: destination, places, and what was said of it so far.
    pub(super) fn places_for_claim(&mut self, mut rows: usize) -> Vec<(DestinationId, usize, u64)> {
        let waiting: usize = self.claim_lines.iter().map(VecDeque::len).sum();
        let share = (rows / waiting.max(1)).max(ROWS_PER_DESTINATION);
        let mut taken = Vec::new();
        for line in ClaimLine::ALL {
            while rows > 0
                && let Some(destination) = self.claim_lines[line as usize].front().copied()
                && let Some(lane) = self.lanes.get(&destination)
            {
                let is_in_line = lane.claim_line == Some(line);
                let may_have = is_in_line && lane.is_behind && lane.its_claim_line() == line && !self.closed;
                let (said_behind, wanted) = (lane.said_behind, self.places_wanted(lane));
                let count = if may_have { wanted.min(self.places_free(lane)).min(share).min(rows) } else { 0 };
                if may_have && wanted > 0 && count == 0 {
                    // There is no room for anybody in this line.
                    break;
                }
                self.claim_lines[line as usize].pop_front();
                if is_in_line {
                    self.lane(destination).claim_line = None;
                }
                if count > 0 {
                    self.occupy(destination, count, 0);
                    rows -= count;
                    taken.push((destination, count, said_behind));
                } else {
                    self.line_up_for_claim(destination);
                }
            }
        }
        taken
    }

    /// Lines a destination up for a claim, if one for it is worth its cost: it is behind, and half of its places are free.
    pub(super) fn line_up_for_claim(&mut self, destination: DestinationId) {
        let Some(lane) = self.lanes.get(&destination) else { return };
        let wanted = self.places_wanted(lane);
        if lane.is_behind && lane.claim_line.is_none() && wanted > 0 && lane.places <= wanted {
            let line = lane.its_claim_line();
            self.lane(destination).claim_line = Some(line);
            self.claim_lines[line as usize].push_back(destination);
        }
    }
}
