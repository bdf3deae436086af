//! Backups of one file, and putting them back.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use sqlx::ConnectOptions as _;
use tempfile::TempDir;
use weft_core::decide::NextStep;
use weft_store::backup::{BackupError, RestoreError, Restored};
use weft_store::check::{CheckReport, Finding};
use weft_store::history::EventState;
use weft_store::{OpenError, Progress, Store, StoreOptions};

use crate::engine::OnSqlite;
use crate::scene::{accepted, at, attempted, event, routed, waiting};

type Scene = crate::scene::Scene<OnSqlite>;

/// A folder for backups and other stores.
struct Shelf(TempDir);

impl Shelf {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder for the test"))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// What lies in it, in the order of the names.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).expect("the test's folder");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name")).collect();
        names.sort();
        names
    }
}

async fn backup(scene: &Scene, file: &Path) -> Result<CheckReport, BackupError> {
    Store::backup(&scene.engine.path(), file, &Progress::default()).await
}

async fn restore(file: &Path, store: &Path, replace: bool) -> Result<Restored, RestoreError> {
    Store::restore(file, store, replace, &Progress::default()).await
}

async fn sql(file: &Path, statement: &'static str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file).create_if_missing(true);
    let mut conn = options.connect().await.expect("a connection");
    sqlx::raw_sql(statement).execute(&mut conn).await.expect("the statement of the test");
    sqlx::Connection::close(conn).await.expect("closed");
}

/// A backup of a scene with events 10 (delivered) and 11 (pending, under a lease), 12 (waiting for a pass, under a lease).
async fn kept(shelf: &Shelf) -> (Scene, PathBuf) {
    let scene = Scene::new().await;
    scene.keep(vec![routed(10, &[1]), routed(11, &[2]), waiting(12)]).await;
    let work = scene.claim(1, at(0)).await.remove(0);
    scene.record(attempted(&work, accepted(), NextStep::Delivered, at(0))).await;
    assert_eq!((scene.claim(2, at(0)).await.len(), scene.claim_passes(9, at(0)).await.len()), (1, 1));
    let file = shelf.file("weft.bak");
    let report = backup(&scene, &file).await.expect("a backup");
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
    (scene, file)
}

#[tokio::test]
async fn promise_2_a_backup_beside_a_running_engine_is_one_sound_moment() {
    let (scene, shelf) = (Scene::new().await, Shelf::new());
    let (store, file, progress) = (scene.store.clone(), shelf.file("weft.bak"), Progress::default());
    let load = tokio::spawn(async move {
        for n in 0.. {
            store.keep(vec![routed(1_000 + n, &[1, 2]), waiting(100_000 + n)], at(0)).await.expect("keep");
            if n > 20_000 {
                break;
            }
        }
    });
    while scene.store.counts().await.expect("counts").passes_waiting < 50 {
        tokio::task::yield_now().await;
    }
    let report = Store::backup(&scene.engine.path(), &file, &progress).await.expect("a backup");
    assert!(!load.is_finished(), "the engine wrote all the time");
    load.abort();
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
    let events = report.counted.events;
    assert!(events.received >= 50 && events.received == events.routed, "{events:?}");
    assert_eq!(report.counted.deliveries.pending, 2 * events.routed);
    let (done, whole) = progress.read();
    assert!(whole > 0 && done == whole, "{done} of {whole}");
    assert_eq!(shelf.names(), ["weft.bak"], "the temporary name is gone");
    let mode = fs::metadata(&file).expect("the backup").permissions().mode();
    assert_eq!(mode & 0o077, 0, "nobody else can read it: {mode:o}");
}

#[tokio::test]
async fn promise_2_after_a_restore_old_leases_are_void_and_only_what_was_pending_is_sent() {
    let shelf = Shelf::new();
    let (scene, file) = kept(&shelf).await;
    scene.keep(vec![routed(13, &[1, 2, 3])]).await;
    scene.store.close().await;
    let restored = restore(&file, &scene.engine.path(), true).await.expect("restored");
    let aside = restored.moved_aside.expect("the old store");
    assert_eq!(restored.report.counted.events.routed, 2);
    let scene = scene.restarted(at(1)).await;
    let waiting = scene.store.waiting(at(1)).await.expect("waiting");
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    let work = scene.claim(2, at(1)).await;
    assert_eq!(work.iter().map(|it| it.event).collect::<Vec<_>>(), [event(11).id], "its lease was another start's");
    assert_eq!(work[0].body, event(11).body);
    assert_eq!(scene.claim_passes(9, at(1)).await.len(), 1);
    assert!(matches!(scene.event(event(10).id).await.state, EventState::Routed { .. }));
    assert!(scene.store.event(None, event(13).id).await.expect("read").is_none(), "it came after the backup");
    scene.is_sound().await;
    let mut old = Store::open_snapshot(&aside).await.expect("the old store can be read");
    assert_eq!(old.check().await.expect("check").counted.events.routed, 3, "nothing of it is lost");
}

#[tokio::test]
async fn a_backup_overwrites_nothing() {
    let (scene, shelf) = (Scene::new().await, Shelf::new());
    let file = shelf.file("weft.bak");
    fs::write(&file, "precious").expect("written");
    let error = backup(&scene, &file).await.expect_err("the file is there");
    assert!(matches!(error, BackupError::Exists { .. }), "{error:?}");
    assert_eq!(fs::read(&file).expect("read"), b"precious");
    assert_eq!(shelf.names(), ["weft.bak"]);
}

#[tokio::test]
async fn what_a_killed_backup_left_is_in_nobodys_way_and_another_backups_file_is_not_taken() {
    let (scene, shelf) = (Scene::new().await, Shelf::new());
    let (file, part) = (shelf.file("weft.bak"), shelf.file("weft.bak.part"));
    fs::write(&part, vec![7; 100_000]).expect("written");
    let other = fs::File::open(&part).expect("opened");
    other.lock().expect("as another backup does");
    let error = backup(&scene, &file).await.expect_err("another one is at it");
    assert!(matches!(error, BackupError::Underway { .. }), "{error:?}");
    assert_eq!(shelf.names(), ["weft.bak.part"]);
    drop(other);
    backup(&scene, &file).await.expect("a backup");
    assert_eq!(shelf.names(), ["weft.bak"]);
}

#[tokio::test]
async fn a_backup_of_no_store_or_into_no_folder_leaves_nothing_behind() {
    let (scene, shelf) = (Scene::new().await, Shelf::new());
    let nowhere = shelf.file("missing").join("weft.bak");
    let error = backup(&scene, &nowhere).await.expect_err("no such folder");
    assert!(matches!(error, BackupError::File { doing: "make", .. }), "{error:?}");
    let error = Store::backup(&shelf.file("weft.db"), &shelf.file("weft.bak"), &Progress::default()).await;
    let error = error.expect_err("no such store");
    assert!(matches!(error, BackupError::Open(OpenError::Database { .. })), "{error:?}");
    assert_eq!(shelf.names(), [""; 0]);
}

#[tokio::test]
async fn a_backup_of_a_store_with_faults_is_made_and_says_them_and_is_not_restored() {
    let (scene, shelf) = (Scene::new().await, Shelf::new());
    scene.sql("INSERT INTO bodies (seq, bytes) VALUES (77, x'00')").await;
    let file = shelf.file("weft.bak");
    let report = backup(&scene, &file).await.expect("a backup all the same");
    assert_eq!(report.findings, [Finding::OrphanBody { row: "77".to_owned() }]);
    let error = restore(&file, &shelf.file("weft.db"), false).await.expect_err("it is not sound");
    let RestoreError::Unsound { findings, .. } = &error else { panic!("{error:?}") };
    assert_eq!(findings, &report.findings);
    assert!(error.to_string().contains("body 77"), "{error}");
    assert_eq!(shelf.names(), ["weft.bak", "weft.lock"]);
}

#[tokio::test]
async fn promise_2_a_restore_beside_a_running_engine_is_refused() {
    let shelf = Shelf::new();
    let (scene, file) = kept(&shelf).await;
    for replace in [false, true] {
        let error = restore(&file, &scene.engine.path(), replace).await.expect_err("an engine runs");
        assert!(matches!(error, RestoreError::Open(OpenError::Locked { .. })), "{error:?}");
    }
    scene.keep(vec![waiting(14)]).await;
    scene.is_sound().await;
}

#[tokio::test]
async fn promise_2_a_store_that_is_there_is_not_replaced_unasked() {
    let shelf = Shelf::new();
    let (scene, file) = kept(&shelf).await;
    scene.keep(vec![waiting(14)]).await;
    scene.store.close().await;
    let error = restore(&file, &scene.engine.path(), false).await.expect_err("there is a store");
    assert!(matches!(error, RestoreError::StoreExists { .. }) && error.to_string().contains("--force"), "{error}");
    let scene = scene.restarted(at(1)).await;
    assert!(scene.store.event(None, event(14).id).await.expect("read").is_some());
}

#[tokio::test]
async fn what_is_no_backup_is_refused_before_anything_is_touched() {
    let shelf = Shelf::new();
    let (text, other, newer, store) =
        (shelf.file("a.txt"), shelf.file("b.db"), shelf.file("c.bak"), shelf.file("weft.db"));
    fs::write(&text, "no database at all, but long enough to have a header of one".repeat(100)).expect("written");
    sql(&other, "CREATE TABLE t (x)").await;
    let (_scene, file) = kept(&shelf).await;
    fs::copy(&file, &newer).expect("copied");
    sql(&newer, "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'x', 1, x'00', 0)")
        .await;
    let names = shelf.names();
    for (file, words) in [(&text, "is no backup of Weft"), (&other, "is no backup of Weft"), (&newer, "a later weft")] {
        let error = restore(file, &store, true).await.expect_err("no backup");
        assert!(error.to_string().contains(words), "{error}");
    }
    let missing = restore(&shelf.file("missing"), &store, true).await.expect_err("no such file");
    assert!(matches!(missing, RestoreError::File { doing: "read", .. }), "{missing:?}");
    let mut left = shelf.names();
    left.retain(|name| name != "weft.lock");
    assert_eq!(left, names);
}

#[tokio::test]
async fn a_damaged_backup_is_refused_and_the_store_stays() {
    let shelf = Shelf::new();
    let (scene, file) = kept(&shelf).await;
    scene.store.close().await;
    let mut bytes = fs::read(&file).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8_192 * 4].fill(0xa5);
    fs::write(&file, bytes).expect("written");
    let error = restore(&file, &scene.engine.path(), true).await.expect_err("it is damaged");
    assert!(
        matches!(error, RestoreError::Unsound { .. } | RestoreError::Check(_) | RestoreError::Open(_)),
        "{error:?}"
    );
    assert_eq!(scene.restarted(at(1)).await.check().await.counted.events.routed, 2);
}

#[tokio::test]
async fn a_store_in_use_is_no_backup() {
    let (scene, shelf) = (Scene::new().await, Shelf::new());
    let error = restore(&scene.engine.path(), &shelf.file("weft.db"), false).await.expect_err("it has a log");
    assert!(error.to_string().contains("weft backup"), "{error}");
}

#[tokio::test]
async fn the_log_of_a_killed_engine_goes_aside_with_its_store() {
    let shelf = Shelf::new();
    let (scene, file) = kept(&shelf).await;
    scene.keep(vec![waiting(14)]).await;
    // What a kill leaves: a file, and a log that holds the last commits.
    let (store, log) = (shelf.file("weft.db"), shelf.file("weft.db-wal"));
    fs::copy(scene.engine.path(), &store).expect("copied");
    fs::copy(scene.engine.path().with_file_name("weft.db-wal"), &log).expect("copied");
    let aside = restore(&file, &store, true).await.expect("restored").moved_aside.expect("the old store");
    assert!(!log.exists(), "or it would be read into the backup");
    let mut old = Store::open_snapshot(&aside).await.expect("the old store can be read");
    assert_eq!(old.check().await.expect("check").counted.events.received, 2);
    let store = Store::open(&StoreOptions::new(&store, at(1))).await.expect("the store opens");
    assert!(store.event(None, event(14).id).await.expect("read").is_none());
    store.close().await;
}

#[tokio::test]
async fn a_store_that_cannot_be_opened_any_more_is_moved_aside_as_well() {
    let shelf = Shelf::new();
    let (_scene, file) = kept(&shelf).await;
    let store = shelf.file("weft.db");
    fs::write(&store, "broken").expect("written");
    fs::write(shelf.file("weft.db.aside-1"), "an earlier one").expect("written");
    let restored = restore(&file, &store, true).await.expect("restored");
    assert_eq!(restored.moved_aside, Some(shelf.file("weft.db.aside-2")));
    assert_eq!(fs::read(shelf.file("weft.db.aside-2")).expect("read"), b"broken");
    let mut snapshot = Store::open_snapshot(&store).await.expect("the store");
    assert!(snapshot.check().await.expect("check").findings.is_empty());
}
