//! The engines that the suite runs on: where their stores lie, and how a test looks past them.

use std::path::PathBuf;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Row, SqliteConnection};
use tempfile::TempDir;
use weft_core::time::Timestamp;
use weft_private_postgres::TestDatabase;
use weft_store::{PostgresAt, Store, StoreAt, StoreOptions};

/// A place for one store, gone when it is dropped.
pub(crate) trait Engine {
    /// The column that names a row to the tables that refer to it.
    const KEY: &str;

    /// An empty one.
    fn fresh() -> Self;

    /// How the store is opened.
    fn options(&self, now: Timestamp) -> StoreOptions;

    /// Runs statements beside the store.
    async fn sql(&self, statements: &str);

    /// The first cell that a statement answers, as text.
    async fn ask(&self, statement: &str) -> String;

    /// Makes every insert into a table fail, as on a full disk.
    async fn fill_up(&self, table: &str);

    /// Lets inserts succeed again.
    async fn make_room(&self, table: &str);

    /// Opens the store for an engine.
    async fn open(&self, now: Timestamp) -> Store {
        Store::open(&self.options(now)).await.expect("the store opens")
    }
}

/// A file in a folder of its own.
pub(crate) struct OnSqlite {
    pub(crate) folder: TempDir,
}

impl OnSqlite {
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("weft.db")
    }

    async fn connection(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.path()).foreign_keys(false);
        options.connect().await.expect("a second connection")
    }
}

impl Engine for OnSqlite {
    const KEY: &str = "seq";

    fn fresh() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder for the test") }
    }

    fn options(&self, now: Timestamp) -> StoreOptions {
        StoreOptions::new(StoreAt::Sqlite(self.path()), now)
    }

    async fn sql(&self, statements: &str) {
        let run = sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut self.connection().await).await;
        run.expect("the statements of the test");
    }

    async fn ask(&self, statement: &str) -> String {
        let row = sqlx::query(AssertSqlSafe(statement)).fetch_one(&mut self.connection().await).await;
        let row = row.expect("the answer for the test");
        row.try_get::<i64, _>(0).map_or_else(|_| row.get(0), |number| number.to_string())
    }

    async fn fill_up(&self, table: &str) {
        let raise = "BEGIN SELECT RAISE(ABORT, 'disk is full'); END";
        self.sql(&format!("CREATE TRIGGER full_{table} BEFORE INSERT ON {table} {raise}")).await;
    }

    async fn make_room(&self, table: &str) {
        self.sql(&format!("DROP TRIGGER full_{table}")).await;
    }
}

/// A database of its own on the server of the tests.
pub(crate) struct OnPostgres {
    pub(crate) database: TestDatabase,
}

impl OnPostgres {
    /// How an engine called `node` opens this store. The server of the tests does not sync, and no test cuts its power.
    pub(crate) fn as_node(&self, node: &str, now: Timestamp) -> StoreOptions {
        let node = node.parse().expect("a name");
        let at = StoreAt::Postgres(PostgresAt { url: self.database.url(), node });
        StoreOptions { durable: false, ..StoreOptions::new(at, now) }
    }

    /// Opens the store for an engine called `node`.
    pub(crate) async fn open_as(&self, node: &str, now: Timestamp) -> Store {
        Store::open(&self.as_node(node, now)).await.expect("the store opens")
    }
}

impl Engine for OnPostgres {
    const KEY: &str = "id";

    fn fresh() -> Self {
        Self { database: TestDatabase::create().expect("a database for the test") }
    }

    fn options(&self, now: Timestamp) -> StoreOptions {
        self.as_node("one", now)
    }

    async fn sql(&self, statements: &str) {
        self.database.query(statements).expect("the statements of the test");
    }

    async fn ask(&self, statement: &str) -> String {
        self.database.query(statement).expect("the answer for the test")
    }

    async fn fill_up(&self, table: &str) {
        self.sql(&format!(
            "CREATE OR REPLACE FUNCTION full_disk () RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'disk is full' USING ERRCODE = 'disk_full'; END $$; \
             CREATE TRIGGER full_disk BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION full_disk ()"
        ))
        .await;
    }

    async fn make_room(&self, table: &str) {
        self.sql(&format!("DROP TRIGGER full_disk ON {table}")).await;
    }
}
