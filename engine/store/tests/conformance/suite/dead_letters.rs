//! The list of what Weft has given up on.

use weft_core::id::{DeliveryId, ReplayId};
use weft_store::dead_letter::{DeadLetter, DeadLetterFilter, DeadLetterKind};
use weft_store::replay::{NewDeliveryReplay, NewEventReplay};

use super::Scene;
use crate::scene::{at, destination, event, replay_id, tenant, uuid};

/// Dead: deliveries of events 10 (to a), 11 (to b), 13 (to a), events 12 and 14; each a second after the one before.
async fn scene() -> Scene {
    let scene = Scene::new().await;
    scene.dead_delivery(10, 1, at(0)).await;
    scene.dead_delivery(11, 2, at(1_000)).await;
    scene.dead_event(12, at(2_000)).await;
    scene.dead_delivery(13, 1, at(3_000)).await;
    scene.dead_event(14, at(4_000)).await;
    scene
}

/// The events of all letters that a filter finds, read page by page.
async fn found(scene: &Scene, filter: &DeadLetterFilter, page: u32) -> Vec<u128> {
    let mut found = Vec::new();
    let mut cursor = None;
    loop {
        let page = scene.store.dead_letters(filter, cursor, page).await.expect("dead letters");
        found.extend(page.letters.iter().map(number));
        assert!(found.len() < 100, "the list does not end: {found:?}");
        cursor = page.next;
        if cursor.is_none() {
            return found;
        }
    }
}

fn number(letter: &DeadLetter) -> u128 {
    (10..20).find(|n| event(*n).id == letter.event).expect("an event of the scene")
}

#[tokio::test]
async fn dead_letters_come_newest_first_in_pages_of_any_size() {
    let scene = scene().await;
    for page in [1, 2, 3, 4, 5, 100] {
        assert_eq!(found(&scene, &DeadLetterFilter::default(), page).await, [14, 13, 12, 11, 10], "pages of {page}");
    }
}

#[tokio::test]
async fn a_letter_says_what_died_where_and_why() {
    let scene = scene().await;
    let page = scene.store.dead_letters(&DeadLetterFilter::default(), None, 2).await.expect("dead letters");
    let (of_event, of_delivery) = (&page.letters[0], &page.letters[1]);
    assert_eq!((of_event.step.as_deref(), of_event.reason.as_str()), (Some("check"), "no customer"));
    assert_eq!((of_event.tenant, of_event.at, of_event.delivery), (tenant(1), at(4_002), None));
    assert_eq!((of_delivery.reason.as_str(), of_delivery.at), ("exhausted", at(3_005)));
    let delivery = of_delivery.delivery.expect("a delivery");
    assert_eq!((delivery.id, delivery.attempts), (DeliveryId::from_uuid(uuid(13_001)), 1));
    assert_eq!((delivery.destination, of_delivery.event_type.as_str()), (destination(1), "order.created"));
}

#[tokio::test]
async fn each_filter_leaves_out_what_it_says() {
    let scene = scene().await;
    let all = DeadLetterFilter::default();
    let cases = [
        (DeadLetterFilter { tenant: Some(tenant(1)), ..all.clone() }, vec![14, 13, 12, 11, 10]),
        (DeadLetterFilter { tenant: Some(tenant(2)), ..all.clone() }, vec![]),
        (DeadLetterFilter { tenant: Some(tenant(99)), ..all.clone() }, vec![]),
        (DeadLetterFilter { destination: Some(destination(1)), ..all.clone() }, vec![13, 10]),
        (DeadLetterFilter { destination: Some(destination(1)), tenant: Some(tenant(2)), ..all.clone() }, vec![]),
        (DeadLetterFilter { kind: Some(DeadLetterKind::Event), ..all.clone() }, vec![14, 12]),
        (DeadLetterFilter { kind: Some(DeadLetterKind::Delivery), ..all.clone() }, vec![13, 11, 10]),
        (DeadLetterFilter { reason: Some("exhausted".to_owned()), ..all.clone() }, vec![13, 11, 10]),
        (DeadLetterFilter { reason: Some("gone".to_owned()), ..all.clone() }, vec![]),
        (DeadLetterFilter { since: Some(at(2_002)), ..all.clone() }, vec![14, 13, 12]),
        (DeadLetterFilter { until: Some(at(2_002)), ..all.clone() }, vec![11, 10]),
    ];
    for (filter, wanted) in cases {
        for page in [1, 2, 100] {
            assert_eq!(found(&scene, &filter, page).await, wanted, "{filter:?}, pages of {page}");
        }
    }
}

#[tokio::test]
async fn what_a_replay_has_taken_over_is_listed_on_request_only() {
    let scene = scene().await;
    let of_event = NewEventReplay { replay: replay_id(70), event: event(12).id, tenant: None };
    scene.store.replay_events(vec![of_event], at(9_000)).await.expect("replay");
    let of_delivery = NewDeliveryReplay {
        replay: replay_id(71),
        delivery: DeliveryId::from_uuid(uuid(13_001)),
        new_delivery: DeliveryId::from_uuid(uuid(72)),
        tenant: None,
        planned_at: at(9_000),
    };
    scene.store.replay_deliveries(vec![of_delivery]).await.expect("replay");
    assert_eq!(found(&scene, &DeadLetterFilter::default(), 2).await, [14, 11, 10]);
    let all = DeadLetterFilter { include_replayed: true, ..DeadLetterFilter::default() };
    assert_eq!(found(&scene, &all, 2).await, [14, 13, 12, 11, 10]);
    let page = scene.store.dead_letters(&all, None, 9).await.expect("dead letters");
    let by: Vec<Option<ReplayId>> = page.letters.iter().map(|letter| letter.replayed_by).collect();
    assert_eq!(by, [None, Some(replay_id(71)), Some(replay_id(70)), None, None]);
}
