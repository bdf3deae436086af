//! What the writer works with: its connection, the numbers of the next rows, and the short names of tenants and destinations.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sqlx::{Row, SqliteConnection};
use weft_core::id::{DestinationId, TenantId};

use super::ledger::LedgerChanges;
use super::statements::statements;
use crate::error::StoreError;

statements! {
    TENANTS = "SELECT seq, id FROM tenants";

    DESTINATIONS = "SELECT seq, id FROM destinations";

    /// Where the numbering of rows goes on.
    LAST_NUMBERS = "\
SELECT
    coalesce((SELECT max(seq) FROM events), 0) AS events,
    coalesce((SELECT max(seq) FROM bodies), 0) AS bodies,
    coalesce((SELECT max(seq) FROM deliveries), 0) AS deliveries,
    coalesce((SELECT max(seq) FROM replays), 0) AS replays";
}

/// Everything that a commit needs. There is one, and the writer owns it.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) conn: SqliteConnection,
    pub(super) path: PathBuf,
    /// The number of this engine start.
    pub(super) start: i64,
    /// How long an idempotency key is remembered.
    pub(super) dedupe_for: Duration,
    pub(super) numbers: Numbers,
    pub(super) directory: Directory,
    pub(super) ledger: LedgerChanges,
    /// The number of the event that retention looks at next.
    pub(super) prune_from: i64,
}

/// The numbers of the last rows. A commit that fails leaves gaps, which mean nothing.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    events: i64,
    bodies: i64,
    deliveries: i64,
    replays: i64,
}

impl Numbers {
    pub(super) const fn event(&mut self) -> i64 {
        self.events += 1;
        self.events
    }

    pub(super) const fn body(&mut self) -> i64 {
        self.bodies += 1;
        self.bodies
    }

    pub(super) const fn delivery(&mut self) -> i64 {
        self.deliveries += 1;
        self.deliveries
    }

    pub(super) const fn replay(&mut self) -> i64 {
        self.replays += 1;
        self.replays
    }

    pub(super) async fn load(conn: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        let row = sqlx::query(LAST_NUMBERS).fetch_one(conn).await?;
        Ok(Self {
            events: row.try_get("events")?,
            bodies: row.try_get("bodies")?,
            deliveries: row.try_get("deliveries")?,
            replays: row.try_get("replays")?,
        })
    }
}

/// The row numbers of tenants and destinations by their ids.
#[derive(Debug, Default)]
pub(super) struct Directory {
    tenants: HashMap<TenantId, i64>,
    destinations: HashMap<DestinationId, i64>,
    /// Whether a job has changed the tables since.
    pub(super) stale: bool,
}

impl Directory {
    /// The row of a tenant.
    pub(super) fn tenant(&self, id: TenantId) -> Result<i64, StoreError> {
        let unknown = || StoreError::Unknown { noun: "tenant", id: id.to_string() };
        self.tenants.get(&id).copied().ok_or_else(unknown)
    }

    /// The row of a destination.
    pub(super) fn destination(&self, id: DestinationId) -> Result<i64, StoreError> {
        let unknown = || StoreError::Unknown { noun: "destination", id: id.to_string() };
        self.destinations.get(&id).copied().ok_or_else(unknown)
    }

    pub(super) async fn load(conn: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        let tenants = sqlx::query(TENANTS).fetch_all(&mut *conn).await?;
        let destinations = sqlx::query(DESTINATIONS).fetch_all(&mut *conn).await?;
        Ok(Self {
            tenants: tenants
                .iter()
                .map(|row| Ok((TenantId::from_uuid(uuid_of(row)?), row.try_get("seq")?)))
                .collect::<Result<_, sqlx::Error>>()?,
            destinations: destinations
                .iter()
                .map(|row| Ok((DestinationId::from_uuid(uuid_of(row)?), row.try_get("seq")?)))
                .collect::<Result<_, sqlx::Error>>()?,
            stale: false,
        })
    }
}

fn uuid_of(row: &sqlx::sqlite::SqliteRow) -> Result<uuid::Uuid, sqlx::Error> {
    let bytes: &[u8] = row.try_get("id")?;
    uuid::Uuid::from_slice(bytes).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// Makes a [`StoreError`] of what the database said.
pub(super) fn unavailable(doing: &'static str) -> impl Fn(sqlx::Error) -> StoreError + Copy {
    move |source| {
        if matches!(source, sqlx::Error::PoolClosed) {
            return StoreError::Closed;
        }
        StoreError::Unavailable { doing, source: Arc::new(source) }
    }
}
