//! The suites of tests: who builds what for them, and what each needs.
//!
//! Tests that need an engine of their own are marked `#[ignore = "…"]` in `tests/it`; the suite that brings it selects them by
//! the name of their module. Tests that need Postgres have `on_postgres` in their path, in whichever package they are: the
//! suite `postgres` runs them on one server, and every other suite passes them over where there is none.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use weft_private_postgres::SERVER_VARIABLE;

use super::tally::Selection;
use super::tool::Sought;
use super::{Ending, Run, languages, receivers};
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

/// What happens on a disk that is full, or can only be read.
const MOUNTS: Suite = Suite { module: "mounts::" };

/// Receivers in other languages.
const RECEIVERS: Suite = Suite { module: "receivers::" };

/// Plugins in other languages.
const LANGUAGES: Suite = Suite { module: "languages::" };

/// Where the tests find those.
const LANGUAGES_VARIABLE: &str = "WEFT_LANGUAGES";

/// Where the tests find the receivers.
const RECEIVERS_VARIABLE: &str = "WEFT_RECEIVERS";

/// What tests that need Postgres have in their path.
const ON_POSTGRES: &str = "on_postgres";

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

/// Unit tests, documentation tests and the integration binary of the main workspace, as far as they need no server.
pub(super) fn workspace(run: &mut Run<'_>) -> Result<Ending> {
    let mut cargo = workspace_tests(run.project);
    cargo.args(["--no-fail-fast", "--", "--skip", ON_POSTGRES]);
    test(run, cargo, Selection::Ordinary)?;
    Ok(Ending::Passed)
}

/// The tests of every package that need Postgres, on one server.
pub(super) fn postgres(run: &mut Run<'_>) -> Result<Ending> {
    let server = match run.postgres.seek(run.install)? {
        Sought::Found(server) => server,
        Sought::Missing(ending) => return Ok(ending),
    };
    let before = run.tally.passed;
    let mut cargo = workspace_tests(run.project);
    cargo.env(SERVER_VARIABLE, server);
    cargo.args(["--no-fail-fast", "--lib", "--bins", "--tests", "--", ON_POSTGRES]);
    test(run, cargo, Selection::Ordinary)?;
    if run.tally.passed == before {
        bail!("no test has `{ON_POSTGRES}` in its path");
    }
    Ok(Ending::Passed)
}

/// Deliveries to the receivers of `examples/receivers`.
pub(super) fn receivers(run: &mut Run<'_>) -> Result<Ending> {
    let folder = match receivers::seek(run)? {
        Sought::Found(folder) => folder,
        Sought::Missing(ending) => return Ok(ending),
    };
    ignored_tests(run, &RECEIVERS, &[(RECEIVERS_VARIABLE, &folder)])
}

/// Plugins in every language, as `weft plugin new` makes them.
pub(super) fn languages(run: &mut Run<'_>) -> Result<Ending> {
    let folder = match languages::seek(run, &binary(run.project))? {
        Sought::Found(folder) => folder,
        Sought::Missing(ending) => return Ok(ending),
    };
    ignored_tests(run, &LANGUAGES, &[(LANGUAGES_VARIABLE, &folder)])
}

pub(super) fn failpoints(run: &mut Run<'_>) -> Result<Ending> {
    ignored_tests(run, &FAILPOINTS, &[])
}

pub(super) fn system_calls(run: &mut Run<'_>) -> Result<Ending> {
    if command::find("strace", None).is_none() {
        if !run.install {
            let (missing, remedy) = ("strace".into(), "apt-get install strace, or --install".into());
            return Ok(Ending::LeftOut { missing, remedy });
        }
        apt::install(&["strace"])?;
    }
    ignored_tests(run, &SYSTEM_CALLS, &[])
}

pub(super) fn mounts(run: &mut Run<'_>) -> Result<Ending> {
    let folder = tempfile::tempdir().context("no folder to try a mount on")?;
    let mounts = |command: &mut Command| command::read(command.arg(folder.path())).is_ok();
    if !mounts(Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "weft-tests"])) {
        return Ok(Ending::Skipped("a tmpfs cannot be mounted here: it takes root with CAP_SYS_ADMIN"));
    }
    if !mounts(&mut Command::new("umount")) {
        bail!("what was mounted at {} to see whether it can be does not go away", folder.path().display());
    }
    ignored_tests(run, &MOUNTS, &[])
}

/// Runs the ignored tests of one module of `tests/it`; a module without any is an error, or a rename would go unseen.
fn ignored_tests(run: &mut Run<'_>, suite: &Suite, variables: &[(&str, &Path)]) -> Result<Ending> {
    let before = run.tally.passed;
    let mut cargo = workspace_tests(run.project);
    cargo.envs(variables.iter().copied());
    cargo.args(["--test", "it", "--", "--ignored", suite.module]);
    // Where there is none, its own suite has said so.
    match run.postgres.seek(run.install)? {
        Sought::Found(server) => cargo.env(SERVER_VARIABLE, server),
        Sought::Missing(_) => cargo.args(["--skip", ON_POSTGRES]),
    };
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
