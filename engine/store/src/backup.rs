//! Backups of a store on SQLite: made beside a running engine, put back when they are needed.
//!
//! A backup is a database of its own, of one moment. What it does not hold is the key that seals secrets: that is a file of
//! the data folder, or in the configuration.

use std::path::{Path, PathBuf};

use crate::check::{CheckReport, Finding};
use crate::error::{OpenError, StoreError};
use crate::progress::Progress;
use crate::sqlite::{backup, restore};
use crate::store::Store;

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A backup never overwrites anything.
    #[error("{} is there already: name another file, or move that one away", file.display())]
    Exists {
        /// The file.
        file: PathBuf,
    },
    /// Two backups must not write one file.
    #[error("another backup is writing {}: wait for it, or name another file", part.display())]
    Underway {
        /// The file that it writes.
        part: PathBuf,
    },
    /// The store could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A file could not be made, written or read.
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
    /// The store could not be copied, e.g. because there is no room for the copy. What was written is removed.
    #[error("could not copy the store into {}: is there room for {} bytes?", part.display(), bytes)]
    Copy {
        /// The file that was being written.
        part: PathBuf,
        /// How large the store is.
        bytes: u64,
        /// What the database said.
        #[source]
        source: sqlx::Error,
    },
    /// The copy could not be read back.
    #[error("the copy of the store could not be checked")]
    Check(#[from] StoreError),
}

/// Why a backup was not put back. The store that was there before, if any, is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// There is something that must not be lost.
    #[error("there is a store already: {}; --force moves it aside", store.display())]
    StoreExists {
        /// The database.
        store: PathBuf,
    },
    /// The file is no backup.
    #[error("{} is no backup of Weft: {why}", file.display())]
    NoBackup {
        /// The file.
        file: PathBuf,
        /// How one can tell.
        why: String,
    },
    /// The file is of a later program.
    #[error("{} has layout {found}, and this program knows layouts up to {known}: restore it with a later weft", file.display())]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its layout.
        found: i64,
        /// The last layout of this program.
        known: i64,
    },
    /// The backup does not fulfil what Weft promises, or is damaged.
    #[error("{} is not sound, and was not put in place:{}", file.display(), listed(findings))]
    Unsound {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        findings: Vec<Finding>,
    },
    /// The lock or the database could not be had, e.g. because an engine runs.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A file could not be made, written, read or moved.
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
    /// The copy could not be read back.
    #[error("the backup could not be checked")]
    Check(#[from] StoreError),
}

/// Findings that an error names: enough to see what is wrong.
const FINDINGS_SHOWN: usize = 5;

fn listed(findings: &[Finding]) -> String {
    let shown = findings.iter().take(FINDINGS_SHOWN).map(|finding| format!("\n{finding}"));
    let more = findings.len().saturating_sub(FINDINGS_SHOWN);
    shown.chain((more > 0).then(|| format!("\nand {more} more"))).collect()
}

/// What was put in place.
#[derive(Debug)]
pub struct Restored {
    /// What it holds; without findings.
    pub report: CheckReport,
    /// Where the store lies that was there before, if there was one.
    pub moved_aside: Option<PathBuf>,
}

impl Store {
    /// Copies what the store at `store` holds at this moment into `file`, beside a running engine or without one.
    ///
    /// The copy appears under its name when it is whole, on the disk and checked; the answer says what the check found, which
    /// the store itself has as well. Progress is in bytes.
    ///
    /// # Errors
    /// [`BackupError`]; nothing is left behind then.
    pub async fn backup(store: &Path, file: &Path, progress: &Progress) -> Result<CheckReport, BackupError> {
        backup::backup(store, file, progress).await
    }

    /// Puts a backup in the place of the store at `store`, alone: under the lock of an engine.
    ///
    /// The copy is brought to this program's layout and checked before anything else is touched. A store that is there
    /// is refused, or moved aside if `replace` says so. Progress is in bytes.
    ///
    /// Every lease in the backup is void: the next start has a higher number. What the backup has pending is sent, also if it was
    /// sent after the backup was made.
    ///
    /// # Errors
    /// [`RestoreError`]; the store is as it was then.
    pub async fn restore(
        file: &Path,
        store: &Path,
        replace: bool,
        progress: &Progress,
    ) -> Result<Restored, RestoreError> {
        restore::restore(file, store, replace, progress).await
    }
}
