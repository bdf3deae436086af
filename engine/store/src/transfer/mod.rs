//! Moving everything from one store to another, whatever the engines behind them.
//!
//! The source is read table by table, in batches, as rows that both engines can say (`table`). A batch is one transaction
//! of the target, together with the place where the source goes on, so that a move that was cut off goes on where it was. While
//! a target is half moved, it has a table that no engine opens it with. At last both are read once more, and every table must have
//! the same number of rows and the same sum of their digests.

mod batch;
mod error;
mod postgres;
mod postgres_read;
mod postgres_write;
mod source;
mod sqlite_read;
mod sqlite_write;
mod table;
mod target;

use std::fmt;
use std::path::PathBuf;

use self::batch::BatchSize;
pub use self::error::MoveError;
use self::source::Source;
use self::sqlite_write::Writer;
use self::table::{NAMES, Name, Sum};
use self::target::Target;
use crate::progress::Progress;
use crate::store::Store;
use weft_core::time::Timestamp;

/// Where a store is.
#[derive(Clone, PartialEq, Eq)]
pub enum StoreAddress {
    /// A file of SQLite.
    Sqlite(PathBuf),
    /// A database on a Postgres server, by its URL.
    Postgres(String),
}

/// Without passwords.
impl fmt::Display for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "{}", path.display()),
            Self::Postgres(url) => f.write_str(&postgres::name(url)),
        }
    }
}

/// Without passwords as well.
impl fmt::Debug for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What was moved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// The tables, and how many rows each has; all of them proven.
    pub tables: Vec<(&'static str, u64)>,
    /// Whether an earlier move was gone on with.
    pub resumed: bool,
}

impl Store {
    /// Moves everything that the store at `from` holds to a new store at `to`; the source stays as it is.
    ///
    /// Leases are moved as they are: the starts that hold them are over. If it is cut off, the same call goes on.
    ///
    /// # Errors
    /// [`MoveError`]; says whether the same call can be made again.
    pub async fn transfer(
        from: &StoreAddress,
        to: &StoreAddress,
        now: Timestamp,
        progress: &Progress,
    ) -> Result<Moved, MoveError> {
        if from == to {
            return Err(MoveError::Same { address: to.to_string() });
        }
        let mut source = Source::open(from, now).await?;
        let mut target = Target::open(to, now).await?;
        let begun = source.identity().await?;
        let resumed = target.begin(&begun).await?;
        // Each row is read, written, and read again on both sides.
        let rows = source.rows().await?;
        progress.is_of(rows.saturating_mul(3));
        let mut work = Work { progress, done: 0 };
        for name in NAMES {
            work.copy(&mut source, &mut target, name).await?;
        }
        let mut moved = Moved { resumed, ..Moved::default() };
        let mut copy = Source::snapshot(to, None).await?;
        for name in NAMES {
            let there = work.sum(&mut source, name).await?;
            let here = work.sum(&mut copy, name).await?;
            if there != here {
                let table = name.table().name;
                return Err(MoveError::Different { table, source_rows: there.rows, target_rows: here.rows });
            }
            moved.tables.push((name.table().name, there.rows));
        }
        copy.close().await;
        // A lock keeps engines from a file; a server lets them come.
        let mut source_now = Source::snapshot(from, None).await?;
        let found = source_now.identity().await?;
        if found != begun {
            return Err(MoveError::OtherSource { address: to.to_string(), begun, found });
        }
        source_now.close().await;
        target.finish().await?;
        source.close().await;
        Ok(moved)
    }
}

/// What is done, and who is told.
struct Work<'a> {
    progress: &'a Progress,
    done: u64,
}

impl Work<'_> {
    fn has_done(&mut self, rows: usize) {
        self.done += rows as u64;
        self.progress.has_done(self.done);
    }

    /// Copies what is left of a table.
    async fn copy(&mut self, source: &mut Source, target: &mut Target, name: Name) -> Result<(), MoveError> {
        let mut place = target.place(name).await?;
        let mut size = BatchSize::new();
        let writer = Writer::of(name);
        loop {
            let batch = source.batch(name, place.as_ref(), &mut size).await?;
            if let Some(next) = batch.place {
                target.write(&writer, &batch.rows, &next).await?;
                self.has_done(batch.rows.len());
                place = Some(next);
            }
            if batch.is_last {
                return Ok(());
            }
        }
    }

    /// Adds up a table.
    async fn sum(&mut self, source: &mut Source, name: Name) -> Result<Sum, MoveError> {
        let (mut place, mut size, mut sum) = (None, BatchSize::new(), Sum::default());
        loop {
            let batch = source.batch(name, place.as_ref(), &mut size).await?;
            batch.rows.iter().for_each(|row| sum.add(row));
            self.has_done(batch.rows.len());
            if batch.is_last {
                return Ok(sum);
            }
            place = batch.place.or(place);
        }
    }
}
