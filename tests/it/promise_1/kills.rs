//! `kill -9` under load, twenty times over.

use weft_tests::{Answer, Destination, Engine, Receiver, Site, Step, Tenant, audit};

use super::ledger::{Ledger, drain, lines, whole};

const KILLS: usize = 20;
/// Events that are acknowledged and not delivered at each kill, at the least.
const UNDER_WAY: usize = 200;
/// Enough that a commit takes several requests, and that many are without an answer when the engine dies.
const SENDERS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_1_and_3_twenty_kills_under_load_lose_nothing_and_change_nothing() {
    let (crm, archive, items) = (Receiver::start().await, Receiver::start().await, Receiver::start().await);
    let plain =
        Tenant::named("plain").sends_to(Destination::at("crm", &crm)).sends_to(Destination::at("archive", &archive));
    let piped = Tenant::named("piped")
        .sends_to(Destination::at("items", &items))
        .runs(Step::of("split-array").with(r#"config = { pointer = "/data/lines" }"#));
    let site = Site::of([plain, piped]);
    let (mut plain, mut piped) = (Ledger::default(), Ledger::default());

    for _ in 0..KILLS {
        let engine = Engine::start(&site).await;
        // What earlier rounds left is on its way out while the senders come back.
        archive.answer(Answer::Status(204));
        plain.settle(&engine.tenant("plain")).await;
        piped.settle(&engine.tenant("piped")).await;
        archive.answer(Answer::Silence);

        let plain_load = plain.begin(&engine.tenant("plain"), SENDERS);
        let piped_load = piped.begin(&engine.tenant("piped"), SENDERS / 2);
        assert!(plain_load.acknowledged(UNDER_WAY).await, "the engine stopped before it was killed");
        engine.kill().await;
        plain.end(plain_load).await;
        piped.end(piped_load).await;
        let under_way = plain.under_way(&archive).await;
        assert!(under_way >= UNDER_WAY, "only {under_way} events were between received and delivered");
    }

    archive.answer(Answer::Status(204));
    let engine = Engine::start(&site).await;
    let callers = (engine.tenant("plain"), engine.tenant("piped"));
    drain(engine, [(&mut plain, &callers.0), (&mut piped, &callers.1)]).await;

    println!(
        "{} orders under {KILLS} kills; {} requests for {} deliveries at the slow receiver",
        plain.orders() + piped.orders(),
        archive.so_far().len(),
        plain.orders(),
    );
    plain.compare_with(&crm, whole);
    plain.compare_with(&archive, whole);
    piped.compare_with(&items, lines);
    let counted = audit(&site).await;
    assert_eq!(counted.events.routed, plain.orders() + piped.orders());
    assert_eq!(counted.deliveries.delivered, 2 * plain.orders() + 3 * piped.orders());
    assert_eq!((counted.events.received, counted.deliveries.pending), (0, 0));
}
