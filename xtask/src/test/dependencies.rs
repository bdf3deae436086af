//! Checks of what the workspaces depend on: licences, sources, bans, known flaws, and what nobody uses.

use std::process::Command;

use anyhow::{Context, Result, bail};

use super::tool::{CargoTool, Sought};
use super::{Ending, Run, in_each};
use crate::command;
use crate::project::PLUGINS;

const DENY: CargoTool = CargoTool { name: "cargo-deny", version: "0.20.2" };
const MACHETE: CargoTool = CargoTool { name: "cargo-machete", version: "0.9.2" };

/// Checks bans, licences and sources of the engine and of the guests that are shipped, which need no network.
pub(super) fn deny(run: &mut Run<'_>) -> Result<Ending> {
    let program = match DENY.seek(run)? {
        Sought::Found(program) => program,
        Sought::Missing(ending) => return Ok(ending),
    };
    let configuration = run.project.path("deny.toml");
    in_each(["", PLUGINS], |workspace| {
        let mut deny = Command::new(&program);
        deny.current_dir(run.project.path(workspace)).args(["--log-level", "error", "--locked", "--config"]);
        deny.arg(&configuration).args(["check", "bans", "licenses", "sources"]);
        command::run(&mut deny)
    })
}

/// Looks for known flaws where the advisory database can be fetched; elsewhere says in one line that it did not.
pub(super) fn advisories(run: &mut Run<'_>) -> Result<Ending> {
    let program = match DENY.seek(run)? {
        Sought::Found(program) => program,
        Sought::Missing(ending) => return Ok(ending),
    };
    let mut deny = Command::new(&program);
    deny.current_dir(run.project.root()).args(["--log-level", "error", "--locked", "check", "advisories"]);
    let output = deny.output().context("could not start cargo-deny")?;
    if output.status.success() {
        return Ok(Ending::Passed);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("failed to fetch advisory database") {
        return Ok(Ending::Skipped("the advisory database cannot be fetched from here"));
    }
    bail!("{}", said.trim());
}

/// Names dependencies that no source file mentions, in every workspace.
pub(super) fn unused(run: &mut Run<'_>) -> Result<Ending> {
    let program = match MACHETE.seek(run)? {
        Sought::Found(program) => program,
        Sought::Missing(ending) => return Ok(ending),
    };
    let mut machete = Command::new(program);
    machete.current_dir(run.project.root()).args(["engine", "tests", "xtask", "plugins", "benches"]);
    let output = machete.output().context("could not start cargo-machete")?;
    let unread = String::from_utf8_lossy(&output.stderr);
    print!("{}", String::from_utf8_lossy(&output.stdout));
    // It exits with 0 although it has not looked at a manifest that it could not read.
    if let Some(unread) = unread.lines().find(|line| line.starts_with("error")) {
        bail!("cargo-machete could not look at every crate: {unread}");
    }
    if !output.status.success() {
        bail!("a dependency is declared and not used");
    }
    Ok(Ending::Passed)
}
