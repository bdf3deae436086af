//! Why a store was not moved.

use crate::check::Finding;
use crate::error::{OpenError, StoreError};

/// Why a store was not moved. What was moved already stays in the target, and the same command goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// Source and target are one store.
    #[error("{address} is the store itself: name another one")]
    Same {
        /// The store.
        address: String,
    },
    /// The source could not be opened, e.g. because an engine runs on it.
    #[error("could not open the source {address}")]
    Source {
        /// The store.
        address: String,
        /// Why.
        #[source]
        source: OpenError,
    },
    /// The target could not be opened, e.g. because an engine runs on it.
    #[error("could not open the target {address}")]
    Target {
        /// The store.
        address: String,
        /// Why.
        #[source]
        source: OpenError,
    },
    /// A server or a database on it could not be reached.
    #[error("could not connect to the database {address}")]
    Connect {
        /// The store.
        address: String,
        /// What was said.
        #[source]
        source: sqlx::Error,
    },
    /// The tables of the target and those of this program do not agree.
    #[error("could not bring the target {address} to this program's layout")]
    Layout {
        /// The store.
        address: String,
        /// What did not agree.
        #[source]
        source: sqlx::migrate::MigrateError,
    },
    /// An engine works on it.
    #[error(
        "the engine {node} works on {address}, or has ended a moment ago without saying so: stop it, or wait a little"
    )]
    EngineRuns {
        /// The store.
        address: String,
        /// The name of the engine.
        node: String,
    },
    /// Another move writes into it.
    #[error(
        "another move works on the target {address}, or was cut off and the server still does what it asked for last: \
         let it end, or wait a little"
    )]
    MoveRuns {
        /// The target.
        address: String,
    },
    /// The target holds something that did not come from this move.
    #[error("the target {address} is not empty: name another one")]
    NotEmpty {
        /// The store.
        address: String,
    },
    /// The target holds a part of another store, or of this one before an engine ran on it.
    #[error(
        "the target {address} has a part of {begun}, and the source is {found} now: \
         remove the target, or name another one, and begin anew"
    )]
    OtherSource {
        /// The target.
        address: String,
        /// What the move began with.
        begun: String,
        /// What the source is now.
        found: String,
    },
    /// The source does not fulfil what Weft promises; nothing was moved.
    #[error("the source {address} is not sound, and was not moved: {first} (`weft check` says all)")]
    Unsound {
        /// The store.
        address: String,
        /// The first thing that is wrong with it.
        first: Finding,
    },
    /// Something could not be read from the source.
    #[error("could not read table {table} of the source")]
    Read {
        /// Which table.
        table: &'static str,
        /// What the database said.
        #[source]
        source: sqlx::Error,
    },
    /// Something could not be written to the target.
    #[error("could not write table {table} of the target")]
    Write {
        /// Which table.
        table: &'static str,
        /// What the database said.
        #[source]
        source: sqlx::Error,
    },
    /// The target does not hold what the source holds.
    #[error(
        "table {table} has {source_rows} rows in the source and {target_rows} in the target, or other ones: \
         remove the target and begin anew"
    )]
    Different {
        /// Which table.
        table: &'static str,
        /// Rows of the source.
        source_rows: u64,
        /// Rows of the target.
        target_rows: u64,
    },
    /// The source could not be checked.
    #[error("the source could not be checked")]
    Check(#[from] StoreError),
}
