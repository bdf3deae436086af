//! Starting a contender on a fresh store, with as many destinations as the scenario has.

use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::programs::{Programs, Server};
use super::scenario::{Contender, Pipeline};

/// The key of the bench's tenant: it opens a store that is gone a minute later.
const KEY: &str = "bench-key-of-a-store-that-is-gone-a-minute-later";

/// The variable that hands it to the engine.
const KEY_VARIABLE: &str = "WEFT_BENCH_KEY";

/// A contender that takes events.
pub(super) struct Running {
    pub(super) server: Server,
    /// Where events go in.
    pub(super) path: String,
    /// `name: value`, sent with every event.
    pub(super) headers: Vec<String>,
    /// The store, removed after the server has ended.
    _store: TempDir,
}

impl Contender {
    pub(super) fn start(self, programs: &Programs, sink: SocketAddr, destinations: u32) -> Result<Running> {
        let store = tempfile::tempdir_in(&programs.folder).context("no folder for the store")?;
        match self {
            Self::Floor => {
                let server = Server::start(&programs.floor, |command, address| {
                    command.args(["--listen", &address.to_string(), "--destination", &sink.to_string(), "--store"]);
                    command.arg(store.path().join("floor.db"));
                    Ok(())
                })?;
                Ok(Running { server, path: format!("/in{destinations}"), headers: Vec::new(), _store: store })
            }
            Self::Weft(pipeline) => {
                let configuration = store.path().join("weft.toml");
                take_components(programs, store.path(), pipeline)?;
                let server = Server::start(&programs.weft, |command, address| {
                    fs::write(&configuration, weft_toml(address, sink, destinations, pipeline))?;
                    command.arg("serve").arg("--config").arg(&configuration).env(KEY_VARIABLE, KEY);
                    Ok(())
                })?;
                let headers = vec![format!("authorization: Bearer {KEY}")];
                Ok(Running { server, path: "/v1/events".to_owned(), headers, _store: store })
            }
        }
    }
}

/// Copies the components that a pipeline needs, and no other: each is compiled at the engine's start.
fn take_components(programs: &Programs, store: &Path, pipeline: Pipeline) -> Result<()> {
    let folder = store.join("plugins");
    fs::create_dir(&folder)?;
    if let Some(plugin) = pipeline.plugin() {
        let file = format!("{plugin}.wasm");
        fs::copy(programs.components.join(&file), folder.join(&file))
            .with_context(|| format!("no component {file}"))?;
    }
    Ok(())
}

impl Pipeline {
    fn plugin(self) -> Option<&'static str> {
        match self {
            Self::Empty => None,
            Self::MinimalStep => Some("stamp"),
            Self::JsonFilter => Some("json-filter"),
        }
    }

    /// The plugin's configuration, as an inline table.
    fn step_config(self) -> &'static str {
        match self {
            Self::Empty | Self::MinimalStep => "{}",
            Self::JsonFilter => r#"{ keep_when = { pointer = "/order/currency", equals = "EUR" } }"#,
        }
    }
}

/// The configuration of one tenant with `destinations` at the sink, `/e1` and so on.
fn weft_toml(listen: SocketAddr, sink: SocketAddr, destinations: u32, pipeline: Pipeline) -> String {
    let mut text = format!(
        r#"listen = "{listen}"

[network]
allow = ["127.0.0.1/32"]

[[tenant]]
name = "bench"
keys = [{{ name = "loadgen", env = "{KEY_VARIABLE}" }}]
"#
    );
    let mut add = |table: String| text.write_str(&table).expect("a string takes everything");
    for number in 1..=destinations {
        add(format!("\n[[tenant.destination]]\nname = \"e{number}\"\nurl = \"http://{sink}/e{number}\"\n"));
    }
    if let Some(plugin) = pipeline.plugin() {
        let config = pipeline.step_config();
        add(format!("\n[[tenant.step]]\nplugin = \"operator/{plugin}\"\nconfig = {config}\n"));
    }
    text
}
