//! `check` is sharp: each fault that is planted is named, and nothing else is.

use weft_core::decide::NextStep;
use weft_core::plan::BodyRef;
use weft_store::check::{DeliveryCounts, EventCounts, Finding};
use weft_store::replay::NewEventReplay;
use weft_store::work::{FirstWay, PassEnd};

use crate::scene::{
    Scene, accepted, at, attempted, delivery, event, finished, kept, rejected, replay_id, routed, waiting,
};

/// Sound tables with every kind of row: a delivered, a dead and a pending delivery of event 10, a dead event 11 with a routed
/// replay, a waiting event 12, a dropped event 13.
async fn scene() -> Scene {
    let scene = Scene::new().await;
    scene.keep(vec![routed(10, &[1, 2, 3])]).await;
    let work = scene.claim(1, at(0)).await.remove(0);
    scene.record(attempted(&work, rejected(500), NextStep::Retry(at(10)), at(0))).await;
    let work = scene.claim(1, at(10)).await.remove(0);
    scene.record(attempted(&work, accepted(), NextStep::Delivered, at(10))).await;
    let work = scene.claim(2, at(0)).await.remove(0);
    let dead = NextStep::Dead(weft_core::delivery::DeadDelivery::Exhausted);
    scene.record(attempted(&work, rejected(500), dead, at(0))).await;
    let dead = scene.dead_event(11, at(0)).await;
    let replay = NewEventReplay { replay: replay_id(70), event: dead, tenant: None };
    scene.store.replay_events(vec![replay], at(0)).await.expect("replay");
    let pass = scene.claim_passes(1, at(0)).await.remove(0);
    let mut planned = delivery(11, 1);
    planned.body = BodyRef::New(0);
    let end = PassEnd::Routed { bodies: vec!["x".into()], deliveries: vec![planned] };
    scene.finish(finished(&pass, end, at(0))).await;
    scene.keep(vec![waiting(12), kept(event(13), FirstWay::NoDestination)]).await;
    scene.claim(3, at(0)).await;
    scene.is_sound().await;
    scene
}

/// Plants a fault, and answers what the check says of it.
async fn said(scene: &Scene, fault: &'static str) -> Vec<String> {
    scene.sql(fault).await;
    scene.check().await.findings.iter().map(Finding::to_string).collect()
}

fn id(n: u128, to: u128) -> String {
    delivery(n, to).id.to_string()
}

#[tokio::test]
async fn a_sound_store_is_counted_and_nothing_is_found() {
    let counted = scene().await.check().await.counted;
    assert_eq!(counted.events, EventCounts { received: 1, routed: 1, dropped: 1, dead: 1 });
    let deliveries = DeliveryCounts { pending: 2, delivered: 1, dead: 1, ..DeliveryCounts::default() };
    assert_eq!(counted.deliveries, deliveries);
    assert_eq!((counted.attempts, counted.passes, counted.replays, counted.bodies), (3, 2, 1, 5));
}

#[tokio::test]
async fn promise_2_a_missing_delivery_is_found() {
    let scene = scene().await;
    let said = said(&scene, "DELETE FROM deliveries WHERE seq = 3").await;
    let event = event(10).id;
    let missing = format!("{event} is routed with 3 planned deliveries, and 2 are there");
    assert!(said.contains(&missing), "{said:#?}");
    assert!(said.iter().any(|it| it.contains("3 deliveries were counted, 2 are there and 0 were pruned")), "{said:#?}");
    assert_eq!(said.len(), 2, "{said:#?}");
}

#[tokio::test]
async fn promise_2_a_missing_delivery_of_a_replay_is_found() {
    let scene = scene().await;
    let said = said(&scene, "DELETE FROM deliveries WHERE replay IS NOT NULL").await;
    let missing = format!("{} is routed with 1 planned deliveries, and 0 are there", replay_id(70));
    assert!(said.contains(&missing), "{said:#?}");
    assert!(said.iter().any(|it| it.contains("1 replay deliveries were counted, 0 are there")), "{said:#?}");
    assert!(said.iter().any(|it| it.contains("belongs to no event and to no delivery")), "its body is an orphan");
}

#[tokio::test]
async fn promise_2_an_event_without_an_end_is_found() {
    let cases = [
        (
            "UPDATE events SET due_at = NULL WHERE state = 'received'",
            "is received, and has no time at which somebody would",
        ),
        ("UPDATE events SET ended_at = 1 WHERE state = 'received'", "is received, and has the time of an end"),
        ("UPDATE events SET ended_at = NULL WHERE state = 'dropped'", "is dropped, and has no time of its end"),
        ("UPDATE events SET due_at = 1 WHERE state = 'dropped'", "is dropped, and waits for a time"),
        ("UPDATE events SET reason = NULL WHERE state = 'dropped'", "is dropped, and its reason does not go with that"),
        ("UPDATE events SET replayed_by = 1 WHERE state = 'dropped'", "is dropped, and is marked as replayed"),
        ("UPDATE replays SET ended_at = NULL", "is routed, and has no time of its end"),
        ("UPDATE deliveries SET due_at = NULL WHERE seq = 4", "is pending, and has no time at which somebody would"),
        ("UPDATE deliveries SET ended_at = NULL WHERE state = 'dead'", "is dead, and has no time of its end"),
        ("UPDATE deliveries SET reason = NULL WHERE state = 'dead'", "is dead, and its reason does not go with that"),
    ];
    for (fault, wanted) in cases {
        let said = said(&scene().await, fault).await;
        assert!(said.len() == 1 && said[0].contains(wanted), "{fault}: {said:#?}");
    }
}

#[tokio::test]
async fn an_event_that_is_routed_to_nobody_is_found() {
    let fault = "UPDATE events SET state = 'routed', reason = NULL WHERE state = 'dropped'";
    let said = said(&scene().await, fault).await;
    assert_eq!(said, [format!("{} is routed, and it has 0 deliveries", event(13).id)]);
}

#[tokio::test]
async fn a_delivered_delivery_without_an_accepted_attempt_is_found() {
    let said = said(&scene().await, "UPDATE attempts SET outcome = 'rejected' WHERE outcome = 'accepted'").await;
    assert_eq!(said, [format!("{} is delivered, and none of its attempts was accepted", id(10, 1))]);
}

#[tokio::test]
async fn an_accepted_attempt_of_a_delivery_that_is_not_delivered_is_found() {
    let said = said(&scene().await, "UPDATE attempts SET outcome = 'accepted' WHERE delivery = 2").await;
    assert_eq!(said, [format!("{} is dead, and its attempt 1 was accepted", id(10, 2))]);
}

#[tokio::test]
async fn an_attempt_after_the_end_is_found() {
    let scene = scene().await;
    let after = "INSERT INTO attempts SELECT delivery, 3, started_at + 1000, took_us, 'rejected', 500, NULL, NULL FROM attempts \
                 WHERE delivery = 1 AND number = 2; UPDATE deliveries SET attempts = 3 WHERE seq = 1";
    assert_eq!(said(&scene, after).await, [format!("attempt 3 of {} began after its end", id(10, 1))]);
}

#[tokio::test]
async fn attempts_and_passes_that_do_not_add_up_are_found() {
    let said_of = |noun, n: i64, found| format!("counts {n} {noun}, and {found} are there");
    let cases = [
        ("UPDATE deliveries SET attempts = 7 WHERE seq = 1", said_of("attempts", 7, 2)),
        ("DELETE FROM attempts WHERE delivery = 1 AND number = 1", said_of("attempts", 2, 1)),
        ("UPDATE attempts SET number = 9 WHERE delivery = 2", said_of("attempts", 1, 9)),
        ("UPDATE events SET passes = 4 WHERE state = 'dead'", said_of("passes", 4, 1)),
        ("DELETE FROM passes WHERE replay = 1", said_of("passes", 1, 0)),
    ];
    for (fault, wanted) in cases {
        let said = said(&scene().await, fault).await;
        assert!(said.iter().any(|it| it.ends_with(&wanted)), "{fault}: {said:#?}");
    }
}

#[tokio::test]
async fn promise_3_two_deliveries_of_one_output_and_destination_are_found() {
    let scene = scene().await;
    let said = said(&scene, "UPDATE deliveries SET destination = 2 WHERE seq = 3").await;
    let to = crate::scene::destination(2);
    assert_eq!(said, [format!("{}: output 0 of pass 0 has 2 deliveries for {to}", event(10).id)]);
}

#[tokio::test]
async fn a_lease_without_an_owner_is_found() {
    let cases = [
        ("UPDATE deliveries SET lease_owner = 9 WHERE seq = 3", "is pending and leased by start 9"),
        ("UPDATE deliveries SET lease_owner = -1 WHERE seq = 3", "is pending and leased by start -1"),
        ("UPDATE deliveries SET lease_owner = 1 WHERE state = 'delivered'", "is delivered and leased by start 1"),
        ("UPDATE events SET lease_owner = 9 WHERE state = 'received'", "is received and leased by start 9"),
        ("UPDATE events SET lease_owner = 1 WHERE state = 'dropped'", "is dropped and leased by start 1"),
        ("UPDATE replays SET lease_owner = 1", "is routed and leased by start 1"),
    ];
    for (fault, wanted) in cases {
        let said = said(&scene().await, fault).await;
        assert!(said.len() == 1 && said[0].contains(wanted), "{fault}: {said:#?}");
    }
}

#[tokio::test]
async fn promise_2_a_ledger_off_by_one_is_found() {
    let cases = [
        ("UPDATE ledger SET events = events + 1", "5 events were counted, 4 are there and 0 were pruned"),
        ("UPDATE ledger SET deliveries = deliveries - 1", "2 deliveries were counted, 3 are there and 0 were pruned"),
        ("UPDATE ledger SET replays = replays + 1", "2 replays were counted, 1 are there and 0 were pruned"),
        ("UPDATE ledger SET replay_deliveries = 0", "0 replay deliveries were counted, 1 are there and 0 were pruned"),
        ("UPDATE ledger SET events_dead_pruned = 1", "4 events were counted, 4 are there and 1 were pruned"),
    ];
    for (fault, wanted) in cases {
        let said = said(&scene().await, fault).await;
        assert!(said.len() == 1 && said[0].contains(wanted), "{fault}: {said:#?}");
        assert!(said[0].contains(&crate::scene::tenant(1).to_string()), "{said:#?}");
    }
    let gone = said(&scene().await, "DELETE FROM ledger").await;
    assert_eq!(gone.len(), 4, "{gone:#?}");
}

#[tokio::test]
async fn an_orphan_body_is_found() {
    let said = said(&scene().await, "INSERT INTO bodies VALUES (99, x'00')").await;
    assert_eq!(said, ["body 99 belongs to no event and to no delivery"]);
}

#[tokio::test]
async fn rows_that_point_nowhere_are_found() {
    let cases = [
        ("DELETE FROM bodies WHERE seq = 1", "events row 1 points to a row of bodies that is not there"),
        (
            "INSERT INTO attempts VALUES (99, 1, 1, 1, 'rejected', 500, NULL, NULL)",
            "to a row of deliveries that is not there",
        ),
        ("UPDATE deliveries SET event = 99 WHERE seq = 4", "deliveries row 4 points to a row of events"),
        ("INSERT INTO responses VALUES (1, 9, '[]', x'')", "to a row of attempts that is not there"),
    ];
    for (fault, wanted) in cases {
        let said = said(&scene().await, fault).await;
        assert!(said.iter().any(|it| it.contains(wanted)), "{fault}: {said:#?}");
    }
}

#[tokio::test]
async fn a_damaged_index_is_found() {
    let fault = "PRAGMA writable_schema = ON; \
                 UPDATE sqlite_schema SET sql = 'CREATE INDEX deliveries_of_event ON deliveries (pass)' \
                 WHERE name = 'deliveries_of_event'";
    let said = said(&scene().await, fault).await;
    assert!(said.iter().any(|it| it.starts_with("the database is damaged")), "{said:#?}");
}
