//! When deliveries are due that wait in the store: the earliest time of each destination.
//!
//! It is as long as the list of destinations at most, however many deliveries wait.

use std::collections::{BTreeSet, HashMap};

use weft_core::id::DestinationId;
use weft_core::time::Timestamp;

/// The times.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    of_destination: HashMap<DestinationId, Timestamp>,
    in_order: BTreeSet<(Timestamp, DestinationId)>,
}

impl Agenda {
    /// Notes that a delivery of a destination is due at `at`; answers whether that is before everything that was known.
    pub(super) fn note(&mut self, destination: DestinationId, at: Timestamp) -> bool {
        let is_first = self.next().is_none_or(|first| at < first);
        match self.of_destination.get_mut(&destination) {
            Some(known) if *known <= at => return false,
            Some(known) => {
                self.in_order.remove(&(*known, destination));
                *known = at;
            }
            None => drop(self.of_destination.insert(destination, at)),
        }
        self.in_order.insert((at, destination));
        is_first
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.in_order.first().map(|(at, _)| *at)
    }

    /// Takes the destinations out of which something is due at `now`, earliest first.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Vec<DestinationId> {
        let mut due = Vec::new();
        while let Some((at, destination)) = self.in_order.pop_first() {
            if at > now {
                self.in_order.insert((at, destination));
                break;
            }
            self.of_destination.remove(&destination);
            due.push(destination);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn destination(number: u128) -> DestinationId {
        DestinationId::from_uuid(Uuid::from_u128(number))
    }

    const fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    #[test]
    fn each_destination_stands_there_once_with_its_earliest_time() {
        let mut agenda = Agenda::default();
        assert!(agenda.note(destination(1), at(50)), "the first");
        assert!(!agenda.note(destination(2), at(70)));
        assert!(!agenda.note(destination(1), at(60)), "later than what is known");
        assert!(agenda.note(destination(2), at(40)), "before everything");
        assert_eq!(agenda.next(), Some(at(40)));
        assert_eq!(agenda.take_due(at(39)), []);
        assert_eq!(agenda.take_due(at(50)), [destination(2), destination(1)]);
        assert_eq!((agenda.next(), agenda.of_destination.len()), (None, 0));
    }

    #[test]
    fn what_has_been_taken_can_be_noted_again() {
        let mut agenda = Agenda::default();
        agenda.note(destination(1), at(50));
        assert_eq!(agenda.take_due(at(50)), [destination(1)]);
        assert!(agenda.note(destination(1), at(90)));
        assert_eq!(agenda.take_due(at(90)), [destination(1)]);
    }
}
