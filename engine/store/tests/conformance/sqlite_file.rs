//! One file, one engine; and what the store says when the file fails it.

use weft_core::decide::NextStep;
use weft_store::work::{Finished, FirstWay, Ingested};
use weft_store::{OpenError, Store, StoreAt, StoreError, StoreOptions};

use crate::engine::{Engine, OnSqlite};
use crate::scene::{accepted, at, attempted, event, kept, routed, waiting};

type Scene = crate::scene::Scene<OnSqlite>;

const DAY: i64 = 86_400_000;

#[tokio::test]
async fn a_second_engine_is_refused_in_words() {
    let scene = Scene::new().await;
    let second = Store::open(&scene.engine.options(at(1))).await;
    let error = second.expect_err("the file is locked");
    assert!(matches!(error, OpenError::Locked { .. }), "{error:?}");
    let words = error.to_string();
    assert!(words.contains("weft.lock") && words.contains(&format!("process {}", std::process::id())), "{words}");
    assert_eq!(scene.keep(vec![waiting(10)]).await, [Ingested::New], "the first goes on");
}

#[tokio::test]
async fn a_closed_store_says_so_and_leaves_the_file_to_the_next() {
    let scene = Scene::new().await;
    scene.keep(vec![routed(10, &[1])]).await;
    let closed = scene.store.clone();
    let scene = scene.restarted(at(1)).await;
    assert!(matches!(closed.keep(vec![waiting(11)], at(1)).await, Err(StoreError::Closed)));
    assert!(scene.store.event(None, event(10).id).await.expect("read").is_some());
    scene.is_sound().await;
}

#[tokio::test]
async fn dropping_every_handle_gives_the_lock_back() {
    let Scene { store, engine } = Scene::new().await;
    drop(store);
    // The writer ends by itself; nothing tells when, so the lock is asked for until it is free.
    for _ in 0..10_000 {
        match Store::open(&engine.options(at(1))).await {
            Ok(_) => return,
            Err(OpenError::Locked { .. }) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the lock was never given back");
}

#[tokio::test]
async fn a_start_is_counted_and_the_file_brought_up_to_date_once() {
    let scene = Scene::new().await;
    assert_eq!(scene.store.start_number(), 1);
    let scene = scene.restarted(at(5)).await.restarted(at(6)).await;
    assert_eq!(scene.store.start_number(), 3);
    let starts = scene.engine.ask("SELECT group_concat(started_at) FROM engine_starts").await;
    assert_eq!(starts, [0, 5, 6].map(|ms| at(ms).as_ms().to_string()).join(","));
}

#[tokio::test]
async fn a_file_of_a_later_program_is_refused() {
    let scene = Scene::new().await;
    scene.store.close().await;
    scene
        .sql("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'x', 1, x'00', 0)")
        .await;
    let error = Store::open(&scene.engine.options(at(1))).await.expect_err("a migration of the future");
    assert!(matches!(error, OpenError::Migrate { .. }), "{error:?}");
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
async fn a_snapshot_of_nothing_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = Store::open_snapshot(folder.path().join("weft.db")).await;
    assert!(matches!(missing, Err(OpenError::Database { .. })), "{missing:?}");
    assert!(!folder.path().join("weft.db").exists(), "and none is made");
}

#[tokio::test]
async fn promise_1_a_statement_that_ends_its_transaction_takes_nothing_else_with_it() {
    let scene = Scene::new().await;
    scene.keep(vec![routed(10, &[1])]).await;
    let work = scene.claim(1, at(0)).await.remove(0);
    // What a full disk may do: the statement fails, and the whole transaction with it.
    scene.sql("CREATE TRIGGER full BEFORE INSERT ON attempts BEGIN SELECT RAISE(ROLLBACK, 'disk is full'); END").await;
    let record = attempted(&work, accepted(), NextStep::Delivered, at(0));
    scene.store.record(vec![record.clone()]).await.expect_err("the trigger");
    assert_eq!(scene.keep(vec![waiting(11)]).await, [Ingested::New]);
    scene.sql("DROP TRIGGER full").await;
    assert_eq!(scene.record(record).await, Finished::Done);
    scene.is_sound().await;
}

#[tokio::test]
async fn pruning_gives_space_back() {
    let scene = Scene::new().await;
    for round in 0..40 {
        let batch = (0..100).map(|n| kept(event(1_000 + round * 100 + n), FirstWay::NoDestination)).collect();
        scene.keep(batch).await;
    }
    let full = pages(&scene).await;
    while scene.store.prune(at(DAY), 1000, at(DAY)).await.expect("prune").more {}
    assert!(pages(&scene).await < full / 2, "{} pages of {full} are left", pages(&scene).await);
}

#[tokio::test]
async fn what_retention_frees_is_taken_by_what_comes_and_moves_no_pages() {
    let scene = Scene::new().await;
    let ended = |from: u128| (from..from + 200).map(|n| kept(event(n), FirstWay::NoDestination)).collect();
    scene.keep(ended(1_000)).await;
    scene.keep((10_000..14_000).map(waiting).collect()).await;
    let full = pages(&scene).await;
    while scene.store.prune(at(DAY), 50, at(DAY)).await.expect("prune").more {}
    assert_eq!(pages(&scene).await, full);
    scene.keep(ended(20_000)).await;
    let then = pages(&scene).await;
    assert!(then <= full + full / 20, "{then} pages, and {full} before");
}

#[tokio::test]
async fn the_log_is_copied_beside_the_writer_and_begins_anew() {
    let scene = Scene::new().await;
    let log = scene.engine.folder.path().join("weft.db-wal");
    let big = |n: u128| {
        let body = bytes::Bytes::from(vec![b'x'; 64 * 1024]);
        kept(weft_core::event::Event { body, ..(*event(n)).clone() }.into(), FirstWay::NoDestination)
    };
    // Several at a time, so that there always is another commit.
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..8 {
        let events: Vec<_> = (0..800).map(|n| big(10_000 + sender * 1_000 + n)).collect();
        let store = scene.store.clone();
        senders.spawn(async move {
            for event in events {
                store.keep(vec![event], at(0)).await.expect("keep");
            }
        });
    }
    senders.join_all().await;
    // 400 MiB were written. Copying begins at 32 MiB, and what comes meanwhile is on top of that.
    let bytes = std::fs::metadata(&log).expect("the log is there").len();
    assert!(bytes < 200 << 20, "the log is {bytes} bytes long");
    scene.is_sound().await;
}

async fn pages(scene: &Scene) -> i64 {
    scene.engine.ask("PRAGMA page_count").await.parse().expect("a number of pages")
}

#[tokio::test]
async fn a_store_is_made_with_its_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data").join("weft.db");
    let store = Store::open(&StoreOptions::new(StoreAt::Sqlite(path.clone()), at(0))).await.expect("the store opens");
    store.close().await;
    assert!(path.exists());
}
