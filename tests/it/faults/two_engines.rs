//! Two engines on one database: either may go, and the server under both.

use weft_private_postgres::{PrivatePostgres, Stop};
use weft_tests::{Engine, Site};

use super::on_postgres::{ENOUGH, server, site};
use super::orders::{Orders, is_ready_again, is_refused_for_now};

fn sites(orders: &Orders, server: &PrivatePostgres) -> [Site; 2] {
    ["first", "second"].map(|node| site(orders, server).named(node))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_1_to_3_what_a_killed_engine_worked_on_is_taken_over_by_the_other() {
    let server = server();
    let mut orders = Orders::none().await;
    let [one, two] = sites(&orders, &server);
    let (first, second) = (Engine::start(&one).await, Engine::start(&two).await);
    orders.are_held(true);
    let loads = orders.begin_on(&first, &second);
    loads.acknowledged(ENOUGH).await;
    first.kill().await;
    orders.end(loads).await;
    orders.are_held(false);
    orders.settle(second, &two).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_1_and_2_a_server_that_stops_or_crashes_under_two_engines_loses_nothing() {
    let mut server = server();
    let mut orders = Orders::none().await;
    let [one, two] = sites(&orders, &server);
    let (first, second) = (Engine::start(&one).await, Engine::start(&two).await);
    for how in [Stop::Fast, Stop::Immediate] {
        let loads = orders.begin_on(&first, &second);
        loads.acknowledged(ENOUGH).await;
        server.stop(how);
        orders.all_refused(loads).await;
        is_refused_for_now(&first, &one).await;
        is_refused_for_now(&second, &two).await;
        server.start_again().expect("it starts again");
        is_ready_again(&first).await;
        is_ready_again(&second).await;
    }
    let loads = orders.begin_on(&second, &first);
    loads.acknowledged(ENOUGH).await;
    orders.end(loads).await;
    first.stop().await;
    orders.settle(second, &two).await;
}
