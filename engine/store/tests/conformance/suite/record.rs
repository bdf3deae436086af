//! Attempts and what comes after them.

use std::time::Duration;

use bytes::Bytes;
use weft_core::attempt::{AttemptOutcome, ResponseSample, Waiting};
use weft_core::decide::NextStep;
use weft_core::delivery::DeadDelivery;
use weft_core::event::Header;
use weft_store::history::DeliveryState;
use weft_store::work::{DeliveryWork, Finished, FinishedAttempt};

use super::Scene;
use crate::scene::{LEASE_MS, accepted, at, attempted, event, rejected, routed};

async fn claimed(scene: &Scene, n: u128) -> DeliveryWork {
    scene.keep(vec![routed(n, &[1])]).await;
    scene.claim(1, at(0)).await.remove(0)
}

#[tokio::test]
async fn an_accepted_attempt_ends_its_delivery() {
    let scene = Scene::new().await;
    let work = claimed(&scene, 10).await;
    assert_eq!(scene.record(attempted(&work, accepted(), NextStep::Delivered, at(3))).await, Finished::Done);
    let record = scene.event(event(10).id).await;
    assert_eq!(record.deliveries[0].state, DeliveryState::Delivered { at: at(8) });
    let attempts: Vec<_> = record.deliveries[0].attempts.iter().map(|it| (it.number, it.outcome.clone())).collect();
    assert_eq!(attempts, [(1, accepted())]);
    assert!(scene.claim(1, at(LEASE_MS * 2)).await.is_empty());
    scene.is_sound().await;
}

#[tokio::test]
async fn a_failed_attempt_is_followed_by_the_next_at_its_time() {
    let scene = Scene::new().await;
    let work = claimed(&scene, 10).await;
    let retry = attempted(&work, rejected(503), NextStep::Retry(at(5_000)), at(0));
    assert_eq!(scene.record(retry).await, Finished::Done);
    let state = scene.delivery_state(event(10).id, work.id).await;
    assert_eq!(state, DeliveryState::Pending { due_at: at(5_000), leased: false });
    assert!(scene.claim(1, at(4_999)).await.is_empty());
    let second = scene.claim(1, at(5_000)).await.remove(0);
    assert_eq!((second.id, second.number), (work.id, 2));
    assert_eq!(second.body, work.body, "every attempt sends the same bytes");
    scene.record(attempted(&second, accepted(), NextStep::Delivered, at(5_000))).await;
    assert_eq!(scene.event(event(10).id).await.deliveries[0].attempts.len(), 2);
    scene.is_sound().await;
}

#[tokio::test]
async fn a_dead_delivery_says_why() {
    let scene = Scene::new().await;
    for (n, why) in (10..).zip(DeadDelivery::ALL) {
        let work = claimed(&scene, n).await;
        scene.record(attempted(&work, rejected(410), NextStep::Dead(why), at(0))).await;
        let dead = DeliveryState::Dead { at: at(5), reason: why.as_str().to_owned(), replayed_by: None };
        assert_eq!(scene.delivery_state(event(n).id, work.id).await, dead);
    }
    scene.is_sound().await;
}

#[tokio::test]
async fn promise_9_every_outcome_reads_back_as_it_was_recorded() {
    let scene = Scene::new().await;
    let outcomes = [
        AttemptOutcome::Rejected { status: 429, retry_after: Some(Duration::from_secs(7)) },
        rejected(500),
        AttemptOutcome::TimedOut { waiting_for: Waiting::Connection },
        AttemptOutcome::TimedOut { waiting_for: Waiting::Response },
        AttemptOutcome::Unreachable { reason: "no such \"host\" ü".to_owned() },
        AttemptOutcome::Forbidden { reason: "10.0.0.1 is private".to_owned() },
    ];
    let mut work = claimed(&scene, 10).await;
    for (outcome, now) in outcomes.clone().into_iter().zip(1..) {
        scene.record(attempted(&work, outcome, NextStep::Retry(at(now)), at(now))).await;
        work = scene.claim(1, at(now)).await.remove(0);
    }
    let record = scene.event(event(10).id).await;
    let stored: Vec<_> = record.deliveries[0].attempts.iter().map(|it| it.outcome.clone()).collect();
    assert_eq!(stored, outcomes);
    assert_eq!(record.deliveries[0].attempts[0].took, Duration::from_millis(5));
    scene.is_sound().await;
}

#[tokio::test]
async fn what_came_back_is_kept_for_failures_only() {
    let scene = Scene::new().await;
    let work = claimed(&scene, 10).await;
    let header = Header { name: "server".to_owned(), value: "x".to_owned() };
    let sample = ResponseSample { headers: vec![header], body: Bytes::from_static(b"\xff no") };
    let with = |mut attempt: FinishedAttempt| {
        attempt.attempt.response = Some(sample.clone());
        attempt
    };
    scene.record(with(attempted(&work, rejected(500), NextStep::Retry(at(1)), at(0)))).await;
    let work = scene.claim(1, at(1)).await.remove(0);
    scene.record(with(attempted(&work, accepted(), NextStep::Delivered, at(1)))).await;
    let record = scene.event(event(10).id).await;
    let responses: Vec<_> = record.deliveries[0].attempts.iter().map(|it| it.response.clone()).collect();
    assert_eq!(responses, [Some(sample), None]);
    scene.is_sound().await;
}

#[tokio::test]
async fn a_late_finisher_gets_lease_lost_and_writes_no_attempt() {
    let scene = Scene::new().await;
    let first = claimed(&scene, 10).await;
    let second = scene.claim(1, at(LEASE_MS)).await.remove(0);
    let late = |work: &DeliveryWork| {
        let mut late = attempted(work, rejected(500), NextStep::Dead(DeadDelivery::Exhausted), at(0));
        late.attempt.response = Some(ResponseSample::default());
        late
    };
    assert_eq!(scene.record(late(&first)).await, Finished::LeaseLost);
    assert!(scene.event(event(10).id).await.deliveries[0].attempts.is_empty());
    scene.record(attempted(&second, accepted(), NextStep::Delivered, at(LEASE_MS))).await;
    assert_eq!(scene.record(late(&second)).await, Finished::LeaseLost);
    assert_eq!(scene.event(event(10).id).await.deliveries[0].attempts.len(), 1);
    scene.is_sound().await;
}

#[tokio::test]
async fn a_finisher_of_an_earlier_start_gets_lease_lost() {
    let scene = Scene::new().await;
    let first = claimed(&scene, 10).await;
    let scene = scene.restarted(at(1)).await;
    // Same moment, same end of the lease: only the start number tells the two apart.
    assert_eq!(scene.claim(1, at(0)).await.len(), 1);
    let late = attempted(&first, accepted(), NextStep::Delivered, at(0));
    assert_eq!(scene.record(late).await, Finished::LeaseLost);
    scene.is_sound().await;
}

#[tokio::test]
async fn one_late_finisher_in_a_batch_does_not_touch_the_others() {
    let scene = Scene::new().await;
    scene.keep((10..14).map(|n| routed(n, &[1])).collect()).await;
    let works = scene.claim(1, at(0)).await;
    scene.store.release_deliveries(vec![(works[2].id, works[2].lease)]).await.expect("release");
    let done = |work: &DeliveryWork| attempted(work, accepted(), NextStep::Delivered, at(0));
    let mut batch: Vec<_> = works.iter().map(done).collect();
    batch.push(done(&works[0]));
    let answers = scene.store.record(batch).await.expect("record");
    let is_done: Vec<_> = answers.iter().map(Finished::is_done).collect();
    assert_eq!(is_done, [true, true, false, true, false]);
    scene.is_sound().await;
}
