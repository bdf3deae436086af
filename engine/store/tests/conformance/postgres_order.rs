//! Several engines on the lanes of one database: the order of the commits holds, whoever writes (promise 4).

use weft_core::decide::NextStep;
use weft_core::id::EventId;
use weft_store::work::{FirstWay, Ingested, KeepEvent, PassEnd};

use super::Scene;
use crate::scene::{accepted, at, attempted, event, finished, routed, waiting};

/// The scene's engine is node `one`; this is another, on the same database.
async fn another(scene: &Scene) -> Scene {
    Scene { store: scene.engine.open_as("two", at(0)).await, engine: scene.engine.clone() }
}

fn under(key: &str, mut keep: KeepEvent) -> KeepEvent {
    let mut event = (*keep.new.event).clone();
    event.ordering_key = Some(key.parse().expect("a key"));
    if let FirstWay::Routed(planned) = &mut keep.way {
        planned.iter_mut().for_each(|new| new.ordering_key = event.ordering_key.clone());
    }
    keep.new.event = event.into();
    keep
}

/// Sends everything that waits for `a`, now by one engine and now by the other; answers in which order.
async fn sent_in_turn(one: &Scene, two: &Scene) -> Vec<EventId> {
    let mut sent = Vec::new();
    loop {
        let scene = if sent.len() % 2 == 0 { one } else { two };
        let works = scene.claim(1, at(1)).await;
        let Some(work) = works.first() else { return sent };
        assert_eq!(works.len(), 1, "of one key, one at a time");
        scene.record(attempted(work, accepted(), NextStep::Delivered, at(1))).await;
        sent.push(work.event);
    }
}

#[tokio::test]
async fn promise_4_what_two_engines_accept_one_after_the_other_is_sent_in_that_order() {
    let one = Scene::new().await;
    let two = another(&one).await;
    // The later one has the earlier id: what counts is the commit.
    let numbers: Vec<u128> = (0..20).map(|n| 200 - n).collect();
    for n in &numbers {
        let scene = if n % 2 == 0 { &one } else { &two };
        scene.keep(vec![under("k", routed(*n, &[1]))]).await;
    }
    one.is_sound().await;
    let expected: Vec<_> = numbers.iter().map(|n| event(*n).id).collect();
    assert_eq!(sent_in_turn(&one, &two).await, expected);
    one.is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_4_two_engines_that_accept_at_once_keep_one_order() {
    let one = Scene::new().await;
    let two = another(&one).await;
    let accept = async |scene: &Scene, from: u128| {
        for n in from..from + 40 {
            scene.keep(vec![under("k", routed(n, &[1])), under("l", waiting(n + 500))]).await;
        }
    };
    tokio::join!(accept(&one, 1_000), accept(&two, 2_000));
    one.is_sound().await;
    let sent = sent_in_turn(&one, &two).await;
    assert_eq!(sent.len(), 80);
    for from in [1_000, 2_000] {
        let own: Vec<_> = (from..from + 40).map(|n| event(n).id).collect();
        let order: Vec<_> = sent.iter().filter(|id| own.contains(id)).copied().collect();
        assert_eq!(order, own, "each of an engine's was acknowledged before its next one came");
    }
    let mut passes = 0;
    loop {
        let scene = if passes % 2 == 0 { &one } else { &two };
        let works = scene.claim_passes(10, at(1)).await;
        let Some(work) = works.first() else { break };
        assert_eq!(works.len(), 1, "of one key, one at a time");
        let end = PassEnd::Dropped { step: None, reason: "x".to_owned() };
        scene.finish(finished(work, end, at(1))).await;
        passes += 1;
    }
    assert_eq!(passes, 80);
    one.is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_4_what_comes_while_the_last_one_ends_elsewhere_is_never_left_behind() {
    let one = Scene::new().await;
    let two = another(&one).await;
    one.keep(vec![under("k", routed(1_000, &[1])), under("l", waiting(2_000))]).await;
    for n in 1_001..1_060 {
        let work = one.claim(1, at(1)).await.remove(0);
        let pass = one.claim_passes(1, at(1)).await.remove(0);
        let done = attempted(&work, accepted(), NextStep::Delivered, at(1));
        let end = PassEnd::Dropped { step: None, reason: "x".to_owned() };
        let (_, _, answers) = tokio::join!(
            one.record(done),
            one.finish(finished(&pass, end, at(1))),
            two.keep(vec![under("k", routed(n, &[1])), under("l", waiting(n + 1_000))]),
        );
        assert!(answers.iter().all(|it| matches!(it, Ingested::New | Ingested::Behind(_))), "{answers:?}");
    }
    one.is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_4_engines_that_meet_in_many_lanes_never_wait_in_a_circle() {
    let one = Scene::new().await;
    let two = another(&one).await;
    let lanes = |from: u128, backwards: bool| {
        let key = |n: u128| format!("key-{}", if backwards { 59 - n } else { n });
        let keep = |n: u128| {
            let passes = under(&key(n), waiting(from + n));
            [passes, under(&format!("sent-{}", key(n)), routed(from + 100 + n, &[1, 2, 3]))]
        };
        (0..60).flat_map(keep).collect::<Vec<_>>()
    };
    let work = async |scene: &Scene, from: u128, backwards: bool| {
        for round in 0..5 {
            let kept = scene.keep(lanes(from + round * 1_000, backwards));
            let passes = scene.claim_passes(100, at(1));
            let (_, passes) = tokio::join!(kept, passes);
            let end = || PassEnd::Dropped { step: None, reason: "x".to_owned() };
            let done = passes.iter().map(|pass| finished(pass, end(), at(1))).collect();
            let works = scene.claim(2, at(1)).await;
            let sent = works.iter().map(|work| attempted(work, accepted(), NextStep::Delivered, at(1))).collect();
            let (passes, attempts) = tokio::join!(scene.store.finish_passes(done), scene.store.record(sent));
            assert!(passes.expect("finish").iter().all(weft_store::work::Finished::is_done));
            assert!(attempts.expect("record").iter().all(weft_store::work::Finished::is_done));
        }
    };
    tokio::join!(work(&one, 10_000, false), work(&two, 20_000, true));
    one.is_sound().await;
}
