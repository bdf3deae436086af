//! The attempts of one delivery: their identity, their signatures, their times.

use std::time::Duration;

use weft_client::wire::{DeliveryState, Event};
use weft_core::time::Timestamp;
use weft_tests::{Answer, Destination, Received, Receiver, Site, Tenant, Weft, audit, order};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

fn shop_sending_to(receiver: &Receiver) -> Site {
    Site::of([Tenant::named("shop").sends_to(Destination::at("crm", receiver))])
}

/// When the only delivery of `event` is due.
fn due_at(event: &Event) -> Timestamp {
    let DeliveryState::Pending { due_at, leased: false } = event.deliveries[0].state else {
        panic!("it does not wait: {:?}", event.deliveries[0].state)
    };
    due_at
}

#[tokio::test]
async fn promise_3_every_attempt_carries_the_same_id_and_bytes_under_a_fresh_signature() {
    let crm = Receiver::of_any_time().await;
    crm.answer_first([Answer::Status(503), Answer::Status(500)]);
    let site = shop_sending_to(&crm);
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");

    // Spaces, an escape, a number that no float holds: what a careless reader and writer of JSON would change.
    let sent = r#"{ "type" : "order.paid",  "n": 9007199254740993.10, "é\u00e9": "🦀"  }"#;
    let id = shop.send(sent).await;
    let mut times = vec![weft.now().as_seconds()];
    for (attempt, wait) in [(1, 5 * SECOND), (2, 5 * MINUTE)] {
        shop.after_attempts(&id, attempt).await;
        weft.advance(wait);
        times.push(weft.now().as_seconds());
    }
    let got = crm.got(3).await;
    shop.delivered(&id).await;

    assert_eq!(got.len(), 3);
    for request in &got {
        assert_eq!(request.webhook_id(), id);
        assert_eq!(request.body, sent);
    }
    assert_eq!(got.iter().map(Received::timestamp).collect::<Vec<_>>(), times);
    let mut signatures: Vec<_> = got.iter().map(|request| request.header("webhook-signature")).collect();
    signatures.dedup();
    assert_eq!(signatures.len(), 3, "each attempt signs its own time");
    weft.stop().await;
    audit(&site).await;
}

#[tokio::test]
async fn promise_3_a_delivery_arrives_fresh_enough_for_the_official_library() {
    let crm = Receiver::start().await;
    let site = shop_sending_to(&crm);
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    let id = shop.send(order(1)).await;
    // The receiver checks signature and age with the `standardwebhooks` crate, and answers 401 to what fails.
    shop.delivered(&id).await;
    weft.stop().await;
}

#[tokio::test]
async fn promise_3_a_delivery_signed_with_another_secret_does_not_verify() {
    let crm = Receiver::start().await;
    let neighbour = Receiver::start().await;
    let stranger = Destination::at("crm", &crm).with_secret_of(&neighbour).with(r#"retry_waits = ["1s"]"#);
    let site = Site::of([Tenant::named("shop").sends_to(stranger)]);
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    let id = shop.send(order(1)).await;
    let event = shop.after_attempts(&id, 1).await;
    assert_eq!(event.deliveries[0].attempts[0].status, Some(401));
    assert!(crm.so_far().is_empty());
    weft.stop().await;
}

#[tokio::test]
async fn promise_3_a_retry_is_made_when_it_is_due_whatever_was_due_before_it_at_the_same_destination() {
    let crm = Receiver::of_any_time().await;
    crm.answer(Answer::Status(503));
    let site = shop_sending_to(&crm);
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    let first = shop.send(order(1)).await;
    shop.after_attempts(&first, 1).await;
    weft.advance(SECOND);
    let second = shop.send(order(2)).await;
    shop.after_attempts(&second, 1).await;

    weft.advance(4 * SECOND);
    shop.after_attempts(&first, 2).await;
    weft.advance(SECOND);
    let event = shop.after_attempts(&second, 2).await;
    assert_eq!(event.deliveries[0].attempts[1].started_at, weft.now());
    weft.stop().await;
    audit(&site).await;
}

#[tokio::test]
async fn promise_3_the_default_schedule_is_kept_to_the_millisecond() {
    let crm = Receiver::of_any_time().await;
    crm.answer(Answer::Status(503));
    let site = shop_sending_to(&crm);
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    let id = shop.send(order(1)).await;

    let hour = 60 * MINUTE;
    let waits = [5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * hour, 5 * hour, 10 * hour, 14 * hour, 20 * hour, 24 * hour];
    let mut expected = vec![weft.now()];
    for (made, wait) in (1..).zip(waits) {
        let event = shop.after_attempts(&id, made).await;
        let due = weft.now().plus(wait);
        assert_eq!(due_at(&event), due, "after attempt {made}");
        // Half-way nothing is due: an attempt made there would carry that time.
        weft.advance(wait / 2);
        weft.advance(wait - wait / 2);
        expected.push(due);
    }
    let event = shop.until(&id, "the last attempt", |event| event.deliveries[0].state.word() == "dead").await;
    let started: Vec<_> = event.deliveries[0].attempts.iter().map(|attempt| attempt.started_at).collect();
    assert_eq!(started, expected);
    weft.stop().await;
    audit(&site).await;
}

#[tokio::test]
async fn promise_3_a_receiver_may_ask_for_more_time_and_never_for_less() {
    for (wish, wait) in [("120", 120 * SECOND), ("1", 5 * SECOND), ("soon", 5 * SECOND), ("9999999", 1440 * MINUTE)] {
        let crm = Receiver::of_any_time().await;
        crm.answer_first([Answer::Later(429, wish)]);
        let site = shop_sending_to(&crm);
        let weft = Weft::start(&site).await;
        let shop = weft.tenant("shop");
        let id = shop.send(order(1)).await;
        let event = shop.after_attempts(&id, 1).await;
        assert_eq!(due_at(&event), weft.now().plus(wait), "retry-after: {wish}");
        weft.advance(wait);
        shop.delivered(&id).await;
        weft.stop().await;
    }
}

#[tokio::test]
async fn promise_3_what_a_receiver_sees_is_in_the_store_already() {
    let crm = Receiver::start().await;
    crm.answer(Answer::Silence);
    let site = shop_sending_to(&crm);
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    let id = shop.send(order(1)).await;
    crm.got(1).await;
    assert_eq!(audit(&site).await.deliveries.pending, 1);
    crm.answer(Answer::Status(200));
    shop.delivered(&id).await;
    weft.stop().await;
}
