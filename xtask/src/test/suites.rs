//! The suites of tests: who builds what for them, and what each needs.
//!
//! Tests that need more than a compiler are marked `#[ignore = "…"]` in `tests/it`, so that a plain `cargo test` passes on
//! every machine; the suite that brings what they need selects them by the name of their module.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::tally::Selection;
use super::{Ending, Run};
use crate::project::{PLUGINS, Project};
use crate::{apt, command};

/// Tests of `tests/it` that are ignored in an ordinary run.
struct Suite {
    /// The module of `tests/it`, as the harness filters names.
    module: &'static str,
}

/// Aborts at every named stage of the journey, against an engine that was built to be aborted.
const FAILPOINTS: Suite = Suite { module: "failpoints::" };

/// What the kernel sees: a finished sync between each request and its 2xx.
const SYSTEM_CALLS: Suite = Suite { module: "system_calls::" };

/// Native tests of the plugins and of the SDK.
pub(super) fn plugins(run: &mut Run<'_>) -> Result<Ending> {
    let mut cargo = run.project.cargo_in(PLUGINS);
    cargo.args(["test", "--locked", "--workspace", "--no-fail-fast"]);
    test(run, cargo, Selection::Ordinary)?;
    Ok(Ending::Passed)
}

/// Builds the engine twice: as the tests start it, and as the failpoints suite aborts it.
pub(super) fn binaries(run: &mut Run<'_>) -> Result<Ending> {
    let project = run.project;
    let mut cargo = project.cargo();
    command::run(cargo.args(["build", "--locked", "--workspace", "--bins", "--features", "weft-cli/failpoints"]))?;
    let kept = failpoints_binary(project);
    let folder = kept.parent().context("the copy lies in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("could not create {}", folder.display()))?;
    fs::copy(binary(project), &kept).with_context(|| format!("could not copy the engine to {}", kept.display()))?;

    // Last, so that target/debug/weft is the engine without failpoints.
    command::run(project.cargo().args(["build", "--locked", "--workspace", "--bins"]))?;
    Ok(Ending::Passed)
}

/// Unit tests, documentation tests and the integration binary of the main workspace.
pub(super) fn workspace(run: &mut Run<'_>) -> Result<Ending> {
    let mut cargo = workspace_tests(run.project);
    cargo.arg("--no-fail-fast");
    test(run, cargo, Selection::Ordinary)?;
    Ok(Ending::Passed)
}

pub(super) fn failpoints(run: &mut Run<'_>) -> Result<Ending> {
    ignored_tests(run, &FAILPOINTS)
}

pub(super) fn system_calls(run: &mut Run<'_>) -> Result<Ending> {
    if command::find("strace", None).is_none() {
        if !run.install {
            let (missing, remedy) = ("strace".into(), "apt-get install strace, or --install".into());
            return Ok(Ending::LeftOut { missing, remedy });
        }
        apt::install(&["strace"])?;
    }
    ignored_tests(run, &SYSTEM_CALLS)
}

/// Runs the ignored tests of one module of `tests/it`; a module without any is an error, or a rename would go unseen.
fn ignored_tests(run: &mut Run<'_>, suite: &Suite) -> Result<Ending> {
    let before = run.tally.passed;
    let mut cargo = workspace_tests(run.project);
    cargo.args(["--test", "it", "--", "--ignored", suite.module]);
    test(run, cargo, Selection::Ignored)?;
    if run.tally.passed == before {
        bail!("tests/it has no ignored test in `{}`", suite.module);
    }
    Ok(Ending::Passed)
}

/// `cargo test` in the main workspace, told where the components and the engines are.
fn workspace_tests(project: &Project) -> Command {
    let mut cargo = project.cargo();
    cargo.env("WEFT_COMPONENTS", project.components());
    cargo.env("WEFT_BIN", binary(project)).env("WEFT_FAILPOINTS_BIN", failpoints_binary(project));
    cargo.args(["test", "--locked", "--workspace"]);
    cargo
}

/// Runs a test command and counts what it prints.
fn test(run: &mut Run<'_>, mut cargo: Command, selection: Selection) -> Result<()> {
    let good = command::watch(&mut cargo, |line| {
        println!("{line}");
        run.tally.see(line, selection);
        Ok(())
    })?;
    if !good {
        bail!("a test failed, or did not compile");
    }
    Ok(())
}

fn binary(project: &Project) -> PathBuf {
    project.target().join("debug/weft")
}

fn failpoints_binary(project: &Project) -> PathBuf {
    project.target().join("failpoints/weft")
}
