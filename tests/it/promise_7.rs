//! Promise 7, neighbours do not feel each other: destinations and tenants take turns, and none takes everything.

use weft_tests::{Answer, Destination, Receiver, Site, Step, Tenant, Weft, audit, order};

/// Orders of each test: many times what a hanging destination may hold.
const ORDERS: usize = 50;

#[tokio::test]
async fn promise_7_a_hanging_destination_does_not_hold_up_the_others() {
    let hanging = Receiver::start().await;
    hanging.answer(Answer::Silence);
    let crm = Receiver::start().await;
    let patient = |name, receiver| Destination::at(name, receiver).with(r#"request_timeout = "60s""#);
    let shop = Tenant::named("shop").sends_to(patient("hanging", &hanging)).sends_to(patient("crm", &crm));
    let bank = Tenant::named("bank").sends_to(patient("crm", &crm));
    let site = Site::of([shop, bank])
        .limit("attempts_max", 4)
        .limit("attempts_per_destination_max", 2)
        .limit("deliveries_in_memory_max", 16)
        .limit("deliveries_in_memory_per_destination_max", 4)
        .limit("lease_ms", 120_000)
        .limit("request_ms_max", 60_000);
    let weft = Weft::start(&site).await;
    for number in 0..ORDERS {
        weft.tenant("shop").send(order(number)).await;
        weft.tenant("bank").send(order(number)).await;
    }

    crm.accepted(2 * ORDERS).await;
    assert_eq!(hanging.so_far().len(), 2, "it holds as many attempts as one destination may, and no more");
    assert_eq!(hanging.accepted_so_far(), 0);

    hanging.answer(Answer::Status(204));
    hanging.accepted(ORDERS).await;
    weft.operator().drained().await;
    weft.stop().await;
    let counted = audit(&site).await;
    assert_eq!(counted.deliveries.delivered, 3 * ORDERS as u64);
    assert_eq!(counted.attempts, 3 * ORDERS as u64, "nothing was sent twice");
}

#[tokio::test]
async fn promise_7_a_tenant_whose_plugin_spins_does_not_stop_the_others() {
    let crm = Receiver::start().await;
    let spinning = Step::of("hostile").with(r#"roles = ["filter"]"#).with(r#"config = { do = "loop" }"#);
    let noisy = Tenant::named("noisy").sends_to(Destination::at("crm", &crm)).runs(spinning.with("retries = []"));
    let filter = Step::of("json-filter").with(r#"config = { keep_when = { pointer = "/data/id", exists = true } }"#);
    let shop = Tenant::named("shop").sends_to(Destination::at("crm", &crm)).runs(filter);
    let site =
        Site::of([noisy, shop]).limit("call_ms_max", 2_000).limit("lease_ms", 400_000).limit("plugin_threads", 2);
    let weft = Weft::start(&site).await;
    let (noisy, shop) = (weft.tenant("noisy"), weft.tenant("shop"));

    // A minute and a half of spinning, before the shop says anything.
    let mut spinning = Vec::new();
    for number in 0..ORDERS {
        spinning.push(noisy.send(order(number)).await);
    }
    for number in 0..ORDERS {
        shop.send(order(number)).await;
    }
    crm.accepted(ORDERS).await;
    let mut spun = 0;
    for id in &spinning {
        spun += usize::from(noisy.trace(id).await.state.word() != "received");
    }
    assert!(spun < ORDERS / 4, "the shop's {ORDERS} orders waited for {spun} calls of its neighbour");
    weft.stop().await;
    let counted = audit(&site).await;
    assert_eq!(counted.deliveries.delivered, ORDERS as u64);
    assert!(counted.events.received > 0, "what waits is given back to the store: {counted:?}");
}
