//! The destinations of one tenant, found by the type of an event without trying every one.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use crate::destination::{Destination, DestinationStatus};
use crate::event::{EventPattern, EventType};

/// All destinations of a tenant, in the order in which they were declared.
#[derive(Clone, Debug, Default)]
pub struct Destinations {
    all: Vec<Destination>,
    // By what a pattern begins with, see `key`: the places of the destinations that have it, in order.
    places: Arc<HashMap<String, Vec<usize>>>,
}

/// What a pattern is found by: nothing for every type, a text that ends in a dot for all below it, or the one type.
fn key(pattern: &EventPattern) -> &str {
    match pattern {
        EventPattern::All => "",
        EventPattern::Below(prefix) => prefix,
        EventPattern::Exactly(one) => one.as_str(),
    }
}

/// The keys of all patterns that select `event_type`. A type that itself ends in a dot finds some that do not.
fn keys(event_type: &EventType) -> impl Iterator<Item = &str> {
    let text = event_type.as_str();
    let below = text.match_indices('.').map(|(dot, _)| &text[..=dot]);
    [""].into_iter().chain(below).chain([text])
}

impl From<Vec<Destination>> for Destinations {
    fn from(all: Vec<Destination>) -> Self {
        let mut places: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, destination) in all.iter().enumerate() {
            for pattern in &destination.events {
                places.entry(key(pattern).to_owned()).or_default().push(place);
            }
        }
        Self { all, places: Arc::new(places) }
    }
}

impl Deref for Destinations {
    type Target = [Destination];

    fn deref(&self) -> &[Destination] {
        &self.all
    }
}

impl Destinations {
    /// Where an event of this type goes where no step routes: who takes deliveries and is subscribed, in the order of declaration.
    ///
    /// Costs as much as there are subscribers, however many destinations there are.
    pub fn subscribers(&self, event_type: &EventType) -> Vec<&Destination> {
        let mut places: Vec<usize> =
            keys(event_type).filter_map(|key| self.places.get(key)).flatten().copied().collect();
        // One that has two patterns for the type is found twice.
        places.sort_unstable();
        places.dedup();
        let found = places.into_iter().map(|place| &self.all[place]);
        found.filter(|destination| destination.takes_deliveries() && destination.subscribes_to(event_type)).collect()
    }

    /// Gives the destination at `place` another status.
    pub fn set_status(&mut self, place: usize, status: DestinationStatus) {
        if let Some(destination) = self.all.get_mut(place) {
            destination.status = status;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;
    use crate::destination::{DestinationKind, DisabledReason, HttpTarget, Timeouts};
    use crate::id::DestinationId;
    use crate::retry::RetryPolicy;

    fn destination(number: u128, patterns: &[&str]) -> Destination {
        Destination {
            id: DestinationId::from_uuid(Uuid::from_u128(number)),
            name: format!("d{number}").parse().expect("a name"),
            kind: DestinationKind::Http(HttpTarget::plain(
                "https://receiver.example/hook".parse().expect("a URL"),
                vec![],
            )),
            events: patterns.iter().map(|pattern| pattern.parse().expect("a pattern")).collect(),
            labels: vec![],
            status: DestinationStatus::Active,
            retry: RetryPolicy::default(),
            timeouts: Timeouts { connect: Duration::from_secs(5), total: Duration::from_secs(20) },
        }
    }

    fn event_type(text: &str) -> EventType {
        text.parse().expect("a type")
    }

    #[test]
    fn who_is_found_by_type_is_who_subscribes_when_all_are_asked() {
        let patterns: [&[&str]; 8] = [
            &["order."],
            &["order.*"],
            &["*"],
            &["order.created"],
            &["order.line.*", "order.created"],
            &["order"],
            &["invoice.*", "*"],
            &["order.*", "order.created", "*"],
        ];
        let all: Vec<_> = (0..).zip(patterns).map(|(number, patterns)| destination(number, patterns)).collect();
        let destinations = Destinations::from(all.clone());
        for text in ["order", "order.", "order.created", "order.line.added", "order.line", "orders.created", "x"] {
            let wanted = event_type(text);
            let asked: Vec<_> = all.iter().filter(|one| one.subscribes_to(&wanted)).map(|one| one.id).collect();
            let found: Vec<_> = destinations.subscribers(&wanted).iter().map(|one| one.id).collect();
            assert_eq!(found, asked, "{text}");
        }
    }

    #[test]
    fn one_that_is_disabled_is_no_subscriber_until_it_is_enabled() {
        let mut destinations = Destinations::from(vec![destination(1, &["*"])]);
        destinations.set_status(0, DestinationStatus::Disabled(DisabledReason::Operator));
        assert!(destinations.subscribers(&event_type("a")).is_empty());
        for status in [DestinationStatus::Paused, DestinationStatus::Active] {
            destinations.set_status(0, status);
            assert_eq!(destinations.subscribers(&event_type("a")).len(), 1, "{status:?}");
        }
    }
}
