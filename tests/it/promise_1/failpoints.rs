//! An abort around each commit, as a power cut would hit it.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use rustix::process::Signal;
use weft_store::FAILPOINTS;
use weft_tests::{Destination, Engine, Launch, Receiver, Site, Step, Tenant, audit};

use crate::ledger::{Ledger, drain, lines, whole};

/// How often a point is passed before the engine dies there: at once, and in the middle of the work.
const PASSED_BEFORE: [u32; 2] = [0, 3];
/// Orders of each tenant after which an engine that still lives is asked to stop.
const ENOUGH: usize = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an engine with failpoints: cargo xtask test binaries failpoints"]
async fn promise_1_an_abort_at_any_stage_loses_nothing_and_changes_nothing() {
    for point in FAILPOINTS {
        for passed in PASSED_BEFORE {
            let ended = abort_at(point, passed).await;
            println!("{point} after {passed}: {ended}");
            // Some work is done in fewer commits than that, but none without one.
            assert!(passed > 0 || ended.signal() == Some(Signal::ABORT.as_raw()), "{point} was not reached: {ended}");
        }
    }
}

/// Lets an engine die at `point` and another one take over; answers how the first one ended.
async fn abort_at(point: &str, passed: u32) -> ExitStatus {
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
    let ended = match Engine::launch(&site, &armed).await {
        Ok(mut engine) => {
            let plain_load = plain.begin(&engine.tenant("plain"), 4);
            let piped_load = piped.begin(&engine.tenant("piped"), 4);
            let _ = plain_load.acknowledged(ENOUGH).await && piped_load.acknowledged(ENOUGH).await;
            // What waits in memory goes back at a stop, which is a stage of its own.
            engine.ask_to_stop();
            let ended = engine.ended().await;
            plain.end(plain_load).await;
            piped.end(piped_load).await;
            ended
        }
        // The start passes some points itself.
        Err(stillborn) => stillborn.status,
    };

    let engine = Engine::start(&site).await;
    let callers = (engine.tenant("plain"), engine.tenant("piped"));
    drain(engine, [(&mut plain, &callers.0), (&mut piped, &callers.1)]).await;
    plain.compare_with(&crm, whole);
    piped.compare_with(&items, lines);
    let counted = audit(&site).await;
    assert_eq!(counted.events.routed, plain.orders() + piped.orders(), "{point} after {passed}");
    assert_eq!((counted.events.received, counted.deliveries.pending), (0, 0), "{point} after {passed}");
    ended
}
