//! Moving everything from one store to another.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use weft_core::attempt::ResponseSample;
use weft_core::contract::Role;
use weft_core::decide::NextStep;
use weft_core::destination::{DestinationStatus, DisabledReason};
use weft_core::digest::Digest;
use weft_core::event::Header;
use weft_core::id::{DeliveryId, EventId, PluginId};
use weft_core::kv::{Found, KvTouch, Left};
use weft_core::plan::BodyRef;
use weft_store::plugin::{ActivatedBy, Activation, NewPlugin, NewRefusal, NewVersion};
use weft_store::replay::{NewDeliveryReplay, NewEventReplay};
use weft_store::transfer::{MoveError, Moved, StoreAddress};
use weft_store::work::{Finished, FinishedPass, FirstWay, Ingested, PassEnd};
use weft_store::{OpenError, Progress, Store, StoreOptions};

use crate::engine::OnSqlite;
use crate::scene::{
    accepted, at, attempted, delivery, destination, event, finished, kept, rejected, replay_id, routed, tenant, uuid,
    waiting, with_key,
};

type Scene = crate::scene::Scene<OnSqlite>;

const DAY: i64 = 86_400_000;

/// A store in which every table has rows and every state has an example.
async fn rich() -> Scene {
    let scene = Scene::new().await;
    plugins(&scene.store).await;
    let seal = |text: &'static str| Bytes::from_static(text.as_bytes());
    scene.store.put_sealed(destination(1), "signing".parse().expect("a name"), seal("x"), at(0)).await.expect("sealed");
    // Pruned, and so in the ledger alone.
    scene.keep(vec![kept(event(5), FirstWay::NoDestination)]).await;
    while scene.store.prune(at(DAY), 10, at(0)).await.expect("prune").more {}
    scene.keep(vec![with_key(routed(10, &[1, 2, 3]), "k10"), with_key(waiting(11), "k11")]).await;
    delivered_after_failures(&scene).await;
    split(&scene, 11).await;
    let (_, dead) = scene.dead_delivery(12, 2, at(20)).await;
    let replay = NewDeliveryReplay {
        replay: replay_id(70),
        delivery: dead,
        new_delivery: DeliveryId::from_uuid(uuid(12_900)),
        tenant: None,
        planned_at: at(30),
    };
    scene.store.replay_deliveries(vec![replay]).await.expect("replay");
    let dead = scene.dead_event(13, at(20)).await;
    let replay = NewEventReplay { replay: replay_id(71), event: dead, tenant: None };
    scene.store.replay_events(vec![replay], at(40)).await.expect("replay");
    split(&scene, 13).await;
    scene.dead_event(14, at(20)).await;
    scene.keep(vec![waiting(15), waiting(16), kept(event(17), FirstWay::NoDestination)]).await;
    assert_eq!(scene.claim_passes(1, at(50)).await.len(), 1, "one of them is leased");
    let [gone, paused] = [DestinationStatus::Disabled(DisabledReason::Gone), DestinationStatus::Paused];
    for (number, status) in [(2, gone), (3, paused)] {
        scene.store.set_destination_status(destination(number), status, at(60)).await.expect("set");
    }
    scene.is_sound().await;
    scene
}

/// A refusal of four, a timeout and an acceptance for the first delivery of event 10.
async fn delivered_after_failures(scene: &Scene) {
    let work = scene.claim(1, at(0)).await.remove(0);
    let mut failed = attempted(&work, rejected(503), NextStep::Retry(at(10)), at(0));
    let headers = vec![Header { name: "retry-after".to_owned(), value: "größer \"5\" \\ \u{1f980}".to_owned() }];
    failed.attempt.response = Some(ResponseSample { headers, body: Bytes::from_static(&[0, 255, 39]) });
    scene.record(failed).await;
    let work = scene.claim(1, at(10)).await.remove(0);
    scene.record(attempted(&work, accepted(), NextStep::Delivered, at(10))).await;
}

/// Finishes the pass that waits for event `n`: three deliveries, of which two share a body that the pass made.
async fn split(scene: &Scene, n: u128) {
    let work = scene.claim_passes(1, at(40)).await.remove(0);
    assert_eq!(work.event.id, event(n).id);
    let mut deliveries = vec![delivery(n, 1), delivery(n, 2), delivery(n, 3)];
    (deliveries[0].body, deliveries[1].body) = (BodyRef::New(1), BodyRef::New(1));
    deliveries[1].request.path = Some("/x".to_owned());
    let bodies = vec![Bytes::from_static(b"nobody's"), Bytes::from_static(b"made by a pass")];
    let kept = KvTouch {
        plugin: "operator/dedupe".parse().expect("a plugin"),
        key: "seen\0".to_owned(),
        found: Found::Unread,
        left: Some(Left::Value { value: "\u{1}".into(), expires_at: Some(at(DAY)) }),
    };
    let pass = finished(&work, PassEnd::Routed { bodies, deliveries }, at(41));
    assert_eq!(scene.finish(FinishedPass { kv: vec![kept], ..pass }).await, Finished::Done);
}

async fn plugins(store: &Store) {
    let plugin = PluginId::from_uuid(uuid(500));
    let name = "filter".parse().expect("a name");
    store.plugin(NewPlugin { fresh: plugin, tenant: Some(tenant(1)), name }, at(0)).await.expect("plugin");
    for (component, ms) in [(&b"one"[..], 1), (b"two", 2)] {
        let (digest, component) = (Digest::of(component), Bytes::from_static(component));
        let version = NewVersion { plugin, digest, component, roles: vec![Role::Filter] };
        store.save_version(version, at(ms)).await.expect("version");
        let by = ActivatedBy::File { folder: "plugins".to_owned(), name: "filter.wasm".to_owned() };
        let expected = store.plugins().await.expect("plugins")[0].active;
        store.activate(Activation { plugin, digest, by, expected, mode: None }, at(ms)).await.expect("activate");
    }
    store.rollback(plugin, at(3)).await.expect("rollback");
    let refusal = NewRefusal { plugin, digest: Digest::of(b"three"), component_bytes: 5, reason: "no".to_owned() };
    store.save_refusal(refusal, at(4)).await.expect("refusal");
}

/// Everything that can be asked of a store, as text.
async fn everything(store: &Store) -> String {
    let mut text = String::new();
    for n in 5..20 {
        let id: EventId = event(n).id;
        text.push_str(&format!("{:#?}\n", store.event(None, id).await.expect("read")));
    }
    text.push_str(&format!("{:#?}\n", store.catalog().await.expect("catalog")));
    text.push_str(&format!("{:?}\n", store.sealed(destination(1)).await.expect("sealed")));
    for plugin in store.plugins().await.expect("plugins") {
        text.push_str(&format!("{plugin:?} {:#?}\n", store.versions(plugin.id).await.expect("versions")));
        text.push_str(&format!("{:#?}\n", store.activations(plugin.id, 9).await.expect("activations")));
    }
    text.push_str(&format!("{:?}\n", store.plugin_files().await.expect("files")));
    text.push_str(&format!("{:?}\n", store.component(Digest::of(b"one")).await.expect("component")));
    let filter = weft_store::dead_letter::DeadLetterFilter { include_replayed: true, ..Default::default() };
    text.push_str(&format!("{:#?}\n", store.dead_letters(&filter, None, 100).await.expect("dead letters")));
    text.push_str(&format!("{:?}\n", store.counts().await.expect("counts")));
    text
}

async fn transfer(from: &Path, to: &Path) -> Result<Moved, MoveError> {
    let (from, to) = (StoreAddress::Sqlite(from.to_owned()), StoreAddress::Sqlite(to.to_owned()));
    Store::transfer(&from, &to, at(60), &Progress::default()).await
}

async fn open(path: &Path) -> Store {
    Store::open(&StoreOptions::new(path, at(100))).await.expect("the store opens")
}

fn target(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("other").join("weft.db")
}

#[tokio::test]
async fn promise_2_a_moved_store_reads_and_works_as_the_old_one() {
    let (scene, folder) = (rich().await, tempfile::tempdir().expect("a folder"));
    let (before, path) = (everything(&scene.store).await, scene.engine.path());
    scene.store.close().await;
    let bytes = std::fs::read(&path).expect("read");
    let progress = Progress::default();
    let addresses = (StoreAddress::Sqlite(path.clone()), StoreAddress::Sqlite(target(&folder)));
    let moved = Store::transfer(&addresses.0, &addresses.1, at(60), &progress).await.expect("moved");
    assert!(moved.tables.iter().all(|(_, rows)| *rows > 0), "every table has an example: {moved:?}");
    assert!(!moved.resumed && progress.read().0 > 0);
    assert_eq!(std::fs::read(&path).expect("read"), bytes, "the source stays as it is, byte for byte");
    let report = Store::open_snapshot(&target(&folder)).await.expect("a snapshot").check().await.expect("check");
    assert!(report.findings.is_empty(), "{:#?}", report.findings);

    let store = open(&target(&folder)).await;
    assert_eq!(everything(&store).await, before);
    assert_eq!(store.start_number(), 2, "starts are counted on, so that moved leases are void");
    let again = with_key(routed(90, &[1]), "k11");
    let mut again = again;
    again.new.dedupe.as_mut().expect("a key").body_digest = *Digest::of(&event(11).body).as_bytes();
    let answers = store.keep(vec![again, routed(91, &[1])], at(100)).await.expect("keep");
    assert_eq!(answers, [Ingested::Duplicate(event(11).id), Ingested::New], "keys are remembered, and it goes on");
    let lease = weft_store::work::Lease { owner: 2, until: at(200) };
    let passes = store.claim_passes(9, lease, at(100)).await.expect("claim");
    assert_eq!(passes.len(), 2, "the lease of the old store is void");
    let wants = vec![weft_store::work::Want { destination: destination(1), count: 9 }];
    let sends = store.claim_deliveries(wants, lease, at(100)).await.expect("claim");
    let bodies: Vec<_> = sends.iter().map(|it| it.body.clone()).collect();
    assert!(bodies.contains(&Bytes::from_static(b"made by a pass")), "{bodies:?}");
    store.close().await;
}

#[tokio::test]
async fn promise_2_a_move_that_was_cut_off_goes_on_and_no_engine_starts_on_the_half() {
    let scene = Scene::new().await;
    for batch in 0..40 {
        scene.keep((0..100).map(|n| routed(1_000 + batch * 100 + n, &[1, 2])).collect()).await;
    }
    let path = scene.engine.path();
    scene.store.close().await;
    let folder = tempfile::tempdir().expect("a folder");
    let (from, to) = (StoreAddress::Sqlite(path.clone()), StoreAddress::Sqlite(target(&folder)));
    let progress = Progress::default();
    let enough = async {
        while progress.read().0 < 3_000 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        moved = Store::transfer(&from, &to, at(60), &progress) => panic!("it was to be cut off: {moved:?}"),
        () = enough => {}
    }

    let error = half(&target(&folder)).await;
    assert!(matches!(error, OpenError::HalfMoved { .. }), "{error:?}");
    let moved = until_free(&path, &target(&folder)).await;
    assert!(moved.resumed);
    let rows: Vec<_> = moved.tables.iter().filter(|(name, _)| ["events", "deliveries"].contains(name)).collect();
    assert_eq!(rows, [&("events", 4_000), &("deliveries", 8_000)]);
    let report = Store::open_snapshot(&target(&folder)).await.expect("a snapshot").check().await.expect("check");
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
    open(&target(&folder)).await.close().await;
    let again = transfer(&path, &target(&folder)).await.expect_err("it is a store like any other now");
    assert!(matches!(again, MoveError::NotEmpty { .. }), "{again:?}");
}

/// What an engine says to a half-moved store, once the aborted move has let go of it.
async fn half(target: &Path) -> OpenError {
    for _ in 0..100_000 {
        match Store::open(&StoreOptions::new(target, at(1))).await {
            Err(OpenError::Locked { .. }) => tokio::task::yield_now().await,
            Err(error) => return error,
            Ok(_) => panic!("an engine has started on a part of a store"),
        }
    }
    panic!("the lock was never given back");
}

async fn until_free(from: &Path, to: &Path) -> Moved {
    for _ in 0..100_000 {
        match transfer(from, to).await {
            Err(MoveError::Target { source: OpenError::Locked { .. }, .. }) => tokio::task::yield_now().await,
            other => return other.expect("moved"),
        }
    }
    panic!("the lock was never given back");
}

#[tokio::test]
async fn promise_2_a_move_beside_an_engine_is_refused_on_either_side() {
    let (scene, other) = (rich().await, Scene::new().await);
    let folder = tempfile::tempdir().expect("a folder");
    let error = transfer(&scene.engine.path(), &target(&folder)).await.expect_err("an engine runs on the source");
    assert!(matches!(error, MoveError::Source { source: OpenError::Locked { .. }, .. }), "{error:?}");
    scene.store.close().await;
    let error = transfer(&scene.engine.path(), &other.engine.path()).await.expect_err("an engine runs on the target");
    assert!(matches!(error, MoveError::Target { source: OpenError::Locked { .. }, .. }), "{error:?}");
    other.store.close().await;
    let error = transfer(&scene.engine.path(), &other.engine.path()).await.expect_err("the target has a catalog");
    assert!(matches!(error, MoveError::NotEmpty { .. }), "{error:?}");
    let error = transfer(&scene.engine.path(), &scene.engine.path()).await.expect_err("it is the same");
    assert!(matches!(error, MoveError::Same { .. }), "{error:?}");
    let error =
        transfer(&folder.path().join("none").join("weft.db"), &target(&folder)).await.expect_err("nothing there");
    assert!(matches!(error, MoveError::Source { source: OpenError::File { .. }, .. }), "{error:?}");
    assert!(!folder.path().join("none").exists(), "and nothing is made");
}

#[tokio::test]
async fn a_store_with_faults_is_not_moved() {
    let (scene, folder) = (rich().await, tempfile::tempdir().expect("a folder"));
    scene.sql("DELETE FROM attempts WHERE number = 1").await;
    scene.store.close().await;
    let error = transfer(&scene.engine.path(), &target(&folder)).await.expect_err("it is not sound");
    assert!(matches!(error, MoveError::Unsound { .. }), "{error:?}");
}

#[tokio::test]
async fn promise_2_a_source_that_went_on_meanwhile_is_not_mixed_with_what_it_was() {
    let (scene, folder) = (rich().await, tempfile::tempdir().expect("a folder"));
    let path = scene.engine.path();
    scene.store.close().await;
    transfer(&path, &target(&folder)).await.expect("moved");
    // As if the move had been cut off just before its end, and the old engine had been started again.
    sql(
        &target(&folder),
        "CREATE TABLE store_move (name TEXT PRIMARY KEY, place TEXT NOT NULL);
         CREATE TABLE store_move_bodies (name BLOB PRIMARY KEY, body INTEGER NOT NULL);
         INSERT INTO store_move SELECT 'the source', 'the store of start 1 at ' || started_at FROM engine_starts",
    )
    .await;
    let scene = scene.restarted(at(200)).await;
    scene.keep(vec![waiting(80)]).await;
    scene.store.close().await;
    let error = transfer(&path, &target(&folder)).await.expect_err("the source is another one");
    assert!(matches!(&error, MoveError::OtherSource { .. }) && error.to_string().contains("begin anew"), "{error:?}");
}

#[tokio::test]
async fn promise_2_a_target_that_differs_is_found_by_its_sums() {
    let (scene, folder) = (rich().await, tempfile::tempdir().expect("a folder"));
    let path = scene.engine.path();
    scene.store.close().await;
    transfer(&path, &target(&folder)).await.expect("moved");
    // The marks of a move that has written everything; and one byte that is not as it was.
    sql(
        &target(&folder),
        "CREATE TABLE store_move (name TEXT PRIMARY KEY, place TEXT NOT NULL);
         CREATE TABLE store_move_bodies (name BLOB PRIMARY KEY, body INTEGER NOT NULL);
         INSERT INTO store_move SELECT 'the source', 'the store of start 1 at ' || started_at FROM engine_starts;
         UPDATE responses SET body = x'00ff28'",
    )
    .await;
    for name in ["engine_starts", "tenants", "api_keys", "destinations", "sealed_secrets", "components", "plugins"] {
        marked(&target(&folder), name, 1).await;
    }
    for name in [
        "plugin_versions",
        "plugin_activations",
        "events",
        "replays",
        "bodies",
        "deliveries",
        "dedupe",
        "kv",
        "kv_usage",
    ] {
        marked(&target(&folder), name, 1).await;
    }
    for name in ["replayed events", "replayed deliveries", "replays of deliveries"] {
        marked(&target(&folder), name, 1).await;
    }
    for name in ["attempts", "responses", "ledger"] {
        marked(&target(&folder), name, 2).await;
    }
    marked(&target(&folder), "passes", 3).await;
    sql(&target(&folder), r#"INSERT INTO store_move VALUES ('plugin_files', '[{"Text":"z"},{"Text":"z"}]')"#).await;
    let error = transfer(&path, &target(&folder)).await.expect_err("a byte differs");
    assert!(matches!(error, MoveError::Different { table: "responses", .. }), "{error:?}");
    let error = half(&target(&folder)).await;
    assert!(matches!(error, OpenError::HalfMoved { .. }), "no engine starts on it: {error:?}");
}

/// Marks a table as written to its end; its place has that many numbers.
async fn marked(target: &Path, name: &str, numbers: usize) {
    use sqlx::ConnectOptions as _;
    let place = vec![r#"{"Int":1000000}"#; numbers].join(",");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(target);
    let mut conn = options.connect().await.expect("a connection");
    let mark = sqlx::query("INSERT INTO store_move VALUES (?1, ?2)").bind(name).bind(format!("[{place}]"));
    mark.execute(&mut conn).await.expect("marked");
}

async fn sql(file: &Path, statement: &'static str) {
    use sqlx::ConnectOptions as _;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
    let mut conn = options.connect().await.expect("a connection");
    sqlx::raw_sql(statement).execute(&mut conn).await.expect("the statement of the test");
    sqlx::Connection::close(conn).await.expect("closed");
}

mod on_postgres {
    use weft_private_postgres::TestDatabase;

    use super::*;

    fn database() -> (TestDatabase, StoreAddress) {
        let database = TestDatabase::create().expect("a database for the test");
        let address = StoreAddress::Postgres(database.url());
        (database, address)
    }

    async fn moved(from: &StoreAddress, to: &StoreAddress) -> Result<Moved, MoveError> {
        Store::transfer(from, to, at(60), &Progress::default()).await
    }

    #[tokio::test]
    async fn promise_2_a_store_that_went_to_postgres_and_back_reads_as_before() {
        let (scene, folder) = (rich().await, tempfile::tempdir().expect("a folder"));
        let (before, path) = (everything(&scene.store).await, scene.engine.path());
        scene.store.close().await;
        let (_database, there) = database();
        let first = moved(&StoreAddress::Sqlite(path), &there).await.expect("moved to Postgres");
        assert!(first.tables.iter().all(|(_, rows)| *rows > 0), "every table has an example: {first:?}");
        let back = moved(&there, &StoreAddress::Sqlite(target(&folder))).await.expect("moved back");
        assert_eq!(back.tables, first.tables);
        let report = Store::open_snapshot(&target(&folder)).await.expect("a snapshot").check().await.expect("check");
        assert!(report.findings.is_empty(), "{:#?}", report.findings);
        let store = open(&target(&folder)).await;
        assert_eq!(everything(&store).await, before);
        store.close().await;
        let again = moved(&there, &there).await.expect_err("it is the same");
        assert!(matches!(again, MoveError::Same { .. }), "{again:?}");
    }

    #[tokio::test]
    async fn promise_2_a_move_to_postgres_that_was_cut_off_goes_on() {
        let scene = Scene::new().await;
        for batch in 0..20 {
            scene.keep((0..100).map(|n| routed(1_000 + batch * 100 + n, &[1, 2])).collect()).await;
        }
        let from = StoreAddress::Sqlite(scene.engine.path());
        scene.store.close().await;
        let ((database, to), progress) = (database(), Progress::default());
        let enough = async {
            while progress.read().0 < 1_500 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            moved = Store::transfer(&from, &to, at(60), &progress) => panic!("it was to be cut off: {moved:?}"),
            () = enough => {}
        }
        let so_far: i64 =
            database.query("SELECT count(*) FROM events").expect("count").trim().parse().expect("a count");
        assert!(so_far > 0 && so_far < 2_000, "{so_far}");
        let moved = moved(&from, &to).await.expect("moved");
        assert!(moved.resumed);
        let rows: Vec<_> = moved.tables.iter().filter(|(name, _)| ["events", "deliveries"].contains(name)).collect();
        assert_eq!(rows, [&("events", 2_000), &("deliveries", 4_000)]);
        assert_eq!(database.query("SELECT to_regclass('store_move') IS NULL").expect("the marks").trim(), "t");
    }

    #[tokio::test]
    async fn promise_2_a_move_beside_an_engine_on_postgres_is_refused_on_either_side() {
        let (scene, folder) = (rich().await, tempfile::tempdir().expect("a folder"));
        let (from, (database, there)) = (StoreAddress::Sqlite(scene.engine.path()), database());
        scene.store.close().await;
        moved(&from, &there).await.expect("moved");
        let again = moved(&from, &there).await.expect_err("it holds something");
        assert!(matches!(again, MoveError::NotEmpty { .. }), "{again:?}");
        let alive =
            format!("INSERT INTO engine_starts (node, started_at, alive_until) VALUES ('one', 0, {})", at(61).as_ms());
        database.query(&alive).expect("an engine that is alive");
        for (from, to) in [(&from, &there), (&there, &StoreAddress::Sqlite(target(&folder)))] {
            let error = moved(from, to).await.expect_err("an engine runs");
            assert!(matches!(&error, MoveError::EngineRuns { node, .. } if node == "one"), "{error:?}");
        }
        assert_eq!(database.query("SELECT max(number) FROM engine_starts").expect("starts").trim(), "2", "counted on");
    }
}
