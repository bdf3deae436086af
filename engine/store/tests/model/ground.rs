//! Where a store stands while it is walked on: how its engines open it, how they die, and how they lose it.

use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use weft_core::time::Timestamp;
use weft_private_postgres::TestDatabase;
use weft_store::check::CheckReport;
use weft_store::transfer::StoreAddress;
use weft_store::{ALIVE_FOR, PostgresAt, Progress, Store, StoreAt, StoreOptions};

/// What a walk needs of the database behind a store. Engines are told apart by the numbers of their nodes, from 0.
pub(crate) trait Ground {
    /// Steps of a walk when nobody says otherwise.
    const STEPS: u64;

    /// How long an engine is taken for alive after it was heard of; nothing where there is no other to take it for dead.
    const ALIVE_FOR: Option<Duration>;

    /// How many engines there are.
    fn nodes(&self) -> usize;

    /// Opens the store, for another start of an engine.
    fn open(&self, node: usize, now: Timestamp) -> impl Future<Output = Store>;

    /// Lets an engine die without a farewell, and opens the store again as it was at that moment.
    fn die(&mut self, store: &Store, node: usize, now: Timestamp) -> impl Future<Output = Store>;

    /// Cuts an engine's connections; answers whether there are any.
    fn cut(&self, node: usize) -> bool;

    /// Moves everything that is in the store to a new one, while no engine is open.
    fn move_elsewhere(&mut self, now: Timestamp) -> impl Future<Output = ()>;

    /// Checks the store beside the engines.
    fn check(&self) -> impl Future<Output = CheckReport>;
}

/// A file in a folder.
#[derive(Debug)]
pub(crate) struct SqliteGround {
    folder: TempDir,
}

impl SqliteGround {
    pub(crate) fn new() -> Self {
        Self { folder: folder() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("weft.db")
    }
}

async fn transfer(from: StoreAddress, to: StoreAddress, now: Timestamp) {
    Store::transfer(&from, &to, now, &Progress::default()).await.expect("moved");
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder for the test")
}

impl Ground for SqliteGround {
    /// A few seconds for all walks together.
    const STEPS: u64 = 700;
    const ALIVE_FOR: Option<Duration> = None;

    fn nodes(&self) -> usize {
        1
    }

    async fn open(&self, _: usize, now: Timestamp) -> Store {
        Store::open(&StoreOptions::new(self.path(), now)).await.expect("the store opens")
    }

    /// A copy of the file and its log is what a power cut leaves: nothing has tidied up.
    async fn die(&mut self, store: &Store, node: usize, now: Timestamp) -> Store {
        let after = folder();
        for name in ["weft.db", "weft.db-wal"] {
            std::fs::copy(self.folder.path().join(name), after.path().join(name)).expect("copied");
        }
        store.close().await;
        self.folder = after;
        self.open(node, now).await
    }

    fn cut(&self, _: usize) -> bool {
        false
    }

    async fn move_elsewhere(&mut self, now: Timestamp) {
        let after = Self::new();
        transfer(StoreAddress::Sqlite(self.path()), StoreAddress::Sqlite(after.path()), now).await;
        *self = after;
    }

    async fn check(&self) -> CheckReport {
        let mut snapshot = Store::open_snapshot(&self.path()).await.expect("a snapshot");
        snapshot.check().await.expect("check")
    }
}

/// A database on the server of the tests.
#[derive(Debug)]
pub(crate) struct PostgresGround {
    database: TestDatabase,
    nodes: usize,
}

impl PostgresGround {
    pub(crate) fn new(nodes: usize) -> Self {
        Self { database: Self::database(), nodes }
    }

    fn database() -> TestDatabase {
        let database = TestDatabase::create().expect("a database for the test");
        // No test cuts its power, and to wait for the disk would be most of a walk.
        let name = database.query("SELECT current_database()").expect("a database has a name");
        database.query(&format!("ALTER DATABASE {name} SET synchronous_commit = off")).expect("its owner may");
        database
    }

    fn at(&self, node: usize) -> StoreAt {
        let node = format!("node-{node}").parse().expect("a name");
        StoreAt::Postgres(PostgresAt { url: self.database.url(), node })
    }
}

impl Ground for PostgresGround {
    /// Each is many statements, and takes twenty times as long.
    const STEPS: u64 = 400;
    const ALIVE_FOR: Option<Duration> = Some(ALIVE_FOR);

    fn nodes(&self) -> usize {
        self.nodes
    }

    async fn open(&self, node: usize, now: Timestamp) -> Store {
        let options = StoreOptions { durable: false, ..StoreOptions::new(self.at(node), now) };
        Store::open(&options).await.expect("the store opens")
    }

    async fn die(&mut self, store: &Store, node: usize, now: Timestamp) -> Store {
        self.cut(node);
        // It cannot say farewell any more.
        store.close().await;
        self.open(node, now).await
    }

    fn cut(&self, node: usize) -> bool {
        // Each is waited for: what is asked next meets a connection that is gone.
        let cut = format!(
            "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity \
             WHERE datname = current_database() AND application_name = 'weft node-{node}'"
        );
        self.database.query(&cut).expect("a superuser may");
        true
    }

    /// By way of a file, so that every way there is has been gone.
    async fn move_elsewhere(&mut self, now: Timestamp) {
        let (file, after) = (SqliteGround::new(), Self::database());
        transfer(StoreAddress::Postgres(self.database.url()), StoreAddress::Sqlite(file.path()), now).await;
        transfer(StoreAddress::Sqlite(file.path()), StoreAddress::Postgres(after.url()), now).await;
        self.database = after;
    }

    async fn check(&self) -> CheckReport {
        let mut snapshot = Store::open_snapshot(self.at(0)).await.expect("a snapshot");
        snapshot.check().await.expect("check")
    }
}
