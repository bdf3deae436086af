//! The same event twice.

use std::time::Duration;

use bytes::Bytes;
use weft_core::event::Event;
use weft_store::work::{FirstWay, Ingested};

use super::Scene;
use crate::scene::{at, event, kept, routed, same_body, waiting, with_key};

#[tokio::test]
async fn a_second_request_with_the_same_key_and_body_gets_the_first_answer() {
    let scene = Scene::new().await;
    assert_eq!(scene.keep(vec![with_key(waiting(10), "k")]).await, [Ingested::New]);
    let again = scene.keep(vec![with_key(same_body(11, 10), "k")]).await;
    assert_eq!(again, [Ingested::Duplicate(event(10).id)]);
    assert!(scene.store.event(None, event(11).id).await.expect("read").is_none());
    scene.is_sound().await;
}

#[tokio::test]
async fn the_same_key_with_another_body_is_a_conflict() {
    let scene = Scene::new().await;
    scene.keep(vec![with_key(routed(10, &[1]), "k")]).await;
    assert_eq!(scene.keep(vec![with_key(routed(11, &[1]), "k")]).await, [Ingested::Conflict(event(10).id)]);
    scene.is_sound().await;
}

#[tokio::test]
async fn duplicates_within_one_batch_are_found() {
    let scene = Scene::new().await;
    let batch = vec![
        with_key(waiting(10), "k"),
        with_key(same_body(11, 10), "k"),
        waiting(12),
        with_key(waiting(13), "k"),
        with_key(waiting(14), "other"),
    ];
    let first = event(10).id;
    let answers = [Ingested::New, Ingested::Duplicate(first), Ingested::New, Ingested::Conflict(first), Ingested::New];
    assert_eq!(scene.keep(batch).await, answers);
    scene.is_sound().await;
}

#[tokio::test]
async fn duplicates_within_a_batch_are_compared_with_what_was_stored_before() {
    let scene = Scene::new().await;
    scene.keep(vec![with_key(waiting(10), "k")]).await;
    let batch = vec![with_key(waiting(11), "k"), with_key(same_body(12, 10), "k"), with_key(same_body(13, 11), "k")];
    let first = event(10).id;
    let answers = [Ingested::Conflict(first), Ingested::Duplicate(first), Ingested::Conflict(first)];
    assert_eq!(scene.keep(batch).await, answers);
    scene.is_sound().await;
}

#[tokio::test]
async fn the_same_key_from_another_source_or_without_a_key_is_another_event() {
    let scene = Scene::new().await;
    scene.keep(vec![with_key(waiting(10), "k")]).await;
    let other = Event { source: "github".to_owned(), body: Bytes::from_static(b"{}"), ..(*event(11)).clone() };
    let batch = vec![with_key(kept(other.into(), FirstWay::NoDestination), "k"), waiting(12)];
    assert_eq!(scene.keep(batch).await, [Ingested::New, Ingested::New]);
    scene.is_sound().await;
}

#[tokio::test]
async fn a_key_is_forgotten_after_its_day_and_not_before() {
    let scene = Scene::new().await;
    let day = Duration::from_hours(24);
    scene.keep(vec![with_key(waiting(10), "k"), with_key(waiting(11), "l")]).await;
    let just_before = at(-1).plus(day);
    let before = scene.keep_at(vec![with_key(waiting(12), "k")], just_before).await;
    assert_eq!(before, [Ingested::Conflict(event(10).id)]);
    let after = at(0).plus(day);
    assert_eq!(scene.keep_at(vec![with_key(waiting(13), "k")], after).await, [Ingested::New]);
    // The key that was taken over counts for another day from then on.
    let again = scene.keep_at(vec![with_key(waiting(14), "k")], just_before.plus(day)).await;
    assert_eq!(again, [Ingested::Conflict(event(13).id)]);
    scene.is_sound().await;
}

#[tokio::test]
async fn two_calls_with_one_key_at_the_same_time_store_one_event() {
    let scene = Scene::new().await;
    let calls = (10..40_u128).map(|n| {
        let store = scene.store.clone();
        tokio::spawn(
            async move { store.keep(vec![with_key(same_body(n, 10), "k")], at(0)).await.expect("keep").remove(0) },
        )
    });
    let mut new = 0;
    for call in calls.collect::<Vec<_>>() {
        match call.await.expect("the call") {
            Ingested::New => new += 1,
            Ingested::Duplicate(_) => {}
            other @ (Ingested::Behind(_) | Ingested::Conflict(_)) => panic!("{other:?}"),
        }
    }
    assert_eq!(new, 1);
    scene.is_sound().await;
}
