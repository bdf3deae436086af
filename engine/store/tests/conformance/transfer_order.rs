//! What waits under ordering keys keeps its order through a move to Postgres and back (promise 4).

use weft_core::decide::NextStep;
use weft_core::delivery::DeadDelivery;
use weft_core::id::{DeliveryId, EventId};
use weft_private_postgres::TestDatabase;
use weft_store::replay::{NewDeliveryReplay, NewEventReplay};
use weft_store::transfer::StoreAddress;
use weft_store::work::{FirstWay, Ingested, KeepEvent, Lease, PassEnd, Want};
use weft_store::{Progress, Store, StoreOptions};

use crate::engine::OnSqlite;
use crate::scene::{
    accepted, at, attempted, delivery, destination, event, finished, rejected, replay_id, routed, uuid, waiting,
};

type Scene = crate::scene::Scene<OnSqlite>;

fn under(key: &str, mut keep: KeepEvent) -> KeepEvent {
    let mut event = (*keep.new.event).clone();
    event.ordering_key = Some(key.parse().expect("a key"));
    if let FirstWay::Routed(planned) = &mut keep.way {
        planned.iter_mut().for_each(|new| new.ordering_key = event.ordering_key.clone());
    }
    keep.new.event = event.into();
    keep
}

/// Deliveries for `a` that wait in the order 22, 21, 20, and passes in the order 32, 31, 30: the last of each is a replay.
async fn waiting_in_lanes() -> Scene {
    let scene = Scene::new().await;
    scene.keep(vec![under("k", routed(20, &[1])), under("l", waiting(30))]).await;
    let (work, pass) = (scene.claim(1, at(0)).await.remove(0), scene.claim_passes(1, at(0)).await.remove(0));
    let dead = NextStep::Dead(DeadDelivery::Exhausted);
    scene.record(attempted(&work, rejected(500), dead, at(0))).await;
    let end = PassEnd::Dead { step: None, reason: "no".to_owned() };
    scene.finish(finished(&pass, end, at(0))).await;
    for n in [22, 21] {
        scene.keep(vec![under("k", routed(n, &[1])), under("l", waiting(n + 10))]).await;
    }
    let replay = NewDeliveryReplay {
        replay: replay_id(70),
        delivery: delivery(20, 1).id,
        new_delivery: DeliveryId::from_uuid(uuid(1)),
        tenant: None,
        planned_at: at(0),
    };
    scene.store.replay_deliveries(vec![replay]).await.expect("replay");
    let replay = NewEventReplay { replay: replay_id(71), event: event(30).id, tenant: None };
    scene.store.replay_events(vec![replay], at(0)).await.expect("replay");
    scene.is_sound().await;
    scene
}

/// Works on everything under the keys; answers in which order deliveries and passes went, with an event more of each.
async fn worked_off(store: &Store) -> (Vec<EventId>, Vec<EventId>) {
    let lease = Lease { owner: store.start_number(), until: at(60_000) };
    let more = vec![under("k", routed(40, &[1])), under("l", waiting(41))];
    let kept = store.keep(more, at(100)).await.expect("keep");
    assert!(kept.iter().all(|it| matches!(it, Ingested::Behind(_))), "{kept:?}");
    let (mut sent, mut passed) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        let wants = vec![Want { destination: destination(1), count: 9 }];
        let works = store.claim_deliveries(wants, lease, at(100)).await.expect("claim");
        let passes = store.claim_passes(9, lease, at(100)).await.expect("claim");
        assert_eq!((works.len(), passes.len()), (1, 1), "of a key, one at a time");
        sent.push(works[0].event);
        passed.push(passes[0].event.id);
        store.record(vec![attempted(&works[0], accepted(), NextStep::Delivered, at(100))]).await.expect("record");
        let end = PassEnd::Dropped { step: None, reason: "x".to_owned() };
        store.finish_passes(vec![finished(&passes[0], end, at(100))]).await.expect("finish");
    }
    (sent, passed)
}

fn expected() -> (Vec<EventId>, Vec<EventId>) {
    let ids = |numbers: [u128; 4]| numbers.map(|n| event(n).id).to_vec();
    (ids([22, 21, 20, 40]), ids([32, 31, 30, 41]))
}

#[tokio::test]
async fn promise_4_a_move_on_sqlite_keeps_the_order() {
    let (scene, folder) = (waiting_in_lanes().await, tempfile::tempdir().expect("a folder"));
    let (from, to) = (scene.engine.path(), folder.path().join("weft.db"));
    scene.store.close().await;
    let (from, there) = (StoreAddress::Sqlite(from), StoreAddress::Sqlite(to.clone()));
    Store::transfer(&from, &there, at(60), &Progress::default()).await.expect("moved");
    let store = Store::open(&StoreOptions::new(to.as_path(), at(100))).await.expect("the store opens");
    assert_eq!(worked_off(&store).await, expected());
    store.close().await;
}

#[tokio::test]
async fn on_postgres_promise_4_a_move_there_and_back_keeps_the_order() {
    let (scene, folder) = (waiting_in_lanes().await, tempfile::tempdir().expect("a folder"));
    let (path, back) = (scene.engine.path(), folder.path().join("weft.db"));
    scene.store.close().await;
    let database = TestDatabase::create().expect("a database for the test");
    let there = StoreAddress::Postgres(database.url());
    let progress = Progress::default();
    Store::transfer(&StoreAddress::Sqlite(path), &there, at(60), &progress).await.expect("moved to Postgres");
    Store::transfer(&there, &StoreAddress::Sqlite(back.clone()), at(60), &progress).await.expect("moved back");
    let store = Store::open(&StoreOptions::new(back.as_path(), at(100))).await.expect("the store opens");
    assert_eq!(worked_off(&store).await, expected());
    store.close().await;
    // And the one on Postgres goes on as well.
    let at_one = weft_store::PostgresAt { url: database.url(), node: "one".parse().expect("a name") };
    let options = StoreOptions::new(weft_store::StoreAt::Postgres(at_one), at(100));
    let store = Store::open(&StoreOptions { durable: false, ..options }).await.expect("the store opens");
    assert_eq!(worked_off(&store).await, expected());
    store.close().await;
}
