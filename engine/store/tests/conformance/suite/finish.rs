//! The fan-out: what a pass made.

use bytes::Bytes;
use weft_core::plan::BodyRef;
use weft_core::trace::{KvCall, StepTrace};
use weft_store::StoreError;
use weft_store::history::{EventState, PassResult};
use weft_store::work::{Finished, FinishedPass, PassEnd, PassWork};

use super::Scene;
use crate::scene::{LEASE_MS, at, delivery, destination, event, finished, waiting};

fn to(n: u128, destinations: &[u128]) -> PassEnd {
    let deliveries = destinations.iter().map(|to| delivery(n, *to)).collect();
    PassEnd::Routed { bodies: Vec::new(), deliveries }
}

async fn claimed(scene: &Scene, n: u128) -> PassWork {
    scene.keep(vec![waiting(n)]).await;
    scene.claim_passes(1, at(0)).await.remove(0)
}

fn dropped(reason: &str) -> PassEnd {
    PassEnd::Dropped { step: Some("filter".to_owned()), reason: reason.to_owned() }
}

#[tokio::test]
async fn promise_2_a_pass_routes_its_event_with_all_deliveries_or_none() {
    let scene = Scene::new().await;
    let work = claimed(&scene, 10).await;
    assert_eq!(scene.finish(finished(&work, to(10, &[1, 2]), at(3))).await, Finished::Done);
    let record = scene.event(event(10).id).await;
    assert_eq!(record.state, EventState::Routed { at: at(5), deliveries: 2 });
    assert_eq!(record.deliveries.iter().map(|it| it.pass).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(record.passes.iter().map(|it| (it.number, it.result)).collect::<Vec<_>>(), [(1, PassResult::Routed)]);
    scene.is_sound().await;
}

#[tokio::test]
async fn bodies_that_a_pass_made_are_what_its_deliveries_send() {
    let scene = Scene::new().await;
    let work = claimed(&scene, 10).await;
    let body = |text: &'static str| Bytes::from_static(text.as_bytes());
    let mut deliveries = vec![delivery(10, 1), delivery(10, 2), delivery(10, 3)];
    deliveries[0].body = BodyRef::New(1);
    deliveries[2].body = BodyRef::New(0);
    let end = PassEnd::Routed { bodies: vec![body("first"), body("second")], deliveries };
    assert_eq!(scene.finish(finished(&work, end, at(0))).await, Finished::Done);
    let mut sent = Vec::new();
    for n in 1..=3 {
        sent.push(scene.claim(n, at(0)).await.remove(0).body);
    }
    assert_eq!(sent, [body("second"), event(10).body.clone(), body("first")]);
    scene.is_sound().await;
}

#[tokio::test]
async fn a_body_that_no_delivery_sends_is_not_stored() {
    let scene = Scene::new().await;
    let work = claimed(&scene, 10).await;
    let mut planned = delivery(10, 1);
    planned.body = BodyRef::New(1);
    let bodies = vec![Bytes::from_static(b"for nobody"), Bytes::from_static(b"sent")];
    scene.finish(finished(&work, PassEnd::Routed { bodies, deliveries: vec![planned] }, at(0))).await;
    assert_eq!(scene.claim(1, at(0)).await[0].body, Bytes::from_static(b"sent"));
    assert_eq!(scene.check().await.counted.bodies, 2);
    scene.is_sound().await;
}

#[tokio::test]
async fn promise_9_the_trace_of_a_pass_reads_back() {
    let scene = Scene::new().await;
    let work = claimed(&scene, 10).await;
    let mut pass = finished(&work, dropped("too small"), at(0));
    pass.trace.notes.push("output 2: a is disabled".to_owned());
    pass.trace.steps.push(StepTrace {
        step: "filter".to_owned(),
        plugin: "operator/json-filter".to_owned(),
        version: "ab".repeat(32),
        output: 0,
        answers: Vec::new(),
        took_us: 17,
        memory_bytes: 1_048_576,
        kv: vec![KvCall::Get { key: "seen".to_owned(), found: true }],
        attributes: Vec::new(),
        logs: Vec::new(),
    });
    let trace = pass.trace.clone();
    scene.finish(pass).await;
    let record = scene.event(event(10).id).await;
    assert_eq!(record.passes[0].trace, trace);
    let step = Some("filter".to_owned());
    assert_eq!(record.state, EventState::Dropped { at: at(2), step, reason: "too small".to_owned() });
    scene.is_sound().await;
}

#[tokio::test]
async fn a_pass_that_asks_for_another_puts_its_event_back_in_line() {
    let scene = Scene::new().await;
    let work = claimed(&scene, 10).await;
    assert_eq!(scene.finish(finished(&work, PassEnd::Retry { at: at(900) }, at(0))).await, Finished::Done);
    let state = scene.event(event(10).id).await.state;
    assert_eq!(state, EventState::Received { passes: 1, due_at: at(900), leased: false });
    assert!(scene.claim_passes(1, at(899)).await.is_empty());
    let second = scene.claim_passes(1, at(900)).await.remove(0);
    assert_eq!(second.number, 2);
    assert_eq!(scene.finish(finished(&second, to(10, &[1]), at(900))).await, Finished::Done);
    scene.is_sound().await;
}

#[tokio::test]
async fn a_dead_event_keeps_step_and_reason() {
    let scene = Scene::new().await;
    let id = scene.dead_event(10, at(0)).await;
    let step = Some("check".to_owned());
    let reason = "no customer".to_owned();
    assert_eq!(scene.event(id).await.state, EventState::Dead { at: at(2), step, reason, replayed_by: None });
    scene.is_sound().await;
}

#[tokio::test]
async fn a_pass_without_a_delivery_ends_dropped_because_nothing_may_vanish() {
    let scene = Scene::new().await;
    let work = claimed(&scene, 10).await;
    assert_eq!(scene.finish(finished(&work, to(10, &[]), at(0))).await, Finished::Done);
    let state = scene.event(event(10).id).await.state;
    assert_eq!(state, EventState::Dropped { at: at(2), step: None, reason: "no-destination".to_owned() });
    scene.is_sound().await;
}

/// Finishes a pass that must be told that it comes too late, and makes sure that nothing of it is written.
async fn comes_too_late(scene: &Scene, pass: FinishedPass) {
    let before = format!("{:?}", scene.event(pass.key.event).await);
    assert_eq!(scene.finish(pass.clone()).await, Finished::LeaseLost);
    assert_eq!(format!("{:?}", scene.event(pass.key.event).await), before);
    scene.is_sound().await;
}

#[tokio::test]
async fn a_late_finisher_gets_lease_lost_and_writes_nothing() {
    let scene = Scene::new().await;
    let first = claimed(&scene, 10).await;
    let second = scene.claim_passes(1, at(LEASE_MS)).await.remove(0);
    comes_too_late(&scene, finished(&first, to(10, &[1]), at(0))).await;
    assert_eq!(scene.finish(finished(&second, dropped("x"), at(LEASE_MS))).await, Finished::Done);
    comes_too_late(&scene, finished(&second, to(10, &[1]), at(LEASE_MS))).await;
    comes_too_late(&scene, finished(&first, PassEnd::Retry { at: at(1) }, at(0))).await;
}

#[tokio::test]
async fn a_finisher_of_an_earlier_start_gets_lease_lost() {
    let scene = Scene::new().await;
    let first = claimed(&scene, 10).await;
    let scene = scene.restarted(at(1)).await;
    // Same moment, same end of the lease: only the start number tells the two apart.
    scene.claim_passes(1, at(0)).await;
    comes_too_late(&scene, finished(&first, to(10, &[1]), at(0))).await;
}

#[tokio::test]
async fn of_two_finishers_in_one_commit_the_second_is_late() {
    let scene = Scene::new().await;
    let work = claimed(&scene, 10).await;
    let passes = vec![finished(&work, to(10, &[1]), at(0)), finished(&work, to(10, &[2]), at(0))];
    let answers = scene.store.finish_passes(passes).await.expect("finish");
    assert_eq!(answers, [Finished::Done, Finished::LeaseLost]);
    assert_eq!(scene.event(event(10).id).await.deliveries.len(), 1);
    scene.is_sound().await;
}

#[tokio::test]
async fn a_pass_for_an_unknown_destination_or_body_stores_nothing() {
    let scene = Scene::new().await;
    let work = claimed(&scene, 10).await;
    let (mut nowhere, mut bodiless) = (delivery(10, 1), delivery(10, 1));
    nowhere.destination = destination(99);
    bodiless.body = BodyRef::New(0);
    for (planned, noun) in [(nowhere, "destination"), (bodiless, "body")] {
        let end = PassEnd::Routed { bodies: Vec::new(), deliveries: vec![planned] };
        let refused = scene.store.finish_passes(vec![finished(&work, end, at(0))]).await;
        assert!(matches!(&refused, Err(StoreError::Unknown { noun: it, .. }) if *it == noun), "{refused:?}");
    }
    assert_eq!(scene.finish(finished(&work, to(10, &[1]), at(0))).await, Finished::Done, "the lease still holds");
    scene.is_sound().await;
}
