//! `weft events`: sends events, and shows what became of them.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use weft_client::{Client, SendEvent};

use crate::config::ConfigPath;
use crate::engine::Engine;
use crate::{print, timeline};

/// Send events, and see what became of them.
#[derive(Debug, Args)]
pub(crate) struct Events {
    #[command(flatten)]
    engine: Engine,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Send a file as an event; when this returns, it is on disk
    Send(Send),
    /// Show everything that happened to an event
    Show {
        /// evt_…, or dlv_… of one of its deliveries
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
struct Send {
    /// The payload; - stands for stdin
    file: PathBuf,
    /// What happened, e.g. order.created [default: taken from the payload]
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// Your own id of the event
    #[arg(long)]
    id: Option<String>,
    /// What makes a second sending the same event
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// What keeps it in order with others of the same key
    #[arg(long, value_name = "KEY")]
    ordering_key: Option<String>,
    /// Of the payload
    #[arg(long, default_value = "application/json")]
    content_type: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Events {
    /// Does what was asked for.
    ///
    /// # Errors
    /// Why it could not be done.
    pub(crate) async fn run(self, config: &ConfigPath) -> anyhow::Result<ExitCode> {
        let client = self.engine.client(config)?;
        match self.verb {
            Verb::Send(send) => send.run(&client).await?,
            Verb::Show { id, json } => {
                let event = client.event(&id).await?;
                if json {
                    print::json(&event)?;
                } else {
                    print::out(&timeline::of(&event))?;
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Send {
    async fn run(self, client: &Client) -> anyhow::Result<()> {
        let event = SendEvent {
            body: read(&self.file)?.into(),
            content_type: self.content_type,
            event_type: self.event_type,
            event_id: self.id,
            idempotency_key: self.idempotency_key,
            ordering_key: self.ordering_key,
        };
        let accepted = client.send(event).await?;
        if self.json {
            return Ok(print::json(&accepted)?);
        }
        print::out(&format!("{}\n", accepted.id))?;
        if accepted.duplicate {
            print::say("it was stored before, under this id");
        }
        Ok(())
    }
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    if file != Path::new("-") {
        return std::fs::read(file).with_context(|| format!("could not read {}", file.display()));
    }
    let mut payload = Vec::new();
    std::io::stdin().read_to_end(&mut payload).context("could not read stdin")?;
    Ok(payload)
}
