//! Format, lints and documentation, each with warnings as errors.

use anyhow::{Context, Result};

use super::{Ending, Run, in_each};
use crate::command;
use crate::project::{BENCH_WORKSPACE, GUEST_WORKSPACES};

/// All workspaces of the repository by their folder; the main one is the empty name.
fn workspaces() -> impl Iterator<Item = &'static str> {
    std::iter::once("").chain(GUEST_WORKSPACES).chain([BENCH_WORKSPACE])
}

pub(super) fn format(run: &mut Run<'_>) -> Result<Ending> {
    in_each(workspaces(), |workspace| {
        let mut cargo = run.project.cargo_in(workspace);
        command::run(cargo.args(["fmt", "--all", "--", "--check"])).context("`cargo fmt --all` puts it right")
    })
}

/// Lints every workspace; guests natively, as their tests compile them.
pub(super) fn clippy(run: &mut Run<'_>) -> Result<Ending> {
    in_each(workspaces(), |workspace| {
        let mut cargo = run.project.cargo_in(workspace);
        command::run(cargo.args(["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    })
}

/// Builds the documentation of the main workspace, private items included, so that a broken link is an error.
pub(super) fn docs(run: &mut Run<'_>) -> Result<Ending> {
    let mut cargo = run.project.cargo();
    cargo.env("RUSTDOCFLAGS", "-D warnings");
    cargo.args(["doc", "--locked", "--no-deps", "--workspace", "--document-private-items"]);
    command::run(&mut cargo)?;
    Ok(Ending::Passed)
}
