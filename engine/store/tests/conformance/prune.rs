//! Retention.

use weft_core::decide::NextStep;
use weft_core::time::Timestamp;
use weft_store::replay::NewEventReplay;
use weft_store::upkeep::Pruned;
use weft_store::work::FirstWay;

use crate::scene::{Scene, accepted, at, attempted, event, kept, rejected, replay_id, routed, waiting, with_key};

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

async fn rows(scene: &Scene, tables: &[&str]) -> i64 {
    use sqlx::Row;
    let mut conn = scene.raw().await;
    let mut sum = 0;
    for table in tables {
        let count = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        sum += sqlx::query(count).fetch_one(&mut conn).await.expect("count").get::<i64, _>(0);
    }
    sum
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
    assert_eq!(prune(&scene, at(DAY)).await, Pruned { events: 12, deliveries: 20, dedupe: 0, more: false });
    let tables = ["events", "deliveries", "attempts", "responses", "passes", "replays", "bodies"];
    assert_eq!(rows(&scene, &tables).await, 0);
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
    assert_eq!(rows(&scene, &["events"]).await, 3);
    scene.is_sound().await;
}

#[tokio::test]
async fn what_waits_at_the_front_does_not_hold_up_what_has_ended_behind() {
    let scene = Scene::new().await;
    scene.keep((10..50).map(waiting).collect()).await;
    scene.keep((50..60).map(|n| kept(event(n), FirstWay::NoDestination)).collect()).await;
    assert_eq!(prune(&scene, at(DAY)).await.events, 10);
    assert_eq!(rows(&scene, &["events", "bodies"]).await, 80);
    scene.is_sound().await;
}

#[tokio::test]
async fn expired_idempotency_keys_are_forgotten() {
    let scene = Scene::new().await;
    scene.keep((10..20).map(|n| with_key(waiting(n), &format!("k{n}"))).collect()).await;
    assert_eq!(prune(&scene, at(DAY - 1)).await.dedupe, 0);
    assert_eq!(prune(&scene, at(DAY)).await.dedupe, 10);
    assert_eq!(rows(&scene, &["dedupe"]).await, 0);
}

#[tokio::test]
async fn pruning_gives_space_back() {
    let scene = Scene::new().await;
    for round in 0..40 {
        let batch = (0..100).map(|n| kept(event(1_000 + round * 100 + n), FirstWay::NoDestination)).collect();
        scene.keep(batch).await;
    }
    let full = pages(&scene).await;
    while scene.store.prune(at(DAY), 1000, at(DAY)).await.expect("prune").more {}
    assert!(pages(&scene).await < full / 2, "{} pages of {full} are left", pages(&scene).await);
}

async fn pages(scene: &Scene) -> i64 {
    use sqlx::Row;
    sqlx::query("PRAGMA page_count").fetch_one(&mut scene.raw().await).await.expect("pages").get(0)
}
