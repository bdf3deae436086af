//! What a destination's own policy makes of an answer.

use std::time::Duration;

use weft_tests::{Answer, Destination, Receiver, Site, Tenant, Weft, audit, order};

#[tokio::test]
async fn promise_2_an_answer_to_give_up_on_is_a_dead_letter_at_once_and_one_of_success_is_a_delivery() {
    let crm = Receiver::start().await;
    let policy = [r#"give_up_on = ["400-409"]"#, r#"success = ["2xx", "451"]"#];
    let destination = policy.into_iter().fold(Destination::at("crm", &crm), Destination::with);
    let site = Site::of([Tenant::named("shop").sends_to(destination)]);
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    for (answer, end) in [(404, "dead"), (451, "delivered")] {
        crm.answer_first([Answer::Status(answer)]);
        let id = shop.send(order(answer.into())).await;
        let event = shop.until(&id, "its end", |event| event.deliveries[0].state.word() == end).await;
        assert_eq!(event.deliveries[0].attempts.len(), 1, "{answer}");
    }
    let letters = shop.dead_letters().await;
    let [letter] = &letters[..] else { panic!("one dead letter, not {letters:?}") };
    assert_eq!(letter.reason, "refused");
    shop.replay(&letter.id).await;
    crm.accepted(1).await;
    weft.operator().drained().await;
    weft.stop().await;
    let counted = audit(&site).await;
    assert_eq!((counted.deliveries.delivered, counted.deliveries.dead), (2, 1));
}

#[tokio::test]
async fn promise_2_a_delivery_lives_as_long_as_its_destination_says() {
    const HOUR: Duration = Duration::from_secs(3_600);
    let crm = Receiver::of_any_time().await;
    crm.answer(Answer::Status(503));
    let destination = [r#"lifetime = "1h""#, r#"retry_waits = ["40m"]"#, "jitter_percent = 0"];
    let destination = destination.into_iter().fold(Destination::at("crm", &crm), Destination::with);
    let site = Site::of([Tenant::named("shop").sends_to(destination)]);
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    let id = shop.send(order(1)).await;
    let event = shop.after_attempts(&id, 1).await;
    assert_eq!(event.deliveries[0].ends_at.since(weft.now()), HOUR);
    shop.disable("crm").await;
    weft.advance(HOUR + Duration::from_secs(61));
    shop.until(&id, "its death", |event| event.deliveries[0].state.word() == "dead").await;
    let letters = shop.dead_letters().await;
    assert_eq!(letters[0].reason, "lifetime");

    // A replay begins a life as long as the first.
    shop.replay(&letters[0].id).await;
    let event = shop.until(&id, "its replay", |event| event.deliveries.len() == 2).await;
    assert_eq!(event.deliveries[1].ends_at.since(weft.now()), HOUR);
    weft.stop().await;
    audit(&site).await;
}
