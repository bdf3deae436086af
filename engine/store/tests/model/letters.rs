//! The list of dead letters, paged through under every filter.

use std::time::Duration;

use weft_core::time::Timestamp;
use weft_store::dead_letter::{DeadDeliveryLetter, DeadLetter, DeadLetterFilter, DeadLetterKind};

use crate::ground::Ground;
use crate::model::{Line, Model, Sending};
use crate::scenery::{DESTINATIONS, destination, tenant};
use crate::walk::Walk;

impl<G: Ground> Walk<G> {
    /// Reads the whole list with a filter, in pages, and compares it with the model's.
    pub(crate) async fn compare_dead_letters(&mut self) {
        for _ in 0..6 {
            let filter = self.filter();
            let limit = self.dice.between(1, 9) as u32;
            let (mut shown, mut cursor) = (Vec::new(), None);
            loop {
                let page = self.store.dead_letters(&filter, cursor, limit).await.expect("dead letters");
                assert!(page.letters.len() <= limit as usize);
                shown.extend(page.letters);
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
            let expected = expected(&self.model, &filter);
            assert_eq!(format!("{shown:#?}"), format!("{expected:#?}"), "{filter:?} in pages of {limit}");
        }
    }

    fn filter(&mut self) -> DeadLetterFilter {
        let (dice, now) = (&mut self.dice, self.now);
        let ago = |dice: &mut crate::dice::Dice| now.minus(Duration::from_secs(dice.below(36_000)));
        DeadLetterFilter {
            tenant: dice.chance(40).then(|| tenant(u128::from(dice.between(1, 2)))),
            destination: dice.chance(30).then(|| destination(DESTINATIONS[dice.place(4)].0)),
            kind: [None, Some(DeadLetterKind::Event), Some(DeadLetterKind::Delivery)][dice.place(3)],
            reason: dice.chance(20).then(|| ["no customer", "exhausted", "lifetime"][dice.place(3)].to_owned()),
            since: dice.chance(20).then(|| ago(dice)),
            until: dice.chance(20).then(|| ago(dice)),
            include_replayed: dice.chance(50),
        }
    }
}

/// Newest first, ids deciding between equals.
fn expected(model: &Model, filter: &DeadLetterFilter) -> Vec<DeadLetter> {
    let events = model.events.iter().filter_map(|it| match &it.line {
        Line::Dead { at, step, reason } => {
            let letter = DeadLetter {
                tenant: it.event.tenant,
                event: it.event.id,
                event_type: it.event.event_type.clone(),
                delivery: None,
                step: step.clone(),
                reason: reason.clone(),
                at: *at,
                replayed_by: it.replayed_by,
            };
            Some((*at, it.event.id.uuid().into_bytes(), letter))
        }
        Line::Waiting { .. } | Line::Routed { .. } | Line::Dropped { .. } => None,
    });
    let deliveries = model.deliveries.iter().filter_map(|it| match it.sending {
        Sending::Dead { at, reason } => {
            let event = &model.event(it.event).expect("its event").event;
            let letter = DeadLetter {
                tenant: event.tenant,
                event: event.id,
                event_type: event.event_type.clone(),
                delivery: Some(DeadDeliveryLetter {
                    id: it.id,
                    destination: it.destination,
                    output: it.output,
                    attempts: u32::try_from(it.attempts.len()).expect("few"),
                }),
                step: None,
                reason: reason.to_owned(),
                at,
                replayed_by: it.replayed_by,
            };
            Some((at, it.id.uuid().into_bytes(), letter))
        }
        Sending::Pending { .. } | Sending::Delivered { .. } => None,
    });
    let mut letters: Vec<(Timestamp, [u8; 16], DeadLetter)> =
        events.chain(deliveries).filter(|(_, _, letter)| wanted(filter, letter)).collect();
    letters.sort_by_key(|(at, id, _)| std::cmp::Reverse((*at, *id)));
    letters.into_iter().map(|(_, _, letter)| letter).collect()
}

fn wanted(filter: &DeadLetterFilter, letter: &DeadLetter) -> bool {
    let is = match &letter.delivery {
        None => DeadLetterKind::Event,
        Some(_) => DeadLetterKind::Delivery,
    };
    filter.tenant.is_none_or(|tenant| tenant == letter.tenant)
        && filter.destination.is_none_or(|to| letter.delivery.is_some_and(|it| it.destination == to))
        && filter.kind.is_none_or(|kind| kind == is)
        && filter.reason.as_ref().is_none_or(|reason| *reason == letter.reason)
        && filter.since.is_none_or(|since| letter.at >= since)
        && filter.until.is_none_or(|until| letter.at < until)
        && (filter.include_replayed || letter.replayed_by.is_none())
}
