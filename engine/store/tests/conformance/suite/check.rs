//! `check` is sharp: each fault that is planted is named, and nothing else is.

use weft_store::check::{DeliveryCounts, EventCounts};

use super::Scene;
use crate::scene::{delivery, destination, event, replay_id, tenant};

fn id(n: u128, to: u128) -> String {
    delivery(n, to).id.to_string()
}

#[tokio::test]
async fn a_sound_store_is_counted_and_nothing_is_found() {
    let counted = Scene::with_every_row().await.check().await.counted;
    assert_eq!(counted.events, EventCounts { received: 1, routed: 1, dropped: 1, dead: 1 });
    let deliveries = DeliveryCounts { pending: 2, delivered: 1, dead: 1, ..DeliveryCounts::default() };
    assert_eq!(counted.deliveries, deliveries);
    assert_eq!((counted.attempts, counted.passes, counted.replays, counted.bodies), (3, 2, 1, 5));
}

#[tokio::test]
async fn promise_2_a_missing_delivery_is_found() {
    let scene = Scene::with_every_row().await;
    let said = scene.said("DELETE FROM deliveries WHERE destination = 3").await;
    let event = event(10).id;
    let missing = format!("{event} is routed with 3 planned deliveries, and 2 are there");
    assert!(said.contains(&missing), "{said:#?}");
    assert!(said.iter().any(|it| it.contains("3 deliveries were counted, 2 are there and 0 were pruned")), "{said:#?}");
    assert_eq!(said.len(), 2, "{said:#?}");
}

#[tokio::test]
async fn promise_2_a_missing_delivery_of_a_replay_is_found() {
    let scene = Scene::with_every_row().await;
    let said = scene.said("DELETE FROM deliveries WHERE replay IS NOT NULL").await;
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
        (
            "UPDATE events SET replayed_by = (SELECT {key} FROM replays) WHERE state = 'dropped'",
            "is dropped, and is marked as replayed",
        ),
        ("UPDATE replays SET ended_at = NULL", "is routed, and has no time of its end"),
        (
            "UPDATE deliveries SET due_at = NULL WHERE replay IS NOT NULL",
            "is pending, and has no time at which somebody would",
        ),
        ("UPDATE deliveries SET ended_at = NULL WHERE state = 'dead'", "is dead, and has no time of its end"),
        ("UPDATE deliveries SET reason = NULL WHERE state = 'dead'", "is dead, and its reason does not go with that"),
    ];
    for (fault, wanted) in cases {
        let said = Scene::with_every_row().await.said(fault).await;
        assert!(said.len() == 1 && said[0].contains(wanted), "{fault}: {said:#?}");
    }
}

#[tokio::test]
async fn an_event_that_is_routed_to_nobody_is_found() {
    let fault = "UPDATE events SET state = 'routed', reason = NULL WHERE state = 'dropped'";
    let said = Scene::with_every_row().await.said(fault).await;
    assert_eq!(said, [format!("{} is routed, and it has 0 deliveries", event(13).id)]);
}

#[tokio::test]
async fn a_delivered_delivery_without_an_accepted_attempt_is_found() {
    let said =
        Scene::with_every_row().await.said("UPDATE attempts SET outcome = 'rejected' WHERE outcome = 'accepted'").await;
    assert_eq!(said, [format!("{} is delivered, and none of its attempts was accepted", id(10, 1))]);
}

#[tokio::test]
async fn an_accepted_attempt_of_a_delivery_that_is_not_delivered_is_found() {
    let said = Scene::with_every_row().await.said("UPDATE attempts SET outcome = 'accepted' WHERE delivery = (SELECT {key} FROM deliveries WHERE destination = 2)").await;
    assert_eq!(said, [format!("{} is dead, and its attempt 1 was accepted", id(10, 2))]);
}

#[tokio::test]
async fn an_attempt_after_the_end_is_found() {
    let scene = Scene::with_every_row().await;
    let after = "INSERT INTO attempts SELECT delivery, 3, started_at + 1000, took_us, 'rejected', 500, NULL, NULL FROM attempts \
                 WHERE number = 2; UPDATE deliveries SET attempts = 3 WHERE destination = 1 AND replay IS NULL";
    assert_eq!(scene.said(after).await, [format!("attempt 3 of {} began after its end", id(10, 1))]);
}

#[tokio::test]
async fn attempts_and_passes_that_do_not_add_up_are_found() {
    let said_of = |noun, n: i64, found| format!("counts {n} {noun}, and {found} are there");
    let cases = [
        ("UPDATE deliveries SET attempts = 7 WHERE destination = 1 AND replay IS NULL", said_of("attempts", 7, 2)),
        (
            "DELETE FROM attempts WHERE delivery = (SELECT {key} FROM deliveries WHERE destination = 1 AND replay IS NULL) AND number = 1",
            said_of("attempts", 2, 1),
        ),
        (
            "UPDATE attempts SET number = 9 WHERE delivery = (SELECT {key} FROM deliveries WHERE destination = 2)",
            said_of("attempts", 1, 9),
        ),
        ("UPDATE events SET passes = 4 WHERE state = 'dead'", said_of("passes", 4, 1)),
        ("DELETE FROM passes WHERE replay = (SELECT {key} FROM replays)", said_of("passes", 1, 0)),
    ];
    for (fault, wanted) in cases {
        let said = Scene::with_every_row().await.said(fault).await;
        assert!(said.iter().any(|it| it.ends_with(&wanted)), "{fault}: {said:#?}");
    }
}

#[tokio::test]
async fn promise_3_two_deliveries_of_one_output_and_destination_are_found() {
    let scene = Scene::with_every_row().await;
    let said = scene.said("UPDATE deliveries SET destination = 2 WHERE destination = 3").await;
    let to = destination(2);
    assert_eq!(said, [format!("{}: output 0 of pass 0 has 2 deliveries for {to}", event(10).id)]);
}

#[tokio::test]
async fn a_lease_without_an_owner_is_found() {
    let cases = [
        ("UPDATE deliveries SET lease_owner = 9 WHERE destination = 3", "is pending and leased by start 9"),
        ("UPDATE deliveries SET lease_owner = -1 WHERE destination = 3", "is pending and leased by start -1"),
        ("UPDATE deliveries SET lease_owner = 1 WHERE state = 'delivered'", "is delivered and leased by start 1"),
        ("UPDATE events SET lease_owner = 9 WHERE state = 'received'", "is received and leased by start 9"),
        ("UPDATE events SET lease_owner = 1 WHERE state = 'dropped'", "is dropped and leased by start 1"),
        ("UPDATE replays SET lease_owner = 1", "is routed and leased by start 1"),
    ];
    for (fault, wanted) in cases {
        let said = Scene::with_every_row().await.said(fault).await;
        assert!(said.len() == 1 && said[0].contains(wanted), "{fault}: {said:#?}");
    }
}

#[tokio::test]
async fn promise_2_a_ledger_off_by_one_is_found() {
    // One row of each tenant counts events; others, where an engine writes with two hands, count something else.
    let cases = [
        (
            "UPDATE ledger SET events = events + 1 WHERE events > 0",
            "5 events were counted, 4 are there and 0 were pruned",
        ),
        (
            "UPDATE ledger SET deliveries = deliveries - 1 WHERE events > 0",
            "2 deliveries were counted, 3 are there and 0 were pruned",
        ),
        (
            "UPDATE ledger SET replays = replays + 1 WHERE replays > 0",
            "2 replays were counted, 1 are there and 0 were pruned",
        ),
        ("UPDATE ledger SET replay_deliveries = 0", "0 replay deliveries were counted, 1 are there and 0 were pruned"),
        (
            "UPDATE ledger SET events_dead_pruned = 1 WHERE events > 0",
            "4 events were counted, 4 are there and 1 were pruned",
        ),
    ];
    for (fault, wanted) in cases {
        let said = Scene::with_every_row().await.said(fault).await;
        assert!(said.len() == 1 && said[0].contains(wanted), "{fault}: {said:#?}");
        assert!(said[0].contains(&tenant(1).to_string()), "{said:#?}");
    }
    let gone = Scene::with_every_row().await.said("DELETE FROM ledger").await;
    assert_eq!(gone.len(), 4, "{gone:#?}");
}
