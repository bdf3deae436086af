//! How statements are written down and given their values.
//!
//! What every commit does goes row by row through the writer's own connection, where a prepared statement costs a microsecond.
//! What is rare goes through sqlx, where each execution is a hop to another thread (about 10 µs): there, ids and states
//! of a whole batch travel as one JSON array through `json_each`, and payloads by `VALUES` with as many rows as fit.

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

/// The most rows of one text: past that, a longer text costs more than another hop.
const ROWS_MAX: usize = 128;

/// The sizes of texts are the powers of two up to [`ROWS_MAX`]; a batch takes the next one, and fills it up with nothing.
const SIZES: usize = ROWS_MAX.ilog2() as usize + 1;

/// One table of an [`InsertRows`].
#[derive(Debug)]
pub(crate) struct Table {
    /// `INSERT INTO … (…)`.
    pub(crate) head: &'static str,
    /// The values of one row. The first is empty for nothing but a row that fills up.
    pub(crate) row: &'static str,
    /// How many question marks are in `row`.
    pub(crate) values: usize,
}

/// Gives a row its values for one table.
pub(crate) type Bind<'a, R> = dyn Fn(&mut Values, &R) + Sync + 'a;

/// An insert of any number of rows, each into all of `T` tables, in one hop for every [`ROWS_MAX`].
#[derive(Debug)]
pub(crate) struct InsertRows<const T: usize> {
    tables: [Table; T],
    texts: [OnceLock<Arc<str>>; SIZES],
}

impl<const T: usize> InsertRows<T> {
    pub(crate) const fn new(tables: [Table; T]) -> Self {
        Self { tables, texts: [const { OnceLock::new() }; SIZES] }
    }

    /// Inserts `rows`; `binds` give each its values, table by table.
    pub(crate) async fn insert<R>(
        &self,
        conn: &mut SqliteConnection,
        rows: &[R],
        binds: [&Bind<'_, R>; T],
    ) -> Result<(), sqlx::Error> {
        for part in rows.chunks(ROWS_MAX) {
            let size = part.len().next_power_of_two().ilog2() as usize;
            let mut values = Values::default();
            for (table, bind) in self.tables.iter().zip(binds) {
                part.iter().for_each(|row| bind(&mut values, row));
                let missing = ((1 << size) - part.len()) * table.values;
                (0..missing).for_each(|_| values.maybe_int(None));
            }
            sqlx::query_with(AssertSqlSafe(self.text(size)), values.0).execute(&mut *conn).await?;
        }
        Ok(())
    }

    /// The text for 2^`size` rows. It holds nothing but what stands in this program.
    pub(crate) fn text(&self, size: usize) -> Arc<str> {
        let insert = |table: &Table| {
            let rows = vec![table.row; 1 << size].join(", ");
            format!("{} SELECT * FROM (VALUES {rows}) WHERE column1 IS NOT NULL", table.head)
        };
        let text = || self.tables.iter().map(insert).collect::<Vec<_>>().join("; ").into();
        self.texts[size].get_or_init(text).clone()
    }
}

/// Values in the order of a statement's question marks.
#[derive(Debug, Default)]
pub(crate) struct Values(SqliteArguments);

impl Values {
    pub(crate) fn int(&mut self, value: i64) {
        self.add(value);
    }

    pub(crate) fn maybe_int(&mut self, value: Option<i64>) {
        self.add(value);
    }

    pub(crate) fn text(&mut self, value: &str) {
        self.add(value);
    }

    pub(crate) fn blob(&mut self, value: &[u8]) {
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
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        // Formatting each byte costs ten times as much, for every row of a batch.
        for part in self.0.chunks(16) {
            let mut digits = [0; 32];
            for (pair, byte) in digits.chunks_exact_mut(2).zip(part) {
                pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
            }
            f.write_str(std::str::from_utf8(&digits[..part.len() * 2]).map_err(|_| fmt::Error)?)?;
        }
        Ok(())
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
