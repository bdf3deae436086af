//! The program behind `cargo xtask demo`, which builds it and the engine and starts it.
//!
//! It plays everybody but Weft: the senders ([`sending`]), the receivers ([`receiver`], [`receipts`]), the operator who
//! replaces a plugin and replays dead letters ([`story`]), and an accountant who works out beforehand what must become of
//! each event ([`expected`], [`counts`]) and compares it with what the engine tells and the receivers have ([`compare`]).

mod cast;
mod clock;
mod compare;
mod counts;
mod draw;
mod engine;
mod expected;
mod next;
mod payload;
mod progress;
mod receipts;
mod receiver;
mod replacement;
mod replay;
mod sample;
mod sending;
mod settle;
mod stage;
mod story;
mod summary;
mod traces;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use stage::Stage;

/// Sends the quickstart's events through a running engine and checks every count; started by `cargo xtask demo`.
#[derive(Parser)]
#[command(name = "weft-demo")]
struct Options {
    /// The project's root
    #[arg(long)]
    root: PathBuf,
    /// The engine's binary
    #[arg(long)]
    weft: PathBuf,
    /// The folder of the built components
    #[arg(long)]
    components: PathBuf,
    /// How many events are sent
    #[arg(long)]
    events: u32,
    /// What the events are drawn by
    #[arg(long)]
    seed: u64,
    /// Stops when everything is checked
    #[arg(long)]
    once: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Options { root, weft, components, events, seed, once } = Options::parse();
    let stage = Stage { root, weft, components };
    match story::play(&stage, events as usize, seed, once).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
