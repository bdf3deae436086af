//! A disk that is full, and one that can only be read. A limit on file sizes is not the same: it stops files from growing, and
//! leaves room for everything else.

use weft_tests::{Engine, Launch, Site, SmallDisk};

use super::orders::{Orders, is_ready_again, is_refused_for_now};

/// Mebibytes of a disk: room for a few hundred orders, and less than the write-ahead log may take.
const DISK: usize = 16;
/// Orders of each tenant that are acknowledged before anything breaks.
const ENOUGH: usize = 30;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the right to mount: cargo xtask test mounts"]
async fn promise_1_and_2_a_disk_that_fills_up_under_load_loses_nothing() {
    let mut orders = Orders::none().await;
    let site = Site::of(orders.tenants());
    let disk = SmallDisk::under(&site, DISK);
    let engine = Engine::start(&site).await;
    let loads = orders.begin(&engine);
    loads.acknowledged(ENOUGH).await;
    disk.fill();
    orders.all_refused(loads).await;
    is_refused_for_now(&engine, &site).await;

    disk.make_room();
    is_ready_again(&engine).await;
    let loads = orders.begin(&engine);
    loads.acknowledged(ENOUGH).await;
    orders.end(loads).await;
    orders.settle(engine, &site).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the right to mount: cargo xtask test mounts"]
async fn promise_2_an_engine_killed_on_a_full_disk_starts_when_there_is_room_and_has_lost_nothing() {
    let mut orders = Orders::none().await;
    let site = Site::of(orders.tenants());
    let disk = SmallDisk::under(&site, DISK);
    let engine = Engine::start(&site).await;
    let loads = orders.begin(&engine);
    loads.acknowledged(ENOUGH).await;
    disk.fill();
    orders.all_refused(loads).await;
    engine.kill().await;

    disk.make_room();
    orders.settle(Engine::start(&site).await, &site).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the right to mount: cargo xtask test mounts"]
async fn promise_2_an_engine_on_a_full_disk_says_why_it_does_not_start_and_starts_when_there_is_room() {
    let mut orders = Orders::none().await;
    let site = Site::of(orders.tenants());
    let disk = SmallDisk::under(&site, DISK);
    // A store that is there may have room of its own, inside its files: one that is not yet there has none.
    disk.fill();
    does_not_start(&site, "No space left on device").await;

    disk.make_room();
    let engine = Engine::start(&site).await;
    let loads = orders.begin(&engine);
    loads.acknowledged(ENOUGH).await;
    orders.end(loads).await;
    orders.settle(engine, &site).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the right to mount: cargo xtask test mounts"]
async fn promise_2_an_engine_on_a_disk_that_can_only_be_read_says_so_and_starts_when_it_can_be_written() {
    let mut orders = Orders::none().await;
    let site = Site::of(orders.tenants());
    let disk = SmallDisk::under(&site, DISK);
    let engine = Engine::start(&site).await;
    let loads = orders.begin(&engine);
    loads.acknowledged(ENOUGH).await;
    engine.kill().await;
    orders.end(loads).await;
    disk.make_read_only();
    does_not_start(&site, "Read-only file system").await;

    disk.make_writable();
    orders.settle(Engine::start(&site).await, &site).await;
}

/// Proves that an engine ends with a reason, and says which folder it is about.
async fn does_not_start(site: &Site, reason: &str) {
    let stillborn = Engine::launch(site, &Launch::Plain).await.expect_err("it cannot work");
    assert!(stillborn.log.contains(reason), "{}", stillborn.log);
    let data = site.data();
    assert!(stillborn.log.contains(&*data.to_string_lossy()), "{}", stillborn.log);
}
