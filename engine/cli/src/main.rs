//! `weft`: the engine, and everything that a person types to it.
//!
//! `serve` runs the engine; `check` and `config check` look at its files; everything else goes through its HTTP API with a
//! key. Results go to stdout, everything else to stderr. It ends with 0, with 1 if something failed or was found, and
//! with 2 if it was called wrongly.

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

use crate::weft::Weft;

fn main() -> ExitCode {
    #[cfg(feature = "failpoints")]
    let _armed = fail::FailScenario::setup();
    match Weft::parse().run() {
        Ok(code) => code,
        Err(error) => {
            print::error(&error);
            ExitCode::FAILURE
        }
    }
}
