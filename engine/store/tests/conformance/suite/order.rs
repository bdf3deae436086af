//! Order on request (promise 4): what has an ordering key goes one after the other, and nothing else waits for it.

use std::time::Duration;

use weft_core::decide::NextStep;
use weft_core::delivery::DeadDelivery;
use weft_core::id::EventId;
use weft_store::replay::{NewDeliveryReplay, NewEventReplay, Replayed};
use weft_store::work::{
    Behind, DeliveryWork, Finished, FirstWay, Ingested, KeepEvent, LaneNews, NewDelivery, PassEnd, PassWork,
};

use super::Scene;
use crate::scene::{
    LEASE_MS, accepted, at, attempted, delivery, event, finished, kept, rejected, replay_id, routed, uuid, waiting,
};

/// The same event, with its deliveries, under an ordering key.
fn under(key: &str, mut keep: KeepEvent) -> KeepEvent {
    let mut event = (*keep.new.event).clone();
    event.ordering_key = Some(key.parse().expect("a key"));
    keep.new.event = event.into();
    if let FirstWay::Routed(planned) = &mut keep.way {
        *planned = planned.drain(..).map(|new| with_key(key, new)).collect();
    }
    keep
}

fn with_key(key: &str, mut new: NewDelivery) -> NewDelivery {
    new.ordering_key = Some(key.parse().expect("a key"));
    new
}

fn opened(ms: i64) -> Finished {
    Finished::DoneInLane(LaneNews { opened: Some(at(ms)), behind: Vec::new() })
}

fn deliveries_behind(deliveries: &[(u128, u128)]) -> Ingested {
    Ingested::Behind(Behind::Deliveries(deliveries.iter().map(|(n, to)| delivery(*n, *to).id).collect()))
}

fn ids(works: &[PassWork]) -> Vec<EventId> {
    works.iter().map(|work| work.event.id).collect()
}

fn events_of(works: &[DeliveryWork]) -> Vec<EventId> {
    works.iter().map(|work| work.event).collect()
}

fn events(numbers: &[u128]) -> Vec<EventId> {
    numbers.iter().map(|n| event(*n).id).collect()
}

fn to_a(n: u128) -> PassEnd {
    PassEnd::Routed { bodies: Vec::new(), deliveries: vec![delivery(n, 1)] }
}

/// Every way in which a pass can end.
fn pass_ends(n: u128) -> Vec<PassEnd> {
    let (step, reason) = (Some("check".to_owned()), "no".to_owned());
    vec![
        to_a(n),
        PassEnd::Routed { bodies: Vec::new(), deliveries: Vec::new() },
        PassEnd::Dropped { step: step.clone(), reason: reason.clone() },
        PassEnd::Dead { step, reason },
    ]
}

#[tokio::test]
async fn promise_4_passes_of_a_key_go_one_after_the_other_however_they_end() {
    let scene = Scene::new().await;
    let all: Vec<_> = (10..15).map(|n| under("k", waiting(n))).collect();
    let behind = Ingested::Behind(Behind::Pass);
    assert_eq!(scene.keep(all).await, [Ingested::New, behind.clone(), behind.clone(), behind.clone(), behind]);
    for (n, end) in (10..).zip(pass_ends(10)) {
        let works = scene.claim_passes(10, at(0)).await;
        assert_eq!(ids(&works), events(&[n]), "nothing else of its key may be taken");
        assert_eq!(scene.finish(finished(&works[0], end, at(0))).await, opened(0));
        scene.is_sound().await;
    }
    let last = scene.claim_passes(10, at(0)).await.remove(0);
    assert_eq!(last.event.id, event(14).id);
    assert_eq!(last.event.ordering_key.as_ref().map(weft_core::ordering_key::OrderingKey::as_str), Some("k"));
    assert_eq!(scene.finish(finished(&last, to_a(14), at(0))).await, Finished::Done, "nothing is behind it");
    assert_eq!(scene.keep(vec![under("k", waiting(15))]).await, [Ingested::New], "nothing is before it");
    scene.is_sound().await;
}

#[tokio::test]
async fn promise_4_other_keys_other_tenants_and_what_has_none_do_not_wait() {
    let scene = Scene::new().await;
    let mut others = under("k", waiting(14));
    let mut event_of_globex = (*others.new.event).clone();
    event_of_globex.tenant = crate::scene::tenant(2);
    others.new.event = event_of_globex.into();
    let all = vec![under("k", waiting(10)), under("k", waiting(11)), waiting(12), under("l", waiting(13)), others];
    let answers = scene.keep(all).await;
    let new = answers.iter().filter(|answer| **answer == Ingested::New).count();
    assert_eq!((new, &answers[1]), (4, &Ingested::Behind(Behind::Pass)));
    let mut taken = ids(&scene.claim_passes(10, at(0)).await);
    taken.sort();
    assert_eq!(taken, events(&[10, 12, 13, 14]));
    let all = vec![under("k", routed(20, &[1])), under("m", routed(21, &[1])), routed(22, &[1])];
    scene.keep(all).await;
    assert_eq!(scene.claim(1, at(0)).await.len(), 2, "21 and 22; 20 waits for the pass of 10");
    scene.is_sound().await;
}

#[tokio::test]
async fn promise_4_a_pass_that_is_tried_again_holds_its_key() {
    let scene = Scene::new().await;
    scene.keep(vec![under("k", waiting(10)), under("k", waiting(11))]).await;
    let first = scene.claim_passes(10, at(0)).await.remove(0);
    let retry = finished(&first, PassEnd::Retry { at: at(5_000) }, at(0));
    assert_eq!(scene.finish(retry).await, Finished::Done);
    assert!(scene.claim_passes(10, at(4_999)).await.is_empty());
    assert_eq!(scene.store.next_pass_due(at(0)).await.expect("due"), Some(at(5_000)), "what is behind is not due");
    let again = scene.claim_passes(10, at(5_000)).await;
    assert_eq!(ids(&again), events(&[10]));
    assert_eq!(scene.finish(finished(&again[0], to_a(10), at(5_000))).await, opened(0));
    assert_eq!(ids(&scene.claim_passes(10, at(5_000)).await), events(&[11]));
    scene.is_sound().await;
}

#[tokio::test]
async fn promise_4_an_event_that_needs_no_pass_waits_for_those_of_its_key_that_do() {
    let scene = Scene::new().await;
    let nobody = kept(event(12), FirstWay::NoDestination);
    let answers = scene
        .keep(vec![under("k", waiting(10)), under("k", routed(11, &[1])), under("k", nobody), routed(13, &[1])])
        .await;
    let behind = Ingested::Behind(Behind::Pass);
    assert_eq!(answers, [Ingested::New, behind.clone(), behind, Ingested::New]);
    assert_eq!(events_of(&scene.claim(1, at(0)).await), events(&[13]), "the delivery of 11 is not planned");
    for n in [10, 11, 12] {
        let works = scene.claim_passes(10, at(0)).await;
        assert_eq!(ids(&works), events(&[n]));
        scene.finish(finished(&works[0], to_a(n), at(0))).await;
        scene.is_sound().await;
    }
}

#[tokio::test]
async fn promise_4_deliveries_of_a_key_go_one_after_the_other_and_each_destination_by_itself() {
    let scene = Scene::new().await;
    let all = vec![under("k", routed(10, &[1, 2])), under("k", routed(11, &[1, 2])), under("k", routed(12, &[2]))];
    let behind = [deliveries_behind(&[(11, 1), (11, 2)]), deliveries_behind(&[(12, 2)])];
    assert_eq!(scene.keep(all).await, [Ingested::New, behind[0].clone(), behind[1].clone()]);
    let (a, b) = (scene.claim(1, at(0)).await, scene.claim(2, at(0)).await);
    assert_eq!((events_of(&a), events_of(&b)), (events(&[10]), events(&[10])));
    // It is tried again at a, which holds up b in nothing.
    let retry = attempted(&a[0], rejected(503), NextStep::Retry(at(5_000)), at(0));
    assert_eq!(scene.record(retry).await, Finished::Done);
    assert_eq!(scene.record(attempted(&b[0], accepted(), NextStep::Delivered, at(0))).await, opened(0));
    let b = scene.claim(2, at(0)).await;
    assert_eq!(events_of(&b), events(&[11]));
    assert!(scene.claim(1, at(4_999)).await.is_empty(), "10 holds its key at a");
    let dead = NextStep::Dead(DeadDelivery::Exhausted);
    assert_eq!(
        scene.record(attempted(&b[0], rejected(500), dead, at(0))).await,
        opened(0),
        "a dead letter releases it"
    );
    assert_eq!(events_of(&scene.claim(2, at(0)).await), events(&[12]));
    let a = scene.claim(1, at(5_000)).await;
    assert_eq!(events_of(&a), events(&[10]));
    assert_eq!(scene.record(attempted(&a[0], accepted(), NextStep::Delivered, at(5_000))).await, opened(0));
    let a = scene.claim(1, at(5_000)).await;
    assert_eq!(events_of(&a), events(&[11]));
    let last = attempted(&a[0], accepted(), NextStep::Delivered, at(5_000));
    assert_eq!(scene.record(last).await, Finished::Done, "nothing is behind it");
    scene.is_sound().await;
}

#[tokio::test]
async fn promise_4_only_the_first_goes_on_from_memory_and_a_delayed_one_holds_its_key() {
    let scene = Scene::new().await;
    let lease = scene.lease(at(0));
    let leased = |n: u128, due: i64| {
        let new = NewDelivery { lease: Some(lease), due_at: at(due), ..delivery(n, 1) };
        under("k", kept(event(n), FirstWay::Routed(vec![new])))
    };
    let pass = |n: u128| under("l", kept(event(n), FirstWay::Pass { lease: Some(lease) }));
    let answers = scene.keep(vec![leased(10, 0), leased(11, 7), pass(12), pass(13)]).await;
    let behind = Ingested::Behind(Behind::Pass);
    assert_eq!(answers, [Ingested::New, deliveries_behind(&[(11, 1)]), Ingested::New, behind]);
    let record = scene.event(event(11).id).await;
    let state = weft_store::history::DeliveryState::Pending { due_at: at(7), leased: false };
    assert_eq!((&record.deliveries[0].state, record.deliveries[0].behind), (&state, true));
    assert_eq!(record.deliveries[0].ordering_key.as_deref(), Some("k"), "the trace shows the key");
    let record = scene.event(event(13).id).await;
    let state = weft_store::history::EventState::Received { passes: 0, due_at: at(0), leased: false };
    assert_eq!((record.state, record.behind, record.ordering_key.as_deref()), (state, true, Some("l")));
    assert!(!scene.event(event(12).id).await.behind);
    // Once it is first, it is due at its own time and not before.
    let work = DeliveryWork { lease, ..work_of(&scene, 10).await };
    assert_eq!(scene.record(attempted(&work, accepted(), NextStep::Delivered, at(0))).await, opened(7));
    assert!(scene.claim(1, at(6)).await.is_empty());
    assert_eq!(events_of(&scene.claim(1, at(7)).await), events(&[11]));
    scene.is_sound().await;
}

/// The work of the n-th event's delivery for `a`, as it goes on from memory.
async fn work_of(scene: &Scene, n: u128) -> DeliveryWork {
    scene.keep(vec![routed(n + 500, &[3])]).await;
    let some = scene.claim(3, at(0)).await.remove(0);
    let new = delivery(n, 1);
    DeliveryWork {
        id: new.id,
        event: event(n).id,
        destination: new.destination,
        ordering_key: Some("k".parse().expect("a key")),
        ..some
    }
}

#[tokio::test]
async fn promise_4_a_late_finisher_opens_nothing_and_a_crash_keeps_the_order() {
    let scene = Scene::new().await;
    scene.keep(vec![under("k", waiting(10)), under("k", waiting(11))]).await;
    scene.keep(vec![under("m", routed(20, &[1])), under("m", routed(21, &[1]))]).await;
    let (pass, sent) = (scene.claim_passes(10, at(0)).await.remove(0), scene.claim(1, at(0)).await.remove(0));
    let scene = scene.restarted(at(1)).await;
    let (again, resent) = (scene.claim_passes(10, at(1)).await, scene.claim(1, at(1)).await);
    assert_eq!((ids(&again), events_of(&resent)), (events(&[10]), events(&[20])), "the first ones, again");
    assert_eq!(scene.finish(finished(&pass, to_a(10), at(1))).await, Finished::LeaseLost);
    let late = attempted(&sent, accepted(), NextStep::Delivered, at(1));
    assert_eq!(scene.record(late).await, Finished::LeaseLost);
    assert!(scene.claim_passes(10, at(1)).await.is_empty() && scene.claim(1, at(1)).await.is_empty());
    assert_eq!(scene.finish(finished(&again[0], to_a(10), at(1))).await, opened(0));
    let delivered = attempted(&resent[0], accepted(), NextStep::Delivered, at(1));
    assert_eq!(scene.record(delivered).await, opened(0));
    let mut next = events_of(&scene.claim(1, at(1)).await);
    next.sort();
    assert_eq!(next, events(&[10, 21]), "10 was planned without a key, and has nothing to wait for");
    assert_eq!(ids(&scene.claim_passes(10, at(1)).await), events(&[11]));
    scene.is_sound().await;
}

#[tokio::test]
async fn promise_4_what_is_given_back_keeps_its_place_and_so_does_a_lease_that_ends() {
    let scene = Scene::new().await;
    scene.keep(vec![under("k", waiting(10)), under("k", waiting(11))]).await;
    scene.keep(vec![under("m", routed(20, &[1])), under("m", routed(21, &[1]))]).await;
    for now in [at(0), at(1), at(2 + LEASE_MS)] {
        let (passes, sent) = (scene.claim_passes(10, now).await, scene.claim(1, now).await);
        assert_eq!((ids(&passes), events_of(&sent)), (events(&[10]), events(&[20])));
        if now == at(0) {
            let key = finished(&passes[0], to_a(10), now).key;
            scene.store.release_passes(vec![(key, passes[0].lease)]).await.expect("release");
            scene.store.release_deliveries(vec![(sent[0].id, sent[0].lease)]).await.expect("release");
        }
        scene.is_sound().await;
    }
}

#[tokio::test]
async fn promise_4_a_key_that_a_route_sets_orders_from_the_fan_out_on() {
    let scene = Scene::new().await;
    scene.keep(vec![waiting(10), waiting(11), waiting(12)]).await;
    let mut passes = scene.claim_passes(10, at(0)).await;
    passes.sort_by_key(|pass| pass.event.id);
    let lease = scene.lease(at(0));
    let end = |n: u128| {
        let new = |to| with_key("k", NewDelivery { lease: Some(lease), ..delivery(n, to) });
        PassEnd::Routed { bodies: Vec::new(), deliveries: vec![new(1), NewDelivery { output: 1, ..new(2) }] }
    };
    // The last accepted is the first whose pass ends.
    assert_eq!(scene.finish(finished(&passes[2], end(12), at(0))).await, Finished::Done);
    let both = vec![finished(&passes[1], end(11), at(0)), finished(&passes[0], end(10), at(0))];
    let behind = |n: u128| {
        let behind = vec![delivery(n, 1).id, delivery(n, 2).id];
        Finished::DoneInLane(LaneNews { opened: None, behind })
    };
    assert_eq!(scene.store.finish_passes(both).await.expect("finish"), [behind(11), behind(10)]);
    let scene = scene.restarted(at(1)).await;
    for n in [12, 11, 10] {
        let works = scene.claim(1, at(1)).await;
        assert_eq!(events_of(&works), events(&[n]));
        scene.record(attempted(&works[0], accepted(), NextStep::Delivered, at(1))).await;
    }
    scene.is_sound().await;
}

#[tokio::test]
async fn promise_4_outputs_of_one_pass_go_in_the_order_of_the_list() {
    let scene = Scene::new().await;
    scene.keep(vec![waiting(10)]).await;
    let pass = scene.claim_passes(1, at(0)).await.remove(0);
    let output = |output: u32| {
        let id = weft_core::id::DeliveryId::from_uuid(uuid(90_000 - u128::from(output)));
        with_key("k", NewDelivery { id, output, ..delivery(10, 1) })
    };
    let end = PassEnd::Routed { bodies: Vec::new(), deliveries: (1..=5).map(output).collect() };
    scene.finish(finished(&pass, end, at(0))).await;
    for output in 1..=5 {
        let works = scene.claim(1, at(0)).await;
        assert_eq!(works.iter().map(|work| work.output).collect::<Vec<_>>(), [output]);
        scene.record(attempted(&works[0], accepted(), NextStep::Delivered, at(0))).await;
    }
    scene.is_sound().await;
}

#[tokio::test]
async fn promise_4_what_outlives_itself_lets_the_next_go_and_dies_also_behind_others() {
    let scene = Scene::new().await;
    let until = |n: u128, ends: i64| {
        let new = NewDelivery { ends_at: at(ends), ..delivery(n, 1) };
        under("k", kept(event(n), FirstWay::Routed(vec![new])))
    };
    scene.keep(vec![until(10, 1_000), until(11, 500), until(12, 900), until(13, 9_000)]).await;
    let dead = |n: u128, ms: i64| {
        let id = delivery(n, 1).id;
        let scene = &scene;
        async move {
            let reason = "lifetime".to_owned();
            let state = weft_store::history::DeliveryState::Dead { at: at(ms), reason, replayed_by: None };
            assert_eq!(scene.delivery_state(event(n).id, id).await, state);
            assert!(!scene.event(event(n).id).await.deliveries[0].behind);
        }
    };
    assert_eq!(scene.store.expire_deliveries(10, at(500)).await.expect("expire"), 1);
    dead(11, 500).await;
    let first = scene.claim(1, at(500)).await;
    assert_eq!(events_of(&first), events(&[10]), "it still is the first");
    scene.store.release_deliveries(vec![(first[0].id, first[0].lease)]).await.expect("release");
    assert_eq!(scene.store.expire_deliveries(1, at(1_000)).await.expect("expire"), 1);
    scene.is_sound().await;
    assert_eq!(scene.store.expire_deliveries(10, at(1_000)).await.expect("expire"), 1);
    dead(10, 1_000).await;
    dead(12, 1_000).await;
    assert_eq!(events_of(&scene.claim(1, at(1_000)).await), events(&[13]));
    scene.is_sound().await;
}

#[tokio::test]
async fn promise_4_replays_of_deliveries_enter_at_the_end() {
    let scene = Scene::new().await;
    for n in [10, 11] {
        scene.keep(vec![under("k", routed(n, &[1]))]).await;
        let work = scene.claim(1, at(0)).await.remove(0);
        let dead = NextStep::Dead(DeadDelivery::Exhausted);
        scene.record(attempted(&work, rejected(500), dead, at(0))).await;
    }
    scene.keep(vec![under("k", routed(12, &[1])), under("k", routed(13, &[1]))]).await;
    let replay = |n: u128| NewDeliveryReplay {
        replay: replay_id(70 + n),
        delivery: delivery(n, 1).id,
        new_delivery: weft_core::id::DeliveryId::from_uuid(uuid(80 - n)),
        tenant: None,
        planned_at: at(1),
    };
    let both = vec![replay(11), replay(10)];
    assert_eq!(scene.store.replay_deliveries(both).await.expect("replay"), [Replayed::Started, Replayed::Started]);
    scene.keep(vec![under("k", routed(14, &[1]))]).await;
    scene.is_sound().await;
    for n in [12, 13, 11, 10, 14] {
        let works = scene.claim(1, at(1)).await;
        assert_eq!(events_of(&works), events(&[n]));
        scene.record(attempted(&works[0], accepted(), NextStep::Delivered, at(1))).await;
    }
    // Where nothing waits, it goes at once.
    scene.keep(vec![under("k", routed(15, &[1]))]).await;
    let work = scene.claim(1, at(1)).await.remove(0);
    let dead = NextStep::Dead(DeadDelivery::Exhausted);
    scene.record(attempted(&work, rejected(500), dead, at(1))).await;
    scene.store.replay_deliveries(vec![replay(15)]).await.expect("replay");
    assert_eq!(events_of(&scene.claim(1, at(1)).await), events(&[15]));
    scene.is_sound().await;
}

#[tokio::test]
async fn promise_4_replays_of_events_enter_at_the_end() {
    let scene = Scene::new().await;
    let dead = |reason: &str| PassEnd::Dead { step: None, reason: reason.to_owned() };
    scene.keep(vec![under("k", waiting(10)), under("k", waiting(11)), under("k", waiting(12))]).await;
    for _ in [10, 11] {
        let pass = scene.claim_passes(1, at(0)).await.remove(0);
        scene.finish(finished(&pass, dead("no"), at(0))).await;
    }
    let replay = |n: u128| NewEventReplay { replay: replay_id(90 - n), event: event(n).id, tenant: None };
    let started = scene.store.replay_events(vec![replay(11), replay(10)], at(1)).await.expect("replay");
    assert_eq!(started, [Replayed::Started, Replayed::Started]);
    scene.keep_at(vec![under("k", waiting(13))], at(1)).await;
    scene.is_sound().await;
    assert!(scene.event(event(11).id).await.replays[0].behind);
    for (n, replay, end) in [
        (12, None, to_a(12)),
        (11, Some(replay_id(79)), to_a(11)),
        (10, Some(replay_id(80)), dead("still")),
        (13, None, to_a(13)),
    ] {
        let works = scene.claim_passes(10, at(1)).await;
        assert_eq!((ids(&works), works[0].replay), (events(&[n]), replay));
        scene.finish(finished(&works[0], end, at(1))).await;
        scene.is_sound().await;
    }
    // Where nothing waits, it goes at once.
    let again = NewEventReplay { replay: replay_id(99), ..replay(10) };
    scene.store.replay_events(vec![again], at(1)).await.expect("replay");
    assert_eq!(scene.claim_passes(10, at(1)).await[0].replay, Some(replay_id(99)));
    scene.is_sound().await;
}

#[tokio::test]
async fn promise_4_a_duplicate_takes_no_place_and_what_has_ended_is_pruned() {
    let scene = Scene::new().await;
    let keep = |n: u128| crate::scene::with_key(under("k", routed(10, &[1])), "once").also(n);
    let answers = scene.keep(vec![keep(10), keep(11)]).await;
    assert_eq!(answers, [Ingested::New, Ingested::Duplicate(event(10).id)]);
    let work = scene.claim(1, at(0)).await.remove(0);
    scene.record(attempted(&work, accepted(), NextStep::Delivered, at(0))).await;
    assert_eq!(scene.keep(vec![under("k", routed(12, &[1]))]).await, [Ingested::New]);
    let pruned = scene.store.prune(at(0).plus(Duration::from_hours(1)), 10, at(0)).await.expect("prune");
    assert_eq!((pruned.events, pruned.deliveries), (1, 1));
    let scene = scene.restarted(at(1)).await;
    assert_eq!(scene.keep(vec![under("k", routed(13, &[1]))]).await, [deliveries_behind(&[(13, 1)])]);
    for n in [12, 13] {
        let works = scene.claim(1, at(1)).await;
        assert_eq!(events_of(&works), events(&[n]));
        scene.record(attempted(&works[0], accepted(), NextStep::Delivered, at(1))).await;
    }
    scene.is_sound().await;
}

/// A second event under the idempotency key of the first.
trait Also {
    fn also(self, n: u128) -> Self;
}

impl Also for KeepEvent {
    fn also(mut self, n: u128) -> Self {
        let mut other = (*self.new.event).clone();
        other.id = event(n).id;
        self.new.event = other.into();
        if let FirstWay::Routed(planned) = &mut self.way {
            planned[0].id = delivery(n, 1).id;
        }
        self
    }
}

#[tokio::test]
async fn promise_4_the_check_finds_what_could_overtake_and_what_would_wait_for_ever() {
    let cases = [
        ("UPDATE deliveries SET lease_owner = 0 WHERE place = (SELECT max(place) FROM deliveries)", "may be worked on"),
        (
            "UPDATE deliveries SET lease_owner = 1 WHERE place = (SELECT max(place) FROM deliveries)",
            "may be worked on while another stands before it",
        ),
        (
            "UPDATE deliveries SET lease_owner = -1 WHERE place = (SELECT min(place) FROM deliveries)",
            "it stands behind others, and none is before it",
        ),
        ("UPDATE deliveries SET place = NULL WHERE lease_owner = -1", "it has no place"),
        ("UPDATE deliveries SET place = 7", "another has the same place"),
        ("UPDATE events SET lease_owner = 0 WHERE place = (SELECT max(place) FROM events)", "may be worked on"),
        (
            "UPDATE replays SET lease_owner = 0 WHERE lease_owner = -1",
            "may be worked on while another stands before it",
        ),
        (
            "UPDATE events SET lease_owner = -1 WHERE lease_owner = 0 AND state = 'received'",
            "it stands behind others, and none is before it",
        ),
        ("UPDATE events SET place = NULL WHERE lease_owner = -1", "it has no place"),
        ("UPDATE replays SET ordering_key = NULL, place = NULL WHERE lease_owner = -1", "leased by start -1"),
        ("UPDATE deliveries SET ordering_key = NULL, place = NULL", "leased by start -1"),
    ];
    for (fault, wanted) in cases {
        let scene = Scene::new().await;
        scene.keep(vec![under("k", routed(20, &[1])), under("k", routed(21, &[1]))]).await;
        scene.keep(vec![under("k", waiting(10)), under("k", waiting(11)), under("k", waiting(12))]).await;
        let pass = scene.claim_passes(1, at(0)).await.remove(0);
        let end = PassEnd::Dead { step: None, reason: "no".to_owned() };
        scene.finish(finished(&pass, end, at(0))).await;
        let replay = NewEventReplay { replay: replay_id(70), event: event(10).id, tenant: None };
        scene.store.replay_events(vec![replay], at(0)).await.expect("replay");
        scene.is_sound().await;
        let said = scene.said(fault).await;
        assert!(!said.is_empty() && said.iter().all(|it| it.contains(wanted)), "{fault}: {said:#?}");
    }
}
