//! What a commit that fails leaves behind: nothing, and a writer that goes on.

use weft_core::decide::NextStep;
use weft_core::id::PluginId;
use weft_store::StoreError;
use weft_store::plugin::NewPlugin;
use weft_store::replay::NewEventReplay;
use weft_store::work::{Finished, Ingested, PassEnd};

use super::Scene;
use crate::engine::Engine;
use crate::scene::{accepted, at, attempted, event, finished, replay_id, routed, uuid, waiting};

#[tokio::test]
async fn promise_1_a_failed_commit_stores_nothing_says_so_and_the_writer_goes_on() {
    let scene = Scene::new().await;
    scene.keep(vec![routed(10, &[1]), waiting(11)]).await;
    let (work, pass) = (scene.claim(1, at(0)).await.remove(0), scene.claim_passes(1, at(0)).await.remove(0));
    scene.engine.fill_up("attempts").await;
    let record = attempted(&work, accepted(), NextStep::Delivered, at(0));
    let failed = scene.store.record(vec![record.clone()]).await.expect_err("the trigger");
    assert!(matches!(&failed, StoreError::Unavailable { doing: "record attempts", .. }), "{failed:?}");
    let cause = std::error::Error::source(&failed).expect("a cause").to_string();
    assert!(cause.contains("disk is full"), "{cause}");
    assert!(scene.event(event(10).id).await.deliveries[0].attempts.is_empty());
    scene.is_sound().await;
    let end = PassEnd::Dropped { step: None, reason: "x".to_owned() };
    assert_eq!(scene.finish(finished(&pass, end, at(0))).await, Finished::Done, "others still can");
    scene.engine.make_room("attempts").await;
    assert_eq!(scene.record(record).await, Finished::Done, "and so can this one, later");
    scene.is_sound().await;
}

#[tokio::test]
async fn a_failure_in_the_middle_of_a_commit_takes_all_of_it_back() {
    let scene = Scene::new().await;
    scene.engine.fill_up("deliveries").await;
    assert!(scene.store.keep(vec![routed(10, &[1])], at(0)).await.is_err(), "event and body went in before");
    assert!(scene.store.event(None, event(10).id).await.expect("read").is_none());
    scene.engine.make_room("deliveries").await;
    assert_eq!(scene.keep(vec![routed(10, &[1])]).await, [Ingested::New]);
    scene.is_sound().await;
}

#[tokio::test]
async fn a_rare_job_that_fails_takes_nothing_back_but_itself() {
    let scene = Scene::new().await;
    scene.engine.fill_up("plugins").await;
    let plugin =
        NewPlugin { fresh: PluginId::from_uuid(uuid(500)), tenant: None, name: "filter".parse().expect("a name") };
    let (job, keep) = tokio::join!(scene.store.plugin(plugin, at(0)), scene.store.keep(vec![waiting(10)], at(0)));
    assert!(job.is_err());
    assert_eq!(keep.expect("keep"), [Ingested::New]);
    scene.is_sound().await;
}

#[tokio::test]
async fn promise_2_a_rare_job_that_fails_leaves_nothing_in_the_ledger() {
    let scene = Scene::new().await;
    let dead = scene.dead_event(10, at(0)).await;
    scene.engine.fill_up("replays").await;
    let replay = NewEventReplay { replay: replay_id(70), event: dead, tenant: None };
    let replay = scene.store.replay_events(vec![replay], at(0));
    let (job, keep) = tokio::join!(replay, scene.store.keep(vec![waiting(11)], at(0)));
    assert!(job.is_err());
    assert_eq!(keep.expect("keep"), [Ingested::New], "in the same commit or in the next");
    scene.is_sound().await;
}
