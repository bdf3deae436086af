//! Stores that hold something before a run, filled by `engine/store/examples/seed.rs` through the store's own operations.

use std::cell::OnceCell;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::configuration::{HELD, SLOW};
use super::postgres::{Database, Postgres};
use super::programs::Programs;
use super::scenario::{Scale, Stock};
use crate::command;

/// Events of an old stock: more than retention removes during a run, so that it works all the time.
const OLD_EVENTS: u32 = 100_000;

/// Bytes of each of their bodies.
const OLD_BODY_BYTES: u32 = 1_024;

/// Twice the retention that is in force while they are pruned.
const OLD_HOURS: u32 = 48;

/// Bytes of the bodies of a large stock: what must not grow is the cost of rows, and 10 000 000 bodies of 1 KiB are 14 GB.
const LARGE_BODY_BYTES: u32 = 64;

/// Events that the seeding program stores in a second on two cores, about.
const SEEDED_PER_S: f64 = 30_000.0;

/// The seeds of one bench; each is made when the first run needs it and removed with this.
pub(super) struct Seeds<'a> {
    programs: &'a Programs,
    postgres: Option<&'a Postgres>,
    scale: Scale,
    large: OnceCell<Seed>,
    old: OnceCell<Seed>,
}

struct Seed {
    /// Of the engine that works on it, and of its file if the store is one.
    folder: TempDir,
    database: Option<Database>,
}

/// Where an engine finds a store.
pub(super) struct Place {
    /// The engine's folder.
    pub(super) folder: PathBuf,
    /// Where the store is if it is no file in there.
    pub(super) database: Option<Database>,
    /// Removes the folder with the run.
    pub(super) kept: Option<TempDir>,
}

impl<'a> Seeds<'a> {
    pub(super) fn new(programs: &'a Programs, postgres: Option<&'a Postgres>, scale: Scale) -> Self {
        Self { programs, postgres, scale, large: OnceCell::new(), old: OnceCell::new() }
    }

    /// An empty store.
    pub(super) fn nothing(&self) -> Result<Place> {
        let fresh = self.programs.fresh_folder()?;
        let database = self.postgres.map(Postgres::fresh).transpose()?;
        Ok(Place { folder: fresh.path().to_owned(), database, kept: Some(fresh) })
    }

    /// About how long it takes to make what `stocks` need.
    pub(super) fn expected(scale: Scale, stocks: &[Stock]) -> Duration {
        #[expect(clippy::cast_precision_loss, reason = "2^53 events are more than any store here")]
        let large = (scale.stored + 2 * scale.waiting) as f64;
        let old = f64::from(scale.part(OLD_EVENTS));
        let is_large = |stock: &Stock| *stock == Stock::Large;
        let is_old = |stock: &Stock| matches!(stock, Stock::Old { .. });
        let rows = [(stocks.iter().any(is_large), large), (stocks.iter().any(is_old), old)];
        let rows: f64 = rows.into_iter().filter(|(needed, _)| *needed).map(|(_, rows)| rows).sum();
        Duration::from_secs_f64(rows / SEEDED_PER_S)
    }

    /// A store with many events that ended, and many deliveries that wait. It is used again and again.
    pub(super) fn large(&self) -> Result<Place> {
        let Scale { stored, waiting, .. } = self.scale;
        let arguments = [
            format!("--events={stored}"),
            format!("--body-bytes={LARGE_BODY_BYTES}"),
            // Due now, and due in an hour and later: most wait where nobody answers.
            format!("--waiting={SLOW}={}", waiting * 8 / 10),
            format!("--waiting={SLOW}={}@3600", waiting * 2 / 10),
            format!("--waiting={HELD}={}", waiting / 10),
            format!("--waiting=e1={}@3600", waiting / 10),
            format!("--disabled={HELD}"),
        ];
        let Seed { folder, database } = self.made(&self.large, "large", &arguments)?;
        Ok(Place { folder: folder.path().to_owned(), database: database.clone(), kept: None })
    }

    /// A copy of a store whose events are all older than retention allows.
    pub(super) fn copy_of_old(&self) -> Result<Place> {
        let arguments = [
            format!("--events={}", self.scale.part(OLD_EVENTS)),
            format!("--body-bytes={OLD_BODY_BYTES}"),
            format!("--age-hours={OLD_HOURS}"),
        ];
        let Seed { folder, database } = self.made(&self.old, "old", &arguments)?;
        let copy = self.programs.fresh_folder()?;
        let data = folder.path().join("data");
        command::read(Command::new("cp").args(["--recursive", "--reflink=auto"]).arg(data).arg(copy.path()))?;
        let database = self.postgres.zip(database.as_ref()).map(|(postgres, of)| postgres.copy_of(of)).transpose()?;
        Ok(Place { folder: copy.path().to_owned(), database, kept: Some(copy) })
    }

    /// Fills `seed` if it is not there yet.
    fn made<'s>(&self, seed: &'s OnceCell<Seed>, name: &str, arguments: &[String]) -> Result<&'s Seed> {
        if let Some(made) = seed.get() {
            return Ok(made);
        }
        let folder = self.programs.fresh_folder()?;
        let data = folder.path().join("data");
        fs::create_dir(&data)?;
        let database = self.postgres.map(|postgres| postgres.named(&format!("weft_seed_{name}"))).transpose()?;
        let mut program = Command::new(&self.programs.seed);
        match &database {
            Some(database) => program.arg("--store").arg(&database.url),
            None => program.arg("--store").arg(data.join("weft.db")),
        };
        command::run(program.args(arguments)).context("seeding")?;
        Ok(seed.get_or_init(|| Seed { folder, database }))
    }
}
