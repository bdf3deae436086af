//! A server that is stopped, crashes, cuts connections, has none left, or only lets read: the sender is told, and the engine goes
//! on by itself.

use weft_private_postgres::{Durability, Options, PrivatePostgres, Stop};
use weft_tests::{Engine, Launch, Site, within};

use super::orders::{Orders, is_not_ready, is_ready_again, is_refused_for_now};

/// The database of the engine.
const DATABASE: &str = "weft";
/// Orders of each tenant that are acknowledged before anything breaks, and after it.
pub(super) const ENOUGH: usize = 30;

/// A server of the test's own, as durable as in production: what happens to it must not happen to others.
pub(super) fn server() -> PrivatePostgres {
    let options = Options::new(Durability::Full).with("max_connections", "20");
    let server = PrivatePostgres::start(&options).unwrap_or_else(|error| panic!("{error}"));
    server.create_database(DATABASE).expect("an empty server");
    server
}

pub(super) fn site(orders: &Orders, server: &PrivatePostgres) -> Site {
    Site::of(orders.tenants()).on(&server.url(DATABASE))
}

/// Sends orders until some are acknowledged again, whatever is refused in between.
async fn goes_on(orders: &mut Orders, engine: &Engine<'_>) {
    is_ready_again(engine).await;
    let loads = orders.begin(engine);
    loads.acknowledged(ENOUGH).await;
    orders.end(loads).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_1_and_2_a_server_that_stops_or_crashes_under_load_loses_nothing() {
    let mut server = server();
    let mut orders = Orders::none().await;
    let site = site(&orders, &server);
    let engine = Engine::start(&site).await;
    for how in [Stop::Fast, Stop::Immediate] {
        let loads = orders.begin(&engine);
        loads.acknowledged(ENOUGH).await;
        server.stop(how);
        orders.all_refused(loads).await;
        is_refused_for_now(&engine, &site).await;
        server.start_again().expect("it starts again");
        goes_on(&mut orders, &engine).await;
    }
    orders.settle(engine, &site).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_2_a_balancer_is_told_of_a_lost_server_though_nobody_sends_anything() {
    let mut server = server();
    let mut orders = Orders::none().await;
    let site = site(&orders, &server);
    let engine = Engine::start(&site).await;
    server.stop(Stop::Immediate);
    is_not_ready(&engine).await;
    server.start_again().expect("it starts again");
    is_ready_again(&engine).await;
    // Where no heartbeat fell into the outage, the first commit finds that its connection is gone.
    let loads = orders.begin(&engine);
    orders.end(loads).await;
    goes_on(&mut orders, &engine).await;
    orders.settle(engine, &site).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_1_and_2_connections_that_are_cut_again_and_again_lose_nothing() {
    const CUTS: usize = 10;
    const CUT: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                       WHERE datname = 'weft' AND pid <> pg_backend_pid()";
    let server = server();
    let mut orders = Orders::none().await;
    let site = site(&orders, &server);
    let engine = Engine::start(&site).await;
    for _ in 0..CUTS {
        let loads = orders.begin(&engine);
        loads.acknowledged(ENOUGH).await;
        server.query("postgres", CUT).expect("a superuser may");
        orders.end(loads).await;
    }
    goes_on(&mut orders, &engine).await;
    orders.settle(engine, &site).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_2_a_server_that_only_lets_read_is_told_apart_and_left_when_it_lets_write_again() {
    let read_only = |server: &PrivatePostgres, value: &str| {
        server.query("postgres", &format!("ALTER SYSTEM SET default_transaction_read_only = {value}")).expect("set");
        server.query("postgres", "SELECT pg_reload_conf()").expect("read again");
        // It counts from the next transaction on; this proves that it does.
        let shown = || server.query("postgres", "SHOW default_transaction_read_only").expect("a setting");
        while shown() != value {}
    };
    let server = server();
    let mut orders = Orders::none().await;
    let site = site(&orders, &server);
    let engine = Engine::start(&site).await;
    let loads = orders.begin(&engine);
    loads.acknowledged(ENOUGH).await;
    read_only(&server, "on");
    orders.all_refused(loads).await;
    is_refused_for_now(&engine, &site).await;
    read_only(&server, "off");
    goes_on(&mut orders, &engine).await;
    engine.kill().await;

    read_only(&server, "on");
    let stillborn = Engine::launch(&site, &Launch::Plain).await.expect_err("it cannot work");
    assert!(stillborn.log.contains("its sessions only read"), "{}", stillborn.log);
    read_only(&server, "off");
    orders.settle(Engine::start(&site).await, &site).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_2_a_server_without_a_free_connection_is_waited_for() {
    let server = server();
    let mut orders = Orders::none().await;
    let site = site(&orders, &server);
    let engine = Engine::start(&site).await;
    let loads = orders.begin(&engine);
    loads.acknowledged(ENOUGH).await;
    // Whoever is not a superuser is kept out, and the engine's connections are cut: there is none left for it.
    server.query("postgres", "ALTER DATABASE weft CONNECTION LIMIT 0").expect("set");
    server.query("postgres", "ALTER DATABASE weft ALLOW_CONNECTIONS false").expect("set");
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = 'weft'";
    server.query("postgres", cut).expect("a superuser may");
    orders.all_refused(loads).await;
    is_refused_for_now(&engine, &site).await;
    server.query("postgres", "ALTER DATABASE weft ALLOW_CONNECTIONS true").expect("set");
    within("the engine goes on", goes_on(&mut orders, &engine)).await;
    orders.settle(engine, &site).await;
}
