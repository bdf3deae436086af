//! Figures about the file.

use weft_core::decide::NextStep;
use weft_store::Store;
use weft_store::stats::{Figure, StatsDepth, StoreStats};
use weft_store::work::{FinishedAttempt, FirstWay};

use crate::engine::OnSqlite;
use crate::scene::{accepted, at, attempted, event, kept, rejected, routed, waiting};

type Scene = crate::scene::Scene<OnSqlite>;

async fn stats(scene: &Scene, depth: StatsDepth) -> StoreStats {
    let mut snapshot = Store::open_snapshot(&scene.engine.path()).await.expect("a snapshot");
    snapshot.stats(depth).await.expect("figures")
}

fn rows(stats: &StoreStats, name: &str) -> Figure {
    stats.tables.iter().find(|table| table.name == name).expect("a table").rows
}

/// A delivered, a dead, a waiting and a dropped one for each of `many`, mixed.
async fn store_of(many: u128) -> Scene {
    let scene = Scene::new().await;
    for n in 0..many {
        let n = 1_000 + n * 10;
        scene.keep(vec![routed(n, &[1, 2]), waiting(n + 1), kept(event(n + 2), FirstWay::NoDestination)]).await;
    }
    loop {
        let work = scene.claim(1, at(0)).await;
        let done = work.iter().map(|work| attempted(work, accepted(), NextStep::Delivered, at(0)));
        let done: Vec<FinishedAttempt> = done.collect();
        if done.is_empty() {
            break;
        }
        scene.store.record(done).await.expect("record");
    }
    let work = scene.claim(2, at(0)).await.remove(0);
    let dead = NextStep::Dead(weft_core::delivery::DeadDelivery::Exhausted);
    let mut failed = attempted(&work, rejected(500), dead, at(0));
    failed.attempt.response = Some(Default::default());
    scene.record(failed).await;
    scene
}

#[tokio::test]
async fn promise_9_a_small_store_is_counted_exactly_whatever_the_depth() {
    let scene = store_of(10).await;
    let counted = scene.check().await.counted;
    for depth in [StatsDepth::Sampled, StatsDepth::Whole] {
        let stats = stats(&scene, depth).await;
        assert_eq!((stats.events, stats.deliveries), (counted.events, counted.deliveries));
        assert!(!stats.states_estimated);
        let names = ["events", "deliveries", "attempts", "responses", "bodies", "passes", "destinations", "components"];
        assert_eq!(names.map(|name| rows(&stats, name)), [30, 20, 11, 1, 30, 0, 4, 0].map(Figure::exact));
        assert_eq!((stats.counts.dead_deliveries, stats.counts.passes_waiting), (1, 10));
        assert_eq!((stats.ledger.events, stats.ledger.deliveries), (30, 20));
        assert_eq!(stats.oldest_event_at, Some(at(0)));
        assert!(stats.size.bytes > 0 && stats.size.log_bytes > 0);
    }
}

#[tokio::test]
async fn promise_9_of_a_large_store_sums_are_exact_and_shares_are_near() {
    let scene = store_of(1_000).await;
    let counted = scene.check().await.counted;
    let sampled = stats(&scene, StatsDepth::Sampled).await;
    assert!(sampled.states_estimated && rows(&sampled, "attempts").estimated);
    assert_eq!(rows(&sampled, "events"), Figure::exact(3_000), "the ledger knows it");
    let (of, is) = (counted.events, sampled.events);
    assert_eq!((is.received, is.dead, is.routed + is.dropped), (of.received, of.dead, of.routed + of.dropped));
    let (of, is) = (counted.deliveries, sampled.deliveries);
    assert_eq!((is.pending, is.dead, is.delivered), (of.pending, of.dead, of.delivered));
    for (name, counted) in [("attempts", counted.attempts), ("bodies", counted.bodies)] {
        let near = counted * 9 / 10..=counted * 11 / 10;
        assert!(near.contains(&rows(&sampled, name).value), "{name}: {:?} for {counted}", rows(&sampled, name));
    }
    let routed = sampled.events.routed.abs_diff(counted.events.routed);
    assert!(routed < 100, "{:?} for {:?}", sampled.events, counted.events);

    let whole = stats(&scene, StatsDepth::Whole).await;
    assert_eq!((whole.events, whole.deliveries), (counted.events, counted.deliveries));
    assert!(whole.tables.iter().all(|table| !table.rows.estimated && !table.bytes.estimated));
    let bytes: u64 = whole.tables.iter().map(|table| table.bytes.value).sum();
    let used = whole.size.bytes - whole.size.free_bytes;
    assert!(bytes <= used && bytes > used * 9 / 10, "{bytes} of {used} bytes are some table's");
}
