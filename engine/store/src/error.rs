//! What can go wrong in the store, and when it is opened.

use std::path::PathBuf;

/// Why an operation of the store failed. Nothing of it was written.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot do it at present: disk full, input or output failed, busy. The same call may work later.
    #[error("the store could not {doing}")]
    Unavailable {
        /// What was being done.
        doing: &'static str,
        /// What the database said; shared, because one failed commit fails everything that was in it.
        #[source]
        source: std::sync::Arc<sqlx::Error>,
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
    /// The migrations in the file and in this program do not agree.
    #[error("could not bring the database {} to this program's layout", path.display())]
    Migrate {
        /// Which database.
        path: PathBuf,
        /// What did not agree.
        #[source]
        source: sqlx::migrate::MigrateError,
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
