//! Promise 7, neighbours do not feel each other: destinations and tenants take turns, and none takes everything.

use std::time::Duration;

use weft_tests::{Answer, Destination, Receiver, Request, Site, Step, Tenant, Weft, audit, order, within};

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

/// Destinations that hang: many times what attempts there may be, so that they fill everything that is not kept from them.
const HANGING: usize = 60;

#[tokio::test]
async fn promise_7_many_hanging_destinations_do_not_hold_up_the_others() {
    many_hanging(|site| site).await;
}

#[tokio::test]
async fn promise_7_on_postgres_many_hanging_destinations_do_not_hold_up_the_others() {
    many_hanging(Site::on_postgres).await;
}

async fn many_hanging(store: impl FnOnce(Site) -> Site) {
    let hanging = Receiver::start().await;
    hanging.answer(Answer::Silence);
    let crm = Receiver::start().await;
    let mut shop = Tenant::named("shop");
    for number in 0..HANGING {
        let destination = Destination::at(&format!("hanging-{number}"), &hanging).with(r#"request_timeout = "60s""#);
        shop = shop.sends_to(destination);
    }
    let bank = Tenant::named("bank").sends_to(Destination::at("crm", &crm));
    let site = store(Site::of([shop, bank]))
        .limit("attempts_max", 8)
        .limit("attempts_slow_max", 16)
        .limit("attempts_per_destination_max", 4)
        .limit("deliveries_in_memory_max", 64)
        .limit("deliveries_in_memory_per_destination_max", 16)
        .limit("lease_ms", 120_000)
        .limit("request_ms_max", 60_000);
    let weft = Weft::start(&site).await;
    let (shop, bank) = (weft.tenant("shop"), weft.tenant("bank"));
    bank.send(order(ORDERS)).await;
    crm.accepted(1).await;
    for number in 0..ORDERS {
        shop.send(order(number)).await;
        bank.send(order(number)).await;
        // The engine looks at what is under way; what hangs has hung for seconds in the end.
        weft.advance(Duration::from_millis(250));
    }

    crm.accepted(ORDERS + 1).await;
    let tried = hanging.so_far().len();
    assert!(
        (8..=8 / 2 + 16).contains(&tried),
        "{tried} attempts hang, of {HANGING} destinations with {ORDERS} orders each"
    );

    hanging.answer(Answer::Status(204));
    hanging.accepted(HANGING * ORDERS).await;
    weft.operator().drained().await;
    weft.stop().await;
    let counted = audit(&site).await;
    let deliveries = (HANGING + 1) * ORDERS + 1;
    assert_eq!(counted.deliveries.delivered, deliveries as u64);
    assert_eq!(counted.attempts, deliveries as u64, "nothing was sent twice");
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

#[tokio::test]
async fn promise_7_a_tenant_that_floods_is_told_so_and_the_others_are_taken_in() {
    // Half of the room is one tenant's: bodies that have begun and do not end fill it.
    let kinds = [("ingest_events_max", 16, 8, 1_000), ("ingest_bytes_max", 1_048_576, 2, 200_000)];
    for (limit, most, connections, bytes) in kinds {
        let site = Site::of([Tenant::named("flood"), Tenant::named("shop")]).limit(limit, most);
        let weft = Weft::start(&site).await;
        let body = format!(r#"{{"type":"order.created","padding":"{}"}}"#, "x".repeat(2 * bytes));
        let flood = Request::event(&site.key("flood"), &body);
        let mut begun = Vec::new();
        for _ in 0..connections {
            begun.push(flood.begin(weft.address(), bytes).await);
        }

        let refused = within("the engine has read what was begun", async {
            loop {
                let answered = flood.send(weft.address()).await;
                if answered.status != 202 {
                    return answered;
                }
            }
        })
        .await;
        let problem = refused.problem();
        assert_eq!((problem.status, problem.word()), (429, "tenant-overloaded"), "{limit}: {problem:?}");
        assert!(refused.head.contains("retry-after: 1"), "{limit}: {}", refused.head);
        assert!(problem.rule.is_some_and(|rule| rule.contains(limit)), "the limit has a name");
        assert_eq!(Request::event(&site.key("shop"), &body).send(weft.address()).await.status, 202, "{limit}");

        drop(begun);
        within("there is room again", async { while flood.send(weft.address()).await.status != 202 {} }).await;
        weft.stop().await;
        audit(&site).await;
    }
}
