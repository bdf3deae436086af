//! `cargo xtask`: everything that is done to this repository and is not `cargo build`.
//!
//! Each command is one module: [`components`] builds the guests, [`mod@test`] runs every check that guards a change,
//! [`tidy`] is the check of the house rules, [`mod@bench`] measures against the floor, [`demo`] shows the whole way on real
//! events. All set-up lives here, so that a clone with a Rust toolchain and a C compiler needs nothing done by hand. It
//! compiles in seconds, because it is the first thing a newcomer runs: heavy parts belong into the programs that it builds
//! and starts.

mod apt;
mod bench;
mod command;
mod components;
mod demo;
mod project;
mod stopwatch;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use project::Project;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Set-up, checks and measures of the Weft repository")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Builds the shipped plugins and the test guests into target/components
    Components(components::Options),
    /// Runs every check: format, lints, docs, dependencies, house rules, tests
    Test(test::Options),
    /// Checks the house rules that neither the compiler nor a lint can see
    Tidy,
    /// Sends real events the whole way and checks every count
    Demo(demo::Options),
    /// Measures Weft and the floor in turn and prints their ratios
    Bench(bench::Options),
}

fn main() -> ExitCode {
    let task = Cli::parse().task;
    match Project::find().and_then(|project| run(&project, &task)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(project: &Project, task: &Task) -> anyhow::Result<()> {
    match task {
        Task::Components(options) => components::build(project, options).map(drop),
        Task::Test(options) => test::run(project, options),
        Task::Tidy => tidy::run(project),
        Task::Demo(options) => demo::run(project, options),
        Task::Bench(options) => bench::run(project, options),
    }
}
