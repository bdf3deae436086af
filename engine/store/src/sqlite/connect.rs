//! How connections are made, and the proof that the writer's is durable.

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use rusqlite::OpenFlags;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Row, SqlSafeStr, SqliteConnection};

use crate::error::OpenError;

/// Bytes of a page. Seven payloads of 1 KiB fit into 8 KiB with little waste (pages of 4 KiB hold three and waste a fifth), and a
/// commit of one event still writes few of them.
const PAGE_BYTES: u32 = 8192;

/// Pages in the write-ahead log before a commit copies them into the database, where no engine works on it.
const WAL_PAGES: &str = "4000";

/// Bytes that the log keeps when it begins anew: whatever made it longer, e.g. somebody's long look, is over.
const WAL_KEPT_BYTES: &str = "67108864";

/// Kibibytes of page cache per connection, as SQLite wants it (negative); the writer's working set fits in.
const WRITER_CACHE: &str = "-16384";

/// Kibibytes of page cache of every other connection.
const READER_CACHE: &str = "-4096";

/// How long a connection waits for another process, e.g. a person's `sqlite3`, before it says that the database is busy.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Statements that a connection keeps prepared: every hot one in every size, and room for the others.
const STATEMENTS_KEPT: usize = 256;

/// Rows that travel from the database's thread at a time.
const ROWS_AHEAD: usize = 512;

/// `PRAGMA synchronous` as it is read back: 2 is FULL.
const SYNCHRONOUS_FULL: i64 = 2;

/// Opens the connection that makes the database and writes what is rare.
pub(crate) async fn writer(path: &Path) -> Result<SqliteConnection, OpenError> {
    let options = base(path)
        .create_if_missing(true)
        .page_size(PAGE_BYTES)
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("wal_autocheckpoint", WAL_PAGES)
        .pragma("cache_size", READER_CACHE);
    let mut conn = options.connect().await.map_err(database(path, "open"))?;
    must_be(&mut conn, path, "PRAGMA synchronous", &SYNCHRONOUS_FULL.to_string(), "2").await?;
    must_be(&mut conn, path, "PRAGMA journal_mode", "wal", "wal").await?;
    must_be(&mut conn, path, "PRAGMA auto_vacuum", "2", "2").await?;
    Ok(conn)
}

/// Opens an engine's own connection to a database that [`writer`] has made, with the same settings but those of the log.
pub(super) fn direct(path: &Path) -> Result<rusqlite::Connection, OpenError> {
    let failed = |source: rusqlite::Error| OpenError::Database {
        doing: "open for writing",
        path: path.to_owned(),
        source: sqlx::Error::Configuration(Box::new(source)),
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = rusqlite::Connection::open_with_flags(path, flags).map_err(failed)?;
    conn.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    for (setting, value) in [
        // The words come from this program's enums; SQLite would build a table of the allowed ones for every row.
        ("ignore_check_constraints", "ON"),
        ("foreign_keys", "OFF"),
        ("synchronous", "FULL"),
        // Never in a commit: see `Checkpointer`.
        ("wal_autocheckpoint", "0"),
        ("journal_size_limit", WAL_KEPT_BYTES),
        ("cache_size", WRITER_CACHE),
        // What a part of a commit would undo: a few pages, for which no file is worth making.
        ("temp_store", "MEMORY"),
    ] {
        conn.pragma_update_and_check(None, setting, value, |_| Ok(())).or_else(no_answer).map_err(failed)?;
    }
    let found: i64 = conn.pragma_query_value(None, "synchronous", |row| row.get(0)).map_err(failed)?;
    if found == SYNCHRONOUS_FULL {
        return Ok(conn);
    }
    let setting = "PRAGMA synchronous";
    Err(OpenError::Setting { path: path.to_owned(), setting, wanted: "2", found: found.to_string() })
}

/// Some settings answer, and some do not.
fn no_answer(error: rusqlite::Error) -> rusqlite::Result<()> {
    if matches!(error, rusqlite::Error::QueryReturnedNoRows) { Ok(()) } else { Err(error) }
}

/// Leaves the log to the [`Checkpointer`](super::checkpoint::Checkpointer).
pub(super) async fn leave_log(conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::query("PRAGMA wal_autocheckpoint = 0").execute(conn).await.map(drop)
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
pub(crate) async fn reader(path: &Path) -> Result<SqliteConnection, OpenError> {
    base(path).read_only(true).connect().await.map_err(database(path, "open for reading"))
}

/// What every connection has in common.
pub(super) fn base(path: &Path) -> SqliteConnectOptions {
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
pub(crate) async fn migrate(conn: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    migrator().run(conn).await.map_err(|source| OpenError::Migrate { store: path.display().to_string(), source })
}

/// A table that a store has while another one is being moved into it.
const HALF_MOVED: &str = "SELECT 1 FROM sqlite_schema WHERE name = 'store_move'";

/// An engine must not work with a part of a store.
pub(super) async fn refuse_half_moved(conn: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let mark = sqlx::query(HALF_MOVED).fetch_optional(conn).await.map_err(database(path, "look into"))?;
    match mark {
        None => Ok(()),
        Some(_) => Err(OpenError::HalfMoved { store: path.display().to_string() }),
    }
}

/// The migrations of this program, in order. A released one never changes.
pub(super) const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "first", include_str!("../../migrations/sqlite/0001_first.sql")),
    (2, "order", include_str!("../../migrations/sqlite/0002_order.sql")),
    (3, "pause", include_str!("../../migrations/sqlite/0003_pause.sql")),
    (4, "kv", include_str!("../../migrations/sqlite/0004_kv.sql")),
];

fn migrator() -> Migrator {
    let migrations = MIGRATIONS.iter().map(|&(version, description, sql)| {
        Migration::new(version, Cow::Borrowed(description), MigrationType::Simple, sql.into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.collect())
}

/// Makes an [`OpenError`] of what the database said.
pub(crate) fn database(path: &Path, doing: &'static str) -> impl FnOnce(sqlx::Error) -> OpenError + use<> {
    let path = path.to_owned();
    move |source| OpenError::Database { doing, path, source }
}
