//! `weft store move`: moves everything to a store of another kind, or to another place.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use weft_server::clock::Clock;
use weft_store::transfer::{Moved, StoreAddress};
use weft_store::{Progress, Store, StoreAt};

use crate::config::ConfigPath;
use crate::progress::Unit;
use crate::{print, progress};

/// Move everything to another store, and prove that it is there.
///
/// No engine may run on either store. The source stays as it is; put the target's URL into `store` of the configuration when
/// the move is done. If the move is cut off, the same command goes on where it was.
#[derive(Debug, Args)]
pub(crate) struct Move {
    /// The target, as in `store` of the configuration: sqlite:FILE or postgres://…
    #[arg(long, value_name = "URL")]
    to: String,
}

impl Move {
    /// Moves the store of the configuration and says what was moved.
    ///
    /// # Errors
    /// If it was not moved, or not wholly.
    pub(crate) async fn run(self, path: &ConfigPath) -> anyhow::Result<ExitCode> {
        let from = match path.load()?.config.store_at()? {
            StoreAt::Sqlite(file) => StoreAddress::Sqlite(file),
            StoreAt::Postgres(at) => StoreAddress::Postgres(at.url),
        };
        let to = address(&self.to)?;
        let progress = Progress::default();
        let work = Store::transfer(&from, &to, Clock::system().now(), &progress);
        let moved = progress::shown("moving", Unit::Steps, &progress, work)
            .await
            .with_context(|| format!("the store {from} was not moved to {to}"))?;
        print::out(&in_words(&moved, &to))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn address(url: &str) -> anyhow::Result<StoreAddress> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Ok(StoreAddress::Postgres(url.to_owned()));
    }
    match url.strip_prefix("sqlite:") {
        Some(file) if !file.is_empty() => Ok(StoreAddress::Sqlite(PathBuf::from(file))),
        // The text may hold a password.
        Some(_) | None => bail!("--to must be sqlite: and a file, e.g. sqlite:weft.db, or postgres://host/database"),
    }
}

fn in_words(moved: &Moved, to: &StoreAddress) -> String {
    let row = |(table, rows): &(&'static str, u64)| [(*table).to_owned(), print::grouped(*rows)];
    let mut text = print::table(["TABLE", "ROWS"], moved.tables.iter().map(row));
    if moved.resumed {
        text.push_str("gone on with a move that was cut off\n");
    }
    // Writing into a string cannot fail.
    let _ = writeln!(text, "everything is in {to}, row by row as it was; put it into `store` of the configuration");
    text
}
