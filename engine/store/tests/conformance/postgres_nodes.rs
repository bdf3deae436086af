//! Several engines on one database: none takes what is another's, and what one leaves behind comes over.

use std::collections::HashSet;
use std::time::Duration;

use weft_core::decide::NextStep;
use weft_core::digest::Digest;
use weft_core::id::{DestinationId, PluginId};
use weft_core::time::Timestamp;
use weft_store::Store;
use weft_store::catalog::DeclaredDestination;
use weft_store::plugin::{Activated, ActivatedBy, Activation, NewPlugin, NewVersion};
use weft_store::replay::{NewEventReplay, Replayed};
use weft_store::work::{DeliveryWork, Finished, FirstWay, Ingested, KeepEvent, Lease, PassEnd, PassWork, Want};

use super::Scene;
use crate::engine::Engine as _;
use crate::scene::{
    LEASE_MS, accepted, at, attempted, declaration, delivery, destination, event, finished, kept, replay_id, routed,
    uuid, waiting, with_key,
};

const DAY: i64 = 86_400_000;

/// Longer than an engine is taken for alive after it was last heard of, and shorter than a lease.
const SILENCE_MS: i64 = 30_000;

/// The scene's engine is node `one`; this is another, on the same database.
async fn another(scene: &Scene) -> Scene {
    Scene { store: scene.engine.open_as("two", at(0)).await, engine: scene.engine.clone() }
}

fn lease(store: &Store, now: Timestamp) -> Lease {
    Lease { owner: store.start_number(), until: now.plus(Duration::from_millis(LEASE_MS.unsigned_abs())) }
}

/// Claims deliveries of the first three destinations in small portions until there are none.
async fn claim_all(store: &Store, now: Timestamp) -> Vec<DeliveryWork> {
    let mut all = Vec::new();
    loop {
        let wants = [1, 2, 3].map(|n| Want { destination: destination(n), count: 7 }).to_vec();
        let works = store.claim_deliveries(wants, lease(store, now), now).await.expect("claim deliveries");
        if works.is_empty() {
            return all;
        }
        all.extend(works);
    }
}

/// Claims passes in small portions until there are none.
async fn claim_all_passes(store: &Store, now: Timestamp) -> Vec<PassWork> {
    let mut all = Vec::new();
    loop {
        let works = store.claim_passes(7, lease(store, now), now).await.expect("claim passes");
        if works.is_empty() {
            return all;
        }
        all.extend(works);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_3_no_delivery_is_claimed_by_two_engines() {
    let one = Scene::new().await;
    let two = another(&one).await;
    one.keep((1_000..1_100).map(|n| routed(n, &[1, 2, 3])).collect()).await;
    let (first, second) = tokio::join!(claim_all(&one.store, at(0)), claim_all(&two.store, at(0)));
    let different: HashSet<_> = first.iter().chain(&second).map(|work| work.id).collect();
    assert_eq!((first.len() + second.len(), different.len()), (300, 300));
    for (scene, works) in [(&one, &first), (&two, &second)] {
        let done = works.iter().map(|work| attempted(work, accepted(), NextStep::Delivered, at(1))).collect();
        let ends = scene.store.record(done).await.expect("record");
        assert!(ends.iter().all(|end| *end == Finished::Done));
    }
    assert_eq!(one.check().await.counted.deliveries.delivered, 300);
    one.is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_6_no_pass_is_claimed_by_two_engines() {
    let one = Scene::new().await;
    let two = another(&one).await;
    one.keep((1_000..1_100).map(waiting).collect()).await;
    let (first, second) = tokio::join!(claim_all_passes(&one.store, at(0)), claim_all_passes(&two.store, at(0)));
    let different: HashSet<_> = first.iter().chain(&second).map(|work| work.event.id).collect();
    assert_eq!((first.len() + second.len(), different.len()), (100, 100));
    one.is_sound().await;
}

#[tokio::test]
async fn promise_2_what_a_dead_node_had_comes_over_and_its_late_finishers_are_told() {
    let one = Scene::new().await;
    let two = another(&one).await;
    one.keep((10..15).map(|n| routed(n, &[1])).chain((20..25).map(waiting)).collect()).await;
    let (sending, running) = (claim_all(&two.store, at(0)).await, claim_all_passes(&two.store, at(0)).await);
    assert_eq!((sending.len(), running.len()), (5, 5));
    assert!(one.store.waiting(at(1)).await.expect("waiting").is_empty(), "node two is alive");
    assert!(claim_all(&one.store, at(1)).await.is_empty() && claim_all_passes(&one.store, at(1)).await.is_empty());
    let later = at(SILENCE_MS);
    one.store.keep_alive(later).await.expect("the heartbeat of node one");
    assert_eq!(one.store.waiting(later).await.expect("waiting").len(), 1, "node two has not been heard of");
    assert!(one.store.next_pass_due(later).await.expect("due").is_some_and(|due| due <= later));
    assert_eq!((claim_all(&one.store, later).await.len(), claim_all_passes(&one.store, later).await.len()), (5, 5));
    let late = sending.iter().map(|work| attempted(work, accepted(), NextStep::Delivered, later)).collect();
    assert_eq!(two.store.record(late).await.expect("record"), vec![Finished::LeaseLost; 5]);
    let end = || PassEnd::Dropped { step: None, reason: "late".to_owned() };
    let late = running.iter().map(|work| finished(work, end(), later)).collect();
    assert_eq!(two.store.finish_passes(late).await.expect("finish"), vec![Finished::LeaseLost; 5]);
    one.is_sound().await;
}

#[tokio::test]
async fn promise_2_a_node_that_is_heard_of_keeps_what_it_has_leased() {
    let one = Scene::new().await;
    let two = another(&one).await;
    one.keep(vec![routed(10, &[1]), waiting(11)]).await;
    let work = claim_all(&two.store, at(0)).await.remove(0);
    let pass = claim_all_passes(&two.store, at(0)).await.remove(0);
    for ms in [10_000, 20_000, SILENCE_MS] {
        one.store.keep_alive(at(ms)).await.expect("the heartbeat of node one");
        two.store.keep_alive(at(ms)).await.expect("the heartbeat of node two");
    }
    let later = at(SILENCE_MS);
    assert!(claim_all(&one.store, later).await.is_empty() && claim_all_passes(&one.store, later).await.is_empty());
    assert_eq!(two.record(attempted(&work, accepted(), NextStep::Delivered, later)).await, Finished::Done);
    let end = PassEnd::Dropped { step: None, reason: "x".to_owned() };
    assert_eq!(two.finish(finished(&pass, end, later)).await, Finished::Done);
    one.is_sound().await;
}

#[tokio::test]
async fn promise_2_a_node_that_comes_back_after_a_silence_goes_on() {
    let one = Scene::new().await;
    let two = another(&one).await;
    one.keep(vec![routed(10, &[1]), routed(11, &[2])]).await;
    let sending = two.claim(1, at(0)).await.remove(0);
    let later = at(SILENCE_MS);
    one.store.keep_alive(later).await.expect("the heartbeat of node one");
    assert!(two.claim(1, later).await.is_empty(), "what it sends itself is no prey to it");
    assert_eq!(two.record(attempted(&sending, accepted(), NextStep::Delivered, later)).await, Finished::Done);
    two.store.keep_alive(later).await.expect("the heartbeat of node two");
    let sending = two.claim(2, later).await.remove(0);
    assert!(claim_all(&one.store, later).await.is_empty(), "it is alive again");
    assert_eq!(two.record(attempted(&sending, accepted(), NextStep::Delivered, later)).await, Finished::Done);
    one.is_sound().await;
}

#[tokio::test]
async fn promise_2_a_start_that_was_silent_for_days_leases_nothing_that_nobody_finds() {
    let one = Scene::new().await;
    let two = another(&one).await;
    one.keep(vec![routed(10, &[1]), routed(11, &[2])]).await;
    let days = |n: i64, ms: i64| at(n * DAY + ms);
    let until = async || {
        let until = format!("SELECT alive_until FROM engine_starts WHERE number = {}", two.store.start_number());
        one.engine.ask(&until).await
    };
    one.store.keep_alive(days(3, 0)).await.expect("the heartbeat of node one, which lays others to rest");
    assert_ne!(until().await, "-1", "it is connected");
    assert_eq!(two.claim(1, days(3, 1)).await.len(), 1);
    one.is_sound().await;
    one.store.keep_alive(days(3, SILENCE_MS)).await.expect("the heartbeat of node one");
    assert_eq!(one.claim(1, days(3, SILENCE_MS)).await.len(), 1);

    let cut = "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity \
               WHERE datname = current_database() AND application_name = 'weft two'";
    one.sql(cut).await;
    one.store.keep_alive(days(6, 0)).await.expect("the heartbeat of node one");
    assert_eq!(until().await, "-1", "nobody is connected, and it has nothing");
    assert_eq!(two.claim(2, days(6, 1)).await.len(), 1, "it comes back");
    one.is_sound().await;
    one.store.keep_alive(days(6, SILENCE_MS)).await.expect("the heartbeat of node one");
    assert_eq!(one.claim(2, days(6, SILENCE_MS)).await.len(), 1);
    one.is_sound().await;
}

#[tokio::test]
async fn promise_2_what_a_stopped_node_had_comes_over_at_once() {
    let one = Scene::new().await;
    let two = another(&one).await;
    one.keep(vec![routed(10, &[1]), waiting(11)]).await;
    assert_eq!((claim_all(&two.store, at(0)).await.len(), claim_all_passes(&two.store, at(0)).await.len()), (1, 1));
    two.store.close().await;
    assert_eq!((claim_all(&one.store, at(1)).await.len(), claim_all_passes(&one.store, at(1)).await.len()), (1, 1));
    one.is_sound().await;
}

#[tokio::test]
async fn of_two_nodes_that_keep_one_key_at_once_one_stores_it() {
    let one = Scene::new().await;
    let two = another(&one).await;
    for n in 10..30 {
        // The same event of a sender, as two nodes accept it: each gives it an id of its own.
        let sent = |id: u128| {
            let mut accepted = (*event(id)).clone();
            accepted.body = "{}".into();
            with_key(kept(std::sync::Arc::new(accepted), FirstWay::NoDestination), &format!("k{n}"))
        };
        let keep = |store: &Store, id| {
            let store = store.clone();
            let event: KeepEvent = sent(id);
            async move { store.keep(vec![event], at(0)).await.expect("keep").remove(0) }
        };
        let answers = tokio::join!(keep(&one.store, n), keep(&two.store, 100 + n));
        let new = [&answers.0, &answers.1].into_iter().filter(|it| **it == Ingested::New).count();
        assert_eq!(new, 1, "{answers:?}");
    }
    assert_eq!(one.rows(&["events", "dedupe"]).await, 40);
    one.is_sound().await;
}

#[tokio::test]
async fn of_two_nodes_that_replay_one_dead_letter_one_does() {
    let one = Scene::new().await;
    let two = another(&one).await;
    for n in 0..20 {
        let dead = one.dead_event(10 + n, at(0)).await;
        let replay = |store: &Store, id| {
            let store = store.clone();
            let new = NewEventReplay { replay: replay_id(id), event: dead, tenant: None };
            async move { store.replay_events(vec![new], at(1)).await.expect("replay").remove(0) }
        };
        let answers = tokio::join!(replay(&one.store, 100 + n), replay(&two.store, 200 + n));
        let started = [&answers.0, &answers.1].into_iter().filter(|it| **it == Replayed::Started).count();
        assert_eq!(started, 1, "{answers:?}");
    }
    one.is_sound().await;
}

#[tokio::test]
async fn promise_6_of_two_nodes_that_activate_at_once_the_second_is_told() {
    let one = Scene::new().await;
    let two = another(&one).await;
    let plugin = PluginId::from_uuid(uuid(500));
    let new = NewPlugin { fresh: plugin, tenant: None, name: "filter".parse().expect("a name") };
    one.store.plugin(new, at(0)).await.expect("plugin");
    for text in ["a", "b"] {
        let digest = Digest::of(text.as_bytes());
        let version = NewVersion { plugin, digest, component: text.into(), roles: Vec::new() };
        one.store.save_version(version, at(0)).await.expect("version");
    }
    let wish = |text: &str| Activation {
        plugin,
        digest: Digest::of(text.as_bytes()),
        by: ActivatedBy::Person,
        expected: None,
        mode: None,
    };
    let (first, second) = tokio::join!(one.store.activate(wish("a"), at(1)), two.store.activate(wish("b"), at(1)));
    let answers = [first.expect("activate"), second.expect("activate")];
    let done = answers.iter().filter(|it| **it == Activated::Done { previous: None }).count();
    let told = answers.iter().filter(|it| matches!(it, Activated::Changed { active: Some(_) })).count();
    assert_eq!((done, told), (1, 1), "{answers:?}");
}

#[tokio::test]
async fn what_one_node_declares_the_others_can_use() {
    let one = Scene::new().await;
    let two = another(&one).await;
    let mut more = declaration();
    let new = DestinationId::from_uuid(uuid(5));
    more.tenants[0].destinations.push(DeclaredDestination { fresh: new, name: "d".parse().expect("a name") });
    one.store.declare(more, at(0)).await.expect("the catalog");
    one.keep(vec![routed(10, &[5])]).await;
    let waiting = two.store.waiting(at(0)).await.expect("waiting");
    assert_eq!(waiting.iter().map(|it| it.destination).collect::<Vec<_>>(), [new]);
    let wants = vec![Want { destination: new, count: 9 }];
    let works = two.store.claim_deliveries(wants, lease(&two.store, at(0)), at(0)).await.expect("claim");
    assert_eq!(works.iter().map(|work| work.id).collect::<Vec<_>>(), [delivery(10, 5).id]);
    assert_eq!(two.keep(vec![routed(11, &[5])]).await, [Ingested::New]);
    one.is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_2_two_nodes_that_prune_at_once_count_each_row_once() {
    let one = Scene::new().await;
    let two = another(&one).await;
    one.keep((1_000..1_300).map(|n| kept(event(n), FirstWay::NoDestination)).collect()).await;
    let dead = one.dead_event(2_000, at(0)).await;
    let prune = async |store: &Store| {
        let mut events = 0;
        loop {
            let round = store.prune(at(DAY), 11, at(DAY)).await.expect("prune");
            events += round.events;
            if !round.more {
                return events;
            }
        }
    };
    let replay = NewEventReplay { replay: replay_id(70), event: dead, tenant: None };
    let replay = one.store.replay_events(vec![replay], at(DAY));
    let (first, second, replayed) = tokio::join!(prune(&one.store), prune(&two.store), replay);
    let replayed = replayed.expect("replay").remove(0);
    let left = one.rows(&["events"]).await;
    let kept_by_replay = replayed == Replayed::Started;
    assert!(kept_by_replay || replayed == Replayed::NotFound, "{replayed:?}");
    assert_eq!(i64::from(kept_by_replay), one.rows(&["replays"]).await);
    assert_eq!(i64::try_from(first + second).expect("few") + left, 301);
    let report = one.check().await;
    assert_eq!(report.counted.pruned_events, first + second);
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_2_many_commits_of_two_nodes_add_up() {
    let one = Scene::new().await;
    let two = another(&one).await;
    let work = async |store: &Store, first: u128| {
        for round in 0..20 {
            let from = first + round * 10;
            store.keep((from..from + 10).map(|n| routed(n, &[1, 2])).collect(), at(0)).await.expect("keep");
            let works = claim_all(store, at(0)).await;
            let done = works.iter().map(|work| attempted(work, accepted(), NextStep::Delivered, at(1))).collect();
            let ends = store.record(done).await.expect("record");
            assert!(ends.iter().all(|end| *end == Finished::Done));
        }
    };
    tokio::join!(work(&one.store, 1_000), work(&two.store, 5_000));
    let counted = one.check().await.counted;
    assert_eq!((counted.events.routed, counted.deliveries.delivered, counted.attempts), (400, 800, 800));
    one.is_sound().await;
}
