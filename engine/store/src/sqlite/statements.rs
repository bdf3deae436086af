//! How statements are written down and given their values.
//!
//! Ids and states of a whole batch travel as one JSON array through `json_each`; payloads go in by `VALUES` with as many
//! rows as fit. Each execution is a hop to the database's thread (about 10 µs), so few of them matter as much as few rows.

use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::Serialize;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, AssertSqlSafe, SqliteConnection};
use type_safe_id::{StaticType, TypeSafeId};

/// Declares statements; tests prepare each of them, and read the query plans of the claims.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)+) => {
        $($(#[$doc])* const $name: &str = $sql;)+

        #[cfg(test)]
        pub(in crate::sqlite) const STATEMENTS: &[(&str, &str)] = &[$((stringify!($name), $name)),+];
    };
}
pub(super) use statements;

/// The most rows of one `VALUES`: past that, a longer text costs more than another hop.
const ROWS_MAX: usize = 128;

/// The sizes are the powers of two up to [`ROWS_MAX`]: any number of rows takes few executions and few texts.
const SIZES: usize = ROWS_MAX.ilog2() as usize + 1;

/// An `INSERT … VALUES` for any number of rows.
#[derive(Debug)]
pub(super) struct InsertRows {
    head: &'static str,
    row: &'static str,
    texts: [OnceLock<Arc<str>>; SIZES],
}

impl InsertRows {
    pub(super) const fn new(head: &'static str, row: &'static str) -> Self {
        Self { head, row, texts: [const { OnceLock::new() }; SIZES] }
    }

    /// Inserts `rows`, each with the values that `bind` gives it.
    pub(super) async fn insert<R>(
        &self,
        conn: &mut SqliteConnection,
        mut rows: &[R],
        bind: impl Fn(&mut Values, &R),
    ) -> Result<(), sqlx::Error> {
        while !rows.is_empty() {
            let size = rows.len().min(ROWS_MAX).ilog2();
            let (part, rest) = rows.split_at(1 << size);
            let mut values = Values::default();
            part.iter().for_each(|row| bind(&mut values, row));
            sqlx::query_with(AssertSqlSafe(self.text(size as usize)), values.0).execute(&mut *conn).await?;
            rows = rest;
        }
        Ok(())
    }

    /// The text for 2^`size` rows. It holds nothing but what stands in this program.
    fn text(&self, size: usize) -> Arc<str> {
        self.texts[size]
            .get_or_init(|| {
                let rows = vec![self.row; 1 << size].join(", ");
                format!("{} VALUES {rows}", self.head).into()
            })
            .clone()
    }

    /// The text for one row.
    #[cfg(test)]
    pub(super) fn one(&self) -> Arc<str> {
        self.text(0)
    }
}

/// Values in the order of a statement's question marks.
#[derive(Debug, Default)]
pub(super) struct Values(SqliteArguments);

impl Values {
    pub(super) fn int(&mut self, value: i64) {
        self.add(value);
    }

    pub(super) fn maybe_int(&mut self, value: Option<i64>) {
        self.add(value);
    }

    pub(super) fn text(&mut self, value: &str) {
        self.add(value);
    }

    pub(super) fn maybe_text(&mut self, value: Option<&str>) {
        self.add(value);
    }

    pub(super) fn blob(&mut self, value: &[u8]) {
        self.add(value);
    }

    fn add<'v, T>(&mut self, value: T)
    where
        T: sqlx::Encode<'v, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
    {
        self.0.add(value).expect("numbers, texts and bytes always encode");
    }
}

/// An id as JSON carries it: 32 hexadecimal digits, for `unhex`.
pub(super) struct Hex<'a>(pub(super) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Hex<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The rows of a batch as one JSON array.
pub(super) fn json(rows: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(rows).expect("texts, numbers and lists of them always serialise")
}

/// The 16 bytes of an id, as the tables keep them.
pub(super) fn bytes<T: StaticType>(id: &TypeSafeId<T>) -> [u8; 16] {
    id.uuid().into_bytes()
}
