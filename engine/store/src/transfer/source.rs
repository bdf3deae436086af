//! The store that is read: at one moment, with no engine on it.

use sqlx::{Connection as _, PgConnection, SqliteConnection};
use weft_core::time::Timestamp;

use super::StoreAddress;
use super::batch::{Batch, BatchSize, Place};
use super::error::MoveError;
use super::table::Name;
use super::{postgres, postgres_read, sqlite_read};
use crate::error::OpenError;
use crate::sqlite::lock::EngineLock;
use crate::sqlite::{check, connect};

/// A store that is read.
#[derive(Debug)]
pub(super) enum Source {
    Sqlite {
        conn: SqliteConnection,
        /// Of the source; the target has its own.
        _lock: Option<EngineLock>,
    },
    Postgres {
        conn: PgConnection,
    },
}

impl Source {
    /// Opens a store that no engine works on, and makes sure that it is sound.
    pub(super) async fn open(address: &StoreAddress, now: Timestamp) -> Result<Self, MoveError> {
        let failed = |source| MoveError::Source { address: address.to_string(), source };
        match address {
            StoreAddress::Sqlite(path) => {
                if !path.exists() {
                    // The lock would make its folder.
                    let source = std::io::Error::from(std::io::ErrorKind::NotFound);
                    return Err(failed(OpenError::File { doing: "open", path: path.clone(), source }));
                }
                let lock = EngineLock::take(path).map_err(failed)?;
                let mut source = Self::snapshot(address, Some(lock)).await?;
                let Self::Sqlite { conn, .. } = &mut source else { return Ok(source) };
                match check::check(conn).await?.findings.into_iter().next() {
                    None => Ok(source),
                    Some(first) => Err(MoveError::Unsound { address: address.to_string(), first }),
                }
            }
            StoreAddress::Postgres(_) => {
                let mut source = Self::snapshot(address, None).await?;
                let Self::Postgres { conn } = &mut source else { return Ok(source) };
                match postgres::engine(conn, now).await.map_err(reading("engine_starts"))? {
                    None => Ok(source),
                    Some(node) => Err(MoveError::EngineRuns { address: address.to_string(), node }),
                }
            }
        }
    }

    /// Opens a store as it is at this moment.
    pub(super) async fn snapshot(address: &StoreAddress, lock: Option<EngineLock>) -> Result<Self, MoveError> {
        match address {
            StoreAddress::Sqlite(path) => {
                let failed = |source| MoveError::Source { address: address.to_string(), source };
                let mut conn = connect::reader(path).await.map_err(failed)?;
                let begun = sqlx::query("BEGIN").execute(&mut conn).await;
                begun.map_err(connect::database(path, "begin a snapshot of")).map_err(failed)?;
                Ok(Self::Sqlite { conn, _lock: lock })
            }
            StoreAddress::Postgres(url) => {
                const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                let failed = |source| MoveError::Connect { address: address.to_string(), source };
                let mut conn = postgres::connect(url).await.map_err(failed)?;
                sqlx::query(BEGIN).execute(&mut conn).await.map_err(failed)?;
                Ok(Self::Postgres { conn })
            }
        }
    }

    /// What tells whether this is the store that it was: the last start of an engine on it.
    pub(super) async fn identity(&mut self) -> Result<String, MoveError> {
        let start = match self {
            Self::Sqlite { conn, .. } => sqlite_read::last_start(conn).await,
            Self::Postgres { conn } => postgres_read::last_start(conn).await,
        };
        let start = start.map_err(reading("engine_starts"))?;
        Ok(start.map_or_else(|| "a store without a start".to_owned(), |start| format!("the store of start {start}")))
    }

    /// About how many rows there are.
    pub(super) async fn rows(&mut self) -> Result<u64, MoveError> {
        let rows = match self {
            Self::Sqlite { conn, .. } => sqlite_read::rows(conn).await,
            Self::Postgres { conn } => postgres_read::rows(conn).await,
        };
        rows.map_err(reading("events"))
    }

    /// The rows of a table that follow `after`.
    pub(super) async fn batch(
        &mut self,
        name: Name,
        after: Option<&Place>,
        size: &mut BatchSize,
    ) -> Result<Batch, MoveError> {
        let batch = match self {
            Self::Sqlite { conn, .. } => sqlite_read::batch(conn, name, after, size).await,
            Self::Postgres { conn } => postgres_read::batch(conn, name, after, size).await,
        };
        batch.map_err(reading(name.table().name))
    }

    /// Lets go of it. Nothing was written: a connection that does not close cleanly loses nothing.
    pub(super) async fn close(self) {
        match self {
            Self::Sqlite { conn, .. } => drop(conn.close().await),
            Self::Postgres { conn } => drop(conn.close().await),
        }
    }
}

fn reading(table: &'static str) -> impl FnOnce(sqlx::Error) -> MoveError {
    move |source| MoveError::Read { table, source }
}
