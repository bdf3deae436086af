//! Reading rows: what is not as it was written says table, column and row.

use std::time::Duration;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, ValueRef as _};
use type_safe_id::{StaticType, TypeSafeId};
use uuid::Uuid;
use weft_core::time::Timestamp;

use crate::error::StoreError;

/// A row of either database.
#[derive(Clone, Copy)]
pub(crate) enum AnyRow<'r> {
    Sqlite(&'r SqliteRow),
    Postgres(&'r PgRow),
}

impl<'r> From<&'r SqliteRow> for AnyRow<'r> {
    fn from(row: &'r SqliteRow) -> Self {
        Self::Sqlite(row)
    }
}

impl<'r> From<&'r PgRow> for AnyRow<'r> {
    fn from(row: &'r PgRow) -> Self {
        Self::Postgres(row)
    }
}

/// One row of a result, read column by column.
pub(crate) struct Cells<'r> {
    row: AnyRow<'r>,
    table: &'static str,
    /// The column that names the row for a person: an id, or a number.
    key: &'static str,
}

impl<'r> Cells<'r> {
    pub(crate) fn new(row: impl Into<AnyRow<'r>>, table: &'static str, key: &'static str) -> Self {
        Self { row: row.into(), table, key }
    }

    pub(crate) fn int(&self, column: &'static str) -> Result<i64, StoreError> {
        let value = self.maybe_int(column)?;
        value.ok_or_else(|| self.corrupt(column, "empty".to_owned()))
    }

    pub(crate) fn maybe_int(&self, column: &'static str) -> Result<Option<i64>, StoreError> {
        match self.row {
            AnyRow::Sqlite(row) => row.try_get(column),
            // A number of two or four bytes is read as well.
            AnyRow::Postgres(row) => row.try_get_unchecked(column),
        }
        .map_err(|error| self.corrupt(column, error.to_string()))
    }

    /// A count, a status: a number of a narrower type.
    pub(crate) fn number<T: TryFrom<i64>>(&self, column: &'static str) -> Result<T, StoreError> {
        let value = self.int(column)?;
        T::try_from(value).map_err(|_| self.corrupt(column, format!("{value} is out of range")))
    }

    pub(crate) fn maybe_number<T: TryFrom<i64>>(&self, column: &'static str) -> Result<Option<T>, StoreError> {
        self.maybe_int(column)?.map(|_| self.number(column)).transpose()
    }

    pub(crate) fn flag(&self, column: &'static str) -> Result<bool, StoreError> {
        match self.row {
            AnyRow::Sqlite(_) => Ok(self.int(column)? != 0),
            AnyRow::Postgres(row) => {
                row.try_get::<bool, _>(column).or_else(|_| self.int(column).map(|value| value != 0))
            }
        }
    }

    pub(crate) fn time(&self, column: &'static str) -> Result<Timestamp, StoreError> {
        self.int(column).map(Timestamp::from_ms)
    }

    /// Whether a column, of whatever type, holds a value.
    pub(crate) fn is_there(&self, column: &'static str) -> bool {
        match self.row {
            AnyRow::Sqlite(row) => row.try_get_raw(column).is_ok_and(|value| !value.is_null()),
            AnyRow::Postgres(row) => row.try_get_raw(column).is_ok_and(|value| !value.is_null()),
        }
    }

    /// A time that this row must have in the state that it is in.
    pub(crate) fn time_of_state(&self, column: &'static str) -> Result<Timestamp, StoreError> {
        let time = self.maybe_int(column)?.map(Timestamp::from_ms);
        time.ok_or_else(|| self.corrupt(column, "empty, and the row's state needs it".to_owned()))
    }

    pub(crate) fn micros(&self, column: &'static str) -> Result<Duration, StoreError> {
        self.number(column).map(Duration::from_micros)
    }

    pub(crate) fn text(&self, column: &'static str) -> Result<String, StoreError> {
        self.get(column)
    }

    pub(crate) fn maybe_text(&self, column: &'static str) -> Result<Option<String>, StoreError> {
        self.get(column)
    }

    pub(crate) fn bytes(&self, column: &'static str) -> Result<Bytes, StoreError> {
        self.get::<Vec<u8>>(column).map(Bytes::from)
    }

    /// Exactly `N` bytes.
    pub(crate) fn array<const N: usize>(&self, column: &'static str) -> Result<[u8; N], StoreError> {
        let bytes: &[u8] = self.get(column)?;
        bytes.try_into().map_err(|_| self.corrupt(column, format!("{} bytes, {N} are needed", bytes.len())))
    }

    pub(crate) fn maybe_array<const N: usize>(&self, column: &'static str) -> Result<Option<[u8; N]>, StoreError> {
        self.get::<Option<&[u8]>>(column)?.map(|_| self.array(column)).transpose()
    }

    pub(crate) fn id<T: StaticType>(&self, column: &'static str) -> Result<TypeSafeId<T>, StoreError> {
        self.uuid(column).map(TypeSafeId::from_uuid)
    }

    pub(crate) fn maybe_id<T: StaticType>(&self, column: &'static str) -> Result<Option<TypeSafeId<T>>, StoreError> {
        Ok(self.maybe_uuid(column)?.map(TypeSafeId::from_uuid))
    }

    /// An id whose noun the caller does not care for.
    pub(crate) fn uuid(&self, column: &'static str) -> Result<Uuid, StoreError> {
        match self.row {
            AnyRow::Sqlite(_) => self.array(column).map(Uuid::from_bytes),
            AnyRow::Postgres(_) => self.maybe_uuid(column)?.ok_or_else(|| self.corrupt(column, "empty".to_owned())),
        }
    }

    pub(crate) fn maybe_uuid(&self, column: &'static str) -> Result<Option<Uuid>, StoreError> {
        match self.row {
            AnyRow::Sqlite(_) => Ok(self.maybe_array(column)?.map(Uuid::from_bytes)),
            AnyRow::Postgres(row) => row.try_get(column).map_err(|error| self.corrupt(column, error.to_string())),
        }
    }

    /// A text of a type that parses it.
    pub(crate) fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
        &self,
        column: &'static str,
    ) -> Result<T, StoreError> {
        self.get::<&str>(column)?.parse().map_err(|error| self.corrupt(column, format!("{error}")))
    }

    pub(crate) fn maybe_parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
        &self,
        column: &'static str,
    ) -> Result<Option<T>, StoreError> {
        self.get::<Option<&str>>(column)?.map(|_| self.parsed(column)).transpose()
    }

    /// One of the words that a column may hold.
    pub(crate) fn word<T>(&self, column: &'static str, read: impl FnOnce(&str) -> Option<T>) -> Result<T, StoreError> {
        let word: &str = self.get(column)?;
        read(word).ok_or_else(|| self.corrupt(column, format!("{word:?} is none of its words")))
    }

    /// JSON, or the default where the column is empty.
    pub(crate) fn json<T: DeserializeOwned + Default>(&self, column: &'static str) -> Result<T, StoreError> {
        match self.get::<Option<&str>>(column)? {
            None => Ok(T::default()),
            Some(text) => serde_json::from_str(text).map_err(|error| self.corrupt(column, error.to_string())),
        }
    }

    /// Says that `column` of this row cannot be read.
    pub(crate) fn corrupt(&self, column: &'static str, reason: String) -> StoreError {
        StoreError::Corrupt { table: self.table, column, id: self.name(), reason }
    }

    fn get<T>(&self, column: &'static str) -> Result<T, StoreError>
    where
        T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
        T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        match self.row {
            AnyRow::Sqlite(row) => row.try_get(column),
            AnyRow::Postgres(row) => row.try_get(column),
        }
        .map_err(|error| self.corrupt(column, error.to_string()))
    }

    /// What the row is called in an error.
    pub(crate) fn name(&self) -> String {
        let named = match self.row {
            AnyRow::Sqlite(row) => {
                let number = row.try_get::<i64, _>(self.key).map(|number| number.to_string());
                number.or_else(|_| row.try_get(self.key).map(hex))
            }
            AnyRow::Postgres(row) => {
                let id = row.try_get::<Uuid, _>(self.key).map(|id| id.simple().to_string());
                id.or_else(|_| row.try_get_unchecked(self.key).map(|number: i64| number.to_string()))
            }
        };
        named.unwrap_or_else(|_| "unknown".to_owned())
    }
}

/// Bytes as `sqlite3` shows and takes them.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
