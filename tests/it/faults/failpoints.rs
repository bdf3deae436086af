//! A disk that is slow: what waits for it is bounded, and the sender is told.

use std::collections::BTreeMap;

use tokio::task::JoinSet;
use weft_tests::{Engine, Launch, Request, Site, Tenant, order, within};

use super::orders::Orders;

/// Twenty commits of events take a quarter of a second each, as on a disk that others keep busy.
const SLOW: &str = "store::keep::before_commit=20*sleep(250)->off";
/// Events on their way in that there is room for.
const ROOM: u64 = 16;
/// Requests at once of one tenant, which may have half of the room.
const FLOOD: usize = 24;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an engine with failpoints: cargo xtask test binaries failpoints"]
async fn promise_1_and_7_a_slow_disk_makes_senders_wait_and_refuses_those_that_flood() {
    let mut orders = Orders::none().await;
    let [plain, piped] = orders.tenants();
    let site = Site::of([plain, piped, Tenant::named("flood")]).limit("ingest_events_max", ROOM);
    let engine = Engine::launch(&site, &Launch::Armed(SLOW.to_owned())).await.expect("it starts");
    let loads = orders.begin(&engine);

    let mut flood = JoinSet::new();
    for number in 0..FLOOD {
        let request = Request::event(&site.key("flood"), order(number));
        let address = engine.address();
        flood.spawn(async move { request.send(address).await });
    }
    let mut answers: BTreeMap<u16, usize> = BTreeMap::new();
    while let Some(answered) = within("every request is answered", flood.join_next()).await {
        let answered = answered.expect("no panic");
        assert!(answered.status == 202 || answered.head.contains("retry-after: 1"), "{answered:?}");
        *answers.entry(answered.status).or_default() += 1;
    }
    println!("answers to {FLOOD} requests at once: {answers:?}");
    assert!(answers.keys().all(|status| [202, 429].contains(status)), "{answers:?}");
    assert!(answers.contains_key(&202) && answers.contains_key(&429), "{answers:?}");

    loads.acknowledged(100).await;
    orders.end(loads).await;
    orders.settle(engine, &site).await;
}
