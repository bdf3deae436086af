//! Starting a contender on its store.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::configuration::{self, Addresses, KEY_VARIABLE};
use super::postgres::{Database, Postgres};
use super::product::Product;
use super::programs::{Programs, Server};
use super::scenario::{Contender, Scale, Setup, Stock};
use super::seed::{Place, Seeds};

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
    store: Kept,
    /// Ends before its folder is removed.
    _server: Option<Server>,
    _folder: Option<TempDir>,
}

/// Where a contender keeps what it takes.
enum Kept {
    File(PathBuf),
    Database(Database),
    /// In another product's own.
    Elsewhere,
}

/// What every contender is started with.
pub(super) struct Ground<'a> {
    pub(super) programs: &'a Programs,
    pub(super) seeds: &'a Seeds<'a>,
    pub(super) sink: SocketAddr,
    pub(super) scale: Scale,
    /// Where Weft keeps its events, if not in a file.
    pub(super) postgres: Option<&'a Postgres>,
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
        store: Kept::File(store),
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
        store: Kept::Elsewhere,
        _server: None,
        _folder: None,
    })
}

fn weft(ground: &Ground<'_>, setup: Setup) -> Result<Running> {
    let Place { folder, database, kept } = match setup.stock {
        Stock::Nothing => ground.seeds.nothing()?,
        // What a run adds is little beside what is there.
        Stock::Large => ground.seeds.large()?,
        Stock::Old { .. } => ground.seeds.copy_of_old()?,
    };
    take_components(ground.programs, &folder, setup)?;
    let (receivers, neighbours) = (setup.receivers.at(ground.scale), ground.scale.part(setup.neighbours));
    let setup = Setup { receivers, neighbours, ..setup };
    let file = folder.join("weft.toml");
    let server = Server::start(&ground.programs.weft, |command, listen| {
        let addresses = Addresses { listen, sink: ground.sink };
        fs::write(
            &file,
            configuration::weft_toml(setup, addresses, database.as_ref().map(|database| database.url.as_str())),
        )?;
        command.arg("serve").arg("--config").arg(&file).env(KEY_VARIABLE, KEY);
        Ok(())
    })?;
    let database_pid = ground.postgres.map(|postgres| ("postgres".to_owned(), postgres.pid));
    Ok(Running {
        address: server.address,
        path: "/v1/events".to_owned(),
        headers: vec![format!("authorization: Bearer {KEY}")],
        envelope: None,
        processes: [(PRODUCT.to_owned(), server.pid())].into_iter().chain(database_pid).collect(),
        start_s: Some(server.start_s),
        store: database.map_or_else(|| Kept::File(folder.join("data/weft.db")), Kept::Database),
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
    /// What the store takes at this moment, the write-ahead log of a file included; `None` if that is not known.
    pub(super) fn store_mib(&self, ground: &Ground<'_>) -> Result<Option<f64>> {
        match (&self.store, ground.postgres) {
            (Kept::File(file), _) => {
                let size = |suffix: &str| {
                    let mut file = file.clone().into_os_string();
                    file.push(suffix);
                    fs::metadata(file).map_or(0, |metadata| metadata.len())
                };
                #[expect(clippy::cast_precision_loss, reason = "2^53 bytes are more than any disk here")]
                let bytes = (size("") + size("-wal")) as f64;
                Ok(Some(bytes / f64::from(1 << 20)))
            }
            (Kept::Database(database), Some(postgres)) => postgres.mib(database).map(Some),
            (Kept::Database(_), None) | (Kept::Elsewhere, _) => Ok(None),
        }
    }
}
