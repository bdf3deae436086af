//! Replays: what is sent again is the same thing.

use std::time::Duration;

use weft_tests::{Answer, Destination, Receiver, Site, Step, Tenant, Weft, audit, order};

#[tokio::test]
async fn promise_3_a_replay_carries_the_id_and_the_bytes_of_the_first_attempt() {
    let crm = Receiver::of_any_time().await;
    crm.answer_first([Answer::Status(500), Answer::Status(500)]);
    let site = Site::of([Tenant::named("shop").sends_to(Destination::at("crm", &crm).with(r#"retry_waits = ["1s"]"#))]);
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    let id = shop.send(order(1)).await;
    shop.after_attempts(&id, 1).await;
    weft.advance(Duration::from_secs(1));
    shop.until(&id, "its death", |event| event.deliveries[0].state.word() == "dead").await;

    weft.advance(Duration::from_secs(3_600));
    let letters = shop.dead_letters().await;
    assert_eq!(letters.len(), 1);
    shop.replay(&letters[0].id).await;
    let got = crm.got(3).await;
    for request in &got {
        assert_eq!((request.webhook_id(), &request.body), (&*id, &order(1)));
    }
    assert_eq!(got[2].timestamp(), weft.now().as_seconds());
    assert_ne!(got[2].header("webhook-signature"), got[0].header("webhook-signature"));
    shop.until(&id, "the replay's delivery", |event| event.deliveries.len() == 2 && is_delivered(&event.deliveries[1]))
        .await;
    weft.stop().await;
    audit(&site).await;
}

#[tokio::test]
async fn promise_3_a_replay_of_one_output_keeps_its_number() {
    let crm = Receiver::start().await;
    let shop = Tenant::named("shop")
        .sends_to(Destination::at("crm", &crm).with("retry_waits = []"))
        .runs(Step::of("split-array").with(r#"config = { pointer = "/data/lines" }"#));
    let site = Site::of([shop]).with_patience_for_plugins();
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    // One attempt each: the first that comes is refused, whichever output it is.
    crm.answer_first([Answer::Status(500)]);
    let id = shop.send(order(1)).await;
    let ended =
        shop.until(&id, "three ends", |event| event.deliveries.iter().all(has_ended) && !event.deliveries.is_empty());
    ended.await;
    let refused = crm.got(3).await[0].clone();

    let letters = shop.dead_letters().await;
    assert_eq!(letters.len(), 1);
    shop.replay(&letters[0].id).await;
    let again = crm.got(4).await[3].clone();
    assert_eq!((again.webhook_id(), &again.body), (refused.webhook_id(), &refused.body));
    assert!(again.headers["webhook-id"].to_str().expect("text").starts_with(&format!("{id}-")));
    weft.stop().await;
    audit(&site).await;
}

fn is_delivered(delivery: &weft_client::wire::Delivery) -> bool {
    delivery.state.word() == "delivered"
}

fn has_ended(delivery: &weft_client::wire::Delivery) -> bool {
    delivery.state.word() != "pending"
}
