//! Where events are kept.

use std::fmt;
use std::path::{Path, PathBuf};

use super::reader::Field;

/// What stands before the file.
const SQLITE: &str = "sqlite:";

/// Where events are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// A file of SQLite.
    Sqlite(PathBuf),
}

impl Default for StoreUrl {
    fn default() -> Self {
        Self::Sqlite(PathBuf::from("weft.db"))
    }
}

impl StoreUrl {
    /// Reads `store`. The value may hold a password and is never shown.
    pub(super) fn read(field: Field<'_>) -> Option<Self> {
        let field = field.hiding();
        let text = field.text()?;
        let Some(file) = text.strip_prefix(SQLITE) else {
            let rule = if text.starts_with("postgres://") || text.starts_with("postgresql://") {
                "must be a file of SQLite, e.g. \"sqlite:weft.db\"; this engine has no Postgres store"
            } else {
                "must be \"sqlite:\" and a file, e.g. \"sqlite:weft.db\""
            };
            return field.problem(rule);
        };
        if file.starts_with(":memory:") || file.contains("mode=memory") {
            return field.problem("must be a file: what is only in memory does not survive the engine");
        }
        if file.is_empty() || file.contains('?') || file.starts_with("//") || file.ends_with('/') {
            return field.problem("must be \"sqlite:\" and a plain path to a file, e.g. \"sqlite:weft.db\"");
        }
        Some(Self::Sqlite(PathBuf::from(file)))
    }

    /// The same store, with a relative file taken from the data folder.
    pub(super) fn within(self, data: &Path) -> Self {
        let Self::Sqlite(file) = self;
        Self::Sqlite(data.join(file))
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Sqlite(file) = self;
        write!(f, "{SQLITE}{}", file.display())
    }
}
