//! An abort around each commit, as a power cut would hit it.

use weft_store::FAILPOINTS;
use weft_tests::{Destination, Engine, Launch, Receiver, Site, Step, Tenant, audit};

use super::ledger::{Ledger, drain, lines, whole};

/// How often a point is passed before the engine dies there: at once, and in the middle of the work.
const PASSED_BEFORE: [u32; 2] = [0, 7];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an engine with failpoints: cargo xtask test binaries failpoints"]
async fn promise_1_an_abort_at_any_stage_loses_nothing_and_changes_nothing() {
    for point in FAILPOINTS {
        for passed in PASSED_BEFORE {
            abort_at(point, passed).await;
        }
    }
}

async fn abort_at(point: &str, passed: u32) {
    let (crm, items) = (Receiver::start().await, Receiver::start().await);
    let plain = Tenant::named("plain").sends_to(Destination::at("crm", &crm));
    let piped = Tenant::named("piped")
        .sends_to(Destination::at("items", &items))
        .runs(Step::of("split-array").with(r#"config = { pointer = "/data/lines" }"#));
    // So little goes on from memory that most is claimed.
    let site = Site::of([plain, piped])
        .limit("passes_in_memory_max", 2)
        .limit("deliveries_in_memory_max", 4)
        .limit("deliveries_in_memory_per_destination_max", 2);
    let (mut plain, mut piped) = (Ledger::default(), Ledger::default());

    let armed = Launch::Armed(format!("{point}={passed}*off->return"));
    // A point that the start itself passes may end it there.
    if let Ok(mut engine) = Engine::launch(&site, &armed).await {
        let plain_load = plain.begin(&engine.tenant("plain"), 4);
        let piped_load = piped.begin(&engine.tenant("piped"), 4);
        plain_load.acknowledged(20).await;
        // What waits in memory goes back at a stop, which is a stage of its own.
        engine.ask_to_stop();
        let status = engine.ended().await;
        println!("{point} after {passed}: {status}");
        plain.end(plain_load).await;
        piped.end(piped_load).await;
    }

    let engine = Engine::start(&site).await;
    let callers = (engine.tenant("plain"), engine.tenant("piped"));
    drain(engine, [(&mut plain, &callers.0), (&mut piped, &callers.1)]).await;
    plain.compare_with(&crm, whole);
    piped.compare_with(&items, lines);
    let counted = audit(&site).await;
    assert_eq!(counted.events.routed, plain.orders() + piped.orders(), "{point} after {passed}");
    assert_eq!((counted.events.received, counted.deliveries.pending), (0, 0), "{point} after {passed}");
}
