//! `weft destinations`: where deliveries go, and whether they do.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use weft_client::wire::{Destination, DestinationStatus};

use crate::config::ConfigPath;
use crate::engine::Engine;
use crate::print;

/// Where deliveries go.
#[derive(Debug, Args)]
pub(crate) struct Destinations {
    #[command(flatten)]
    engine: Engine,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the destinations
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Let no deliveries be sent for a while; they are made, and held until it is resumed
    Pause {
        /// Which destination
        name: String,
    },
    /// Let deliveries be made and sent, after a pause or after it was disabled; what was held goes on
    #[command(alias = "resume")]
    Enable {
        /// Which destination
        name: String,
    },
    /// Let no deliveries be made; what waits is held
    Disable {
        /// Which destination
        name: String,
    },
    /// Show what the receiver verifies with, newest first
    Secret {
        /// Which destination
        name: String,
    },
}

impl Destinations {
    /// Does what was asked for.
    ///
    /// # Errors
    /// Why it could not be done.
    pub(crate) async fn run(self, config: &ConfigPath) -> anyhow::Result<ExitCode> {
        let client = self.engine.client(config)?;
        match self.verb {
            Verb::List { json } => {
                let list = client.destinations().await?;
                if json {
                    print::json(&list)?;
                } else {
                    let heads = ["TENANT", "NAME", "STATUS", "EVENTS", "URL", "WAITING SINCE"];
                    print::out(&print::table(heads, list.destinations.iter().map(row)))?;
                }
            }
            Verb::Enable { name } => print::out(&changed(&client.enable_destination(&name).await?))?,
            Verb::Pause { name } => print::out(&changed(&client.pause_destination(&name).await?))?,
            Verb::Disable { name } => print::out(&changed(&client.disable_destination(&name).await?))?,
            Verb::Secret { name } => {
                let known = client.destination_secrets(&name).await?;
                for line in known.secrets.iter().chain(&known.public_keys) {
                    print::out(&format!("{line}\n"))?;
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn row(destination: &Destination) -> [String; 6] {
    [
        destination.tenant.clone(),
        destination.name.clone(),
        status(&destination.status),
        destination.events.join(", "),
        destination.url.clone(),
        destination.waiting_since.map(|at| at.to_string()).unwrap_or_default(),
    ]
}

fn changed(destination: &Destination) -> String {
    format!("{}/{} is {}\n", destination.tenant, destination.name, status(&destination.status))
}

fn status(status: &DestinationStatus) -> String {
    match status {
        DestinationStatus::Active => "active".to_owned(),
        DestinationStatus::Paused => "paused".to_owned(),
        DestinationStatus::Disabled { reason } => format!("disabled ({reason})"),
    }
}
