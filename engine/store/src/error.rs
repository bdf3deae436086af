//! What can go wrong in the store, and when it is opened.

use std::path::PathBuf;
use std::sync::Arc;

/// Why an operation of the store failed. Nothing of it was written; only where a server fell silent in the middle of a commit, nobody knows.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot do it at present: disk full, input or output failed, busy. The same call may work later.
    #[error("the store could not {doing}")]
    Unavailable {
        /// What was being done.
        doing: &'static str,
        /// What the database said; shared, because one failed commit fails everything that was in it.
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// A row holds what nothing of ours has written there.
    #[error("table {table}, column {column}, row {id}: {reason}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// Which row, as a person would look for it.
        id: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The caller names a tenant, destination or plugin that the store does not have.
    #[error("the store has no {noun} {id}")]
    Unknown {
        /// What kind of thing.
        noun: &'static str,
        /// Its id.
        id: String,
    },
    /// As much waits for a commit as may.
    #[error("too much waits for the disk")]
    Busy,
    /// The store has been closed.
    #[error("the store is closed")]
    Closed,
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another engine works on it.
    #[error("{} is locked by another engine{}: stop that one first, or give this one a data folder of its own",
        path.display(), pid.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// The process that wrote its number into the lock file.
        pid: Option<u32>,
    },
    /// A file could not be made or read.
    #[error("could not {doing} {}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The database could not be opened or prepared.
    #[error("could not {doing} the database {}", path.display())]
    Database {
        /// What was being done.
        doing: &'static str,
        /// Which database.
        path: PathBuf,
        /// What the database said.
        #[source]
        source: sqlx::Error,
    },
    /// The migrations in the store and in this program do not agree.
    #[error("could not bring the database {store} to this program's layout")]
    Migrate {
        /// Which database.
        store: String,
        /// What did not agree.
        #[source]
        source: sqlx::migrate::MigrateError,
    },
    /// Another store is being moved into it, and that was cut off.
    #[error("{store} holds a part of another store: the same `weft store move` finishes what was begun")]
    HalfMoved {
        /// The store.
        store: String,
    },
    /// The server could not be reached or asked.
    #[error("could not {doing} the Postgres server {server}")]
    Server {
        /// What was being done.
        doing: &'static str,
        /// Which server and database.
        server: String,
        /// What it said.
        #[source]
        source: sqlx::Error,
    },
    /// The server cannot keep what the promises need.
    #[error("the Postgres server {server} cannot be used: {reason}")]
    Unfit {
        /// Which server and database.
        server: String,
        /// Why, and the way out.
        reason: String,
    },
    /// Another engine uses this one's name.
    #[error(
        "another engine named {node} is connected to {server}: stop that one first, or give this one another `node`"
    )]
    NodeTaken {
        /// Which server and database.
        server: String,
        /// The name.
        node: weft_core::name::Name,
    },
    /// The system gives no thread.
    #[error("could not start the writer's thread")]
    Thread {
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The database did not take a setting on which a promise rests.
    #[error("the database {} answers {found:?} for {setting}, and {wanted:?} is needed", path.display())]
    Setting {
        /// Which database.
        path: PathBuf,
        /// Which setting.
        setting: &'static str,
        /// What it must be.
        wanted: &'static str,
        /// What it is.
        found: String,
    },
}

/// What is said of a database that has said nothing.
pub(crate) fn silent(doing: &'static str, limit: std::time::Duration) -> StoreError {
    let said = format!("the database has not answered within {limit:?}");
    StoreError::Unavailable { doing, source: Arc::new(std::io::Error::new(std::io::ErrorKind::TimedOut, said)) }
}

/// Makes a [`StoreError`] of what the database said.
pub(crate) fn unavailable(doing: &'static str) -> impl Fn(sqlx::Error) -> StoreError + Copy {
    move |source| {
        if matches!(source, sqlx::Error::PoolClosed) {
            return StoreError::Closed;
        }
        StoreError::Unavailable { doing, source: Arc::new(source) }
    }
}
