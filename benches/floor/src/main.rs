//! The floor: the least program that acknowledges only what is on disk, signs it and delivers it.
//!
//! HTTP in, SQLite in WAL mode with `synchronous=FULL` and group commit, HMAC-SHA256, HTTP out over kept connections,
//! settled in batches. No retry, no attempts, no claims after a restart, no API and no plugins: it is no product, but the
//! ceiling of what a router can reach on a machine, to be run in turn with Weft.
//!
//! `POST /in0` goes to no destination, `/in1` to one (`/e1` of the sink), `/in10` to ten (`/e1` to `/e10`).

mod ingest;
mod sender;
mod writer;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Parser;
use tokio::sync::mpsc;

use sender::Sender;
use writer::Writer;

/// 100 000: several times what the closed loops of the load generator can have waiting.
const WORK_WAITING_MAX: usize = 100_000;

#[derive(Parser)]
struct Options {
    /// Where events come in
    #[arg(long)]
    listen: SocketAddr,
    /// The sink: all destinations are paths of it
    #[arg(long)]
    destination: SocketAddr,
    /// A file that does not exist yet
    #[arg(long)]
    store: PathBuf,
    /// Connections to the sink
    #[arg(long, default_value_t = 32)]
    senders: usize,
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let (work, work_waiting) = mpsc::channel(WORK_WAITING_MAX);
    let (deliveries, deliveries_waiting) = mpsc::unbounded_channel();
    let writer = Writer::open(&options.store)?;
    let writing = tokio::task::spawn_blocking(move || writer.run(work_waiting, &deliveries));
    let sending = Sender::start(options.senders, options.destination, deliveries_waiting, work.clone());
    let receiving = ingest::serve(options.listen, work);
    tokio::select! {
        end = writing => end.context("the writer was stopped")??,
        end = sending => end?,
        end = receiving => end?,
    }
    bail!("the floor runs until it is killed")
}
