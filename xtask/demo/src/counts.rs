//! What the engine and the receivers must have counted, worked out from what was sent.

use std::collections::BTreeMap;

use crate::expected::{Content, Fate};
use crate::receipts::Place;

/// An event that Weft has acknowledged, with what must become of it.
#[derive(Clone, Debug)]
pub(crate) struct SentEvent {
    /// `evt_…`
    pub(crate) id: String,
    pub(crate) tenant: String,
    pub(crate) fate: Fate,
}

/// What became of a tenant's events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TenantCounts {
    pub(crate) accepted: u64,
    /// Dropped by the filter.
    pub(crate) filtered: u64,
    /// Dropped because the array that would have been split had no elements.
    pub(crate) emptied: u64,
    /// Became several outputs.
    pub(crate) split: u64,
    /// What was routed, whole events and parts of them.
    pub(crate) outputs: u64,
}

/// What must be counted.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    pub(crate) tenants: BTreeMap<String, TenantCounts>,
    /// The deliveries of each destination by `webhook-id`, with what each must hold.
    pub(crate) deliveries: BTreeMap<Place, BTreeMap<String, Content>>,
}

impl Expected {
    pub(crate) fn of(events: &[SentEvent]) -> Self {
        let mut expected = Self::default();
        for event in events {
            expected.add(event);
        }
        expected
    }

    fn add(&mut self, event: &SentEvent) {
        let counts = self.tenants.entry(event.tenant.clone()).or_default();
        counts.accepted += 1;
        let outputs = match &event.fate {
            Fate::Filtered => {
                counts.filtered += 1;
                return;
            }
            Fate::Emptied => {
                counts.emptied += 1;
                return;
            }
            Fate::Routed(outputs) => outputs,
        };
        counts.split += u64::from(outputs.len() > 1);
        counts.outputs += outputs.len() as u64;
        for (number, output) in (1..).zip(outputs) {
            // Promise 3: the event's own id, or one with the output's number if there are several.
            let webhook_id = if outputs.len() > 1 { format!("{}-{number}", event.id) } else { event.id.clone() };
            for destination in output.destinations {
                let place = Place::new(&event.tenant, *destination);
                self.deliveries.entry(place).or_default().insert(webhook_id.clone(), output.content);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expected::ExpectedOutput;

    #[test]
    fn parts_have_numbered_ids_and_each_destination_its_own_list() {
        let content = |text: &str| Content::of_body(text.as_bytes()).expect("JSON");
        let output = |text, destinations| ExpectedOutput { content: content(text), destinations };
        let event = |id: &str, fate| SentEvent { id: id.to_owned(), tenant: "shop".to_owned(), fate };
        let expected = Expected::of(&[
            event("evt_a", Fate::Filtered),
            event("evt_b", Fate::Emptied),
            event("evt_c", Fate::Routed(vec![output("1", &["crm"])])),
            event("evt_d", Fate::Routed(vec![output("2", &["crm", "warehouse"]), output("3", &["crm"])])),
        ]);
        let counts = TenantCounts { accepted: 4, filtered: 1, emptied: 1, split: 1, outputs: 3 };
        assert_eq!(expected.tenants["shop"], counts);
        let crm: Vec<_> = expected.deliveries[&Place::new("shop", "crm")].iter().collect();
        let (c, d1, d2) = ("evt_c".to_owned(), "evt_d-1".to_owned(), "evt_d-2".to_owned());
        assert_eq!(crm, [(&c, &content("1")), (&d1, &content("2")), (&d2, &content("3"))]);
        assert_eq!(expected.deliveries[&Place::new("shop", "warehouse")].len(), 1);
    }
}
