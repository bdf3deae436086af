//! Where a store is.

use std::fmt;
use std::path::{Path, PathBuf};

use weft_core::name::Name;

use crate::postgres;

/// Where a store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreAt {
    /// In a file of SQLite; made if it is missing, with a lock file beside it.
    Sqlite(PathBuf),
    /// In a database of Postgres, which exists.
    Postgres(PostgresAt),
}

/// A database of Postgres, and the engine's name there.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresAt {
    /// Its address, e.g. `postgres://weft:secret@db.example/weft`. It may hold a password, and is never shown.
    pub url: String,
    /// What tells this engine from others on the same database. A name belongs to one engine at a time.
    pub node: Name,
}

impl fmt::Display for PostgresAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&postgres::shown(&self.url, &self.node))
    }
}

impl fmt::Debug for PostgresAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for StoreAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Postgres(at) => at.fmt(f),
        }
    }
}

impl From<PathBuf> for StoreAt {
    fn from(path: PathBuf) -> Self {
        Self::Sqlite(path)
    }
}

impl From<&Path> for StoreAt {
    fn from(path: &Path) -> Self {
        Self::Sqlite(path.to_owned())
    }
}

impl From<&PathBuf> for StoreAt {
    fn from(path: &PathBuf) -> Self {
        Self::Sqlite(path.clone())
    }
}

impl From<&Self> for StoreAt {
    fn from(at: &Self) -> Self {
        at.clone()
    }
}

impl From<PostgresAt> for StoreAt {
    fn from(at: PostgresAt) -> Self {
        Self::Postgres(at)
    }
}
