//! `weft backup`: copies the store into a file, beside a running engine or without one.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use weft_store::{Progress, Store};

use crate::config::ConfigPath;
use crate::progress::Unit;
use crate::{check, print, progress};

/// Copy the store into a file, beside a running engine or without one.
///
/// The file is a database of one moment. It appears under its name when it is whole, on the disk and checked; nothing is
/// ever overwritten. The key that seals secrets is not in it: keep seal.key of the data folder, or what the table `seal` of the
/// configuration names, in another place.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The file to make
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Backup {
    /// Copies the store; fails if the check of the copy finds anything, which the store has as well.
    ///
    /// # Errors
    /// If there is no backup.
    pub(crate) async fn run(self, path: &ConfigPath) -> anyhow::Result<ExitCode> {
        let store = path.store_file()?;
        let progress = Progress::default();
        let work = Store::backup(&store, &self.file, &progress);
        let report = progress::shown("copying", Unit::Bytes, &progress, work)
            .await
            .with_context(|| format!("there is no backup of the store {}", store.display()))?;
        if self.json {
            print::json(&check::in_json(&self.file.display(), &report))?;
        } else {
            print::out(&check::in_words(&self.file.display(), &report))?;
        }
        Ok(if report.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
