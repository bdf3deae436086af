//! What is in memory, and who has the next turn.

use std::collections::{HashMap, HashSet, VecDeque};

use weft_core::id::DestinationId;
use weft_store::work::DeliveryWork;

use super::accounts::{Accounts, PART_OF_BYTES, Pace, fits};
use super::failing::Failing;
use super::lane::{ClaimLine, Lane, Standing};
use super::under_way::{AttemptsUnderWay, UnderWay};
use super::{Made, OutboxLimits};
use crate::workers::ready::Ready;

/// Looks after which an attempt that is still under way counts as slow: between a quarter and half a second.
pub(super) const LOOKS_UNTIL_SLOW: u64 = 2;
/// Looks after which a destination that has answered nothing meanwhile counts as silent: about a second. Receivers that need half of
/// that are common, and must not be held back for it.
pub(super) const LOOKS_UNTIL_SILENT: u64 = 4;
/// A destination whose attempts are slow has places for this part of what is free: however many there are, some remain.
const PART_OF_FREE_PLACES: usize = 8;
/// Deliveries given back to the store at one look: it must not hold up the commits of live traffic.
pub(super) const SURPLUS_MAX: usize = 512;

pub(super) struct State {
    limits: OutboxLimits,
    pub(super) lanes: HashMap<DestinationId, Lane>,
    // Destinations that have a delivery waiting and an attempt free, each once, by their standing.
    turns: [VecDeque<DestinationId>; Standing::ALL.len()],
    pub(super) places: usize,
    bytes: usize,
    under_way: AttemptsUnderWay,
    pub(super) accounts: Accounts,
    // How many there have been.
    look: u64,
    failing: Failing,
    // Destinations with more in memory than they may have by now.
    overfull: HashSet<DestinationId>,
    pub(super) ready: Ready,
    // Destinations that are behind and could fill places out of the store.
    pub(super) claim_lines: [VecDeque<DestinationId>; ClaimLine::ALL.len()],
    pub(super) closed: bool,
}

impl State {
    pub(super) fn new(limits: OutboxLimits) -> Self {
        Self {
            limits,
            lanes: HashMap::new(),
            turns: Default::default(),
            places: 0,
            bytes: 0,
            under_way: AttemptsUnderWay::default(),
            accounts: Accounts::new(limits),
            look: 0,
            failing: Failing::default(),
            overfull: HashSet::new(),
            ready: Ready::default(),
            claim_lines: Default::default(),
            closed: false,
        }
    }

    pub(super) fn lane(&mut self, destination: DestinationId) -> &mut Lane {
        self.lanes.entry(destination).or_default()
    }

    /// Attempts under way, quick and slow.
    pub(super) const fn attempts(&self) -> (usize, usize) {
        self.accounts.attempts()
    }

    /// Whether it is receivers that are waited for before anything more can begin.
    pub(super) const fn is_busy(&self) -> bool {
        !self.accounts.has_room(Standing::Answers, self.limits.bytes / PART_OF_BYTES)
    }

    /// Takes a place for a delivery with a body of `bytes`, if there is one and nothing of its destination waits in the store. Else the
    /// destination has fallen behind.
    pub(super) fn reserve(&mut self, destination: DestinationId, bytes: usize) -> bool {
        self.lane(destination);
        let lane = &self.lanes[&destination];
        let has_place = self.places_free(lane) > 0
            && fits(self.bytes, bytes, self.limits.bytes)
            && fits(lane.bytes, bytes, self.limits.bytes / PART_OF_BYTES)
            && (!lane.standing.is_doubtful() || self.accounts.has_bytes_for_doubtful(bytes));
        if lane.is_behind || !has_place || self.closed {
            self.lane(destination).is_behind = true;
            // There may be room again before what is stored now is said to be there.
            self.line_up_for_claim(destination);
            return false;
        }
        self.occupy(destination, 1, bytes);
        true
    }

    /// Puts a delivery into a place that was occupied with `reserved` bytes; answers whether its destination now has a turn.
    pub(super) fn fill(&mut self, work: DeliveryWork, reserved: usize) -> bool {
        let (destination, tenant, bytes) = (work.destination, work.tenant, work.body.len());
        // A claim reserves before it knows the body.
        self.bytes = self.bytes - reserved + bytes;
        self.change(destination, |lane| {
            lane.bytes = lane.bytes - reserved + bytes;
            lane.queue.push_back(work);
        });
        if self.lane(destination).turn == Some(Standing::Answers) {
            self.ready.add(tenant, 1);
        }
        self.line_up(destination)
    }

    pub(super) fn vacate(&mut self, destination: DestinationId, bytes: usize) {
        self.places -= 1;
        self.bytes -= bytes;
        self.change(destination, |lane| {
            lane.places -= 1;
            lane.bytes -= bytes;
        });
        self.line_up_for_claim(destination);
    }

    /// Begins the next attempt, if one can begin; answers its number.
    pub(super) fn take(&mut self) -> Option<(DeliveryWork, usize)> {
        Standing::ALL.into_iter().find_map(|standing| self.take_from(standing))
    }

    /// Whether an attempt can begin, unless its body is too large.
    pub(super) fn can_begin(&self) -> bool {
        Standing::ALL
            .into_iter()
            .any(|standing| !self.turns[standing as usize].is_empty() && self.accounts.has_slot(standing))
    }

    /// The receiver is done with an attempt, or nothing of it has left.
    pub(super) fn is_over(&mut self, number: usize, made: Made) {
        let look = self.look;
        let Some(attempt) = self.under_way.get_mut(number).filter(|attempt| !attempt.is_over) else { return };
        attempt.is_over = true;
        let destination = attempt.destination;
        // One that fails at once holds nothing for long, which is all that matters here.
        let is_heard = match made {
            Made::Answered | Made::Overloaded => true,
            Made::Unanswered => look - attempt.began < LOOKS_UNTIL_SLOW,
            Made::Nothing => false,
        };
        self.count_failure(destination, made);
        if is_heard {
            self.change(destination, |lane| {
                lane.heard = look;
                lane.standing = Standing::Answers;
                // Its place in another line, where it might wait behind others that are silent, is passed over.
                lane.turn = lane.turn.filter(|line| *line == Standing::Answers);
                lane.claim_line = lane.claim_line.filter(|line| *line == ClaimLine::Answering);
            });
            self.line_up(destination);
            self.line_up_for_claim(destination);
        }
    }

    /// Gives back what an attempt held.
    pub(super) fn end(&mut self, number: usize) {
        let Some(UnderWay { destination, bytes, pace, .. }) = self.under_way.remove(number) else { return };
        self.accounts.remove(pace, bytes);
        self.change(destination, |lane| {
            *lane.attempts_at(pace) -= 1;
            lane.bytes_under_way -= bytes;
        });
        self.line_up(destination);
        self.line_up_for_claim(destination);
    }

    /// Looks at what is under way: attempts that last become slow, destinations that answer none become silent. Answers deliveries that
    /// wait for such destinations in places that others need.
    pub(super) fn look(&mut self) -> Vec<DeliveryWork> {
        self.look += 1;
        let (mut slower, mut unheard) = (Vec::new(), Vec::new());
        for attempt in self.under_way.waiting_mut() {
            let looks = self.look - attempt.began;
            let is_due = attempt.pace == Pace::Quick && looks >= LOOKS_UNTIL_SLOW;
            if is_due && self.accounts.slow_down(attempt.bytes) {
                attempt.pace = Pace::Slow;
                slower.push(attempt.destination);
            }
            if looks >= LOOKS_UNTIL_SILENT {
                unheard.push(attempt.destination);
            }
        }
        for destination in slower {
            self.change(destination, |lane| {
                lane.quick -= 1;
                lane.slow += 1;
            });
            self.overfull.insert(destination);
        }
        for destination in unheard {
            if self.lane(destination).heard + LOOKS_UNTIL_SILENT <= self.look {
                self.change(destination, |lane| lane.standing = Standing::Silent);
                self.overfull.insert(destination);
            }
        }
        let before = self.look - 1;
        let waiting = self.failing.looked();
        let (unserved, served): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|destination| self.lane(*destination).begun_at(before) == 0);
        // Those that had no turn come first.
        for destination in unserved.into_iter().chain(served) {
            self.lane(destination).waits_for_look = false;
            self.line_up(destination);
        }
        self.surplus()
    }

    /// Counts attempts that fail one after the other.
    fn count_failure(&mut self, destination: DestinationId, made: Made) {
        let lane = self.lane(destination);
        match made {
            Made::Answered => lane.failures = 0,
            Made::Overloaded | Made::Unanswered => {
                lane.failures = lane.failures.saturating_add(1);
                if lane.is_failing() {
                    self.overfull.insert(destination);
                }
            }
            Made::Nothing => {}
        }
    }

    /// Whether a destination may begin its first delivery now.
    fn may_begin(&self, lane: &Lane) -> bool {
        self.accounts.may_begin(lane) && self.failing.may_begin(lane, self.look)
    }

    /// Takes everything out that waits.
    pub(super) fn close(&mut self) -> Vec<DeliveryWork> {
        self.closed = true;
        self.ready.close();
        self.lanes.values_mut().flat_map(|lane| lane.queue.drain(..)).collect()
    }

    /// Deliveries beyond what their destinations may have in memory by now, if the outbox is more than half full.
    fn surplus(&mut self) -> Vec<DeliveryWork> {
        let mut surplus = Vec::new();
        let overfull: Vec<_> = if self.is_crowded() { self.overfull.iter().copied().collect() } else { Vec::new() };
        for destination in overfull {
            while let Some(lane) = self.lanes.get(&destination)
                && let Some(last) = lane.queue.back()
                && lane.places > self.places_allowed(lane)
            {
                if !self.is_crowded() || surplus.len() >= SURPLUS_MAX {
                    return surplus;
                }
                if lane.turn == Some(Standing::Answers) {
                    self.ready.remove(last.tenant, 1);
                }
                let lane = self.lane(destination);
                lane.is_behind = true;
                let work = lane.queue.pop_back();
                self.vacate(destination, work.as_ref().map_or(0, |work| work.body.len()));
                surplus.extend(work);
            }
            self.overfull.remove(&destination);
        }
        surplus
    }

    fn take_from(&mut self, line: Standing) -> Option<(DeliveryWork, usize)> {
        loop {
            let destination = *self.turns[line as usize].front()?;
            let lane = self.lanes.get(&destination)?;
            // What is known of it, or what it may have, may have changed since it lined up.
            let is_its_turn = lane.turn == Some(line) && lane.standing == line && self.may_begin(lane);
            let bytes = lane.queue.front().map_or(0, |first| first.body.len());
            if is_its_turn && !self.accounts.has_room(line, bytes) {
                // It waits for room in its line: others must not go before it for ever because they are smaller.
                return None;
            }
            self.leave_line(line);
            if is_its_turn {
                return self.begin(destination, line.pace());
            }
            self.line_up(destination);
        }
    }

    /// Takes the first destination out of a line.
    fn leave_line(&mut self, line: Standing) {
        let Some(destination) = self.turns[line as usize].pop_front() else { return };
        let Some(lane) = self.lanes.get_mut(&destination).filter(|lane| lane.turn == Some(line)) else { return };
        lane.turn = None;
        if let (Standing::Answers, Some(first)) = (line, lane.queue.front()) {
            self.ready.remove(first.tenant, lane.queue.len());
        }
    }

    /// Takes the destination's first delivery and counts its attempt.
    fn begin(&mut self, destination: DestinationId, pace: Pace) -> Option<(DeliveryWork, usize)> {
        let work = self.lane(destination).queue.pop_front()?;
        let bytes = work.body.len();
        let attempt = UnderWay { destination, bytes, pace, began: self.look, is_over: false };
        let number = self.under_way.add(attempt);
        let look = self.look;
        if let Some(lane) = self.lanes.get_mut(&destination) {
            self.failing.begins(lane, look);
        }
        self.accounts.add(pace, bytes);
        self.change(destination, |lane| {
            *lane.attempts_at(pace) += 1;
            lane.bytes_under_way += bytes;
        });
        if self.is_busy() {
            // From now on it is receivers that are waited for, which is no reason to keep events out.
            self.ready.relieve();
        }
        self.vacate(destination, bytes);
        self.line_up(destination);
        Some((work, number))
    }

    /// Gives a destination its turn if it can use one.
    fn line_up(&mut self, destination: DestinationId) -> bool {
        let Some(lane) = self.lanes.get(&destination) else { return false };
        if lane.turn.is_some() {
            return false;
        }
        if !self.may_begin(lane) {
            if let Some(lane) = self.lanes.get_mut(&destination) {
                self.failing.waits(destination, lane);
            }
            return false;
        }
        let standing = lane.standing;
        if let (Standing::Answers, Some(first)) = (standing, lane.queue.front()) {
            // Of the others nobody can say that it is the machine which they wait for.
            self.ready.add(first.tenant, lane.queue.len());
        }
        self.lane(destination).turn = Some(standing);
        self.turns[standing as usize].push_back(destination);
        true
    }

    pub(super) fn occupy(&mut self, destination: DestinationId, places: usize, bytes: usize) {
        self.places += places;
        self.bytes += bytes;
        self.change(destination, |lane| {
            lane.places += places;
            lane.bytes += bytes;
        });
    }

    /// How many places a destination could fill now, as far as the others leave them.
    pub(super) fn places_free(&self, lane: &Lane) -> usize {
        let free = if self.bytes < self.limits.bytes { self.limits.waiting.saturating_sub(self.places) } else { 0 };
        let free = if lane.standing.is_doubtful() { free.min(self.accounts.places_for_doubtful()) } else { free };
        free.min(self.places_wanted(lane))
    }

    /// How many more places a destination may have by itself.
    pub(super) fn places_wanted(&self, lane: &Lane) -> usize {
        let has_bytes = lane.bytes < self.limits.bytes / PART_OF_BYTES;
        if has_bytes { self.places_allowed(lane).saturating_sub(lane.places) } else { 0 }
    }

    /// How many deliveries of a destination may wait in memory, reserved places included.
    fn places_allowed(&self, lane: &Lane) -> usize {
        let allowed = match lane.standing {
            // Nothing is gained by having more of it at hand than may be under way.
            Standing::Silent => self.accounts.allowed(lane).saturating_sub(lane.attempts()),
            Standing::Answers if self.accounts.is_slow(lane) || lane.is_failing() => {
                let free = self.limits.waiting.saturating_sub(self.places);
                (free / PART_OF_FREE_PLACES).clamp(1, self.limits.attempts_per_destination)
            }
            Standing::Unknown | Standing::Answers => self.limits.waiting_per_destination,
        };
        allowed.min(self.limits.waiting_per_destination)
    }

    /// Whether more than half of the places or of the bytes are taken.
    pub(super) const fn is_crowded(&self) -> bool {
        self.places * 2 > self.limits.waiting || self.bytes * 2 > self.limits.bytes
    }

    /// Changes a lane, and the sums over all lanes with it.
    fn change(&mut self, destination: DestinationId, change: impl FnOnce(&mut Lane)) {
        let lane = self.lane(destination);
        let before = lane.weight();
        change(lane);
        let after = lane.weight();
        self.accounts.reweigh(before, after);
    }
}
