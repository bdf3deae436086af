//! The way to a database on a Postgres server, and whether an engine works on it.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection, Row as _};
use weft_core::time::Timestamp;

use crate::postgres::connect;

/// An engine that says it is alive. $1: now.
const ALIVE: &str = "SELECT node FROM engine_starts WHERE alive_until > $1 ORDER BY number DESC LIMIT 1";

/// The lock that a move holds on its target, as a file has one: it lives as long as the session.
const MOVE_LOCK: i64 = 0x7765_6674_6d6f_7665;

/// How often that lock is tried for, and the time between: two seconds, in which a server ends any session whose client was killed,
/// unless the session itself waits for something.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// Connects to the database.
pub(super) async fn connect(url: &str) -> Result<PgConnection, sqlx::Error> {
    PgConnectOptions::from_str(url)?.application_name("weft").disable_statement_logging().connect().await
}

/// The database as a person knows it, without a password.
pub(super) fn name(url: &str) -> String {
    match PgConnectOptions::from_str(url) {
        Ok(options) => {
            let database = options.get_database().unwrap_or_else(|| options.get_username());
            format!("{database} at {}:{}", options.get_host(), options.get_port())
        }
        // What cannot be read may hold a password anywhere.
        Err(_) => "of Postgres".to_owned(),
    }
}

/// Keeps other moves from the database for as long as `conn` lives; answers whether none works on it.
///
/// A server finishes what a move that was killed has asked for last, a commit too. Who went on before that would not see it, and
/// write the same rows again.
pub(super) async fn lock(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    for _ in 0..LOCK_TRIES {
        let taken = sqlx::query("SELECT pg_try_advisory_lock($1)").bind(MOVE_LOCK).fetch_one(&mut *conn).await?;
        if taken.try_get(0)? {
            return Ok(true);
        }
        tokio::time::sleep(LOCK_PAUSE).await;
    }
    Ok(false)
}

/// Makes the tables, if they are not there.
pub(super) async fn migrate(conn: &mut PgConnection) -> Result<(), sqlx::migrate::MigrateError> {
    connect::migrator().run(conn).await
}

/// The name of an engine that works on the database at `now`.
pub(super) async fn engine(conn: &mut PgConnection, now: Timestamp) -> Result<Option<String>, sqlx::Error> {
    let row = sqlx::query(ALIVE).bind(now.as_ms()).fetch_optional(conn).await?;
    row.map(|row| row.try_get("node")).transpose()
}
