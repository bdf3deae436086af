//! `weft`: the engine, and everything that a person types to it.
//!
//! `serve` runs the engine; `check`, `store`, `backup`, `restore` and `config check` look after its files; everything else goes through its HTTP API with a
//! key. What was asked for goes to stdout, everything else to stderr. It ends with 0, with 1 if something failed or was
//! found, and with 2 if it was called wrongly.

mod backup;
mod check;
mod config;
mod dead_letters;
mod destinations;
mod engine;
mod events;
mod listen;
mod log;
mod open_files;
mod plugin;
mod print;
mod progress;
mod restore;
mod serve;
mod store;
mod store_move;
mod timeline;
mod trigger;
mod weft;

use std::process::ExitCode;

use clap::Parser as _;

use crate::print::OutputError;
use crate::weft::Weft;

/// Events are allocated by one thread and freed by another, for which the system's allocator takes a tenth of the engine's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
