//! Bodies with more in them than the payload: the same on every attempt, whatever the configuration becomes meanwhile.

use std::time::Duration;

use serde_json::{Value, json};
use weft_tests::{Answer, Destination, Received, Receiver, Site, Step, Tenant, Weft, audit, order};

fn body(request: &Received) -> Value {
    serde_json::from_slice(&request.body).expect("JSON")
}

fn formatted(receiver: &Receiver, name: &str, format: &str) -> Destination {
    Destination::at(name, receiver).with(&format!("format = \"{format}\""))
}

#[tokio::test]
async fn promise_3_each_destination_gets_its_own_format_of_one_event() {
    let formats = ["raw", "standard", "cloudevents", "cloudevents-binary", "webhook-do"];
    let mut receivers = Vec::new();
    let mut shop = Tenant::named("shop");
    for format in formats {
        let receiver = Receiver::start().await;
        shop = shop.sends_to(formatted(&receiver, format, format));
        receivers.push(receiver);
    }
    let site = Site::of([shop]);
    let weft = Weft::start(&site).await;
    let id = weft.tenant("shop").send(order(1)).await;
    let accepted_at = weft.tenant("shop").delivered(&id).await.received_at;
    let mut got = Vec::new();
    for receiver in &receivers {
        got.push(receiver.got(1).await.remove(0));
    }
    let [raw, standard, cloud, binary, webhook_do] = &got[..] else { panic!("one each") };
    let payload: Value = serde_json::from_slice(&order(1)).expect("JSON");
    assert_eq!((&raw.body, raw.header("content-type")), (&order(1), "application/json"));
    let time = accepted_at.to_string();
    assert_eq!(body(standard), json!({"type": "order.created", "timestamp": time, "data": payload}));
    assert_eq!(body(cloud)["id"], id);
    assert_eq!((&body(cloud)["data"], cloud.header("content-type")), (&payload, "application/cloudevents+json"));
    assert_eq!((&binary.body, binary.header("ce-id"), binary.header("ce-time")), (&raw.body, &*id, &*time));
    assert_eq!(body(webhook_do)["payload"], payload);
    assert_eq!(body(webhook_do)["timestamp"], accepted_at.as_seconds());
    weft.stop().await;
    audit(&site).await;
}

#[tokio::test]
async fn promise_3_a_format_holds_for_all_attempts_of_what_was_planned_with_it() {
    let crm = Receiver::start().await;
    crm.answer_first([Answer::Status(503)]);
    let mut site = Site::of([Tenant::named("shop").sends_to(formatted(&crm, "crm", "standard"))]);
    let weft = Weft::start(&site).await;
    let id = weft.tenant("shop").send(order(1)).await;
    weft.tenant("shop").after_attempts(&id, 1).await;
    let clock = weft.stop().await;

    // The second attempt is made after the format was changed, by another start, out of the store.
    let raw = Destination::at("crm", &crm);
    site.change("shop", |shop| shop.without_destination("crm").sends_to(raw));
    let weft = Weft::start_on(&site, clock).await;
    weft.advance(Duration::from_secs(10));
    weft.tenant("shop").delivered(&id).await;
    let next = weft.tenant("shop").send(order(2)).await;
    weft.tenant("shop").delivered(&next).await;
    let got = crm.got(3).await;
    assert_eq!(got[0].body, got[1].body);
    assert_eq!(body(&got[1])["type"], "order.created");
    assert_eq!(got[2].body, order(2), "what is planned later has the new format");
    weft.stop().await;
    audit(&site).await;
}

#[tokio::test]
async fn promise_3_outputs_of_a_split_have_ids_of_their_own_inside_their_bodies() {
    let crm = Receiver::start().await;
    let shop = Tenant::named("shop")
        .sends_to(formatted(&crm, "crm", "cloudevents"))
        .runs(Step::of("split-array").with(r#"config = { pointer = "/data/lines" }"#));
    let site = Site::of([shop]);
    let weft = Weft::start(&site).await;
    let id = weft.tenant("shop").send(order(1)).await;
    weft.tenant("shop").delivered(&id).await;
    let mut ids: Vec<_> =
        crm.got(3).await.iter().map(|it| (it.webhook_id().to_owned(), body(it)["id"].clone())).collect();
    ids.sort_by(|a, b| a.0.cmp(&b.0));
    let expected = [1, 2, 3].map(|n| format!("{id}-{n}")).map(|id| (id.clone(), Value::from(id)));
    assert_eq!(ids, expected);
    weft.stop().await;
    audit(&site).await;
}
