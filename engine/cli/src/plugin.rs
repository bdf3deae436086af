//! `weft plugin`: which versions there are, and which one runs.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use weft_client::wire::{self, ActivateRequest, PluginChange, PluginFolder, PluginMode, PluginVersion, VersionState};

use crate::engine::Engine;
use crate::print::{self, short};

/// The components that handle events.
#[derive(Debug, Args)]
pub(crate) struct Plugin {
    #[command(flatten)]
    engine: Engine,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the plugins with their versions
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make a version active, even one that was rolled back
    Activate {
        /// Which plugin
        name: String,
        /// The version's digest, or its first digits
        digest: String,
        /// Let no file change it from then on
        #[arg(long, conflicts_with = "follow")]
        pin: bool,
        /// Let a changed file change it
        #[arg(long)]
        follow: bool,
    },
    /// Go back to the version that was active before, and stay there
    Rollback {
        /// Which plugin
        name: String,
    },
    /// Read every file of the plugin folder again, those that were refused, too
    Reload {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl Plugin {
    /// Does what was asked for; fails if a reload refused a file.
    pub(crate) async fn run(self, config: &Path) -> anyhow::Result<ExitCode> {
        let client = self.engine.client(config)?;
        match self.verb {
            Verb::List { json } => {
                let list = client.plugins().await?;
                if json {
                    print::json(&list)?;
                } else {
                    list.plugins.iter().for_each(show);
                    list.folder.iter().for_each(|folder| show_strays(folder));
                }
            }
            Verb::Activate { name, digest, pin, follow } => {
                let mode = match (pin, follow) {
                    (true, _) => Some(PluginMode::Pinned),
                    (false, true) => Some(PluginMode::Following),
                    (false, false) => None,
                };
                changed(&client.activate_plugin(&name, &ActivateRequest { digest, mode }).await?);
            }
            Verb::Rollback { name } => changed(&client.roll_back_plugin(&name).await?),
            Verb::Reload { json } => return reloaded(&client.reload_plugins().await?, json),
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn show(plugin: &wire::Plugin) {
    let owner = plugin.tenant.as_deref().unwrap_or("operator");
    let roles: Vec<_> = plugin.roles.iter().map(|role| role.as_str()).collect();
    println!("{owner}/{}  {}  {}", plugin.name, plugin.mode.as_str(), roles.join(", "));
    if let Some(problem) = &plugin.problem {
        println!("  the active version does not run: {problem}");
    }
    if let Some(file) = &plugin.file {
        println!("  file {}: {}", file.file, file.detail);
    }
    for version in &plugin.versions {
        println!("  {}", line(version, plugin.active.as_deref() == Some(version.digest.as_str())));
    }
}

fn line(version: &PluginVersion, is_active: bool) -> String {
    let state = match &version.state {
        VersionState::Ready { .. } if is_active => "active".to_owned(),
        VersionState::Ready { .. } if version.rolled_back => "rolled back".to_owned(),
        VersionState::Ready { .. } => "ready".to_owned(),
        VersionState::Refused { reason } => format!("refused: {reason}"),
    };
    let PluginVersion { digest, component_bytes, first_seen_at, .. } = version;
    format!("{}  seen {first_seen_at}  {component_bytes} bytes  {state}", short(digest))
}

/// Shows files that belong to no plugin, which nobody would find otherwise.
fn show_strays(folder: &PluginFolder) {
    if let Some(problem) = &folder.problem {
        println!("folder {}: {problem}", folder.path);
    }
    for file in folder.files.iter().filter(|file| file.plugin.is_none()) {
        println!("file {}: {}", file.file, file.detail);
    }
}

fn changed(change: &PluginChange) {
    let before = match &change.previous {
        Some(previous) if *previous == change.active => "as before".to_owned(),
        Some(previous) => format!("in the place of {}", short(previous)),
        None => "the first".to_owned(),
    };
    println!("{}: {} is active, {before}; {}", change.plugin, short(&change.active), change.mode.as_str());
}

fn reloaded(folder: &PluginFolder, json: bool) -> anyhow::Result<ExitCode> {
    if json {
        print::json(folder)?;
    } else {
        for file in &folder.files {
            let digest = file.digest.as_deref().map(short).unwrap_or_default();
            println!("{}  {digest}  {}", file.file, file.detail);
        }
        if let Some(problem) = &folder.problem {
            eprintln!("folder {}: {problem}", folder.path);
        }
    }
    let is_bad = folder.problem.is_some() || folder.files.iter().any(|file| file.outcome == "refused");
    Ok(if is_bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
