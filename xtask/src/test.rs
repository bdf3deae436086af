//! `cargo xtask test`: every check that guards a change, in one go and in the order of their cost.
//!
//! A stage that fails does not keep the later ones from running, so that one pass tells everything. What cannot run here
//! is *left out* and named, with the way to get it; with `--install` it is fetched, and a left-out stage is a failure.

mod dependencies;
mod languages;
mod lints;
mod postgres;
mod promises;
mod receivers;
mod suites;
mod tally;
mod tool;

use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;

use crate::project::Project;
use crate::stopwatch::Stopwatch;
use crate::{components, tidy};
use postgres::SharedPostgres;
use tally::Tally;

#[derive(Args)]
pub(crate) struct Options {
    /// Installs what is missing (cargo tools into target/tools, Debian packages); a left-out stage is then a failure
    #[arg(long)]
    install: bool,
    /// Runs only these stages, by name
    stages: Vec<String>,
}

/// What a stage works with.
struct Run<'a> {
    project: &'a Project,
    install: bool,
    tally: Tally,
    postgres: SharedPostgres,
}

/// How a stage ended, if it did not fail.
enum Ending {
    Passed,
    /// It needs what no package brings, such as a network; the reason.
    Skipped(&'static str),
    /// Something is not installed; `remedy` is what to type.
    LeftOut {
        missing: String,
        remedy: String,
    },
}

struct Stage {
    name: &'static str,
    run: fn(&mut Run<'_>) -> Result<Ending>,
}

/// All stages, cheap ones first; components come before the tests that load them, and bring the target that lints need.
const STAGES: [Stage; 17] = [
    Stage { name: "format", run: lints::format },
    Stage { name: "tidy", run: |run| passed(tidy::run(run.project)) },
    Stage { name: "unused", run: dependencies::unused },
    Stage { name: "deny", run: dependencies::deny },
    Stage { name: "advisories", run: dependencies::advisories },
    Stage { name: "components", run: build_components },
    Stage { name: "clippy", run: lints::clippy },
    Stage { name: "docs", run: lints::docs },
    Stage { name: "plugins", run: suites::plugins },
    Stage { name: "binaries", run: suites::binaries },
    Stage { name: "tests", run: suites::workspace },
    Stage { name: "postgres", run: suites::postgres },
    Stage { name: "receivers", run: suites::receivers },
    Stage { name: "languages", run: suites::languages },
    Stage { name: "failpoints", run: suites::failpoints },
    Stage { name: "system calls", run: suites::system_calls },
    Stage { name: "mounts", run: suites::mounts },
];

struct Report {
    stage: &'static str,
    ending: Result<Ending>,
    took: Duration,
    /// Tests that failed in this stage.
    tests_failed: u64,
}

/// Runs the stages and prints what they found.
///
/// # Errors
/// When a stage failed, or was left out although `--install` was given.
pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    let chosen = chosen(&options.stages)?;
    let (tally, postgres) = (Tally::default(), SharedPostgres::default());
    let mut run = Run { project, install: options.install, tally, postgres };
    let mut reports = Vec::new();
    for stage in chosen {
        println!("\n== {}", stage.name);
        let (watch, failed_before) = (Stopwatch::start(), run.tally.failed);
        let ending = settle((stage.run)(&mut run), options.install);
        if let Err(error) = &ending {
            println!("{error:#}");
        }
        let tests_failed = run.tally.failed - failed_before;
        reports.push(Report { stage: stage.name, ending, took: watch.elapsed(), tests_failed });
    }

    promises::print(&run.tally);
    print_table(&reports);
    println!("\n{}", closing_line(&run.tally, &reports));
    let failed: Vec<_> = reports.iter().filter(|report| report.ending.is_err()).map(|report| report.stage).collect();
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

/// The stages that were asked for, in their own order; all of them if none is named.
fn chosen(names: &[String]) -> Result<Vec<&'static Stage>> {
    if let Some(unknown) = names.iter().find(|name| STAGES.iter().all(|stage| stage.name != name.as_str())) {
        let known: Vec<_> = STAGES.iter().map(|stage| stage.name).collect();
        bail!("no stage `{unknown}` (known: {})", known.join(", "));
    }
    Ok(STAGES.iter().filter(|stage| names.is_empty() || names.iter().any(|name| name == stage.name)).collect())
}

/// With `install`, everything must be there: what was left out has failed.
fn settle(ending: Result<Ending>, install: bool) -> Result<Ending> {
    match ending {
        Ok(Ending::LeftOut { missing, remedy }) if install => {
            bail!("left out although --install was given: {missing} (by hand: {remedy})")
        }
        ending => ending,
    }
}

/// Runs `check` in each workspace, also after one has failed, so that one pass tells everything.
fn in_each(
    workspaces: impl IntoIterator<Item = &'static str>,
    mut check: impl FnMut(&'static str) -> Result<()>,
) -> Result<Ending> {
    let mut broken = Vec::new();
    for workspace in workspaces {
        let place = if workspace.is_empty() { "the main workspace" } else { workspace };
        if let Err(error) = check(workspace) {
            broken.push(format!("{place}: {error:#}"));
        }
    }
    if !broken.is_empty() {
        bail!("{}", broken.join("\n"));
    }
    Ok(Ending::Passed)
}

fn passed(result: Result<()>) -> Result<Ending> {
    result.map(|()| Ending::Passed)
}

fn build_components(run: &mut Run<'_>) -> Result<Ending> {
    passed(components::build(run.project, &components::Options { install: run.install }).map(drop))
}

fn print_table(reports: &[Report]) {
    println!("\n  minutes  stage");
    for Report { stage, ending, took, tests_failed } in reports {
        let told = match ending {
            Ok(Ending::Passed) => "passed".to_owned(),
            Ok(Ending::Skipped(reason)) => format!("skipped: {reason}"),
            Ok(Ending::LeftOut { missing, remedy }) => format!("LEFT OUT: {missing}; to get it: {remedy}"),
            Err(_) if *tests_failed > 0 => format!("FAILED, {tests_failed} tests"),
            Err(error) => format!("FAILED: {}", error.to_string().lines().next().unwrap_or_default()),
        };
        println!("  {:>7.1}  {stage:<13}{told}", took.as_secs_f64() / 60.0);
    }
    let total: Duration = reports.iter().map(|report| report.took).sum();
    println!("  {:>7.1}  in all", total.as_secs_f64() / 60.0);
}

/// The last line: tests by how they ended. A stage that failed without a failing test counts as one that failed, and one
/// that was left out as one that was skipped, so that the line is never better than the table.
fn closing_line(tally: &Tally, reports: &[Report]) -> String {
    let broken = reports.iter().filter(|report| report.ending.is_err() && report.tests_failed == 0).count() as u64;
    let left_out = reports.iter().filter(|report| matches!(report.ending, Ok(Ending::LeftOut { .. }))).count() as u64;
    format!("{} passed, {} failed, {} skipped", tally.passed, tally.failed + broken, tally.skipped + left_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(ending: Result<Ending>, tests_failed: u64) -> Report {
        Report { stage: "docs", ending, took: Duration::ZERO, tests_failed }
    }

    fn left_out() -> Ending {
        Ending::LeftOut { missing: "strace".into(), remedy: "apt-get install strace".into() }
    }

    #[test]
    fn a_left_out_stage_is_a_failure_only_with_install() {
        assert!(settle(Ok(left_out()), false).is_ok());
        let error = settle(Ok(left_out()), true).err().expect("it was to be installed");
        assert!(error.to_string().contains("strace"), "{error}");
    }

    #[test]
    fn the_closing_line_is_never_better_than_the_table() {
        let tally = Tally { passed: 7, failed: 2, skipped: 1, ..Tally::default() };
        let broken = || Err(anyhow::anyhow!("broken"));
        let reports =
            [report(Ok(Ending::Passed), 0), report(broken(), 2), report(broken(), 0), report(Ok(left_out()), 0)];
        assert_eq!(closing_line(&tally, &reports), "7 passed, 3 failed, 2 skipped");
    }

    #[test]
    fn stages_run_in_their_own_order_and_an_unknown_one_is_named() {
        let names: Vec<_> =
            chosen(&["docs".into(), "format".into()]).expect("known").iter().map(|stage| stage.name).collect();
        assert_eq!(names, ["format", "docs"]);
        assert!(chosen(&["nope".into()]).err().expect("unknown").to_string().contains("`nope`"));
    }
}
