//! Finding out what waits, claiming it and giving it back.

use weft_core::delivery::RequestParts;
use weft_core::destination::{DestinationStatus, DisabledReason};
use weft_core::event::Header;
use weft_core::id::DeliveryId;
use weft_core::time::Timestamp;
use weft_store::StoreError;
use weft_store::history::DeliveryState;
use weft_store::replay::NewEventReplay;
use weft_store::work::{FirstWay, Lease, PassKey, Waiting, Want};

use super::Scene;
use crate::scene::{
    LEASE_MS, LIFETIME, at, declaration, delivery, destination, event, kept, replay_id, routed, uuid, waiting,
};

fn id(n: u128) -> DeliveryId {
    DeliveryId::from_uuid(uuid(n))
}

/// The n-th event, routed to `a`, due at a time of its own.
fn due(n: u128, due_at: Timestamp) -> weft_store::work::KeepEvent {
    let mut planned = delivery(n, 1);
    planned.due_at = due_at;
    kept(event(n), FirstWay::Routed(vec![planned]))
}

#[tokio::test]
async fn deliveries_are_claimed_oldest_due_first_and_only_when_due() {
    let scene = Scene::new().await;
    scene.keep(vec![due(10, at(30)), due(11, at(10)), due(12, at(20)), due(13, at(99))]).await;
    let claimed: Vec<_> = scene.claim(1, at(50)).await.iter().map(|work| work.id).collect();
    assert_eq!(claimed, [id(11_001), id(12_001), id(10_001)]);
    scene.is_sound().await;
}

#[tokio::test]
async fn promise_2_a_replay_is_claimed_before_events_that_became_due_later() {
    let scene = Scene::new().await;
    let dead = scene.dead_event(10, at(0)).await;
    let replay = NewEventReplay { replay: replay_id(70), event: dead, tenant: None };
    scene.store.replay_events(vec![replay], at(0)).await.expect("replay");
    let later = |n| {
        let mut later = (*event(n)).clone();
        later.received_at = at(10);
        kept(later.into(), FirstWay::Pass { lease: None })
    };
    scene.keep((11..14).map(later).collect()).await;
    let first = scene.claim_passes(2, at(20)).await;
    assert_eq!((first.len(), first.iter().filter(|work| work.replay == Some(replay_id(70))).count()), (2, 1));
    assert_eq!(scene.claim_passes(9, at(20)).await.len(), 2);
    scene.is_sound().await;
}

#[tokio::test]
async fn promise_7_passes_of_events_and_of_replays_are_claimed_in_one_line_by_their_due_times() {
    let scene = Scene::new().await;
    let received = |n: u128, ms: i64| {
        let mut event = (*event(n)).clone();
        event.received_at = at(ms);
        kept(event.into(), FirstWay::Pass { lease: None })
    };
    for (n, ms) in [(10, 5), (11, 15)] {
        let dead = scene.dead_event(n, at(0)).await;
        let replay = NewEventReplay { replay: replay_id(n), event: dead, tenant: None };
        scene.store.replay_events(vec![replay], at(ms)).await.expect("replay");
    }
    scene.keep(vec![received(12, 10), received(13, 20), received(14, 0)]).await;
    let mut line = Vec::new();
    for _ in 0..5 {
        let claimed = scene.claim_passes(1, at(30)).await.remove(0);
        line.push(claimed.replay.map_or(claimed.event.id.to_string(), |replay| replay.to_string()));
    }
    let expected = [
        event(14).id.to_string(),
        replay_id(10).to_string(),
        event(12).id.to_string(),
        replay_id(11).to_string(),
        event(13).id.to_string(),
    ];
    assert_eq!(line, expected);
    scene.is_sound().await;
}

#[tokio::test]
async fn a_claim_takes_no_more_than_asked_of_each_destination() {
    let scene = Scene::new().await;
    scene.keep((10..20).map(|n| routed(n, &[1, 2, 3])).collect()).await;
    let wants = [(1, 3), (2, 0), (3, 20)].map(|(n, count)| Want { destination: destination(n), count });
    let works = scene.store.claim_deliveries(wants.to_vec(), scene.lease(at(0)), at(0)).await.expect("claim");
    let of = |n| works.iter().filter(|work| work.destination == destination(n)).count();
    assert_eq!([of(1), of(2), of(3)], [3, 0, 10]);
}

#[tokio::test]
async fn a_claim_for_many_destinations_serves_each() {
    let scene = Scene::new().await;
    scene.keep(vec![routed(10, &[1, 2, 3])]).await;
    // More wants than one text asks for; the same destination may stand in several.
    let wants = (0..77).map(|n| Want { destination: destination(1 + n % 3), count: 1 }).collect();
    let works = scene.store.claim_deliveries(wants, scene.lease(at(0)), at(0)).await.expect("claim");
    assert_eq!(works.len(), 3, "each delivery once");
}

#[tokio::test]
async fn a_claimed_delivery_carries_everything_that_sending_needs() {
    let scene = Scene::new().await;
    let mut planned = delivery(10, 1);
    planned.output = 3;
    planned.request = RequestParts {
        event_type: Some("order.small".to_owned()),
        path: Some("/x".to_owned()),
        headers: vec![Header { name: "x-a".to_owned(), value: "ü".to_owned() }],
        ..RequestParts::default()
    };
    scene.keep(vec![kept(event(10), FirstWay::Routed(vec![planned.clone()]))]).await;
    let work = scene.claim(1, at(7)).await.remove(0);
    assert_eq!((work.event, work.tenant, work.destination), (event(10).id, event(10).tenant, destination(1)));
    assert_eq!((work.output, work.number, work.ends_at), (3, 1, at(0).plus(LIFETIME)));
    assert_eq!((work.event_type.as_str(), work.content_type.as_str()), ("order.small", "application/json"));
    assert_eq!((work.request, work.body), (planned.request, event(10).body.clone()));
    assert_eq!(work.lease, scene.lease(at(7)));
}

#[tokio::test]
async fn what_is_leased_is_not_claimed_again_until_its_lease_ends() {
    let scene = Scene::new().await;
    scene.keep(vec![routed(10, &[1]), waiting(11)]).await;
    assert_eq!(scene.claim(1, at(0)).await.len(), 1);
    assert_eq!(scene.claim_passes(9, at(0)).await.len(), 1);
    assert!(scene.claim(1, at(LEASE_MS - 1)).await.is_empty());
    assert!(scene.claim_passes(9, at(LEASE_MS - 1)).await.is_empty());
    assert_eq!(scene.claim(1, at(LEASE_MS)).await.len(), 1);
    assert_eq!(scene.claim_passes(9, at(LEASE_MS)).await.len(), 1);
    scene.is_sound().await;
}

#[tokio::test]
async fn promise_1_a_new_start_voids_every_lease_at_once() {
    let scene = Scene::new().await;
    let lease = scene.lease(at(0));
    let mut planned = delivery(10, 1);
    planned.lease = Some(lease);
    let memory = kept(event(10), FirstWay::Routed(vec![planned]));
    scene.keep(vec![memory, kept(event(11), FirstWay::Pass { lease: Some(lease) }), routed(12, &[1])]).await;
    assert!(scene.claim(1, at(1)).await.iter().all(|work| work.event == event(12).id), "leased ones stay leased");
    let scene = scene.restarted(at(2)).await;
    assert_eq!(scene.store.start_number(), lease.owner + 1);
    let of_a = Waiting { destination: destination(1), due_at: at(2) };
    assert_eq!(scene.store.waiting(at(2)).await.expect("waiting"), [of_a]);
    assert_eq!(scene.store.next_pass_due(at(2)).await.expect("due"), Some(at(2)));
    assert_eq!(scene.claim(1, at(2)).await.len(), 2);
    let pass = scene.claim_passes(9, at(2)).await;
    assert_eq!(pass.iter().map(|work| work.event.id).collect::<Vec<_>>(), [event(11).id]);
    scene.is_sound().await;
}

#[tokio::test]
async fn waiting_names_each_destination_once_with_its_first_due_time() {
    let scene = Scene::new().await;
    let mut lease = delivery(12, 3);
    lease.lease = Some(scene.lease(at(0)));
    let batch =
        vec![due(10, at(70)), due(11, at(40)), routed(13, &[2]), kept(event(12), FirstWay::Routed(vec![lease]))];
    scene.keep(batch).await;
    let mut waiting = scene.store.waiting(at(5)).await.expect("waiting");
    waiting.sort_by_key(|it| it.destination);
    let is = |n, due_at| Waiting { destination: destination(n), due_at };
    assert_eq!(waiting, [is(1, at(40)), is(2, at(0))], "what somebody works on does not wait");
    let later = scene.store.waiting(at(LEASE_MS)).await.expect("waiting");
    assert!(later.contains(&is(3, at(LEASE_MS))), "a lease that has ended does: {later:?}");
}

#[tokio::test]
async fn a_released_delivery_is_free_at_once_and_has_lost_no_attempt() {
    let scene = Scene::new().await;
    scene.keep(vec![routed(10, &[1])]).await;
    let work = scene.claim(1, at(5)).await.remove(0);
    scene.store.release_deliveries(vec![(work.id, work.lease)]).await.expect("release");
    let again = scene.claim(1, at(5)).await;
    assert_eq!(again.iter().map(|work| (work.id, work.number)).collect::<Vec<_>>(), [(work.id, 1)]);
    scene.is_sound().await;
}

#[tokio::test]
async fn a_late_release_frees_nothing() {
    let scene = Scene::new().await;
    scene.keep(vec![routed(10, &[1]), waiting(11)]).await;
    let (work, pass) = (scene.claim(1, at(0)).await.remove(0), scene.claim_passes(1, at(0)).await.remove(0));
    let (again, pass_again) = (scene.claim(1, at(LEASE_MS)).await, scene.claim_passes(1, at(LEASE_MS)).await);
    assert_eq!((again.len(), pass_again.len()), (1, 1));
    let key = PassKey { event: pass.event.id, replay: None };
    scene.store.release_deliveries(vec![(work.id, work.lease)]).await.expect("release");
    scene.store.release_passes(vec![(key, pass.lease)]).await.expect("release");
    assert!(scene.claim(1, at(LEASE_MS)).await.is_empty());
    assert!(scene.claim_passes(1, at(LEASE_MS)).await.is_empty());
    scene.is_sound().await;
}

#[tokio::test]
async fn passes_are_claimed_oldest_first_and_released_whole() {
    let scene = Scene::new().await;
    let mut young = (*event(10)).clone();
    young.received_at = at(20);
    scene.keep(vec![kept(young.into(), FirstWay::Pass { lease: None }), waiting(11), waiting(12)]).await;
    assert_eq!(scene.store.next_pass_due(at(5)).await.expect("due"), Some(at(0)));
    let first = scene.claim_passes(2, at(50)).await;
    assert_eq!(first.iter().map(|work| work.event.id).collect::<Vec<_>>(), [event(11).id, event(12).id]);
    let work = &first[0];
    assert_eq!((work.number, work.event.body.clone()), (1, event(11).body.clone()));
    assert_eq!((work.event.tenant, &work.event.event_type), (event(11).tenant, &event(11).event_type));
    let key = PassKey { event: work.event.id, replay: None };
    scene.store.release_passes(vec![(key, work.lease)]).await.expect("release");
    let rest = scene.claim_passes(9, at(50)).await;
    assert_eq!(rest.iter().map(|work| work.event.id).collect::<Vec<_>>(), [event(11).id, event(10).id]);
    assert_eq!(scene.store.next_pass_due(at(50)).await.expect("due"), None);
    scene.is_sound().await;
}

#[tokio::test]
async fn a_claim_for_an_unknown_destination_is_refused() {
    let scene = Scene::new().await;
    let wants = vec![Want { destination: destination(99), count: 1 }];
    let lease = Lease { owner: scene.store.start_number(), until: at(1) };
    let refused = scene.store.claim_deliveries(wants, lease, at(0)).await;
    assert!(matches!(refused, Err(StoreError::Unknown { noun: "destination", .. })), "{refused:?}");
}

#[tokio::test]
async fn what_a_disabled_destination_holds_dies_at_its_lifetime() {
    let scene = Scene::new().await;
    scene.keep(vec![routed(10, &[1]), routed(11, &[2])]).await;
    let end = at(0).plus(LIFETIME);
    let held = scene.claim(2, at(0)).await;
    assert_eq!(scene.store.expire_deliveries(100, Timestamp::from_ms(end.as_ms() - 1)).await.expect("expire"), 0);
    assert_eq!(scene.store.expire_deliveries(100, end).await.expect("expire"), 1, "what is leased is somebody's");
    let state = scene.delivery_state(event(10).id, id(10_001)).await;
    assert_eq!(state, DeliveryState::Dead { at: end, reason: "lifetime".to_owned(), replayed_by: None });
    assert_eq!(held.len(), 1);
    scene.is_sound().await;
}

#[tokio::test]
async fn what_an_earlier_start_held_dies_at_its_lifetime_where_nobody_claims_any_more() {
    let scene = Scene::new().await;
    scene.keep(vec![routed(10, &[1, 2, 3])]).await;
    for n in 1..=3 {
        assert_eq!(scene.claim(n, at(0)).await.len(), 1);
    }
    let stop = async |scene: &Scene, n, status| {
        scene.store.set_destination_status(destination(n), status, at(1)).await.expect("set").expect("a destination")
    };
    stop(&scene, 1, DestinationStatus::Paused).await;
    let scene = scene.restarted(at(2)).await;
    scene.store.declare(declaration(), at(2)).await.expect("the catalog");
    stop(&scene, 2, DestinationStatus::Disabled(DisabledReason::Operator)).await;
    let end = at(0).plus(LIFETIME);
    assert_eq!(scene.claim(3, at(3)).await.len(), 1, "this one is in this start's hands");
    assert_eq!(scene.store.expire_deliveries(100, end).await.expect("expire"), 2);
    for n in 1..=2 {
        let state = scene.delivery_state(event(10).id, id(10_000 + n)).await;
        assert_eq!(state, DeliveryState::Dead { at: end, reason: "lifetime".to_owned(), replayed_by: None });
    }
    scene.is_sound().await;
}

#[tokio::test]
async fn a_delivery_dies_at_its_lifetime_also_where_it_is_due_only_later() {
    let scene = Scene::new().await;
    scene.keep(vec![due(10, at(0).plus(LIFETIME * 2)), due(11, at(0))]).await;
    let end = at(0).plus(LIFETIME);
    let held = scene.claim(1, end).await;
    assert_eq!(held.iter().map(|work| work.id).collect::<Vec<_>>(), [id(11_001)]);
    assert_eq!(scene.store.expire_deliveries(100, end).await.expect("expire"), 1);
    let state = scene.delivery_state(event(10).id, id(10_001)).await;
    assert_eq!(state, DeliveryState::Dead { at: end, reason: "lifetime".to_owned(), replayed_by: None });
    scene.is_sound().await;
}

#[tokio::test]
async fn one_row_that_cannot_be_read_does_not_hold_up_the_others() {
    let scene = Scene::new().await;
    scene.keep(vec![routed(10, &[1]), routed(11, &[1]), waiting(12), waiting(13)]).await;
    // Of the two that wait alike, the one with the smaller id.
    let first =
        |table: &str, state: &str| format!("id = (SELECT id FROM {table} WHERE state = '{state}' ORDER BY id LIMIT 1)");
    let (delivery, event_12) = (first("deliveries", "pending"), first("events", "received"));
    scene
        .sql(&format!(
            "UPDATE deliveries SET request = '{{' WHERE {delivery}; UPDATE events SET headers = '{{' WHERE {event_12}"
        ))
        .await;
    let works = scene.claim(1, at(0)).await;
    assert_eq!(works.iter().map(|work| work.id).collect::<Vec<_>>(), [id(11_001)]);
    let passes = scene.claim_passes(9, at(0)).await;
    assert_eq!(passes.iter().map(|work| work.event.id).collect::<Vec<_>>(), [event(13).id]);
    let error = scene.store.event(None, event(12).id).await.expect_err("a row that cannot be read");
    let StoreError::Corrupt { table, column, id, .. } = error else { panic!("{error}") };
    assert_eq!((table, column, id), ("events", "headers", uuid(12).simple().to_string()));
}

#[tokio::test]
async fn counts_say_what_waits_and_since_when() {
    let scene = Scene::new().await;
    scene.keep(vec![due(10, at(30)), routed(11, &[2]), waiting(12), waiting(13)]).await;
    scene.claim_passes(1, at(0)).await;
    scene.claim(2, at(0)).await;
    scene.dead_delivery(14, 3, at(0)).await;
    let counts = scene.store.counts().await.expect("counts");
    assert_eq!((counts.passes_waiting, counts.deliveries_waiting), (2, 2));
    assert_eq!((counts.oldest_pass_due_at, counts.oldest_delivery_due_at), (Some(at(0)), Some(at(30))));
    assert_eq!((counts.dead_events, counts.dead_deliveries), (0, 1));
}

#[tokio::test]
async fn destinations_that_wait_come_page_by_page_each_with_its_first_due_time() {
    let scene = Scene::new().await;
    let mut to_x = delivery(14, 4);
    to_x.due_at = at(9);
    let of_globex = kept(event(14), FirstWay::Routed(vec![to_x]));
    scene.keep(vec![due(10, at(70)), due(11, at(40)), routed(12, &[3]), routed(13, &[3]), of_globex]).await;
    for limit in 1..=4 {
        let (mut after, mut found) = (None, Vec::new());
        loop {
            let page = scene.store.waiting_page(after, limit, at(5)).await.expect("a page");
            assert!(page.waiting.len() <= limit as usize, "{page:?}");
            found.extend(page.waiting.iter().map(|waiting| (waiting.destination, waiting.due_at)));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let expected = [(1, at(40)), (3, at(0)), (4, at(9))].map(|(n, due_at)| (destination(n), due_at));
        assert_eq!(found, expected, "{limit} at once");
    }
}

#[tokio::test]
async fn when_the_first_is_due_is_answered_for_the_destinations_that_are_named() {
    let scene = Scene::new().await;
    scene.keep(vec![due(10, at(70)), due(11, at(40)), routed(12, &[3])]).await;
    let named = [destination(1), destination(2), destination(99)];
    let first = scene.store.first_due(&named, at(5)).await.expect("first due");
    assert_eq!(first, [Waiting { destination: destination(1), due_at: at(40) }], "2 has nothing, and 99 is unknown");
    assert_eq!(scene.claim(1, at(40)).await.len(), 1);
    let first = scene.store.first_due(&named, at(40)).await.expect("first due");
    assert_eq!(first, [Waiting { destination: destination(1), due_at: at(70) }], "what is leased does not wait");
}
