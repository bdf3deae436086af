//! Which engine is meant, and as whom it is spoken to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use url::{Host, Url};
use weft_client::{Client, ClientOptions};
use weft_server::config::Config;
use weft_server::secrets::OPERATOR_KEY_FILE;

use crate::config::ConfigPath;

/// Where an engine listens when neither the command line nor a configuration says so.
const URL: &str = "http://127.0.0.1:7411";
/// The data folder when there is no configuration.
const DATA: &str = "data";
/// Holds the key; it is no option, because everybody on the machine can read a command line.
const KEY: &str = "WEFT_KEY";

/// Which engine is meant, and as whom it is spoken to.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Engine")]
pub(crate) struct Engine {
    /// Where the engine listens [default: as the configuration says, else http://127.0.0.1:7411]
    #[arg(long, global = true, env = "WEFT_URL")]
    url: Option<Url>,
    /// A file with the key; WEFT_KEY may hold it as well [default: the operator's, of an engine on this machine]
    #[arg(long, global = true, value_name = "PATH")]
    key_file: Option<PathBuf>,
    /// The tenant for whom the operator acts
    #[arg(long, global = true, env = "WEFT_TENANT", value_name = "NAME")]
    tenant: Option<String>,
}

impl Engine {
    /// A client of that engine.
    ///
    /// # Errors
    /// If no key can be found, or an option breaks its rule.
    pub(crate) fn client(self, path: &ConfigPath) -> anyhow::Result<Client> {
        let key = match &self.key_file {
            Some(file) => Some(read_key(file)?),
            None => std::env::var(KEY).ok().map(|key| key.trim().to_owned()).filter(|key| !key.is_empty()),
        };
        // Beside the engine's own configuration, nothing else needs to be said.
        let config = if self.url.is_none() || key.is_none() { beside(path)? } else { None };
        let url = self.url.unwrap_or_else(|| local_url(config.as_ref()));
        let key = match key {
            Some(key) => key,
            None => operator_key(config.as_ref(), &url)?,
        };
        let options = ClientOptions { tenant: self.tenant, ..ClientOptions::new(url, key) };
        Ok(Client::new(options)?)
    }
}

/// The configuration: none if nobody has named one and the usual one is not there or cannot be used.
fn beside(path: &ConfigPath) -> anyhow::Result<Option<Config>> {
    match path.load() {
        Ok(loaded) => Ok(Some(loaded.config)),
        Err(error) if path.is_named() => Err(error),
        // Its mistakes are the business of `config check`; an engine may run on an earlier version of it.
        Err(_) => Ok(None),
    }
}

fn local_url(config: Option<&Config>) -> Url {
    let url = match config {
        Some(config) => format!("http://{}", reachable(config.listen)),
        None => URL.to_owned(),
    };
    url.parse().expect("an address with a port is a URL's host and port")
}

/// The key in the engine's own data folder.
fn operator_key(config: Option<&Config>, url: &Url) -> anyhow::Result<String> {
    if !is_loopback(url) {
        bail!("{url} is another machine, and this machine's key is not for it: set {KEY}, or give --key-file");
    }
    let data = config.map_or(Path::new(DATA), |config| &config.data);
    let way_out =
        || format!("there is no key: set {KEY}, give --key-file, or name the engine's configuration by --config");
    read_key(&data.join(OPERATOR_KEY_FILE)).with_context(way_out)
}

/// The address under which an engine on this machine is reached.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, listen.port())
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

fn read_key(file: &Path) -> anyhow::Result<String> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("could not read the key in {}", file.display()))?;
    match text.trim() {
        "" => bail!("{} is empty: it should hold a key", file.display()),
        key => Ok(key.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_that_listens_everywhere_is_reached_on_this_machine() {
        for (listen, reached) in
            [("0.0.0.0:7411", "127.0.0.1:7411"), ("[::]:7411", "[::1]:7411"), ("192.0.2.7:80", "192.0.2.7:80")]
        {
            assert_eq!(reachable(listen.parse().expect("an address")).to_string(), reached);
        }
    }

    #[test]
    fn promise_8_the_operators_key_of_this_machine_is_not_sent_to_another() {
        for elsewhere in ["https://weft.example.org", "http://192.0.2.7:7411", "http://localhost.example.org"] {
            let refused = operator_key(None, &elsewhere.parse().expect("a URL")).expect_err("not a key for there");
            assert!(refused.to_string().contains("WEFT_KEY"), "{refused}");
        }
        for here in ["http://127.0.0.1:7411", "http://localhost:7411", "http://[::1]:7411"] {
            assert!(is_loopback(&here.parse().expect("a URL")), "{here}");
        }
    }

    #[test]
    fn a_key_is_read_without_the_line_end_of_its_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("key");
        std::fs::write(&file, "weft_op_abc\n").expect("written");
        assert_eq!(read_key(&file).expect("a key"), "weft_op_abc");
        std::fs::write(&file, " \n").expect("written");
        assert!(read_key(&file).is_err());
    }
}
