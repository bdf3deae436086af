//! One event under one key, however often it is sent.

use std::time::Duration;

use weft_tests::{Destination, Order, Receiver, Site, Tenant, Weft, audit, order};

fn two_tenants(receiver: &Receiver) -> Site {
    let tenant = |name| Tenant::named(name).sends_to(Destination::at("crm", receiver));
    Site::of([tenant("shop"), tenant("devtools")])
}

#[tokio::test]
async fn promise_3_the_same_body_under_the_same_key_is_answered_with_the_first_answer() {
    let crm = Receiver::start().await;
    let site = two_tenants(&crm);
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    for key in [Order::idempotency_key as fn(Order, &str) -> Order, Order::event_id] {
        let sent = key(Order::new(1), "a-key");
        let first = shop.try_send(&sent).await.expect("accepted");
        assert!(!first.duplicate);
        for _ in 0..3 {
            let again = shop.try_send(&sent).await.expect("accepted");
            assert_eq!((again.id.as_str(), again.duplicate), (first.id.as_str(), true));
        }
        shop.delivered(&first.id).await;
    }
    // The two kinds of key are apart: two events in all.
    let weft = weft.restart().await;
    let shop = weft.tenant("shop");
    assert!(
        shop.try_send(&Order::new(1).event_id("a-key")).await.expect("accepted").duplicate,
        "after a restart as well"
    );
    weft.stop().await;
    assert_eq!(audit(&site).await.events.routed, 2);
    assert_eq!(crm.so_far().len(), 2);
}

#[tokio::test]
async fn promise_3_another_body_under_the_same_key_is_refused_and_names_the_first_event() {
    let crm = Receiver::start().await;
    let site = two_tenants(&crm);
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    let first = shop.try_send(&Order::new(1).idempotency_key("a-key")).await.expect("accepted");
    let refused = shop.try_send(&Order::new(2).idempotency_key("a-key")).await.expect_err("a conflict");
    let problem = refused.problem().expect("an answer");
    assert_eq!((problem.status, problem.word()), (409, "idempotency-conflict"));
    assert_eq!(problem.event_id.as_ref(), Some(&first.id));
    shop.delivered(&first.id).await;
    weft.stop().await;
    assert_eq!(audit(&site).await.events.routed, 1);
}

#[tokio::test]
async fn promise_3_keys_of_tenants_are_apart_and_without_a_key_there_are_no_duplicates() {
    let crm = Receiver::start().await;
    let site = two_tenants(&crm);
    let weft = Weft::start(&site).await;
    let keyed = Order::new(1).idempotency_key("a-key");
    let plain = Order::new(1);
    let mut ids = std::collections::BTreeSet::new();
    for (tenant, order) in [("shop", &keyed), ("devtools", &keyed), ("shop", &plain), ("shop", &plain)] {
        let accepted = weft.tenant(tenant).try_send(order).await.expect("accepted");
        assert!(!accepted.duplicate);
        ids.insert(accepted.id);
    }
    assert_eq!(ids.len(), 4);
    crm.accepted(4).await;
    weft.stop().await;
}

#[tokio::test]
async fn promise_3_of_requests_at_the_same_time_under_one_key_one_is_stored() {
    const AT_ONCE: usize = 32;
    let crm = Receiver::start().await;
    let site = two_tenants(&crm);
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    for round in 0..4 {
        let order = Order::new(round).idempotency_key(&format!("round-{round}"));
        let requests: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let (shop, order) = (shop.clone(), order.clone());
                tokio::spawn(async move { shop.try_send(&order).await.expect("accepted") })
            })
            .collect();
        let mut answers = Vec::new();
        for request in requests {
            answers.push(request.await.expect("no panic"));
        }
        assert_eq!(answers.iter().filter(|answer| !answer.duplicate).count(), 1);
        assert!(answers.iter().all(|answer| answer.id == answers[0].id));
        shop.delivered(&answers[0].id).await;
    }
    weft.stop().await;
    assert_eq!(audit(&site).await.events.routed, 4);
    assert_eq!(crm.so_far().len(), 4);
}

#[tokio::test]
async fn promise_3_a_key_is_remembered_for_a_day() {
    let crm = Receiver::of_any_time().await;
    let site = two_tenants(&crm);
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    let keyed = Order::new(1).idempotency_key("a-key");
    let first = shop.try_send(&keyed).await.expect("accepted");
    shop.delivered(&first.id).await;
    weft.advance(Duration::from_secs(24 * 3_600 - 1));
    assert!(shop.try_send(&keyed).await.expect("accepted").duplicate);
    weft.advance(Duration::from_secs(2));
    let second = shop.try_send(&keyed).await.expect("accepted");
    assert!(!second.duplicate);
    assert_eq!(order(1), keyed.body());
    shop.delivered(&second.id).await;
    weft.stop().await;
    audit(&site).await;
}
