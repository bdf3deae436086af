//! Log lines on stderr: as text for a person, or as JSON for a collector.

use anyhow::Context as _;
use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

/// The variable that says which lines are wanted, in the syntax of `RUST_LOG`, e.g. `info,weft_server=debug`.
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
    pub(crate) fn start(self) -> anyhow::Result<()> {
        let filter = match std::env::var(FILTER) {
            Ok(text) => EnvFilter::try_new(&text).with_context(|| format!("{FILTER}={text:?} is no filter; try info"))?,
            Err(_) => EnvFilter::new("info"),
        };
        let lines = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_span_events(FmtSpan::NONE);
        let started = match self {
            Self::Text => lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).finish().try_init(),
            Self::Json => lines.json().flatten_event(true).finish().try_init(),
        };
        started.context("could not start the log")
    }
}
