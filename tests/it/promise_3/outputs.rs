//! The outputs of a split: `webhook-id` is the event's with `-N`, the same at all destinations.

use std::collections::BTreeSet;
use std::time::Duration;

use weft_tests::{Answer, Destination, Receiver, Site, Step, Tenant, Weft, audit, order};

const SPLIT: &str = r#"config = { pointer = "/data/lines" }"#;

/// Id and body of everything that a receiver got.
fn identities(receiver: &Receiver) -> BTreeSet<(String, String)> {
    let text = |body: &bytes::Bytes| String::from_utf8(body.to_vec()).expect("JSON");
    receiver.so_far().iter().map(|request| (request.webhook_id().to_owned(), text(&request.body))).collect()
}

#[tokio::test]
async fn promise_3_outputs_of_a_split_have_numbers_that_all_destinations_and_attempts_share() {
    let crm = Receiver::start().await;
    let archive = Receiver::start().await;
    archive.answer_first([Answer::Status(503), Answer::Status(503)]);
    let shop = Tenant::named("shop")
        .sends_to(Destination::at("crm", &crm))
        .sends_to(Destination::at("archive", &archive))
        .runs(Step::of("split-array").with(SPLIT));
    let site = Site::of([shop]).with_patience_for_plugins();
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");

    let id = shop.send(order(7)).await;
    crm.accepted(3).await;
    let failed_twice = |event: &weft_client::wire::Event| {
        event.deliveries.iter().map(|delivery| delivery.attempts.len()).sum::<usize>() == 6
    };
    shop.until(&id, "an attempt of each of six deliveries", failed_twice).await;
    weft.advance(Duration::from_secs(5));
    let event = shop.delivered(&id).await;

    let expected: BTreeSet<_> = ["A", "B", "C"]
        .into_iter()
        .zip(1..)
        .map(|(part, n)| (format!("{id}-{n}"), format!(r#"{{"sku":"{part}-7","n":{n}}}"#)))
        .collect();
    assert_eq!(identities(&crm), expected);
    assert_eq!(identities(&archive), expected);
    assert_eq!(archive.so_far().len(), 5, "two of three were sent twice");
    assert_eq!(event.passes.len(), 1, "a plugin is not run again for a retry");
    weft.stop().await;
    audit(&site).await;
}

#[tokio::test]
async fn promise_3_a_list_of_one_is_no_split() {
    let crm = Receiver::start().await;
    let shop = Tenant::named("shop").sends_to(Destination::at("crm", &crm)).runs(Step::of("split-array").with(SPLIT));
    let site = Site::of([shop]).with_patience_for_plugins();
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    let id = shop.send(r#"{"type":"order.created","data":{"lines":[{"sku":"only"}]}}"#).await;
    shop.delivered(&id).await;
    let got = crm.got(1).await;
    assert_eq!((got[0].webhook_id(), &got[0].body[..]), (&*id, &br#"{"sku":"only"}"#[..]));
    weft.stop().await;
}

#[tokio::test]
async fn promise_3_an_output_reaches_a_destination_once_however_often_it_is_named() {
    let crm = Receiver::start().await;
    let shop = Tenant::named("shop")
        .sends_to(Destination::at("crm", &crm))
        .runs(Step::of("field-router").with(
            r#"config = { pointer = "/data/region", routes = { eu = ["crm", "crm"] }, default = ["crm", { subscribed = true }] }"#,
        ));
    let site = Site::of([shop]).with_patience_for_plugins();
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    for number in 1..=2 {
        let id = shop.send(order(number)).await;
        let event = shop.delivered(&id).await;
        assert_eq!(event.deliveries.len(), 1);
    }
    weft.stop().await;
    assert_eq!(audit(&site).await.deliveries.delivered, 2);
    assert_eq!(crm.so_far().len(), 2);
}
