//! `weft config`: the configuration, checked.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use weft_server::config::{self, Config, Finding, Loaded, Problems};

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

impl Check {
    /// Prints every problem and warning; fails if there is a problem.
    pub(crate) fn run(self, path: &Path) -> ExitCode {
        let Loaded { config, mut warnings } = match config::load(path) {
            Ok(loaded) => loaded,
            Err(problems) => return refused(&problems),
        };
        if !self.without_secrets {
            match config.read_secrets() {
                Ok(secrets) => warnings.extend(secrets.warnings),
                Err(problems) => return refused(&problems),
            }
        }
        warn(&warnings);
        let destinations: usize = config.tenants.iter().map(|tenant| tenant.destinations.len()).sum();
        println!("{} is good: {} tenants, {destinations} destinations", path.display(), config.tenants.len());
        ExitCode::SUCCESS
    }
}

/// Loads the configuration of an engine; prints what is wrong with it if it cannot be used.
pub(crate) fn load(path: &Path) -> Option<Config> {
    match config::load(path) {
        Ok(Loaded { config, warnings }) => {
            warn(&warnings);
            Some(config)
        }
        Err(problems) => {
            refused(&problems);
            None
        }
    }
}

fn warn(warnings: &[Finding]) {
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
}

fn refused(problems: &Problems) -> ExitCode {
    eprintln!("{problems}");
    ExitCode::FAILURE
}
