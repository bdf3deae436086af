//! Promise 9, everything can be explained: `GET /v1/events/{id}` tells every step, version, answer and attempt.

use std::time::Duration;

use weft_client::wire::{DeliveryState, EventState};
use weft_core::contract::Role;
use weft_core::trace::Answer;
use weft_tests::{Answer as Answers, Destination, Receiver, Site, Step, Tenant, Weft, component, order, version_of};

/// A tenant that filters by region, splits into lines, and routes each line by its number.
fn shop(crm: &Receiver, archive: &Receiver) -> Tenant {
    let filter = r#"config = { keep_when = { pointer = "/data/region", equals = "eu" }, drop_reason = "not ours" }"#;
    let routes = r#"config = { pointer = "/n", routes = { "1" = "crm", "2" = ["crm", "archive"] } }"#;
    Tenant::named("shop")
        .sends_to(Destination::at("crm", crm).with(r#"retry_waits = ["10s", "20s"]"#))
        .sends_to(Destination::at("archive", archive))
        .runs(Step::of("json-filter").with(filter))
        .runs(Step::of("split-array").with(r#"config = { pointer = "/data/lines" }"#).with(r#"name = "lines""#))
        .runs(Step::of("field-router").with(routes))
}

#[tokio::test]
async fn promise_9_a_trace_explains_why_an_event_was_dropped() {
    let receiver = Receiver::start().await;
    let site = Site::of([shop(&receiver, &receiver)]).with_patience_for_plugins();
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    let id = shop.send(order(1)).await;
    let event = shop.until(&id, "its end", |event| event.state.word() != "received").await;
    let EventState::Dropped { step, reason, .. } = &event.state else { panic!("dropped: {event:?}") };
    assert_eq!((step.as_deref(), &**reason), (Some("json-filter"), "not ours"));
    let [pass] = &event.passes[..] else { panic!("one pass: {event:?}") };
    let [step] = &pass.steps[..] else { panic!("no step after the filter: {pass:?}") };
    assert_eq!((&*pass.result, &*step.plugin), ("dropped", "operator/json-filter"));
    assert_eq!(step.version, version_of(&component("json-filter")));
    assert_eq!(step.answers[0].answer, Answer::Dropped { reason: "not ours".to_owned() });
    assert_eq!(event.deliveries, []);
    weft.stop().await;
}

#[tokio::test]
async fn promise_9_a_trace_explains_filter_split_route_and_every_attempt() {
    let (crm, archive) = (Receiver::of_any_time().await, Receiver::of_any_time().await);
    let site = Site::of([shop(&crm, &archive)]).with_patience_for_plugins();
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    archive.answer_first([Answers::Status(503), Answers::Status(401)]);
    let id = shop.send(order(2)).await;
    let attempts = |count| {
        move |event: &weft_client::wire::Event| {
            event
                .deliveries
                .iter()
                .any(|delivery| delivery.destination == "archive" && delivery.attempts.len() == count)
        }
    };
    for (count, wait) in [(1, 6), (2, 331)] {
        shop.until(&id, "an attempt", attempts(count)).await;
        weft.advance(Duration::from_secs(wait));
    }
    let event = shop.delivered(&id).await;

    let [pass] = &event.passes[..] else { panic!("one pass: {event:?}") };
    let told: Vec<_> = pass.steps.iter().map(|step| (&*step.step, step.output, &step.answers[..])).collect();
    let versions: Vec<_> = pass.steps.iter().map(|step| step.version.clone()).collect();
    assert_eq!(told.len(), 5, "filter, split, and a route for each line: {told:?}");
    assert_eq!((told[0].0, &told[0].2[0].answer), ("json-filter", &Answer::Kept));
    assert_eq!((told[1].0, &told[1].2[0].answer), ("lines", &Answer::Transformed { outputs: 3 }));
    let routed: Vec<_> = told[2..].iter().map(|(step, output, answers)| (*step, *output, &answers[0].answer)).collect();
    assert_eq!(routed[0], ("field-router", 1, &Answer::Routed { targets: 1 }));
    assert_eq!(routed[1], ("field-router", 2, &Answer::Routed { targets: 2 }));
    let ("field-router", 3, Answer::Dropped { reason }) = routed[2] else { panic!("dropped: {routed:?}") };
    assert!(reason.contains("/n"), "the reason names the field: {reason}");
    assert!(pass.steps[2..].iter().all(|step| step.answers[0].role == Role::Route));
    let expected = ["json-filter", "split-array", "field-router", "field-router", "field-router"];
    assert_eq!(versions, expected.map(|name| version_of(&component(name))));

    let mut ways: Vec<_> = event.deliveries.iter().map(|d| (d.output, &*d.destination, d.attempts.len())).collect();
    ways.sort_unstable();
    assert_eq!(ways, [(1, "crm", 1), (2, "archive", 3), (2, "crm", 1)]);
    let archived = event.deliveries.iter().find(|delivery| delivery.destination == "archive").expect("it is there");
    assert_eq!(archived.webhook_id, format!("{id}-2"));
    assert!(matches!(archived.state, DeliveryState::Delivered { .. }));
    let attempts: Vec<_> =
        archived.attempts.iter().map(|attempt| (attempt.number, &*attempt.outcome, attempt.status)).collect();
    assert_eq!(attempts, [(1, "rejected", Some(503)), (2, "rejected", Some(401)), (3, "accepted", Some(204))]);
    let is_in_order = archived.attempts.windows(2).all(|pair| pair[0].started_at < pair[1].started_at);
    assert!(is_in_order, "{:?}", archived.attempts);
    weft.stop().await;
}

#[tokio::test]
async fn promise_9_a_delivery_leads_to_the_trace_of_its_event() {
    let crm = Receiver::start().await;
    let site = Site::of([Tenant::named("shop").sends_to(Destination::at("crm", &crm))]);
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    let id = shop.send(order(1)).await;
    let event = shop.delivered(&id).await;
    assert_eq!(shop.trace(&event.deliveries[0].id).await, event);
    weft.stop().await;
}
