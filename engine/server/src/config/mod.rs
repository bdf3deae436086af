//! The configuration: a file `weft.toml`, or a folder of `*.toml` files that are read as one.
//!
//! It is read raw, then checked: `tree` turns TOML into nodes that know their file, line and path; `reader` hands out
//! typed values and writes down what is wrong; one file per noun says what the noun needs. Nothing stops at the first
//! mistake: [`load`] answers with a whole configuration or with every problem at once. Secrets are references here; their
//! text is read by [`Config::read_secrets`] only. `example.toml` holds every key with its default.

mod destination;
mod duration;
mod file;
mod finding;
mod limits;
mod network;
mod pipeline;
mod reader;
mod request;
mod retry;
mod secret;
mod signatures;
mod step_config;
mod store_url;
mod tenant;
mod tree;
mod unique;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

pub use destination::DestinationConfig;
pub use finding::{Finding, Place, Problems};
pub use limits::{LEASE_MARGIN, Limits};
pub use network::NetworkConfig;
pub use pipeline::{StepSecretConfig, check_pipeline};
pub use secret::{ConfigSecrets, Declared, DestinationSecrets, KeySecret, TenantSecrets};
pub use store_url::{PostgresUrl, StoreUrl};
pub use tenant::{KeyConfig, TenantConfig};

use weft_core::name::Name;

use crate::secrets::SecretRef;
use finding::Findings;
use reader::{Field, Table};

/// Where the API listens when nothing is written: this machine only, so that nothing is open by accident.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7411);
/// The data folder when nothing is written.
const DATA: &str = "data";
/// The plugin folder when nothing is written.
const PLUGINS: &str = "plugins";

/// A whole, checked configuration. Paths in it are ready for use: those that were relative are joined to their folder.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where the API listens.
    pub listen: SocketAddr,
    /// The folder of the store, the operator's key and the seal key; relative to the configuration.
    pub data: PathBuf,
    /// Where events are kept; a file of SQLite is relative to `data`.
    pub store: StoreUrl,
    /// How this engine is called among those that work on one Postgres database.
    pub node: Name,
    /// Every limit of [`weft_core::limits::ALL`].
    pub limits: Limits,
    /// Where the operator's plugins come from.
    pub plugins: PluginsConfig,
    /// What Weft may dial.
    pub network: NetworkConfig,
    /// How secrets in the store are sealed.
    pub seal: SealConfig,
    /// In the order of the files.
    pub tenants: Vec<TenantConfig>,
}

/// Where the operator's plugins come from.
#[derive(Clone, Debug, PartialEq)]
pub struct PluginsConfig {
    /// A watched folder of components; relative to the configuration.
    pub folder: PathBuf,
}

/// How secrets in the store are sealed.
#[derive(Clone, Debug, PartialEq)]
pub struct SealConfig {
    /// Where the key is; absent, it is made at the first start and kept in the data folder.
    pub key: Option<Declared<SecretRef>>,
}

/// A configuration that may be applied, and what a person should still look at.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Allowed, but probably not meant; in the order of the files.
    pub warnings: Vec<Finding>,
}

/// Reads and checks the configuration at `path`: a file, or a folder whose `*.toml` files are read as one, by name.
///
/// # Errors
/// [`Problems`] holds everything that is wrong, in the order of files and lines; nothing of such a configuration counts.
pub fn load(path: &Path) -> Result<Loaded, Problems> {
    let findings = Findings::default();
    let files = file::read(path, &findings);
    check(&files, findings)
}

/// Checks files that have been read.
fn check(files: &file::Files, findings: Findings) -> Result<Loaded, Problems> {
    let root = tree::merge(files, &findings);
    let config = Table::of_root(&root, &findings).and_then(|table| Config::read(table, &files.folder));
    findings.into_result(config)
}

impl PluginsConfig {
    fn read(field: Option<Field<'_>>, folder: &Path) -> Option<Self> {
        let table = field.map(Field::table);
        let Some(table) = table else { return Some(Self { folder: folder.join(PLUGINS) }) };
        let table = table?;
        let path = table.field("folder").map_or(Some(PathBuf::from(PLUGINS)), Field::path);
        table.finish();
        Some(Self { folder: folder.join(path?) })
    }
}

impl SealConfig {
    fn read(field: Option<Field<'_>>, folder: &Path) -> Self {
        let Some(table) = field.map(Field::hiding).and_then(Field::table) else { return Self { key: None } };
        let key = table.field("key").and_then(|field| secret::reference(field, folder));
        table.finish();
        Self { key }
    }
}

fn listen(table: &Table<'_>) -> Option<SocketAddr> {
    let Some(field) = table.field("listen") else { return Some(LISTEN) };
    let rule = "must be an address and a port, e.g. \"127.0.0.1:7411\" or \"[::]:7411\"";
    field.text()?.parse().ok().or_else(|| field.problem(rule))
}

impl Config {
    /// Reads the root table; `None` if a part could not be read, which is then among the findings.
    fn read(table: Table<'_>, folder: &Path) -> Option<Self> {
        let listen = listen(&table);
        let data = table.field("data").map_or(Some(PathBuf::from(DATA)), Field::path);
        let store = StoreUrl::read_from(&table, folder);
        let node = store_url::node(&table);
        let limits = Limits::read(table.field("limits"));
        let plugins = PluginsConfig::read(table.field("plugins"), folder);
        let network = NetworkConfig::read(table.field("network"), listen);
        let seal = SealConfig::read(table.field("seal"), folder);
        let rules = tenant::Rules { folder, limits: &limits, guard: &network.guard() };
        let tenants = tenant::read_all(table.field("tenant"), &rules);
        table.finish();
        let data = folder.join(data?);
        Some(Self {
            listen: listen?,
            store: store?.within(&data),
            node: node?,
            data,
            limits,
            plugins: plugins?,
            network,
            seal,
            tenants,
        })
    }
}
