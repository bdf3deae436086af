//! `weft`: the engine, and everything that a person types to it.
//!
//! `serve` runs the engine; `check` and `config check` look at its files; everything else goes through its HTTP API with a
//! key. What was asked for goes to stdout, everything else to stderr. It ends with 0, with 1 if something failed or was
//! found, and with 2 if it was called wrongly.

mod check;
mod config;
mod dead_letters;
mod destinations;
mod engine;
mod events;
mod log;
mod plugin;
mod print;
mod serve;
mod timeline;
mod weft;

use std::process::ExitCode;

use clap::Parser as _;

use crate::print::OutputError;
use crate::weft::Weft;

fn main() -> ExitCode {
    // Armed for as long as this lives.
    #[cfg(feature = "failpoints")]
    let _armed = fail::FailScenario::setup();
    match Weft::parse().run() {
        Ok(code) => code,
        // Whoever reads has seen enough, as `head` has after ten lines.
        Err(error) if error.downcast_ref().is_some_and(OutputError::is_closed_pipe) => ExitCode::SUCCESS,
        Err(error) => {
            print::say(&print::with_causes(&error));
            ExitCode::FAILURE
        }
    }
}
