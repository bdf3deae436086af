//! Another product that runs already, and takes the same load through its own API.

use std::net::{SocketAddr, ToSocketAddrs};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde::Deserialize;

use super::programs::Programs;
use crate::command;

/// Where it is, and what it is.
#[derive(Clone)]
pub(super) struct Product {
    pub(super) kind: Kind,
    pub(super) address: SocketAddr,
    /// Its processes on this machine, its database's included: without them, nothing is said of its CPU time.
    pub(super) pids: Vec<u32>,
}

/// A product with an adapter in `benches/tools/src`.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// Its HTTP API: application, endpoint, message
    Svix,
}

/// How events go in.
#[derive(Deserialize)]
pub(super) struct Way {
    pub(super) path: String,
    pub(super) headers: Vec<String>,
    pub(super) envelope: String,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Svix => "svix",
        }
    }
}

impl Product {
    /// The product at a URL, `http://host:port`.
    ///
    /// # Errors
    /// When the URL is another, or its host is unknown.
    pub(super) fn at(url: &str, kind: Kind, pids: Vec<u32>) -> Result<Self> {
        let host = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        let Some(host) = host.filter(|host| !host.contains('/')) else {
            bail!("`{url}` is not `http://host:port`: the load generator speaks plain HTTP to a server beside it");
        };
        let addresses = host.to_socket_addrs().with_context(|| format!("`{host}` is no host with a port"))?;
        let address = addresses.into_iter().next().with_context(|| format!("`{host}` has no address"))?;
        Ok(Self { kind, address, pids })
    }

    /// Makes a tenant with so many destinations at the sink. The token comes from `WEFT_BENCH_TOKEN`.
    pub(super) fn prepare(&self, programs: &Programs, sink: SocketAddr, destinations: u32) -> Result<Way> {
        let mut prepare = Command::new(&programs.prepare);
        prepare.args(["--product", self.kind.name(), "--server", &self.address.to_string()]);
        prepare.args(["--sink", &sink.to_string(), "--destinations", &destinations.to_string()]);
        serde_json::from_str(&command::read(&mut prepare)?).context("the adapter told no JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_plain_http_on_a_host_with_a_port() {
        let at = |url| Product::at(url, Kind::Svix, Vec::new()).map(|product| product.address.to_string());
        assert_eq!(at("http://127.0.0.1:8071/").expect("a server"), "127.0.0.1:8071");
        for wrong in ["https://127.0.0.1:8071", "127.0.0.1:8071", "http://127.0.0.1", "http://127.0.0.1:8071/api"] {
            assert!(at(wrong).is_err(), "{wrong}");
        }
    }
}
