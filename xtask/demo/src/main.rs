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
use weft_private_postgres::{Durability, Options as PostgresOptions, PrivatePostgres};

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
    /// Keeps everything in a private Postgres
    #[arg(long)]
    on_postgres: bool,
}

/// The database of the demo in its private Postgres.
const DATABASE: &str = "weft";

#[tokio::main]
async fn main() -> ExitCode {
    match play(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn play(options: Options) -> anyhow::Result<()> {
    let Options { root, weft, components, events, seed, once, on_postgres } = options;
    // It lives until the engine has stopped.
    let postgres = if on_postgres { Some(postgres()?) } else { None };
    let store = postgres.as_ref().map(|server| server.url(DATABASE));
    let stage = Stage { root, weft, components, store };
    story::play(&stage, events as usize, seed, once).await
}

/// A server that is as durable as one in production, with an empty database.
fn postgres() -> anyhow::Result<PrivatePostgres> {
    let server = PrivatePostgres::start(&PostgresOptions::new(Durability::Full))?;
    server.create_database(DATABASE)?;
    Ok(server)
}
