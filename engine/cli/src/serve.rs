//! `weft serve`: runs the engine until a signal ends it.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};
use weft_server::app::App;
use weft_server::clock::Clock;
use weft_server::config::Loaded;
use weft_server::secrets::OPERATOR_KEY_FILE;

use crate::config::ConfigPath;
use crate::log::LogFormat;
use crate::{open_files, print};

/// Run the engine until it is told to stop.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// What log lines look like; WEFT_LOG says which are wanted, e.g. info,weft_server=debug
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    log_format: LogFormat,
}

impl Serve {
    /// Runs the engine until SIGINT or SIGTERM; a second one does not wait for what is under way.
    ///
    /// # Errors
    /// If the engine could not be started.
    pub(crate) async fn run(self, path: &ConfigPath) -> anyhow::Result<ExitCode> {
        self.log_format.start()?;
        let Loaded { config, warnings } = path.load()?;
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        open_files::allow_for(&config.limits);
        let mut signals = Signals::listen()?;
        let key = config.data.join(OPERATOR_KEY_FILE);
        let app = tokio::select! {
            app = Box::pin(App::start(config, Clock::system())) => app.context("the engine could not be started")?,
            name = signals.next() => {
                tracing::info!("{name} came before the engine was started");
                return Ok(ExitCode::SUCCESS);
            }
        };
        greet(&app, &key);
        let name = signals.next().await;
        tracing::info!("{name}: the engine is stopping; another signal ends it at once");
        tokio::select! {
            () = Box::pin(app.stop()) => {
                tracing::info!("the engine has stopped");
                Ok(ExitCode::SUCCESS)
            }
            name = signals.next() => {
                tracing::warn!("{name}: the engine ends at once; what was under way is done again at the next start");
                Ok(ExitCode::FAILURE)
            }
        }
    }
}

/// Prints the line that scripts wait for, and where the key is; that nobody reads it is no reason not to serve.
fn greet(app: &App, key: &Path) {
    let key = std::path::absolute(key).unwrap_or_else(|_| key.to_owned());
    let text = format!("weft listens on http://{}\nthe operator's key is in {}\n", app.address(), key.display());
    if let Err(error) = print::out(&text) {
        let address = app.address();
        tracing::warn!(error = &error as &dyn std::error::Error, "stdout did not take it: weft listens on {address}");
    }
}

/// The signals that ask for a stop.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Takes the signals over; from here on, none ends the process by itself.
    fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("could not listen to signals");
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// Waits for the next one, and names it.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
