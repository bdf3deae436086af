//! Doing again what has ended dead.

use weft_core::decide::NextStep;
use weft_core::delivery::DeadDelivery;
use weft_core::id::{DeliveryId, EventId};
use weft_store::history::{DeliveryState, EventState};
use weft_store::replay::{NewDeliveryReplay, NewEventReplay, Replayed};
use weft_store::work::{Finished, PassEnd};

use super::Scene;
use crate::scene::{
    LIFETIME, accepted, at, attempted, delivery, event, finished, rejected, replay_id, routed, tenant, uuid,
};

fn of_delivery(n: u128, delivery: DeliveryId) -> NewDeliveryReplay {
    NewDeliveryReplay {
        replay: replay_id(n),
        delivery,
        new_delivery: DeliveryId::from_uuid(uuid(n)),
        tenant: None,
        planned_at: at(100),
    }
}

fn of_event(n: u128, event: EventId) -> NewEventReplay {
    NewEventReplay { replay: replay_id(n), event, tenant: None }
}

async fn replay_delivery(scene: &Scene, replay: NewDeliveryReplay) -> Replayed {
    scene.store.replay_deliveries(vec![replay]).await.expect("replay").remove(0)
}

async fn replay_event(scene: &Scene, replay: NewEventReplay) -> Replayed {
    scene.store.replay_events(vec![replay], at(100)).await.expect("replay").remove(0)
}

#[tokio::test]
async fn promise_3_a_replayed_delivery_sends_the_same_event_output_and_bytes() {
    let scene = Scene::new().await;
    let (of, dead) = scene.dead_delivery(10, 1, at(0)).await;
    assert_eq!(replay_delivery(&scene, of_delivery(70, dead)).await, Replayed::Started);
    let work = scene.claim(1, at(100)).await.remove(0);
    assert_eq!((work.id, work.number), (DeliveryId::from_uuid(uuid(70)), 1));
    assert_eq!(work.ends_at, at(100).plus(LIFETIME), "as long as the dead one lived");
    assert_eq!((work.event, work.output, work.body.clone()), (of, 0, event(10).body.clone()));
    scene.record(attempted(&work, accepted(), NextStep::Delivered, at(100))).await;
    let record = scene.event(of).await;
    let replayed = DeliveryState::Dead { at: at(5), reason: "exhausted".to_owned(), replayed_by: Some(replay_id(70)) };
    assert_eq!(record.deliveries[0].state, replayed, "the old one keeps its end");
    assert_eq!(record.deliveries[1].state, DeliveryState::Delivered { at: at(105) });
    assert_eq!(record.deliveries[1].replay, Some(replay_id(70)));
    assert_eq!(record.replays.iter().map(|it| (it.id, it.delivery)).collect::<Vec<_>>(), [(replay_id(70), Some(dead))]);
    assert_eq!(record.state, EventState::Routed { at: at(0), deliveries: 1 }, "replays count apart");
    scene.is_sound().await;
}

#[tokio::test]
async fn a_delivery_is_replayed_once() {
    let scene = Scene::new().await;
    let (_, dead) = scene.dead_delivery(10, 1, at(0)).await;
    let both = vec![of_delivery(70, dead), of_delivery(71, dead)];
    let answers = scene.store.replay_deliveries(both).await.expect("replay");
    assert_eq!(answers, [Replayed::Started, Replayed::AlreadyReplayed(replay_id(70))]);
    assert_eq!(replay_delivery(&scene, of_delivery(72, dead)).await, Replayed::AlreadyReplayed(replay_id(70)));
    assert_eq!(scene.claim(1, at(100)).await.len(), 1);
    scene.is_sound().await;
}

#[tokio::test]
async fn a_replay_that_dies_is_a_dead_letter_of_its_own() {
    let scene = Scene::new().await;
    let (_, dead) = scene.dead_delivery(10, 1, at(0)).await;
    replay_delivery(&scene, of_delivery(70, dead)).await;
    let work = scene.claim(1, at(100)).await.remove(0);
    scene.record(attempted(&work, rejected(410), NextStep::Dead(DeadDelivery::Gone), at(100))).await;
    assert_eq!(replay_delivery(&scene, of_delivery(71, work.id)).await, Replayed::Started);
    scene.is_sound().await;
}

#[tokio::test]
async fn only_what_is_dead_can_be_replayed_by_its_owner() {
    let scene = Scene::new().await;
    scene.keep(vec![routed(10, &[1])]).await;
    let (_, dead) = scene.dead_delivery(11, 2, at(0)).await;
    let dead_event = scene.dead_event(12, at(0)).await;
    let pending = delivery(10, 1).id;
    let not_dead = |state: &str| Replayed::NotDead { state: state.to_owned() };
    assert_eq!(replay_delivery(&scene, of_delivery(70, pending)).await, not_dead("pending"));
    assert_eq!(replay_event(&scene, of_event(70, event(10).id)).await, not_dead("routed"));
    let nobody = DeliveryId::from_uuid(uuid(999));
    assert_eq!(replay_delivery(&scene, of_delivery(70, nobody)).await, Replayed::NotFound);
    let others = NewDeliveryReplay { tenant: Some(tenant(2)), ..of_delivery(70, dead) };
    assert_eq!(replay_delivery(&scene, others).await, Replayed::NotFound);
    let others = NewEventReplay { tenant: Some(tenant(2)), ..of_event(70, dead_event) };
    assert_eq!(replay_event(&scene, others).await, Replayed::NotFound);
    let own = NewEventReplay { tenant: Some(tenant(1)), ..of_event(70, dead_event) };
    assert_eq!(replay_event(&scene, own).await, Replayed::Started);
    scene.is_sound().await;
}

#[tokio::test]
async fn a_replayed_event_goes_through_the_pipeline_again() {
    let scene = Scene::new().await;
    let id = scene.dead_event(10, at(0)).await;
    assert_eq!(replay_event(&scene, of_event(70, id)).await, Replayed::Started);
    assert_eq!(scene.store.next_pass_due(at(100)).await.expect("due"), Some(at(100)));
    let work = scene.claim_passes(9, at(100)).await.remove(0);
    assert_eq!((work.event.id, work.replay, work.number), (id, Some(replay_id(70)), 1));
    assert_eq!(work.event.body, event(10).body);
    let end = PassEnd::Routed { bodies: Vec::new(), deliveries: vec![delivery(10, 1)] };
    assert_eq!(scene.finish(finished(&work, end, at(100))).await, Finished::Done);
    let record = scene.event(id).await;
    assert!(matches!(&record.state, EventState::Dead { replayed_by, .. } if *replayed_by == Some(replay_id(70))));
    assert_eq!(record.replays[0].state, EventState::Routed { at: at(102), deliveries: 1 });
    assert_eq!(record.deliveries[0].replay, Some(replay_id(70)));
    assert_eq!(record.passes.iter().map(|it| it.replay).collect::<Vec<_>>(), [None, Some(replay_id(70))]);
    assert_eq!(scene.claim(1, at(100)).await.len(), 1);
    scene.is_sound().await;
}

#[tokio::test]
async fn a_replay_of_an_event_that_ends_dead_makes_it_a_dead_letter_again() {
    let scene = Scene::new().await;
    let id = scene.dead_event(10, at(0)).await;
    replay_event(&scene, of_event(70, id)).await;
    assert_eq!(replay_event(&scene, of_event(71, id)).await, Replayed::AlreadyReplayed(replay_id(70)));
    let work = scene.claim_passes(9, at(100)).await.remove(0);
    let end = PassEnd::Dead { step: None, reason: "still no customer".to_owned() };
    scene.finish(finished(&work, end, at(100))).await;
    assert!(matches!(scene.event(id).await.state, EventState::Dead { replayed_by: None, .. }));
    assert_eq!(replay_event(&scene, of_event(72, id)).await, Replayed::Started);
    assert_eq!(scene.event(id).await.replays.len(), 2);
    scene.is_sound().await;
}

#[tokio::test]
async fn a_late_finisher_of_a_replay_gets_lease_lost() {
    let scene = Scene::new().await;
    let id = scene.dead_event(10, at(0)).await;
    replay_event(&scene, of_event(70, id)).await;
    let work = scene.claim_passes(9, at(100)).await.remove(0);
    let key = weft_store::work::PassKey { event: id, replay: work.replay };
    scene.store.release_passes(vec![(key, work.lease)]).await.expect("release");
    let late = finished(&work, PassEnd::Dropped { step: None, reason: "x".to_owned() }, at(100));
    assert_eq!(scene.finish(late).await, Finished::LeaseLost);
    assert_eq!(scene.claim_passes(9, at(100)).await.len(), 1);
    scene.is_sound().await;
}
