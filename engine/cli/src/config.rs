//! `weft config`: the configuration, checked; and where it is, for every command.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use weft_server::config::{self, Finding, Loaded, Problems, StoreUrl};

use crate::print;

/// The configuration when none is named.
const DEFAULT: &str = "weft.toml";

/// Where the configuration is.
#[derive(Clone, Debug, Args)]
pub(crate) struct ConfigPath {
    /// The configuration: a file, or a folder of *.toml files [default: weft.toml]
    #[arg(id = "config", long = "config", global = true, env = "WEFT_CONFIG", value_name = "PATH")]
    named: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Check the configuration and say everything that is wrong with it
    Check(Check),
}

/// Check the configuration and say everything that is wrong with it.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Do not look whether the secrets that it refers to are there
    #[arg(long)]
    without_secrets: bool,
}

impl ConfigPath {
    /// The path.
    pub(crate) fn path(&self) -> &Path {
        self.named.as_deref().unwrap_or(Path::new(DEFAULT))
    }

    /// Whether it must be there, because somebody has named it.
    pub(crate) fn is_named(&self) -> bool {
        self.named.is_some()
    }

    /// Loads the configuration.
    ///
    /// # Errors
    /// All its problems.
    pub(crate) fn load(&self) -> anyhow::Result<Loaded> {
        config::load(self.path()).with_context(|| format!("the configuration {} cannot be used", self.path().display()))
    }

    /// Loads the configuration; answers the file of its store.
    ///
    /// # Errors
    /// All its problems, or that the store is no file.
    pub(crate) fn store_file(&self) -> anyhow::Result<PathBuf> {
        match self.load()?.config.store {
            StoreUrl::Sqlite(file) => Ok(file),
            StoreUrl::Postgres(store) => {
                bail!(
                    "the store is the database {store}, not a file: Postgres' own tools copy it, e.g. pg_dump and pg_restore"
                )
            }
        }
    }
}

impl Check {
    /// Prints every problem and warning; fails if there is a problem.
    ///
    /// # Errors
    /// If nothing can be printed.
    pub(crate) fn run(self, path: &ConfigPath) -> anyhow::Result<ExitCode> {
        match self.find(path.path()) {
            Ok(loaded) => {
                print::out(&verdict(path.path(), &loaded))?;
                Ok(ExitCode::SUCCESS)
            }
            Err(problems) => {
                print::out(&format!("{problems}\n"))?;
                Ok(ExitCode::FAILURE)
            }
        }
    }

    fn find(&self, path: &Path) -> Result<Loaded, Problems> {
        let mut loaded = config::load(path)?;
        if !self.without_secrets {
            loaded.warnings.extend(loaded.config.read_secrets()?.warnings);
        }
        Ok(loaded)
    }
}

fn verdict(path: &Path, loaded: &Loaded) -> String {
    let Loaded { config, warnings } = loaded;
    let mut text: String = warnings.iter().map(warning).collect();
    let destinations = config.tenants.iter().map(|tenant| tenant.destinations.len() as u64).sum::<u64>();
    let (tenants, destinations) = (config.tenants.len() as u64, print::count(destinations, "destination"));
    // Writing into a string cannot fail.
    let _ = writeln!(text, "{} has no problems: {}, {destinations}", path.display(), print::count(tenants, "tenant"));
    text
}

fn warning(finding: &Finding) -> String {
    format!("warning: {finding}\n")
}
