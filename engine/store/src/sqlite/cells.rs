//! Reading rows: what is not as it was written says table, column and row.

use std::time::Duration;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use type_safe_id::{StaticType, TypeSafeId};
use weft_core::time::Timestamp;

use crate::error::StoreError;

/// One row of a result, read column by column.
pub(super) struct Cells<'r> {
    row: &'r SqliteRow,
    table: &'static str,
    /// The column that names the row for a person: an id, or a number.
    key: &'static str,
}

impl<'r> Cells<'r> {
    pub(super) const fn new(row: &'r SqliteRow, table: &'static str, key: &'static str) -> Self {
        Self { row, table, key }
    }

    pub(super) fn int(&self, column: &'static str) -> Result<i64, StoreError> {
        self.get(column)
    }

    pub(super) fn maybe_int(&self, column: &'static str) -> Result<Option<i64>, StoreError> {
        self.get(column)
    }

    /// A count, a status: a number of a narrower type.
    pub(super) fn number<T: TryFrom<i64>>(&self, column: &'static str) -> Result<T, StoreError> {
        let value = self.int(column)?;
        T::try_from(value).map_err(|_| self.corrupt(column, format!("{value} is out of range")))
    }

    pub(super) fn maybe_number<T: TryFrom<i64>>(&self, column: &'static str) -> Result<Option<T>, StoreError> {
        self.maybe_int(column)?.map(|_| self.number(column)).transpose()
    }

    pub(super) fn flag(&self, column: &'static str) -> Result<bool, StoreError> {
        Ok(self.int(column)? != 0)
    }

    pub(super) fn time(&self, column: &'static str) -> Result<Timestamp, StoreError> {
        self.int(column).map(Timestamp::from_ms)
    }

    /// A time that this row must have in the state that it is in.
    pub(super) fn time_of_state(&self, column: &'static str) -> Result<Timestamp, StoreError> {
        let time = self.maybe_int(column)?.map(Timestamp::from_ms);
        time.ok_or_else(|| self.corrupt(column, "empty, and the row's state needs it".to_owned()))
    }

    pub(super) fn micros(&self, column: &'static str) -> Result<Duration, StoreError> {
        self.number(column).map(Duration::from_micros)
    }

    pub(super) fn text(&self, column: &'static str) -> Result<String, StoreError> {
        self.get(column)
    }

    pub(super) fn maybe_text(&self, column: &'static str) -> Result<Option<String>, StoreError> {
        self.get(column)
    }

    pub(super) fn bytes(&self, column: &'static str) -> Result<Bytes, StoreError> {
        self.get::<Vec<u8>>(column).map(Bytes::from)
    }

    /// Exactly `N` bytes.
    pub(super) fn array<const N: usize>(&self, column: &'static str) -> Result<[u8; N], StoreError> {
        let bytes: &[u8] = self.get(column)?;
        bytes.try_into().map_err(|_| self.corrupt(column, format!("{} bytes, {N} are needed", bytes.len())))
    }

    pub(super) fn maybe_array<const N: usize>(&self, column: &'static str) -> Result<Option<[u8; N]>, StoreError> {
        self.get::<Option<&[u8]>>(column)?.map(|_| self.array(column)).transpose()
    }

    pub(super) fn id<T: StaticType>(&self, column: &'static str) -> Result<TypeSafeId<T>, StoreError> {
        Ok(TypeSafeId::from_uuid(uuid::Uuid::from_bytes(self.array(column)?)))
    }

    pub(super) fn maybe_id<T: StaticType>(&self, column: &'static str) -> Result<Option<TypeSafeId<T>>, StoreError> {
        Ok(self.maybe_array(column)?.map(|bytes| TypeSafeId::from_uuid(uuid::Uuid::from_bytes(bytes))))
    }

    /// A text of a type that parses it.
    pub(super) fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
        &self,
        column: &'static str,
    ) -> Result<T, StoreError> {
        self.get::<&str>(column)?.parse().map_err(|error| self.corrupt(column, format!("{error}")))
    }

    /// One of the words that a column may hold.
    pub(super) fn word<T>(&self, column: &'static str, read: impl FnOnce(&str) -> Option<T>) -> Result<T, StoreError> {
        let word: &str = self.get(column)?;
        read(word).ok_or_else(|| self.corrupt(column, format!("{word:?} is none of its words")))
    }

    /// JSON, or the default where the column is empty.
    pub(super) fn json<T: DeserializeOwned + Default>(&self, column: &'static str) -> Result<T, StoreError> {
        match self.get::<Option<&str>>(column)? {
            None => Ok(T::default()),
            Some(text) => serde_json::from_str(text).map_err(|error| self.corrupt(column, error.to_string())),
        }
    }

    /// Says that `column` of this row cannot be read.
    pub(super) fn corrupt(&self, column: &'static str, reason: String) -> StoreError {
        StoreError::Corrupt { table: self.table, column, id: self.name(), reason }
    }

    fn get<T>(&self, column: &'static str) -> Result<T, StoreError>
    where
        T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
    {
        self.row.try_get(column).map_err(|error| self.corrupt(column, error.to_string()))
    }

    fn name(&self) -> String {
        if let Ok(number) = self.row.try_get::<i64, _>(self.key) {
            return number.to_string();
        }
        match self.row.try_get::<&[u8], _>(self.key) {
            Ok(bytes) => super::statements::Hex(bytes).to_string(),
            Err(_) => "unknown".to_owned(),
        }
    }
}
