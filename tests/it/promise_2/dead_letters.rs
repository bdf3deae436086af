//! Dead letters: what Weft gives up on, why, and how it is done again.

use std::time::Duration;

use weft_client::wire::{DeadLetterKind, Event, ReplayRequest, ReplayVerdict};
use weft_tests::{Answer, Destination, Receiver, Site, Step, Tenant, Weft, audit, order};

const SECOND: Duration = Duration::from_secs(1);

fn shop_sending_to(receiver: &Receiver) -> Site {
    let crm = Destination::at("crm", receiver).with(r#"retry_waits = ["1s", "1s"]"#);
    Site::of([Tenant::named("shop").sends_to(crm)])
}

fn is_dead(event: &Event) -> bool {
    event.deliveries.iter().all(|delivery| delivery.state.word() == "dead")
}

/// Sends an order and lets all three attempts fail.
async fn exhausted(weft: &Weft<'_>, number: usize) -> String {
    let shop = weft.tenant("shop");
    let id = shop.send(order(number)).await;
    for attempt in 1..=2 {
        shop.after_attempts(&id, attempt).await;
        weft.advance(SECOND);
    }
    shop.until(&id, "its death", is_dead).await;
    id
}

#[tokio::test]
async fn promise_2_an_exhausted_delivery_is_a_dead_letter_and_a_replay_delivers_it() {
    let crm = Receiver::start().await;
    crm.answer(Answer::Status(503));
    let site = shop_sending_to(&crm);
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    let id = exhausted(&weft, 1).await;

    let letters = shop.dead_letters().await;
    let [letter] = &letters[..] else { panic!("one dead letter, not {letters:?}") };
    assert_eq!((letter.kind, letter.reason.as_str()), (DeadLetterKind::Delivery, "exhausted"));
    assert_eq!((letter.event_id.as_str(), letter.attempts), (id.as_str(), Some(3)));
    assert_eq!(letter.destination.as_deref(), Some("crm"));

    crm.answer(Answer::Status(204));
    let replay = shop.replay(&letter.id).await;
    let event = shop
        .until(&id, "its second delivery", |event| {
            event.deliveries.len() == 2 && event.deliveries[1].state.word() == "delivered"
        })
        .await;
    assert_eq!(event.deliveries[0].state.word(), "dead", "what is over stays as it was");
    assert_eq!(event.deliveries[1].replay.as_ref(), Some(&replay));
    assert_eq!(event.deliveries[1].webhook_id, id);
    assert!(shop.dead_letters().await.is_empty(), "a replay takes the dead letter over");
    weft.stop().await;
    let counted = audit(&site).await;
    assert_eq!((counted.replays, counted.deliveries.dead, counted.deliveries.delivered), (1, 1, 1));
}

#[tokio::test]
async fn promise_2_a_replay_that_dies_is_a_dead_letter_again() {
    let crm = Receiver::start().await;
    crm.answer(Answer::Status(503));
    let site = shop_sending_to(&crm);
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    let id = exhausted(&weft, 1).await;
    let first = shop.dead_letters().await.remove(0).id;
    shop.replay(&first).await;
    for attempt in 1..=2 {
        let failed = |event: &Event| event.deliveries.get(1).is_some_and(|delivery| delivery.attempts.len() == attempt);
        shop.until(&id, "a failed attempt of the replay", failed).await;
        weft.advance(SECOND);
    }
    shop.until(&id, "the death of the replay", |event| event.deliveries.len() == 2 && is_dead(event)).await;
    let letters = shop.dead_letters().await;
    assert_eq!(letters.len(), 1);
    assert_ne!(letters[0].id, first);
    weft.stop().await;
    audit(&site).await;
}

#[tokio::test]
async fn promise_2_a_dead_event_is_replayed_through_the_pipeline_of_the_day() {
    let crm = Receiver::start().await;
    let shop = Tenant::named("shop")
        .sends_to(Destination::at("crm", &crm))
        .runs(Step::of("hostile").with(r#"roles = ["filter"]"#).with(r#"config = { do = "reject" }"#));
    let mut site = Site::of([shop]);
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    let id = shop.send(order(1)).await;
    shop.until(&id, "its death", |event| event.state.word() == "dead").await;
    let letters = shop.dead_letters().await;
    assert_eq!((letters[0].kind, letters[0].id.as_str()), (DeadLetterKind::Event, id.as_str()));
    assert_eq!(letters[0].step.as_deref(), Some("hostile"));
    // Through the same pipeline it dies again, and is a dead letter again.
    shop.replay(&id).await;
    let died_twice = |event: &Event| event.replays.first().is_some_and(|replay| replay.state.word() == "dead");
    shop.until(&id, "its second death", died_twice).await;
    assert_eq!(shop.dead_letters().await.len(), 1);
    let clock = weft.stop().await;

    site.change("shop", |shop| shop.without_steps().runs(Step::of("stamp")));
    let weft = Weft::start_on(&site, clock).await;
    let shop = weft.tenant("shop");
    shop.replay(&id).await;
    let got = crm.got(1).await;
    assert_eq!((got[0].webhook_id(), &got[0].body), (&*id, &order(1)));
    let event = shop
        .until(&id, "its delivery", |event| {
            event.deliveries.iter().any(|delivery| delivery.state.word() == "delivered")
        })
        .await;
    assert_eq!(event.state.word(), "dead", "the event keeps its end; the replay has its own");
    assert!(shop.dead_letters().await.is_empty());
    weft.stop().await;
    assert_eq!(audit(&site).await.replays, 2);
}

#[tokio::test]
async fn promise_2_only_what_is_dead_is_replayed_and_only_once() {
    let crm = Receiver::start().await;
    let site = shop_sending_to(&crm);
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    let alive = shop.send(order(1)).await;
    let delivered = shop.delivered(&alive).await.deliveries[0].id.clone();
    crm.answer(Answer::Status(503));
    exhausted(&weft, 2).await;
    crm.answer(Answer::Status(204));
    let dead = shop.dead_letters().await.remove(0).id;
    let replay = shop.replay(&dead).await;

    let unknown = "evt_01h2xcejqtf2nbrexx3vqjhp41".to_owned();
    let ids = vec![dead, delivered, alive, unknown];
    let report = shop.try_replay(&ReplayRequest { ids, ..ReplayRequest::default() }).await.expect("an answer");
    let verdicts: Vec<_> = report.results.into_iter().map(|result| result.verdict).collect();
    let expected = [
        ReplayVerdict::AlreadyReplayed { replay },
        ReplayVerdict::NotDead { state: "delivered".to_owned() },
        ReplayVerdict::NotDead { state: "routed".to_owned() },
        ReplayVerdict::NotFound,
    ];
    assert_eq!(verdicts, expected);
    assert_eq!(report.started, 0);
    crm.accepted(2).await;
    weft.stop().await;
    assert_eq!(audit(&site).await.replays, 1);
}

#[tokio::test]
async fn promise_2_a_dry_run_counts_what_a_replay_of_all_would_start() {
    let crm = Receiver::start().await;
    crm.answer(Answer::Status(503));
    let site = shop_sending_to(&crm);
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    for number in 0..3 {
        exhausted(&weft, number).await;
    }
    crm.answer(Answer::Status(204));
    let all = ReplayRequest { all: true, ..ReplayRequest::default() };
    let dry = shop.try_replay(&ReplayRequest { dry_run: true, ..all.clone() }).await.expect("an answer");
    assert_eq!((dry.matched, dry.started), (3, 0));
    assert_eq!(shop.dead_letters().await.len(), 3);
    let report = shop.try_replay(&all).await.expect("an answer");
    assert_eq!((report.matched, report.started), (3, 3));
    crm.accepted(3).await;
    weft.operator().drained().await;
    weft.stop().await;
    let counted = audit(&site).await;
    assert_eq!((counted.replays, counted.deliveries.delivered), (3, 3));
}
