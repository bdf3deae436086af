//! `weft plugin`: which versions there are, and which one runs; and what is done before there is one.

mod author;
mod dry_run;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use weft_client::Client;
use weft_client::wire::{
    self, ActivateRequest, PluginChange, PluginFile, PluginFolder, PluginMode, PluginVersion, Plugins, VersionState,
};

use crate::config::ConfigPath;
use crate::engine::Engine;
use crate::print::{self, plain, short};

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
    #[command(flatten)]
    Author(author::Verb),
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
    /// Bring a component as a version of a plugin: a tenant's own with --tenant or a tenant's key, else the operator's
    Push {
        /// The component
        file: PathBuf,
        /// Which plugin [default: the file's name without .wasm]
        #[arg(long)]
        name: Option<String>,
        /// Make it active as well
        #[arg(long)]
        activate: bool,
    },
    /// Try a version on stored events, without effect, and compare it with the active one; both begin with nothing kept
    DryRun(dry_run::DryRun),
    /// List the versions of one plugin
    Versions {
        /// Which plugin
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
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
    ///
    /// # Errors
    /// Why it could not be done.
    pub(crate) async fn run(self, config: &ConfigPath) -> anyhow::Result<ExitCode> {
        let engine = self.engine;
        let client = || engine.client(config);
        match self.verb {
            Verb::Author(verb) => return verb.run(),
            Verb::List { json } => {
                let list = client()?.plugins().await?;
                if json { print::json(&list)? } else { print::out(&listed(&list))? }
            }
            Verb::Activate { name, digest, pin, follow } => {
                let mode = match (pin, follow) {
                    (true, _) => Some(PluginMode::Pinned),
                    (false, true) => Some(PluginMode::Following),
                    (false, false) => None,
                };
                print::out(&changed(&client()?.activate_plugin(&name, &ActivateRequest { digest, mode }).await?))?;
            }
            Verb::Push { file, name, activate } => print::out(&push(&client()?, &file, name, activate).await?)?,
            Verb::DryRun(dry_run) => return dry_run.run(&client()?).await,
            Verb::Versions { name, json } => {
                let bare = name.strip_prefix("operator/").unwrap_or(&name);
                let list = Plugins { folder: None, plugins: named(client()?.plugins().await?.plugins, bare) };
                if list.plugins.is_empty() {
                    anyhow::bail!("there is no plugin {}", plain(&name));
                }
                if json { print::json(&list)? } else { print::out(&listed(&list))? }
            }
            Verb::Rollback { name } => print::out(&changed(&client()?.roll_back_plugin(&name).await?))?,
            Verb::Reload { json } => {
                let folder = client()?.reload_plugins().await?;
                if json {
                    print::json(&folder)?;
                } else {
                    print::out(&reloaded(&folder))?;
                }
                return Ok(if is_sound(&folder) { ExitCode::SUCCESS } else { ExitCode::FAILURE });
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn push(client: &Client, file: &Path, name: Option<String>, activate: bool) -> anyhow::Result<String> {
    let component = fs::read(file).with_context(|| format!("could not read {}", file.display()))?;
    let name = match name {
        Some(name) => name,
        None => file.file_stem().context("--name is needed: the file has no name")?.to_string_lossy().into_owned(),
    };
    let pushed = client.push_plugin(&name, component.into(), activate).await?;
    Ok(match &pushed.change {
        Some(change) => changed(change),
        None => {
            let digest = short(&pushed.digest);
            format!("{name}: {digest} is kept; weft plugin activate {name} {digest}\n")
        }
    })
}

fn named(plugins: Vec<wire::Plugin>, name: &str) -> Vec<wire::Plugin> {
    plugins.into_iter().filter(|plugin| plugin.name == name).collect()
}

/// Every plugin with its versions, then what nobody would find otherwise: files that belong to no plugin.
fn listed(list: &Plugins) -> String {
    let mut text = String::new();
    for plugin in &list.plugins {
        // Writing into a string cannot fail.
        let _ = show(&mut text, plugin);
    }
    if let Some(folder) = &list.folder {
        let strays = folder.files.iter().filter(|file| file.plugin.is_none());
        text.extend(folder_problem(folder).into_iter().chain(strays.map(file_line)));
    }
    text
}

fn show(text: &mut String, plugin: &wire::Plugin) -> std::fmt::Result {
    let owner = plugin.tenant.as_deref().unwrap_or("operator");
    let roles: Vec<_> = plugin.roles.iter().map(|role| role.as_str()).collect();
    writeln!(text, "{owner}/{}  {}  {}", plugin.name, plugin.mode.as_str(), roles.join(", "))?;
    if let Some(description) = &plugin.description {
        let member = |name: &str| plain(description[name].as_str().unwrap_or_default());
        writeln!(text, "  {} {}: {}", member("name"), member("version"), member("description"))?;
    }
    if !plugin.wants.is_empty() {
        let wants: Vec<_> = plugin.wants.iter().map(|wanted| wanted.as_str()).collect();
        writeln!(text, "  wants {}, which its steps must grant", wants.join(", "))?;
    }
    if let Some(problem) = &plugin.problem {
        writeln!(text, "  the active version does not run: {}", plain(problem))?;
    }
    if let Some(file) = &plugin.file {
        write!(text, "  file {}", file_line(file))?;
    }
    for version in &plugin.versions {
        writeln!(text, "  {}", line(version, plugin.active.as_deref() == Some(version.digest.as_str())))?;
    }
    Ok(())
}

fn line(version: &PluginVersion, is_active: bool) -> String {
    let state = match &version.state {
        VersionState::Ready { .. } if is_active => "active".to_owned(),
        VersionState::Ready { .. } if version.rolled_back => "rolled back".to_owned(),
        VersionState::Ready { .. } => "ready".to_owned(),
        VersionState::Refused { reason } => format!("refused: {}", plain(reason)),
    };
    let PluginVersion { digest, component_bytes, first_seen_at, .. } = version;
    format!("{}  seen {first_seen_at}  {component_bytes} bytes  {state}", short(digest))
}

fn changed(change: &PluginChange) -> String {
    let before = match &change.previous {
        Some(previous) if *previous == change.active => "as before".to_owned(),
        Some(previous) => format!("in the place of {}", short(previous)),
        None => "the first".to_owned(),
    };
    format!("{}: {} is active, {before}; {}\n", change.plugin, short(&change.active), change.mode.as_str())
}

fn reloaded(folder: &PluginFolder) -> String {
    folder_problem(folder).into_iter().chain(folder.files.iter().map(file_line)).collect()
}

fn folder_problem(folder: &PluginFolder) -> Option<String> {
    folder.problem.as_ref().map(|problem| format!("folder {}: {}\n", plain(&folder.path), plain(problem)))
}

fn file_line(file: &PluginFile) -> String {
    let digest = file.digest.as_deref().map(|digest| format!("  {}", short(digest))).unwrap_or_default();
    format!("{}{digest}  {}: {}\n", plain(&file.file), file.outcome, plain(&file.detail))
}

fn is_sound(folder: &PluginFolder) -> bool {
    folder.problem.is_none() && folder.files.iter().all(|file| file.outcome != "refused")
}

#[cfg(test)]
mod tests {
    use super::*;
    use weft_core::contract::{Capability, Role};
    use weft_core::time::Timestamp;

    fn version(digit: &str, state: VersionState, rolled_back: bool) -> PluginVersion {
        let first_seen_at = Timestamp::from_ms(1_700_000_000_000);
        PluginVersion { digest: digit.repeat(64), component_bytes: 70_000, first_seen_at, state, rolled_back }
    }

    fn file(name: &str, plugin: Option<&str>, outcome: &str, detail: &str) -> PluginFile {
        PluginFile {
            file: name.to_owned(),
            plugin: plugin.map(str::to_owned),
            digest: plugin.map(|_| "b".repeat(64)),
            outcome: outcome.to_owned(),
            detail: detail.to_owned(),
            at: Timestamp::from_ms(1_700_000_000_000),
        }
    }

    #[test]
    fn the_list_shows_which_version_runs_and_why_others_do_not() {
        let ready = || VersionState::Ready { roles: vec![Role::Filter] };
        let refused = VersionState::Refused { reason: "needs\u{1b} files".to_owned() };
        let plugin = wire::Plugin {
            name: "stamp".to_owned(),
            tenant: None,
            mode: PluginMode::Pinned,
            active: Some("a".repeat(64)),
            active_since: None,
            roles: vec![Role::Filter, Role::Transform],
            wants: vec![Capability::Kv, Capability::Clock],
            pure: Some(false),
            description: Some(serde_json::json!({"name": "stamp", "version": "1.0\u{1b}", "description": "Stamps."})),
            problem: None,
            file: Some(file("stamp.wasm", Some("stamp"), "rolled-back", "a person left it")),
            versions: vec![version("c", refused, false), version("b", ready(), true), version("a", ready(), false)],
        };
        let stray = file("README", None, "ignored", "it is no component");
        let folder = PluginFolder { path: "plugins".to_owned(), problem: None, files: vec![stray] };
        let text = listed(&Plugins { folder: Some(folder), plugins: vec![plugin] });
        assert_eq!(
            text,
            "operator/stamp  pinned  filter, transform\n  stamp 1.0\\u{1b}: Stamps.\n  \
             wants kv, clock, which its steps must grant\n  \
             file stamp.wasm  bbbbbbbbbbbb  rolled-back: a person left it\n  \
             cccccccccccc  seen 2023-11-14T22:13:20.000Z  70000 bytes  refused: needs\\u{1b} files\n  \
             bbbbbbbbbbbb  seen 2023-11-14T22:13:20.000Z  70000 bytes  rolled back\n  \
             aaaaaaaaaaaa  seen 2023-11-14T22:13:20.000Z  70000 bytes  active\n\
             README  ignored: it is no component\n"
        );
    }

    #[test]
    fn a_reload_that_refused_a_file_is_no_success() {
        let folder =
            |outcome| PluginFolder { files: vec![file("a.wasm", Some("a"), outcome, "")], ..PluginFolder::default() };
        assert!(is_sound(&folder("activated")));
        assert!(!is_sound(&folder("refused")));
        assert!(!is_sound(&PluginFolder { problem: Some("gone".to_owned()), ..PluginFolder::default() }));
    }
}
