//! Format, lints and documentation, each with warnings as errors.

use anyhow::{Context, Result};

use super::{Ending, Run, in_each};
use crate::command;
use crate::components::{self, WASI_TARGET};
use crate::project::{BENCH_WORKSPACE, COMPONENTIZE, PLUGINS, TEST_GUESTS};

/// All workspaces of the repository by their folder; the main one is the empty name.
const WORKSPACES: [&str; 5] = ["", PLUGINS, TEST_GUESTS, BENCH_WORKSPACE, COMPONENTIZE];

pub(super) fn format(run: &mut Run<'_>) -> Result<Ending> {
    in_each(WORKSPACES, |workspace| {
        let mut cargo = run.project.cargo_in(workspace);
        command::run(cargo.args(["fmt", "--all", "--", "--check"])).context("`cargo fmt --all` puts it right")
    })
}

/// Lints every workspace: the plugins natively, as their tests compile them; the test guests, which are nothing but wasm,
/// for their own target.
pub(super) fn clippy(run: &mut Run<'_>) -> Result<Ending> {
    in_each(WORKSPACES, |workspace| {
        let mut cargo = run.project.cargo_in(workspace);
        cargo.args(["clippy", "--locked", "--workspace"]);
        if workspace == TEST_GUESTS {
            if !components::wasi_target_present(run.project)? {
                println!("{workspace}: not linted, the target {WASI_TARGET} is not here");
                return Ok(());
            }
            cargo.args(["--target", WASI_TARGET]);
        } else {
            cargo.arg("--all-targets");
        }
        command::run(cargo.args(["--", "-D", "warnings"]))
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
