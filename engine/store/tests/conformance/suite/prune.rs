//! Retention.

use weft_core::decide::NextStep;
use weft_core::time::Timestamp;
use weft_store::replay::NewEventReplay;
use weft_store::upkeep::Pruned;
use weft_store::work::FirstWay;

use super::Scene;
use crate::scene::{accepted, at, attempted, event, kept, rejected, replay_id, routed, waiting, with_key};

const DAY: i64 = 86_400_000;

async fn prune(scene: &Scene, before: Timestamp) -> Pruned {
    let mut sum = Pruned::default();
    loop {
        let round = scene.store.prune(before, 3, before).await.expect("prune");
        sum.events += round.events;
        sum.deliveries += round.deliveries;
        sum.dedupe += round.dedupe;
        if !round.more {
            return sum;
        }
    }
}

#[tokio::test]
async fn promise_2_what_is_pruned_is_counted_in_the_ledger() {
    let scene = Scene::new().await;
    scene.keep((10..20).map(|n| routed(n, &[1, 2])).collect()).await;
    scene.keep(vec![kept(event(20), FirstWay::NoDestination)]).await;
    scene.dead_event(21, at(0)).await;
    let mut dead = scene.claim(1, at(0)).await;
    let last = dead.pop().expect("ten deliveries");
    let mut done: Vec<_> = dead.iter().map(|work| attempted(work, accepted(), NextStep::Delivered, at(0))).collect();
    let given_up = NextStep::Dead(weft_core::delivery::DeadDelivery::Exhausted);
    let mut failed = attempted(&last, rejected(500), given_up, at(0));
    failed.attempt.response = Some(Default::default());
    done.push(failed);
    done.extend(scene.claim(2, at(0)).await.iter().map(|work| attempted(work, accepted(), NextStep::Delivered, at(0))));
    scene.store.record(done).await.expect("record");
    scene.is_sound().await;
    assert_eq!(prune(&scene, at(DAY)).await, Pruned { events: 12, deliveries: 20, ..Pruned::default() });
    let tables = ["events", "deliveries", "attempts", "responses", "passes", "replays", "bodies"];
    assert_eq!(scene.rows(&tables).await, 0);
    let report = scene.check().await;
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
    assert_eq!((report.counted.pruned_events, report.counted.pruned_deliveries), (12, 20));
}

#[tokio::test]
async fn promise_2_nothing_is_pruned_that_waits_or_is_young() {
    let scene = Scene::new().await;
    scene.keep(vec![waiting(10), routed(11, &[1]), routed(12, &[2])]).await;
    let work = scene.claim(2, at(DAY - 5)).await.remove(0);
    scene.record(attempted(&work, accepted(), NextStep::Delivered, at(DAY - 5))).await;
    let dead = scene.dead_event(13, at(0)).await;
    let replay = NewEventReplay { replay: replay_id(70), event: dead, tenant: None };
    scene.store.replay_events(vec![replay], at(1)).await.expect("replay");
    assert_eq!(prune(&scene, at(DAY)).await, Pruned::default(), "the delivery of 12 ended at that very time");
    assert_eq!(prune(&scene, at(DAY + 1)).await, Pruned { events: 1, deliveries: 1, ..Pruned::default() });
    assert_eq!(scene.rows(&["events"]).await, 3);
    scene.is_sound().await;
}

#[tokio::test]
async fn what_waits_at_the_front_does_not_hold_up_what_has_ended_behind() {
    let scene = Scene::new().await;
    scene.keep((10..50).map(waiting).collect()).await;
    scene.keep((50..60).map(|n| kept(event(n), FirstWay::NoDestination)).collect()).await;
    assert_eq!(prune(&scene, at(DAY)).await.events, 10);
    assert_eq!(scene.rows(&["events"]).await, 40);
    scene.is_sound().await;
}

#[tokio::test]
async fn expired_idempotency_keys_are_forgotten() {
    let scene = Scene::new().await;
    scene.keep((10..20).map(|n| with_key(waiting(n), &format!("k{n}"))).collect()).await;
    assert_eq!(prune(&scene, at(DAY - 1)).await.dedupe, 0);
    assert_eq!(prune(&scene, at(DAY)).await.dedupe, 10);
    assert_eq!(scene.rows(&["dedupe"]).await, 0);
}
