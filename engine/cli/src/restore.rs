//! `weft restore`: puts a backup in the place of the store.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use weft_store::{Progress, Store};

use crate::config::ConfigPath;
use crate::progress::Unit;
use crate::{check, print, progress};

/// Put a backup in the place of the store.
///
/// No engine may run. The backup is copied, brought to this program's layout and checked before anything is touched. What
/// it has pending is sent after the next start: deliveries that were made since the backup are made again, with the same
/// webhook-id. Events that were accepted since the backup are not in it.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The backup
    file: PathBuf,
    /// Move a store that is there aside, instead of refusing
    #[arg(long)]
    force: bool,
}

impl Restore {
    /// Puts the backup in place and says what it holds.
    ///
    /// # Errors
    /// If it was not put in place; then the store is as it was.
    pub(crate) async fn run(self, path: &ConfigPath) -> anyhow::Result<ExitCode> {
        let store = path.store_file()?;
        let progress = Progress::default();
        let work = Store::restore(&self.file, &store, self.force, &progress);
        let restored = progress::shown("copying", Unit::Bytes, &progress, work)
            .await
            .with_context(|| format!("{} was not restored", self.file.display()))?;
        let mut text = check::in_words(&store.display(), &restored.report);
        if let Some(aside) = restored.moved_aside {
            text.push_str(&format!("the store that was there is {} now\n", aside.display()));
        }
        print::out(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}
