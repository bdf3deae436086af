//! `weft serve`: runs the engine.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};
use weft_server::app::App;
use weft_server::clock::Clock;
use weft_server::secrets::OPERATOR_KEY_FILE;

use crate::config;
use crate::log::LogFormat;

/// Run the engine until it is told to stop.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// What log lines look like; WEFT_LOG says which are wanted, e.g. info,weft_server=debug
    #[arg(long, value_enum, default_value_t)]
    log_format: LogFormat,
}

impl Serve {
    /// Runs the engine until SIGINT or SIGTERM; a second one does not wait for what is under way.
    pub(crate) async fn run(self, path: &Path) -> anyhow::Result<ExitCode> {
        self.log_format.start()?;
        let Some(config) = config::load(path) else { return Ok(ExitCode::FAILURE) };
        // From here on, a signal winds down what has been started.
        let mut stop = StopSignals::listen()?;
        let key = config.data.join(OPERATOR_KEY_FILE);
        let app = Box::pin(App::start(config, Clock::system())).await?;
        // The line that scripts wait for; one that has gone away does not stop the engine.
        let _ = writeln!(std::io::stdout(), "weft listens on http://{}", app.address());
        let _ = writeln!(std::io::stdout(), "the operator's key is in {}", key.display());
        stop.next().await;
        eprintln!("weft is stopping; once more to stop at once");
        tokio::select! {
            () = Box::pin(app.stop()) => Ok(ExitCode::SUCCESS),
            () = stop.next() => {
                eprintln!("weft stopped at once; what was under way is done again at the next start");
                Ok(ExitCode::FAILURE)
            }
        }
    }
}

struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("could not listen to signals");
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
