//! Keeping events.

use std::sync::Arc;

use weft_core::event::Event;
use weft_core::id::DeliveryId;
use weft_store::StoreError;
use weft_store::history::{DeliveryState, EventState};
use weft_store::work::{FirstWay, Ingested};

use super::Scene;
use crate::scene::{at, delivery, destination, event, kept, routed, same_body, tenant, uuid, waiting, with_key};

#[tokio::test]
async fn promise_2_an_event_that_waits_for_a_pass_is_received() {
    let scene = Scene::new().await;
    assert_eq!(scene.keep(vec![waiting(10)]).await, [Ingested::New]);
    let record = scene.event(event(10).id).await;
    assert_eq!(record.state, EventState::Received { passes: 0, due_at: at(0), leased: false });
    assert_eq!(record.body_bytes, event(10).body.len() as u64);
    scene.is_sound().await;
}

#[tokio::test]
async fn promise_2_an_event_that_goes_on_from_memory_is_leased() {
    let scene = Scene::new().await;
    let lease = scene.lease(at(0));
    scene.keep(vec![kept(event(10), FirstWay::Pass { lease: Some(lease) })]).await;
    let state = scene.event(event(10).id).await.state;
    assert_eq!(state, EventState::Received { passes: 0, due_at: lease.until, leased: true });
    scene.is_sound().await;
}

#[tokio::test]
async fn promise_1_an_event_and_its_deliveries_are_stored_in_one_commit() {
    let scene = Scene::new().await;
    scene.keep(vec![routed(10, &[1, 2, 3])]).await;
    let record = scene.event(event(10).id).await;
    assert_eq!(record.state, EventState::Routed { at: at(0), deliveries: 3 });
    assert_eq!(record.deliveries.len(), 3);
    let pending = DeliveryState::Pending { due_at: at(0), leased: false };
    assert!(record.deliveries.iter().all(|it| it.state == pending));
    scene.is_sound().await;
}

#[tokio::test]
async fn promise_2_an_event_nobody_wants_ends_dropped_with_the_reason() {
    let scene = Scene::new().await;
    scene.keep(vec![kept(event(10), FirstWay::NoDestination)]).await;
    let state = scene.event(event(10).id).await.state;
    assert_eq!(state, EventState::Dropped { at: at(0), step: None, reason: "no-destination".to_owned() });
    scene.is_sound().await;
}

#[tokio::test]
async fn promise_1_who_hands_an_event_in_without_waiting_is_told_after_the_commit() {
    let scene = Scene::new().await;
    let (told, mut news) = tokio::sync::mpsc::channel(2);
    for again in [waiting(10), same_body(11, 10)] {
        let told = told.clone();
        let then = move |outcome| told.try_send(outcome).expect("there is room for both");
        scene.store.keep_then(with_key(again, "k"), at(0), then).expect("the store is open");
    }
    assert_eq!(news.recv().await.expect("told").expect("stored"), Ingested::New);
    assert!(scene.store.event(None, event(10).id).await.expect("read").is_some(), "it is there when one is told");
    assert_eq!(news.recv().await.expect("told").expect("known"), Ingested::Duplicate(event(10).id));
    scene.store.close().await;
    let late = scene.store.keep_then(waiting(11), at(0), |_| panic!("nobody is told"));
    assert!(matches!(late, Err(StoreError::Closed)), "{late:?}");
}

#[tokio::test]
async fn an_event_for_an_unknown_destination_fails_its_own_call_alone() {
    let scene = Scene::new().await;
    let mut lost = delivery(10, 1);
    lost.destination = destination(99);
    let bad = vec![waiting(9), kept(event(10), FirstWay::Routed(vec![lost]))];
    let good = scene.store.keep(vec![waiting(11)], at(0));
    let (bad, good) = tokio::join!(scene.store.keep(bad, at(0)), good);
    assert!(matches!(bad, Err(StoreError::Unknown { noun: "destination", .. })), "{bad:?}");
    assert_eq!(good.expect("the other call"), [Ingested::New]);
    assert!(scene.store.event(None, event(9).id).await.expect("read").is_none(), "nothing of a refused call is stored");
    scene.is_sound().await;
}

#[tokio::test]
async fn promise_8_a_tenant_does_not_see_anothers_event() {
    let scene = Scene::new().await;
    scene.keep(vec![routed(10, &[1])]).await;
    let (acme, globex) = (Some(tenant(1)), Some(tenant(2)));
    assert!(scene.store.event(acme, event(10).id).await.expect("read").is_some());
    assert!(scene.store.event(globex, event(10).id).await.expect("read").is_none());
    let of = |tenant| scene.store.event_of_delivery(tenant, DeliveryId::from_uuid(uuid(10_001)));
    assert_eq!(of(acme).await.expect("read"), Some(event(10).id));
    assert_eq!(of(globex).await.expect("read"), None);
}

#[tokio::test]
async fn many_calls_at_once_are_all_answered_in_their_own_order() {
    let scene = Scene::new().await;
    let calls = (0..50_u128).map(|call| {
        let store = scene.store.clone();
        let events = (0..=call % 7).map(|n| routed(1_000 + call * 10 + n, &[1, 2])).collect::<Vec<_>>();
        tokio::spawn(async move { (events.len(), store.keep(events, at(0)).await.expect("keep")) })
    });
    for call in calls.collect::<Vec<_>>() {
        let (asked, answers) = call.await.expect("the call");
        assert_eq!(answers, vec![Ingested::New; asked]);
    }
    scene.is_sound().await;
}

#[tokio::test]
async fn events_are_read_back_as_they_were_accepted_newest_first_page_by_page_and_of_one_tenant() {
    let scene = Scene::new().await;
    let of_another = Arc::new(Event { tenant: tenant(2), ..Event::clone(&event(12)) });
    let events = vec![
        routed(10, &[1]),
        waiting(11),
        kept(of_another, FirstWay::NoDestination),
        kept(event(13), FirstWay::NoDestination),
    ];
    scene.keep(events).await;
    let page = scene.store.events_before(tenant(1), event(99).id, 2).await.expect("a page");
    assert_eq!(
        page.iter().map(|it| it.id).collect::<Vec<_>>(),
        [event(13).id, event(11).id],
        "whatever became of them"
    );
    assert_eq!((&page[0].body, page[0].received_at), (&event(13).body, at(0)));
    assert_eq!(page[0].event_type, event(13).event_type);
    let rest = scene.store.events_before(tenant(1), page[1].id, 2).await.expect("a page");
    assert_eq!(rest.iter().map(|it| it.id).collect::<Vec<_>>(), [event(10).id]);
    assert_eq!(scene.store.events_before(tenant(1), rest[0].id, 2).await.expect("a page").len(), 0);
}
