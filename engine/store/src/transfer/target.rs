//! The store that is written: empty at first, with marks of how far the move is until it is whole.

use sqlx::{Connection as _, PgConnection, Row as _, SqliteConnection};
use weft_core::time::Timestamp;

use super::StoreAddress;
use super::batch::Place;
use super::error::MoveError;
use super::sqlite_write::{self, Writer};
use super::table::{Name, Row};
use super::{postgres, postgres_write};
use crate::sqlite::connect;
use crate::sqlite::lock::EngineLock;

/// Whether the target has marks, and whether it has anything at all.
const SQLITE_STATE: &str = "\
SELECT
    EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'store_move') AS is_marked,
    EXISTS (SELECT 1 FROM engine_starts) OR EXISTS (SELECT 1 FROM tenants) OR EXISTS (SELECT 1 FROM plugins) AS is_used";

const POSTGRES_STATE: &str = "\
SELECT
    to_regclass('store_move') IS NOT NULL AS is_marked,
    EXISTS (SELECT 1 FROM engine_starts) OR EXISTS (SELECT 1 FROM tenants) OR EXISTS (SELECT 1 FROM plugins) AS is_used";

/// The mark under which the source stands.
const SOURCE: &str = "the source";

/// Both engines understand it.
const MARK: &str = "\
INSERT INTO store_move (name, place) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET place = excluded.place";

const MARKED: &str = "SELECT place FROM store_move WHERE name = $1";

/// A store that is written.
#[derive(Debug)]
pub(super) struct Target {
    address: StoreAddress,
    engine: Engine,
}

#[derive(Debug)]
enum Engine {
    Sqlite { conn: SqliteConnection, _lock: EngineLock },
    Postgres { conn: PgConnection },
}

impl Target {
    /// Opens a store that no engine and no other move works on, and makes its tables.
    pub(super) async fn open(address: &StoreAddress, now: Timestamp) -> Result<Self, MoveError> {
        let name = || address.to_string();
        let engine = match address {
            StoreAddress::Sqlite(path) => {
                let failed = |source| MoveError::Target { address: name(), source };
                let lock = EngineLock::take(path).map_err(failed)?;
                let mut conn = connect::writer(path).await.map_err(failed)?;
                connect::migrate(&mut conn, path).await.map_err(failed)?;
                Engine::Sqlite { conn, _lock: lock }
            }
            StoreAddress::Postgres(url) => {
                let connected = postgres::connect(url).await;
                let mut conn = connected.map_err(|source| MoveError::Connect { address: name(), source })?;
                if !postgres::lock(&mut conn).await.map_err(writing("store_move"))? {
                    return Err(MoveError::MoveRuns { address: name() });
                }
                let migrated = postgres::migrate(&mut conn).await;
                migrated.map_err(|source| MoveError::Layout { address: name(), source })?;
                if let Some(node) = postgres::engine(&mut conn, now).await.map_err(writing("engine_starts"))? {
                    return Err(MoveError::EngineRuns { address: name(), node });
                }
                Engine::Postgres { conn }
            }
        };
        Ok(Self { address: address.clone(), engine })
    }

    /// Begins a move from `source`, or answers that one from it has begun.
    pub(super) async fn begin(&mut self, source: &str) -> Result<bool, MoveError> {
        let (is_marked, is_used) = self.engine.state().await.map_err(writing("store_move"))?;
        let address = self.address.to_string();
        if is_marked {
            let begun = self.engine.mark(SOURCE).await.map_err(writing("store_move"))?.unwrap_or_default();
            let found = source.to_owned();
            return if begun == source { Ok(true) } else { Err(MoveError::OtherSource { address, begun, found }) };
        }
        if is_used {
            return Err(MoveError::NotEmpty { address });
        }
        self.engine.make_marks(source).await.map_err(writing("store_move"))?;
        Ok(false)
    }

    /// Where the source goes on with a table; nothing if it has not begun.
    pub(super) async fn place(&mut self, name: Name) -> Result<Option<Place>, MoveError> {
        let mark = self.engine.mark(name.table().name).await.map_err(writing("store_move"))?;
        let place = mark.map(|mark| serde_json::from_str(&mark)).transpose();
        place.map_err(|error| writing("store_move")(sqlx::Error::Decode(Box::new(error))))
    }

    /// Writes rows of a table and where it goes on behind them, in one transaction.
    pub(super) async fn write(&mut self, writer: &Writer, rows: &[Row], next: &Place) -> Result<(), MoveError> {
        let table = writer.name().table().name;
        let mark = serde_json::to_string(next).map_err(|error| sqlx::Error::Encode(Box::new(error)));
        let mark = mark.map_err(writing(table))?;
        self.engine.write(writer, rows, &mark).await.map_err(writing(table))
    }

    /// Takes the marks away: from here on it is a store like any other.
    pub(super) async fn finish(self) -> Result<(), MoveError> {
        self.engine.finish().await.map_err(writing("store_move"))
    }
}

impl Engine {
    /// Whether a move has begun, and whether there is anything.
    async fn state(&mut self) -> Result<(bool, bool), sqlx::Error> {
        match self {
            Self::Sqlite { conn, .. } => {
                let row = sqlx::query(SQLITE_STATE).fetch_one(conn).await?;
                Ok((row.try_get("is_marked")?, row.try_get("is_used")?))
            }
            Self::Postgres { conn } => {
                let row = sqlx::query(POSTGRES_STATE).fetch_one(conn).await?;
                Ok((row.try_get("is_marked")?, row.try_get("is_used")?))
            }
        }
    }

    async fn make_marks(&mut self, source: &str) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite { conn, .. } => {
                let mut writes = conn.begin().await?;
                sqlx::raw_sql(sqlite_write::MAKE_MARKS).execute(&mut *writes).await?;
                sqlx::query(MARK).bind(SOURCE).bind(source).execute(&mut *writes).await?;
                writes.commit().await
            }
            Self::Postgres { conn } => {
                let mut writes = conn.begin().await?;
                sqlx::raw_sql(postgres_write::MAKE_MARKS).execute(&mut *writes).await?;
                sqlx::query(MARK).bind(SOURCE).bind(source).execute(&mut *writes).await?;
                writes.commit().await
            }
        }
    }

    async fn mark(&mut self, name: &str) -> Result<Option<String>, sqlx::Error> {
        match self {
            Self::Sqlite { conn, .. } => {
                let row = sqlx::query(MARKED).bind(name).fetch_optional(conn).await?;
                row.map(|row| row.try_get(0)).transpose()
            }
            Self::Postgres { conn } => {
                let row = sqlx::query(MARKED).bind(name).fetch_optional(conn).await?;
                row.map(|row| row.try_get(0)).transpose()
            }
        }
    }

    async fn write(&mut self, writer: &Writer, rows: &[Row], mark: &str) -> Result<(), sqlx::Error> {
        let name = writer.name();
        match self {
            Self::Sqlite { conn, .. } => {
                let mut writes = conn.begin().await?;
                writer.write(&mut writes, rows).await?;
                sqlx::query(MARK).bind(name.table().name).bind(mark).execute(&mut *writes).await?;
                writes.commit().await
            }
            Self::Postgres { conn } => {
                let mut writes = conn.begin().await?;
                postgres_write::write(&mut writes, name, rows).await?;
                sqlx::query(MARK).bind(name.table().name).bind(mark).execute(&mut *writes).await?;
                writes.commit().await
            }
        }
    }

    async fn finish(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite { mut conn, _lock } => {
                let mut writes = conn.begin().await?;
                sqlx::raw_sql(sqlite_write::REMOVE_MARKS).execute(&mut *writes).await?;
                writes.commit().await?;
                conn.close().await
            }
            Self::Postgres { mut conn } => {
                let mut writes = conn.begin().await?;
                sqlx::raw_sql(postgres_write::COUNT_ON).execute(&mut *writes).await?;
                sqlx::raw_sql(postgres_write::REMOVE_MARKS).execute(&mut *writes).await?;
                writes.commit().await?;
                conn.close().await
            }
        }
    }
}

fn writing(table: &'static str) -> impl FnOnce(sqlx::Error) -> MoveError {
    move |source| MoveError::Write { table, source }
}
