//! Where events are kept.

use std::fmt;
use std::path::{Path, PathBuf};

use url::Url;
use weft_core::name::Name;
use weft_store::{PostgresAt, StoreAt};

use super::reader::{Field, Table};
use super::secret::{self, Declared};
use crate::secrets::{SecretRef, SecretText};

/// What stands before the file.
const SQLITE: &str = "sqlite:";

/// What a server's URL begins with.
const POSTGRES: [&str; 2] = ["postgres://", "postgresql://"];

/// The name of an engine that has none, which is right for one engine.
const NODE: &str = "weft";

/// Where events are kept. It is shown without passwords.
#[derive(Clone, Debug, PartialEq)]
pub enum StoreUrl {
    /// A file of SQLite.
    Sqlite(PathBuf),
    /// A database of Postgres.
    Postgres(PostgresUrl),
}

/// A database of Postgres, and the password if it lies elsewhere.
#[derive(Clone, PartialEq)]
pub struct PostgresUrl {
    url: Url,
    /// Where the password is, unless it stands in the URL or none is needed.
    pub password: Option<Declared<SecretRef>>,
}

impl Default for StoreUrl {
    fn default() -> Self {
        Self::Sqlite(PathBuf::from("weft.db"))
    }
}

impl StoreUrl {
    /// Reads `store` and `store_password` of the root table. The values may hold a password and are never shown.
    pub(super) fn read_from(root: &Table<'_>, folder: &Path) -> Option<Self> {
        let store = root.field("store").map_or_else(|| Some(Self::default()), Self::read);
        let password = root.field("store_password").map(|field| secret::reference(field, folder));
        match (store?, password) {
            (Self::Postgres(PostgresUrl { url, .. }), Some(_)) if url.password().is_some() => {
                root.problem("store_password is there and a password in store as well: keep one, best store_password")
            }
            (Self::Postgres(store), Some(password)) => {
                Some(Self::Postgres(PostgresUrl { password: Some(password?), ..store }))
            }
            (store, password) => password.is_none_or(|password| password.is_some()).then_some(store),
        }
    }

    fn read(field: Field<'_>) -> Option<Self> {
        let field = field.hiding();
        let text = field.text()?;
        if POSTGRES.iter().any(|scheme| text.starts_with(scheme)) {
            return Self::read_postgres(field, text);
        }
        let Some(file) = text.strip_prefix(SQLITE) else {
            return field.problem(
                "must be \"sqlite:\" and a file, e.g. \"sqlite:weft.db\", or a database of Postgres, e.g. \
                 \"postgres://weft@db.example/weft\"",
            );
        };
        if file.starts_with(":memory:") || file.contains("mode=memory") {
            return field.problem("must be a file: what is only in memory does not survive the engine");
        }
        if file.is_empty() || file.contains('?') || file.starts_with("//") || file.ends_with('/') {
            return field.problem("must be \"sqlite:\" and a plain path to a file, e.g. \"sqlite:weft.db\"");
        }
        Some(Self::Sqlite(PathBuf::from(file)))
    }

    fn read_postgres(field: Field<'_>, text: &str) -> Option<Self> {
        let rule = "must name a user, a host and a database of Postgres, e.g. \"postgres://weft@db.example/weft\"";
        let url = match Url::parse(text) {
            Ok(url) => url,
            Err(why) => return field.problem(format!("{rule}: {why}")),
        };
        let database = url.path().trim_start_matches('/');
        if url.host_str().is_none_or(str::is_empty) || database.is_empty() || database.contains('/') {
            return field.problem(rule);
        }
        if url.fragment().is_some() || url.query_pairs().any(|(key, _)| key == "password") {
            return field.problem("must not have a password or a # after the database: write store_password");
        }
        if url.password().is_some() {
            field.warning(
                "holds a password, which whoever reads this file knows: write store_password = { env = \"NAME\" }",
            );
        }
        Some(Self::Postgres(PostgresUrl { url, password: None }))
    }

    /// The same store, with a relative file taken from the data folder.
    pub(super) fn within(self, data: &Path) -> Self {
        match self {
            Self::Sqlite(file) => Self::Sqlite(data.join(file)),
            Self::Postgres(_) => self,
        }
    }

    /// Where the password of a server is, if it lies elsewhere.
    pub(super) fn password(&self) -> Option<&Declared<SecretRef>> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(store) => store.password.as_ref(),
        }
    }

    /// The same as the store takes it, with the password that was read.
    pub(super) fn at(&self, node: &Name, password: Option<&SecretText>) -> StoreAt {
        match self {
            Self::Sqlite(file) => StoreAt::Sqlite(file.clone()),
            Self::Postgres(PostgresUrl { url, .. }) => {
                let mut url = url.clone();
                if let Some(password) = password {
                    // It can only fail for a URL without a host, and this one has one.
                    let _ = url.set_password(Some(password.as_str()));
                }
                StoreAt::Postgres(PostgresAt { url: url.into(), node: node.clone() })
            }
        }
    }
}

/// Reads `node`: how this engine is called among those on one database.
pub(super) fn node(root: &Table<'_>) -> Option<Name> {
    match root.field("node") {
        Some(field) => field.parsed(),
        None => Some(NODE.parse().expect("a name")),
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(file) => write!(f, "{SQLITE}{}", file.display()),
            Self::Postgres(store) => store.fmt(f),
        }
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.url.scheme())?;
        if !self.url.username().is_empty() {
            write!(f, "{}@", self.url.username())?;
        }
        f.write_str(self.url.host_str().unwrap_or_default())?;
        if let Some(port) = self.url.port() {
            write!(f, ":{port}")?;
        }
        f.write_str(self.url.path())
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresUrl").field("url", &self.to_string()).field("password", &self.password).finish()
    }
}
