//! `cargo xtask demo`: real events through a real engine, from a fresh clone, with one command.
//!
//! This builds the shipped plugins, the engine and the program that plays everybody else (`xtask/demo`, whose dependencies
//! would make every `cargo xtask` slow to compile), and hands over to that.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use weft_private_postgres::{Binaries, PostgresError};

use crate::project::Project;
use crate::{apt, command, components};

#[derive(Args)]
pub(crate) struct Options {
    /// Stops when everything is checked; ends with 0 only if every count is as it must be
    #[arg(long)]
    once: bool,
    /// How many events are sent
    #[arg(long, default_value_t = 6000, value_parser = clap::value_parser!(u32).range(100..=200_000))]
    events: u32,
    /// What the events are drawn by: the same seed draws the same events
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Which store the engine uses
    #[arg(long, value_enum, default_value_t = Store::Sqlite)]
    store: Store,
    /// Installs Debian packages: Postgres for its store, and the wasm target's where rustup cannot fetch it
    #[arg(long)]
    install: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Store {
    /// A file in .weft-demo/data
    Sqlite,
    /// A private server in a folder of its own, which ends with the demo
    Postgres,
}

/// Builds everything and becomes the demo.
///
/// # Errors
/// When something does not build or start; what the demo finds is said by the demo, with its own exit code.
pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    let on_postgres = options.store == Store::Postgres;
    if on_postgres && let Err(PostgresError::NotFound) = Binaries::find() {
        anyhow::ensure!(options.install, "{} (--install does that)", PostgresError::NotFound);
        apt::install(&[apt::POSTGRES])?;
    }
    components::build(project, &components::Options { install: options.install })?;
    // In one go, so that what both need is compiled once.
    let packages = ["--package", "weft-cli", "--package", "weft-demo"];
    command::run(project.cargo().args(["build", "--locked", "--release"]).args(packages))?;

    let built = project.target().join("release");
    let mut demo = Command::new(built.join("weft-demo"));
    demo.arg("--root").arg(project.root()).arg("--weft").arg(built.join("weft"));
    demo.arg("--components").arg(project.components());
    demo.args(["--events", &options.events.to_string(), "--seed", &options.seed.to_string()]);
    demo.args(options.once.then_some("--once")).args(on_postgres.then_some("--on-postgres"));
    // The demo takes the place of this process, so that Ctrl-C and the exit code are its own.
    Err(demo.exec()).context("could not start the demo")
}
