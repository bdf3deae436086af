//! What a store held at one moment.

use crate::check::CheckReport;
use crate::error::StoreError;
use crate::postgres::PostgresSnapshot;
use crate::sqlite::SqliteSnapshot;
use crate::stats::{StatsDepth, StoreStats};

/// What a store held at one moment, for reading.
#[derive(Debug)]
pub enum Snapshot {
    /// One read transaction on the file.
    Sqlite(SqliteSnapshot),
    /// One read transaction on the database.
    Postgres(PostgresSnapshot),
}

impl Snapshot {
    /// Proves what the tables must fulfil, and adds up the ledger.
    ///
    /// # Errors
    /// [`StoreError`] if something cannot be read at all.
    pub async fn check(&mut self) -> Result<CheckReport, StoreError> {
        match self {
            Self::Sqlite(snapshot) => snapshot.check().await,
            Self::Postgres(snapshot) => snapshot.check().await,
        }
    }

    /// Collects figures: exact ones where that is cheap or `depth` wants it, else estimates from a sample.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn stats(&mut self, depth: StatsDepth) -> Result<StoreStats, StoreError> {
        match self {
            Self::Sqlite(snapshot) => snapshot.stats(depth).await,
            Self::Postgres(snapshot) => snapshot.stats(depth).await,
        }
    }
}
