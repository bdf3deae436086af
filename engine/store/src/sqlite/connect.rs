//! How connections are made, and the proof that the writer's is durable.

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Row, SqlSafeStr, SqliteConnection};

use crate::error::OpenError;

/// Bytes of a page. Seven payloads of 1 KiB fit into 8 KiB with little waste (pages of 4 KiB hold three and waste a fifth), and a
/// commit of one event still writes few of them.
const PAGE_BYTES: u32 = 8192;

/// Pages in the write-ahead log before a commit copies them into the database: 32 MiB, so that copying is rare and large.
const WAL_PAGES: &str = "4000";

/// Kibibytes of page cache per connection, as SQLite wants it (negative); the writer's working set fits in.
const WRITER_CACHE: &str = "-16384";

/// Kibibytes of page cache per reading connection.
const READER_CACHE: &str = "-4096";

/// How long a connection waits for another process, e.g. a person's `sqlite3`, before it says that the database is busy.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Statements that a connection keeps prepared: every hot one in every size, and room for the others.
const STATEMENTS_KEPT: usize = 256;

/// Rows that travel from the database's thread at a time.
const ROWS_AHEAD: usize = 512;

/// `PRAGMA synchronous` as it is read back: 2 is FULL.
const SYNCHRONOUS_FULL: i64 = 2;

/// Opens the one connection that writes.
pub(super) async fn writer(path: &Path) -> Result<SqliteConnection, OpenError> {
    let options = base(path)
        .create_if_missing(true)
        .page_size(PAGE_BYTES)
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("wal_autocheckpoint", WAL_PAGES)
        .pragma("cache_size", WRITER_CACHE);
    let mut conn = options.connect().await.map_err(database(path, "open"))?;
    must_be(&mut conn, path, "PRAGMA synchronous", &SYNCHRONOUS_FULL.to_string(), "2").await?;
    must_be(&mut conn, path, "PRAGMA journal_mode", "wal", "wal").await?;
    must_be(&mut conn, path, "PRAGMA auto_vacuum", "2", "2").await?;
    Ok(conn)
}

/// Opens the connections that read beside the writer.
pub(super) async fn readers(path: &Path, count: u32) -> Result<SqlitePool, OpenError> {
    let options = base(path).read_only(true).pragma("cache_size", READER_CACHE);
    SqlitePoolOptions::new()
        .max_connections(count.max(1))
        .test_before_acquire(false)
        .connect_with(options)
        .await
        .map_err(database(path, "open for reading"))
}

/// Opens one connection that only reads, whoever else works on the file.
pub(super) async fn reader(path: &Path) -> Result<SqliteConnection, OpenError> {
    base(path).read_only(true).connect().await.map_err(database(path, "open for reading"))
}

fn base(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(false)
        .busy_timeout(BUSY_TIMEOUT)
        .statement_cache_capacity(STATEMENTS_KEPT)
        .row_buffer_size(ROWS_AHEAD)
        .disable_statement_logging()
}

async fn must_be(
    conn: &mut SqliteConnection,
    path: &Path,
    setting: &'static str,
    is: &str,
    wanted: &'static str,
) -> Result<(), OpenError> {
    let row = sqlx::query(setting).fetch_one(conn).await.map_err(database(path, "read the settings of"))?;
    let found = row
        .try_get_unchecked::<i64, _>(0)
        .map(|number| number.to_string())
        .ok()
        .filter(|number| number == is)
        .or_else(|| row.try_get_unchecked::<String, _>(0).ok())
        .unwrap_or_default();
    if found == is { Ok(()) } else { Err(OpenError::Setting { path: path.to_owned(), setting, wanted, found }) }
}

/// Brings the tables up to date; only ever forward.
pub(super) async fn migrate(conn: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    migrator().run(conn).await.map_err(|source| OpenError::Migrate { path: path.to_owned(), source })
}

/// The migrations of this program, in order. A released one never changes.
pub(super) const MIGRATIONS: &[(i64, &str, &str)] =
    &[(1, "first", include_str!("../../migrations/sqlite/0001_first.sql"))];

fn migrator() -> Migrator {
    let migrations = MIGRATIONS.iter().map(|&(version, description, sql)| {
        Migration::new(version, Cow::Borrowed(description), MigrationType::Simple, sql.into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.collect())
}

/// Makes an [`OpenError`] of what the database said.
pub(super) fn database(path: &Path, doing: &'static str) -> impl FnOnce(sqlx::Error) -> OpenError + use<> {
    let path = path.to_owned();
    move |source| OpenError::Database { doing, path, source }
}
