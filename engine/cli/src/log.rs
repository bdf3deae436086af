//! The engine's log on stderr: as text for a person, or as JSON for a collector.

use std::io::{self, IsTerminal as _};

use anyhow::{Context as _, anyhow};
use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// The variable that says which lines are wanted, e.g. `debug` or `info,weft_server=debug`.
const FILTER: &str = "WEFT_LOG";

/// What log lines look like.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum LogFormat {
    /// A line for a person
    #[default]
    Text,
    /// A JSON object a line
    Json,
}

impl LogFormat {
    /// Sends log lines to stderr from here on; without `WEFT_LOG` those of level info and above.
    ///
    /// # Errors
    /// If `WEFT_LOG` is no filter.
    pub(crate) fn start(self) -> anyhow::Result<()> {
        let filter = EnvFilter::builder()
            .with_default_directive(LevelFilter::INFO.into())
            .with_env_var(FILTER)
            .from_env()
            .with_context(|| format!("{FILTER} is no filter: use e.g. debug, or info,weft_server=debug"))?;
        let lines = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(io::stderr)
            .with_ansi(io::stderr().is_terminal())
            // It would say on stderr that stderr is gone, and panic.
            .log_internal_errors(false);
        let started = match self {
            Self::Text => lines.try_init(),
            Self::Json => lines.json().flatten_event(true).try_init(),
        };
        started.map_err(|error| anyhow!(error).context("could not start the log"))
    }
}
