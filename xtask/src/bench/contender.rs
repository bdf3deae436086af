//! Starting a contender on its store.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::configuration::{self, Addresses, KEY_VARIABLE};
use super::postgres::Postgres;
use super::product::Product;
use super::programs::{Programs, Server};
use super::scenario::{Contender, Scale, Setup, Stock};
use super::seed::Seeds;

/// The key of the bench's tenant: it opens a store that is gone a minute later.
const KEY: &str = "bench-key-of-a-store-that-is-gone-a-minute-later";

/// The name of the process that is measured.
const PRODUCT: &str = "product";

/// A contender that takes events.
pub(super) struct Running {
    pub(super) address: SocketAddr,
    /// Where events go in.
    pub(super) path: String,
    /// `name: value`, sent with every event.
    pub(super) headers: Vec<String>,
    /// What stands around each payload, if anything.
    pub(super) envelope: Option<String>,
    /// Whose CPU time and memory count, by name.
    pub(super) processes: Vec<(String, u32)>,
    /// How long the start took, in seconds, if it was started.
    pub(super) start_s: Option<f64>,
    /// The store's file, if it is one.
    store: Option<PathBuf>,
    /// Ends before its folder is removed.
    _server: Option<Server>,
    _folder: Option<TempDir>,
}

/// What every contender is started with.
pub(super) struct Ground<'a> {
    pub(super) programs: &'a Programs,
    pub(super) seeds: &'a Seeds<'a>,
    pub(super) sink: SocketAddr,
    pub(super) scale: Scale,
    /// Where Weft keeps its events, if not in a file.
    pub(super) postgres: Option<Postgres>,
    /// What Weft is measured against, if not the floor.
    pub(super) product: Option<Product>,
}

impl Contender {
    pub(super) fn start(self, ground: &Ground<'_>) -> Result<Running> {
        match self {
            Self::Floor(destinations) => match &ground.product {
                None => floor(ground, destinations),
                Some(product) => other(ground, product, destinations),
            },
            Self::Weft(setup) => weft(ground, setup),
        }
    }
}

fn floor(ground: &Ground<'_>, destinations: u32) -> Result<Running> {
    let folder = ground.programs.fresh_folder()?;
    let store = folder.path().join("floor.db");
    let server = Server::start(&ground.programs.floor, |command, address| {
        command.args(["--listen", &address.to_string(), "--destination", &ground.sink.to_string(), "--store"]);
        command.arg(&store);
        Ok(())
    })?;
    Ok(Running {
        address: server.address,
        path: format!("/in{destinations}"),
        headers: Vec::new(),
        envelope: None,
        processes: vec![(PRODUCT.to_owned(), server.pid())],
        start_s: Some(server.start_s),
        store: Some(store),
        _server: Some(server),
        _folder: Some(folder),
    })
}

fn other(ground: &Ground<'_>, product: &Product, destinations: u32) -> Result<Running> {
    let way = product.prepare(ground.programs, ground.sink, destinations)?;
    Ok(Running {
        address: product.address,
        path: way.path,
        headers: way.headers,
        envelope: Some(way.envelope),
        processes: product.pids.iter().map(|pid| (format!("{PRODUCT}-{pid}"), *pid)).collect(),
        start_s: None,
        store: None,
        _server: None,
        _folder: None,
    })
}

fn weft(ground: &Ground<'_>, setup: Setup) -> Result<Running> {
    let (folder, kept) = match setup.stock {
        Stock::Nothing => {
            let fresh = ground.programs.fresh_folder()?;
            (fresh.path().to_owned(), Some(fresh))
        }
        // What a run adds is little beside what is there.
        Stock::Large => (ground.seeds.large()?, None),
        Stock::Old { .. } => {
            let copy = ground.seeds.copy_of_old()?;
            (copy.path().to_owned(), Some(copy))
        }
    };
    take_components(ground.programs, &folder, setup)?;
    let (receivers, neighbours) = (setup.receivers.at(ground.scale), ground.scale.part(setup.neighbours));
    let setup = Setup { receivers, neighbours, ..setup };
    let database = ground.postgres.as_ref().map(Postgres::fresh).transpose()?;
    let file = folder.join("weft.toml");
    let server = Server::start(&ground.programs.weft, |command, listen| {
        let addresses = Addresses { listen, sink: ground.sink };
        fs::write(&file, configuration::weft_toml(setup, addresses, database.as_deref()))?;
        command.arg("serve").arg("--config").arg(&file).env(KEY_VARIABLE, KEY);
        Ok(())
    })?;
    let database_pid = ground.postgres.as_ref().map(|postgres| ("postgres".to_owned(), postgres.pid));
    Ok(Running {
        address: server.address,
        path: "/v1/events".to_owned(),
        headers: vec![format!("authorization: Bearer {KEY}")],
        envelope: None,
        processes: [(PRODUCT.to_owned(), server.pid())].into_iter().chain(database_pid).collect(),
        start_s: Some(server.start_s),
        store: database.is_none().then(|| folder.join("data/weft.db")),
        _server: Some(server),
        _folder: kept,
    })
}

/// Copies the components that a pipeline needs, and no other: each is compiled at the engine's start.
fn take_components(programs: &Programs, folder: &Path, setup: Setup) -> Result<()> {
    let plugins = folder.join("plugins");
    fs::create_dir_all(&plugins)?;
    if let Some(plugin) = setup.pipeline.plugin() {
        let file = format!("{plugin}.wasm");
        fs::copy(programs.components.join(&file), plugins.join(&file))
            .with_context(|| format!("no component {file}"))?;
    }
    Ok(())
}

impl Running {
    /// What the store's files take at this moment, the write-ahead log included.
    pub(super) fn store_mib(&self) -> Option<f64> {
        let size = |suffix: &str| {
            let mut file = self.store.clone()?.into_os_string();
            file.push(suffix);
            Some(fs::metadata(file).map_or(0, |metadata| metadata.len()))
        };
        #[expect(clippy::cast_precision_loss, reason = "2^53 bytes are more than any disk here")]
        let bytes = (size("")? + size("-wal")?) as f64;
        Some(bytes / (1 << 20) as f64)
    }
}
