//! One server, one engine to a node; and what the store says when the server fails it.

use weft_private_postgres::{Durability, Options, PrivatePostgres, Stop, TestDatabase};
use weft_store::history::EventState;
use weft_store::work::{FirstWay, Ingested};
use weft_store::{OpenError, PostgresAt, Store, StoreAt, StoreError, StoreOptions};

use super::Scene;
use crate::engine::{Engine, OnPostgres};
use crate::scene::{at, declaration, event, kept, routed, waiting};

const DAY: i64 = 86_400_000;

/// Calls that a store may fail before it has found its server again: the first one meets the broken connection.
const TRIES_MAX: u32 = 5;

/// Cuts every connection to the database of a scene but the one that does it.
const CUT: &str = "\
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()";

/// Keeps an event, again and again until the store can.
async fn keep_at_last(store: &Store, n: u128) -> Ingested {
    let mut said = String::new();
    for _ in 0..TRIES_MAX {
        match store.keep(vec![waiting(n)], at(0)).await {
            Ok(mut kept) => return kept.remove(0),
            Err(error) => said = error.to_string(),
        }
    }
    panic!("the store did not come back: {said}");
}

/// Says that an engine is alive, again and again until the store can.
async fn alive_at_last(store: &Store) {
    let mut said = String::new();
    for _ in 0..TRIES_MAX {
        match store.keep_alive(at(0)).await {
            Ok(()) => return,
            Err(error) => said = error.to_string(),
        }
    }
    panic!("the store did not come back: {said}");
}

async fn refused(options: &StoreOptions) -> String {
    Store::open(options).await.expect_err("the store is refused").to_string()
}

#[tokio::test]
async fn a_second_engine_of_the_same_node_is_refused_in_words() {
    let scene = Scene::new().await;
    let error = Store::open(&scene.engine.options(at(1))).await.expect_err("the node is taken");
    assert!(matches!(error, OpenError::NodeTaken { .. }), "{error:?}");
    assert!(error.to_string().contains("one") && error.to_string().contains("node"), "{error}");
    assert_eq!(scene.keep(vec![waiting(10)]).await, [Ingested::New], "the first goes on");
    scene.engine.open_as("two", at(1)).await.close().await;
}

#[tokio::test]
async fn a_closed_store_says_so_and_leaves_the_node_to_the_next() {
    let scene = Scene::new().await;
    scene.keep(vec![routed(10, &[1])]).await;
    let closed = scene.store.clone();
    let scene = scene.restarted(at(1)).await;
    assert!(matches!(closed.keep(vec![waiting(11)], at(1)).await, Err(StoreError::Closed)));
    assert!(scene.store.event(None, event(10).id).await.expect("read").is_some());
    scene.is_sound().await;
}

#[tokio::test]
async fn dropping_every_handle_gives_the_node_back() {
    let Scene { store, engine } = Scene::new().await;
    drop(store);
    // The writer ends by itself; nothing tells when, so the node is asked for until it is free.
    for _ in 0..1_000 {
        match Store::open(&engine.options(at(1))).await {
            Ok(_) => return,
            Err(OpenError::NodeTaken { .. }) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the node was never given back");
}

#[tokio::test]
async fn a_start_is_counted_and_the_tables_are_brought_up_to_date_once() {
    let scene = Scene::new().await;
    assert_eq!(scene.store.start_number(), 1);
    let scene = scene.restarted(at(5)).await.restarted(at(6)).await;
    assert_eq!(scene.store.start_number(), 3);
    let starts = "SELECT string_agg(started_at::text, ',' ORDER BY number) FROM engine_starts";
    assert_eq!(scene.engine.ask(starts).await, [0, 5, 6].map(|ms| at(ms).as_ms().to_string()).join(","));
}

#[tokio::test]
async fn many_engines_that_start_at_once_on_an_empty_database_all_start() {
    let engine = OnPostgres::fresh();
    let starts = ["one", "two", "three", "four"].map(|node| engine.open_as(node, at(0)));
    let [one, two, three, four] = starts;
    let (one, two, three, four) = tokio::join!(one, two, three, four);
    let mut numbers = [&one, &two, &three, &four].map(Store::start_number);
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_database_of_a_later_program_is_refused() {
    let scene = Scene::new().await;
    scene.store.close().await;
    let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (9999, 'x', true, '', 0)";
    scene.sql(later).await;
    let error = Store::open(&scene.engine.options(at(1))).await.expect_err("a migration of the future");
    assert!(matches!(error, OpenError::Migrate { .. }), "{error:?}");
}

#[tokio::test]
async fn promise_1_a_database_that_only_reads_is_refused_with_the_way_out() {
    let engine = OnPostgres::fresh();
    let name = engine.ask("SELECT current_database()").await;
    engine.sql(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await;
    let words = refused(&engine.options(at(0))).await;
    assert!(words.contains("default_transaction_read_only"), "{words}");
}

#[tokio::test]
async fn promise_1_a_server_that_does_not_sync_is_refused_with_the_way_out() {
    let server = PrivatePostgres::start(&Options::new(Durability::None)).expect("a server");
    let node = "one".parse().expect("a name");
    let careless = StoreAt::Postgres(PostgresAt { url: server.url("postgres"), node });
    let words = refused(&StoreOptions::new(careless, at(0))).await;
    assert!(words.contains("fsync is off") && words.contains("switch it on"), "{words}");
}

#[tokio::test]
async fn promise_1_a_standby_is_refused_with_the_way_out() {
    let mut server = PrivatePostgres::start(&Options::new(Durability::None)).expect("a server");
    let folder = server.query("postgres", "SHOW data_directory").expect("its folder");
    server.stop(Stop::Fast);
    // A server with this file waits for a primary, and answers readers meanwhile.
    std::fs::write(std::path::Path::new(&folder).join("standby.signal"), "").expect("the file that makes a standby");
    server.start_again().expect("the standby");
    let node = "one".parse().expect("a name");
    let at_standby = StoreAt::Postgres(PostgresAt { url: server.url("postgres"), node });
    let words = refused(&StoreOptions { durable: false, ..StoreOptions::new(at_standby, at(0)) }).await;
    assert!(words.contains("standby") && words.contains("primary"), "{words}");
}

#[tokio::test]
async fn a_password_is_never_shown() {
    let node = "one".parse().expect("a name");
    // Nobody listens on port 1.
    let url = "postgres://weft:open-sesame@127.0.0.1:1/weft".to_owned();
    let options = StoreOptions::new(StoreAt::Postgres(PostgresAt { url, node }), at(0));
    let error = Store::open(&options).await.expect_err("nobody is there");
    assert!(error.to_string().contains("127.0.0.1:1/weft"), "{error}");
    for shown in [format!("{options:?}"), format!("{error:?}"), error.to_string()] {
        assert!(!shown.contains("sesame"), "{shown}");
    }
}

#[tokio::test]
async fn promise_1_after_a_lost_connection_the_store_comes_back_by_itself() {
    let scene = Scene::new().await;
    scene.keep(vec![routed(10, &[1])]).await;
    for round in 0..3 {
        scene.sql(CUT).await;
        assert_eq!(keep_at_last(&scene.store, 20 + round).await, Ingested::New);
        let state = scene.event(event(20 + round).id).await.state;
        assert_eq!(state, EventState::Received { passes: 0, due_at: at(0), leased: false });
    }
    alive_at_last(&scene.store).await;
    let taken = Store::open(&scene.engine.options(at(1))).await;
    assert!(matches!(taken, Err(OpenError::NodeTaken { .. })), "it has its node again: {taken:?}");
    assert_eq!(scene.rows(&["events"]).await, 4);
    scene.is_sound().await;
}

#[tokio::test]
async fn promise_1_who_has_lost_its_node_to_another_engine_stores_nothing_any_more() {
    let scene = Scene::new().await;
    scene.keep(vec![routed(10, &[1])]).await;
    scene.sql(CUT).await;
    let other = Store::open(&scene.engine.options(at(1))).await.expect("nobody holds the node");
    for n in 20..25 {
        scene.store.keep(vec![waiting(n)], at(1)).await.expect_err("this start is over");
        scene.store.keep_alive(at(1)).await.expect_err("this start is over");
    }
    assert_eq!(scene.rows(&["events"]).await, 1);
    assert_eq!(keep_at_last(&other, 30).await, Ingested::New);
    scene.is_sound().await;
}

#[tokio::test]
async fn promise_1_a_server_that_stops_and_starts_keeps_what_was_acknowledged() {
    let mut server = PrivatePostgres::start(&Options::new(Durability::Full)).expect("a server");
    let database = TestDatabase::create_on(&server).expect("a database");
    let at_server = StoreAt::Postgres(PostgresAt { url: database.url(), node: "one".parse().expect("a name") });
    let store = Store::open(&StoreOptions::new(at_server.clone(), at(0))).await.expect("a server that syncs is taken");
    store.declare(declaration(), at(0)).await.expect("the catalog");
    assert_eq!(keep_at_last(&store, 10).await, Ingested::New);
    server.stop(Stop::Immediate);
    let error = store.keep(vec![waiting(11)], at(0)).await.expect_err("there is no server");
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert!(store.event(None, event(10).id).await.is_err());
    server.start_again().expect("the server again");
    assert_eq!(keep_at_last(&store, 12).await, Ingested::New);
    let known = async |n| store.event(None, event(n).id).await.expect("read").is_some();
    assert_eq!([known(10).await, known(11).await, known(12).await], [true, false, true]);
    let report = Store::open_snapshot(at_server).await.expect("a snapshot").check().await.expect("check");
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
}

#[tokio::test]
async fn a_snapshot_shows_one_moment_beside_a_running_engine() {
    let scene = Scene::new().await;
    scene.keep(vec![routed(10, &[1])]).await;
    let mut snapshot = Store::open_snapshot(scene.engine.options(at(0)).at).await.expect("a snapshot");
    assert_eq!(snapshot.check().await.expect("check").counted.events.routed, 1);
    scene.keep(vec![routed(11, &[1])]).await;
    let report = snapshot.check().await.expect("check");
    assert_eq!(report.counted.events.routed, 1, "the snapshot does not move");
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
}

#[tokio::test]
async fn a_snapshot_of_an_empty_database_is_an_error_and_makes_nothing() {
    let engine = OnPostgres::fresh();
    let said = match Store::open_snapshot(engine.options(at(0)).at).await {
        Err(error) => error.to_string(),
        Ok(_) => panic!("there is no store"),
    };
    assert!(said.contains("no store") || said.contains("layout"), "{said}");
    assert_eq!(engine.ask("SELECT count(*) FROM pg_class WHERE relname = 'events'").await, "0");
}

#[tokio::test]
async fn pruning_drops_the_partitions_of_weeks_that_are_over() {
    let scene = Scene::new().await;
    let old = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'events'::regclass";
    let before: i64 = scene.engine.ask(old).await.parse().expect("a number");
    scene.keep((10..20).map(|n| kept(event(n), FirstWay::NoDestination)).collect()).await;
    let later = at(60 * DAY);
    scene.store.keep_alive(later).await.expect("the heartbeat, which makes partitions ahead");
    while scene.store.prune(later, 1000, later).await.expect("prune").more {}
    let after: i64 = scene.engine.ask(old).await.parse().expect("a number");
    assert!(after <= before, "{after} partitions, and {before} in the beginning");
    assert_eq!(scene.rows(&["events"]).await, 0);
    scene.is_sound().await;
}

#[tokio::test]
async fn a_text_with_nul_is_stored_as_far_as_the_database_can() {
    let scene = Scene::new().await;
    let mut odd = (*event(10)).clone();
    odd.external_id = Some("a\0b".to_owned());
    let headers = vec![weft_core::event::Header { name: "x-odd".to_owned(), value: "c\0d".to_owned() }];
    odd.headers = headers.clone();
    let kept = kept(std::sync::Arc::new(odd), FirstWay::NoDestination);
    assert_eq!(scene.keep(vec![kept]).await, [Ingested::New]);
    let record = scene.event(event(10).id).await;
    assert_eq!(record.external_id.as_deref(), Some("a\u{fffd}b"));
    assert_eq!(record.headers, headers, "JSON escapes it");
}
