//! What plugins keep from event to event.

use std::time::Duration;

use bytes::Bytes;
use weft_core::kv::{Found, KvTouch, KvUsage, Left};
use weft_core::name::PluginRef;
use weft_core::time::Timestamp;
use weft_store::StoreError;
use weft_store::history::EventState;
use weft_store::kv::KvRead;
use weft_store::work::{Finished, FinishedPass, PassEnd, PassWork};

use super::Scene;
use crate::scene::{LEASE_MS, at, delivery, event, finished, replay_id, tenant, waiting};

const DAY: i64 = 86_400_000;

fn plugin() -> PluginRef {
    "operator/dedupe".parse().expect("a plugin")
}

fn value(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

/// A key that was found so, and left alone.
fn found(key: &str, found: Option<&'static str>) -> KvTouch {
    let found = found.map_or(Found::Nothing, |text| Found::Value(value(text)));
    KvTouch { plugin: plugin(), key: key.to_owned(), found, left: None }
}

/// The same, and left so.
fn left(touch: KvTouch, text: &'static str) -> KvTouch {
    KvTouch { left: Some(Left::Value { value: value(text), expires_at: None }), ..touch }
}

/// A key that nobody looked at, and that is left so until `expires_at`.
fn set(key: &str, text: &'static str, expires_at: Option<Timestamp>) -> KvTouch {
    let left = Some(Left::Value { value: value(text), expires_at });
    KvTouch { plugin: plugin(), key: key.to_owned(), found: Found::Unread, left }
}

fn gone(key: &str) -> KvTouch {
    KvTouch { plugin: plugin(), key: key.to_owned(), found: Found::Unread, left: Some(Left::Nothing) }
}

fn dropped() -> PassEnd {
    PassEnd::Dropped { step: Some("dedupe".to_owned()), reason: "seen before".to_owned() }
}

/// Keeps the n-th event and claims its pass.
async fn claimed(scene: &Scene, n: u128) -> PassWork {
    scene.keep(vec![waiting(n)]).await;
    scene.claim_passes(1, at(0)).await.remove(0)
}

fn with_kv(work: &PassWork, end: PassEnd, kv: Vec<KvTouch>) -> FinishedPass {
    FinishedPass { kv, ..finished(work, end, at(0)) }
}

/// The n-th event runs and leaves this.
async fn leave(scene: &Scene, n: u128, kv: Vec<KvTouch>) {
    let work = claimed(scene, n).await;
    assert_eq!(scene.finish(with_kv(&work, dropped(), kv)).await, Finished::Done);
}

async fn read(scene: &Scene, key: &str, now: Timestamp) -> KvRead {
    scene.store.kv_get(tenant(1), &plugin(), key, now).await.expect("read")
}

async fn there(scene: &Scene, key: &str) -> Option<Bytes> {
    read(scene, key, at(0)).await.value
}

#[tokio::test]
async fn what_a_pass_leaves_is_there_for_its_tenant_and_plugin_alone() {
    let scene = Scene::new().await;
    leave(&scene, 10, vec![left(found("k", None), "one"), set("other\0", "two", None)]).await;
    assert_eq!(there(&scene, "k").await, Some(value("one")));
    assert_eq!(there(&scene, "other\0").await, Some(value("two")), "any text is a key");
    assert_eq!(there(&scene, "K").await, None);
    let other: PluginRef = "dedupe".parse().expect("a plugin");
    assert_eq!(scene.store.kv_get(tenant(1), &other, "k", at(0)).await.expect("read"), KvRead::default());
    assert_eq!(scene.store.kv_get(tenant(2), &plugin(), "k", at(0)).await.expect("read"), KvRead::default());
    let nobody = scene.store.kv_get(tenant(9), &plugin(), "k", at(0)).await;
    assert!(matches!(nobody, Err(StoreError::Unknown { noun: "tenant", .. })), "{nobody:?}");
    scene.is_sound().await;
}

#[tokio::test]
async fn promise_3_of_two_passes_that_have_read_one_key_the_second_runs_again_and_both_count_once() {
    let scene = Scene::new().await;
    leave(&scene, 10, vec![set("count", "1", None)]).await;
    let (first, second) = (claimed(&scene, 11).await, claimed(&scene, 12).await);
    let add = |work: &PassWork, n| {
        let end = PassEnd::Routed { bodies: Vec::new(), deliveries: vec![delivery(n, 1)] };
        with_kv(work, end, vec![left(found("count", Some("1")), "2")])
    };
    let answers = scene.store.finish_passes(vec![add(&first, 11), add(&second, 12)]).await.expect("finish");
    assert_eq!(answers, [Finished::Done, Finished::Conflict], "also within one commit");
    let record = scene.event(second.event.id).await;
    assert!(record.deliveries.is_empty() && record.passes.is_empty(), "nothing of it is stored");
    assert!(matches!(record.state, EventState::Received { passes: 0, leased: false, .. }), "{:?}", record.state);
    let again = scene.claim_passes(1, at(0)).await.remove(0);
    assert_eq!((again.event.id, again.number), (second.event.id, 1), "a conflict is no failure");
    let pass = with_kv(&again, dropped(), vec![left(found("count", Some("2")), "3")]);
    assert_eq!(scene.finish(pass).await, Finished::Done);
    assert_eq!(there(&scene, "count").await, Some(value("3")));
    scene.is_sound().await;
}

#[tokio::test]
async fn a_key_that_was_found_empty_and_is_no_longer_is_a_conflict() {
    let scene = Scene::new().await;
    let (first, second) = (claimed(&scene, 10).await, claimed(&scene, 11).await);
    let see = || vec![left(found("evt", None), "seen")];
    assert_eq!(scene.finish(with_kv(&first, dropped(), see())).await, Finished::Done);
    assert_eq!(scene.finish(with_kv(&second, dropped(), see())).await, Finished::Conflict);
    let again = scene.claim_passes(1, at(0)).await.remove(0);
    let seen = with_kv(&again, dropped(), vec![found("evt", Some("seen"))]);
    assert_eq!(scene.finish(seen).await, Finished::Done, "the second sees the first");
    scene.is_sound().await;
}

#[tokio::test]
async fn a_pass_in_one_commit_sees_what_the_one_before_it_has_left() {
    let scene = Scene::new().await;
    let (first, second, third) = (claimed(&scene, 10).await, claimed(&scene, 11).await, claimed(&scene, 12).await);
    let passes = vec![
        with_kv(&first, dropped(), vec![left(found("n", None), "1"), set("x", "1", None)]),
        with_kv(&second, dropped(), vec![left(found("n", Some("1")), "2"), gone("x")]),
        with_kv(&third, dropped(), vec![left(found("n", Some("2")), "3"), found("x", None)]),
    ];
    let answers = scene.store.finish_passes(passes).await.expect("finish");
    assert_eq!(answers, [Finished::Done, Finished::Done, Finished::Done]);
    assert_eq!((there(&scene, "n").await, there(&scene, "x").await), (Some(value("3")), None));
    scene.is_sound().await;
}

#[tokio::test]
async fn only_a_pass_that_ends_routed_or_dropped_leaves_anything() {
    let scene = Scene::new().await;
    let work = claimed(&scene, 10).await;
    let retry =
        with_kv(&work, PassEnd::Retry { at: at(0) }, vec![found("k", Some("never")), set("k", "retried", None)]);
    assert_eq!(scene.finish(retry).await, Finished::Done, "what a pass has read that runs again does not matter");
    let work = scene.claim_passes(1, at(0)).await.remove(0);
    let dead = |kv| {
        let end = PassEnd::Dead { step: Some("check".to_owned()), reason: "no customer".to_owned() };
        with_kv(&work, end, kv)
    };
    let stale = dead(vec![found("k", Some("never"))]);
    assert_eq!(scene.finish(stale).await, Finished::Conflict, "nobody is given up for what is not so");
    let work = scene.claim_passes(1, at(0)).await.remove(0);
    let end = PassEnd::Dead { step: None, reason: "no".to_owned() };
    assert_eq!(scene.finish(with_kv(&work, end, vec![set("k", "dead", None)])).await, Finished::Done);
    assert_eq!(there(&scene, "k").await, None);
    scene.is_sound().await;
}

#[tokio::test]
async fn a_late_finisher_leaves_nothing_and_is_in_nobodys_way() {
    let scene = Scene::new().await;
    let late = claimed(&scene, 10).await;
    let present = scene.claim_passes(1, at(LEASE_MS)).await.remove(0);
    let next = {
        scene.keep(vec![waiting(11)]).await;
        scene.claim_passes(1, at(LEASE_MS)).await.remove(0)
    };
    let passes = vec![
        with_kv(&late, dropped(), vec![set("k", "late", None)]),
        with_kv(&next, dropped(), vec![left(found("k", None), "next")]),
    ];
    let answers = scene.store.finish_passes(passes).await.expect("finish");
    assert_eq!(answers, [Finished::LeaseLost, Finished::Done]);
    assert_eq!(there(&scene, "k").await, Some(value("next")));
    assert_eq!(scene.finish(with_kv(&present, dropped(), Vec::new())).await, Finished::Done);
    scene.is_sound().await;
}

#[tokio::test]
async fn a_replay_reads_and_leaves_like_an_event() {
    let scene = Scene::new().await;
    let dead = scene.dead_event(10, at(0)).await;
    let replay = weft_store::replay::NewEventReplay { replay: replay_id(70), event: dead, tenant: None };
    scene.store.replay_events(vec![replay], at(0)).await.expect("replay");
    let work = scene.claim_passes(1, at(0)).await.remove(0);
    let stale = with_kv(&work, dropped(), vec![found("k", Some("never"))]);
    assert_eq!(scene.finish(stale).await, Finished::Conflict);
    let work = scene.claim_passes(1, at(0)).await.remove(0);
    assert_eq!((work.replay, work.number), (Some(replay_id(70)), 1));
    assert_eq!(scene.finish(with_kv(&work, dropped(), vec![set("k", "replayed", None)])).await, Finished::Done);
    assert_eq!(there(&scene, "k").await, Some(value("replayed")));
    scene.is_sound().await;
}

#[tokio::test]
async fn what_has_expired_is_not_there_and_goes_with_retention() {
    let scene = Scene::new().await;
    let soon = Some(at(1_000));
    let kept = (0..10).map(|n| set(&format!("k{n}"), "soon", soon)).chain([set("k", "for ever", None)]);
    leave(&scene, 10, kept.collect()).await;
    assert_eq!(read(&scene, "k0", at(999)).await.value, Some(value("soon")));
    let expired = read(&scene, "k0", at(1_000)).await;
    assert_eq!((expired.value, expired.usage.entries), (None, 11), "it counts until it is removed");
    // A pass judges by the time of its beginning, when it read.
    let work = claimed(&scene, 11).await;
    let early = with_kv(&work, dropped(), vec![found("k0", Some("soon"))]);
    assert_eq!(scene.finish(FinishedPass { started_at: at(999), ended_at: at(2_000), ..early }).await, Finished::Done);
    let work = claimed(&scene, 12).await;
    let late = with_kv(&work, dropped(), vec![left(found("k1", None), "new")]);
    assert_eq!(scene.finish(FinishedPass { started_at: at(1_000), ..late }).await, Finished::Done);
    let mut forgotten = 0;
    loop {
        let round = scene.store.prune(at(-DAY), 4, at(1_000)).await.expect("prune");
        forgotten += round.kv;
        if !round.more {
            break;
        }
    }
    assert_eq!(forgotten, 9, "what was written anew has no end");
    let usage = KvUsage { entries: 2, bytes: (2 + 3) + (1 + 8) };
    assert_eq!(read(&scene, "k", at(2_000)).await, KvRead { value: Some(value("for ever")), usage });
    scene.is_sound().await;
}

#[tokio::test]
async fn usage_follows_every_change() {
    let scene = Scene::new().await;
    let usage = async || read(&scene, "", at(0)).await.usage;
    leave(&scene, 10, vec![set("key", "12345", None), set("k", "1", None)]).await;
    assert_eq!(usage().await, KvUsage { entries: 2, bytes: 8 + 2 });
    leave(&scene, 11, vec![set("key", "1", None), gone("nothing there")]).await;
    assert_eq!(usage().await, KvUsage { entries: 2, bytes: 4 + 2 });
    leave(&scene, 12, vec![gone("key"), gone("k")]).await;
    assert_eq!(usage().await, KvUsage::default());
    scene.is_sound().await;
}

#[tokio::test]
async fn check_finds_a_usage_that_is_not_what_is_kept() {
    let scene = Scene::new().await;
    leave(&scene, 10, vec![set("key", "12345", None)]).await;
    let said = scene.said("UPDATE kv_usage SET bytes = 7").await;
    assert_eq!(said, ["what operator/dedupe keeps for acme counts 7 bytes, and 8 are there"]);
    let said = scene.said("DELETE FROM kv_usage").await;
    assert_eq!(said, ["what operator/dedupe keeps for acme counts 0 entries, and 1 are there"]);
}

#[tokio::test]
async fn promise_4_a_pass_that_runs_again_keeps_its_place_under_its_ordering_key() {
    let scene = Scene::new().await;
    let keyed = |n| {
        let mut keep = waiting(n);
        let mut ordered = (*event(n)).clone();
        ordered.ordering_key = Some("customer".parse().expect("a key"));
        keep.new.event = ordered.into();
        keep
    };
    scene.keep(vec![keyed(10), keyed(11)]).await;
    let first = scene.claim_passes(5, at(0)).await;
    assert_eq!(first.len(), 1, "the other is behind it");
    let stale = with_kv(&first[0], dropped(), vec![found("k", Some("never"))]);
    assert_eq!(scene.finish(stale).await, Finished::Conflict);
    let again = scene.claim_passes(5, at(0)).await;
    assert_eq!(again.iter().map(|work| work.event.id).collect::<Vec<_>>(), [event(10).id]);
    let done = scene.finish(with_kv(&again[0], dropped(), Vec::new())).await;
    assert!(done.is_done());
    assert_eq!(scene.claim_passes(5, at(0).plus(Duration::from_secs(1))).await.len(), 1);
    scene.is_sound().await;
}
