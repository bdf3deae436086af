//! The way to a database on a Postgres server, and whether an engine works on it.

use std::str::FromStr as _;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection, Row as _};
use weft_core::time::Timestamp;

use crate::postgres::connect;

/// An engine that says it is alive. $1: now.
const ALIVE: &str = "SELECT node FROM engine_starts WHERE alive_until > $1 ORDER BY number DESC LIMIT 1";

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

/// Makes the tables, if they are not there.
pub(super) async fn migrate(conn: &mut PgConnection) -> Result<(), sqlx::migrate::MigrateError> {
    connect::migrator().run(conn).await
}

/// The name of an engine that works on the database at `now`.
pub(super) async fn engine(conn: &mut PgConnection, now: Timestamp) -> Result<Option<String>, sqlx::Error> {
    let row = sqlx::query(ALIVE).bind(now.as_ms()).fetch_optional(conn).await?;
    row.map(|row| row.try_get("node")).transpose()
}
