//! One file, one engine; and what the store says when the file fails it.

use sqlx::Row;
use weft_core::decide::NextStep;
use weft_store::work::Ingested;
use weft_store::{OpenError, Store, StoreError, StoreOptions};

use crate::scene::{Scene, accepted, at, attempted, event, finished, open, routed, waiting};

#[tokio::test]
async fn a_second_engine_is_refused_in_words() {
    let scene = Scene::new().await;
    let second = Store::open(&StoreOptions::new(scene.path(), at(1))).await;
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
    let Scene { store, folder } = Scene::new().await;
    drop(store);
    // The writer ends by itself; nothing tells when, so the lock is asked for until it is free.
    for _ in 0..10_000 {
        match Store::open(&StoreOptions::new(folder.path().join("weft.db"), at(1))).await {
            Ok(_) => return,
            Err(OpenError::Locked { .. }) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the lock was never given back");
}

#[tokio::test]
async fn promise_1_a_failed_commit_stores_nothing_says_so_and_the_writer_goes_on() {
    let scene = Scene::new().await;
    scene.keep(vec![routed(10, &[1]), waiting(11)]).await;
    let (work, pass) = (scene.claim(1, at(0)).await.remove(0), scene.claim_passes(1, at(0)).await.remove(0));
    // What a full disk does: the statement fails, and the whole transaction with it.
    scene.sql("CREATE TRIGGER full BEFORE INSERT ON attempts BEGIN SELECT RAISE(ROLLBACK, 'disk is full'); END").await;
    let record = attempted(&work, accepted(), NextStep::Delivered, at(0));
    let failed = scene.store.record(vec![record.clone()]).await.expect_err("the trigger");
    assert!(matches!(&failed, StoreError::Unavailable { doing: "record attempts", .. }), "{failed:?}");
    let cause = std::error::Error::source(&failed).expect("a cause").to_string();
    assert!(cause.contains("disk is full"), "{cause}");
    assert!(scene.event(event(10).id).await.deliveries[0].attempts.is_empty());
    scene.is_sound().await;
    let end = weft_store::work::PassEnd::Dropped { step: None, reason: "x".to_owned() };
    assert_eq!(scene.finish(finished(&pass, end, at(0))).await, weft_store::work::Finished::Done, "others still can");
    scene.sql("DROP TRIGGER full").await;
    assert_eq!(scene.record(record).await, weft_store::work::Finished::Done, "and so can this one, later");
    scene.is_sound().await;
}

#[tokio::test]
async fn a_failure_in_the_middle_of_a_commit_takes_all_of_it_back() {
    let scene = Scene::new().await;
    scene.sql("CREATE TRIGGER full BEFORE INSERT ON deliveries BEGIN SELECT RAISE(ABORT, 'disk is full'); END").await;
    assert!(scene.store.keep(vec![routed(10, &[1])], at(0)).await.is_err(), "event and body went in before");
    assert!(scene.store.event(None, event(10).id).await.expect("read").is_none());
    scene.sql("DROP TRIGGER full").await;
    assert_eq!(scene.keep(vec![routed(10, &[1])]).await, [Ingested::New]);
    scene.is_sound().await;
}

#[tokio::test]
async fn a_rare_job_that_fails_takes_nothing_back_but_itself() {
    let scene = Scene::new().await;
    scene.sql("CREATE TRIGGER full BEFORE INSERT ON plugins BEGIN SELECT RAISE(ABORT, 'disk is full'); END").await;
    let plugin = weft_store::plugin::NewPlugin {
        fresh: weft_core::id::PluginId::from_uuid(crate::scene::uuid(500)),
        tenant: None,
        name: "filter".parse().expect("a name"),
    };
    let (job, keep) = tokio::join!(scene.store.plugin(plugin, at(0)), scene.store.keep(vec![waiting(10)], at(0)));
    assert!(job.is_err());
    assert_eq!(keep.expect("keep"), [Ingested::New]);
    scene.is_sound().await;
}

#[tokio::test]
async fn a_start_is_counted_and_the_file_brought_up_to_date_once() {
    let scene = Scene::new().await;
    assert_eq!(scene.store.start_number(), 1);
    let scene = scene.restarted(at(5)).await.restarted(at(6)).await;
    assert_eq!(scene.store.start_number(), 3);
    let starts =
        sqlx::query("SELECT group_concat(started_at) FROM engine_starts").fetch_one(&mut scene.raw().await).await;
    let starts: String = starts.expect("the starts").get(0);
    assert_eq!(starts, [0, 5, 6].map(|ms| at(ms).as_ms().to_string()).join(","));
}

#[tokio::test]
async fn a_file_of_a_later_program_is_refused() {
    let scene = Scene::new().await;
    scene.store.close().await;
    scene
        .sql("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'x', 1, x'00', 0)")
        .await;
    let error = Store::open(&StoreOptions::new(scene.path(), at(1))).await.expect_err("a migration of the future");
    assert!(matches!(error, OpenError::Migrate { .. }), "{error:?}");
}

#[tokio::test]
async fn a_snapshot_shows_one_moment_beside_a_running_engine() {
    let scene = Scene::new().await;
    scene.keep(vec![routed(10, &[1])]).await;
    let mut snapshot = Store::open_snapshot(&scene.path()).await.expect("a snapshot");
    assert_eq!(snapshot.check().await.expect("check").counted.events.routed, 1);
    scene.keep(vec![routed(11, &[1])]).await;
    let report = snapshot.check().await.expect("check");
    assert_eq!(report.counted.events.routed, 1, "the snapshot does not move");
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
}

#[tokio::test]
async fn a_snapshot_of_nothing_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = Store::open_snapshot(&folder.path().join("weft.db")).await;
    assert!(matches!(missing, Err(OpenError::Database { .. })), "{missing:?}");
    assert!(!folder.path().join("weft.db").exists(), "and none is made");
}

#[tokio::test]
async fn a_store_is_made_with_its_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data").join("weft.db");
    let store = Store::open(&StoreOptions::new(&path, at(0))).await.expect("the store opens");
    store.close().await;
    assert!(path.exists());
    drop(open(&folder, at(0)).await);
}
