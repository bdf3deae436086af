//! `kill -9` under load, at random moments, again and again.
//!
//! `WEFT_KILLS` says how often (by hand, 1000 take most of an hour), and `WEFT_SEED` repeats the moments of a run that has failed.

use std::env;
use std::str::FromStr;

use weft_private_postgres::{Durability, Options, PrivatePostgres};
use weft_tests::{Answer, Destination, Engine, Receiver, Site, Step, Tenant, audit};

use crate::ledger::{Ledger, drain, lines, whole};

/// Kills of an ordinary run on SQLite.
const KILLS: usize = 20;
/// And on Postgres, where a start takes longer: the server must notice that the engine before it is gone.
const KILLS_ON_POSTGRES: usize = 8;
/// Events that are acknowledged and not delivered at a kill, at the most: drawn anew for each.
const UNDER_WAY_MAX: usize = 400;
/// Enough that a commit takes several requests, and that many are without an answer when the engine dies.
const SENDERS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_1_and_3_kills_at_random_moments_under_load_lose_nothing_and_change_nothing() {
    kills_lose_nothing(KILLS, |site| site).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_1_and_3_kills_at_random_moments_under_load_lose_nothing_on_postgres() {
    // As durable as in production: the program refuses any other.
    let server = PrivatePostgres::start(&Options::new(Durability::Full)).unwrap_or_else(|error| panic!("{error}"));
    server.create_database("weft").expect("an empty server");
    kills_lose_nothing(KILLS_ON_POSTGRES, |site| site.on(&server.url("weft"))).await;
}

async fn kills_lose_nothing(usual: usize, on_store: impl FnOnce(Site) -> Site) {
    let (crm, archive, items) = (Receiver::start().await, Receiver::start().await, Receiver::start().await);
    let plain =
        Tenant::named("plain").sends_to(Destination::at("crm", &crm)).sends_to(Destination::at("archive", &archive));
    let piped = Tenant::named("piped")
        .sends_to(Destination::at("items", &items))
        .runs(Step::of("split-array").with(r#"config = { pointer = "/data/lines" }"#));
    let site = on_store(Site::of([plain, piped]));
    let (mut plain, mut piped) = (Ledger::default(), Ledger::default());
    let kills = variable("WEFT_KILLS").unwrap_or(usual);
    let seed = variable("WEFT_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("{kills} kills; WEFT_SEED={seed} repeats their moments");
    let mut dice = fastrand::Rng::with_seed(seed);

    for _ in 0..kills {
        let engine = Engine::start(&site).await;
        // What earlier rounds left is on its way out while the senders come back.
        archive.answer(Answer::Status(204));
        plain.settle(&engine.tenant("plain")).await;
        piped.settle(&engine.tenant("piped")).await;
        archive.answer(Answer::Silence);

        let moment = dice.usize(1..=UNDER_WAY_MAX);
        let plain_load = plain.begin(&engine.tenant("plain"), SENDERS);
        let piped_load = piped.begin(&engine.tenant("piped"), SENDERS / 2);
        assert!(plain_load.acknowledged(moment).await, "the engine stopped before it was killed");
        engine.kill().await;
        plain.end(plain_load).await;
        piped.end(piped_load).await;
        let under_way = plain.under_way(&archive).await;
        assert!(under_way >= moment, "only {under_way} of {moment} events were between received and delivered");
    }

    archive.answer(Answer::Status(204));
    let engine = Engine::start(&site).await;
    let callers = (engine.tenant("plain"), engine.tenant("piped"));
    drain(engine, [(&mut plain, &callers.0), (&mut piped, &callers.1)]).await;

    println!(
        "{} orders under {kills} kills; {} requests for {} deliveries at the slow receiver",
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

/// A number of the environment.
fn variable<T: FromStr>(name: &str) -> Option<T> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is {text:?} and must be a number")))
}
