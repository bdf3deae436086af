//! Prepares another product for a run: one tenant with its destinations at the sink. Prints how events go in, as JSON.

use std::net::SocketAddr;

use anyhow::Result;
use clap::{Parser, ValueEnum};

use bench_tools::svix;

#[derive(Parser)]
struct Options {
    /// Which product it is
    #[arg(long, value_enum)]
    product: Product,
    /// Where it listens
    #[arg(long)]
    server: SocketAddr,
    /// The sink: all destinations are paths of it
    #[arg(long)]
    sink: SocketAddr,
    /// How many destinations each event goes to
    #[arg(long)]
    destinations: u32,
    /// What opens its API
    #[arg(long, env = "WEFT_BENCH_TOKEN", hide_env_values = true)]
    token: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum Product {
    /// Its API: application, endpoint, message
    Svix,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = Options::parse();
    let way = match options.product {
        Product::Svix => svix::prepare(options.server, &options.token, options.sink, options.destinations).await?,
    };
    println!("{}", serde_json::to_string(&way)?);
    Ok(())
}
