//! Which engine is meant, and as whom it is spoken to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use weft_client::{Client, ClientOptions};
use weft_server::config;
use weft_server::secrets::OPERATOR_KEY_FILE;

/// Where an engine listens when neither the command line nor a configuration says so.
const URL: &str = "http://127.0.0.1:7411";
/// Holds the key; it is no option, because everybody on the machine can read a command line.
const KEY: &str = "WEFT_KEY";

/// Which engine is meant, and as whom it is spoken to.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Engine")]
pub(crate) struct Engine {
    /// Where the engine listens [default: as the configuration says, else http://127.0.0.1:7411]
    #[arg(long, global = true, env = "WEFT_URL")]
    url: Option<String>,
    /// A file with the key; WEFT_KEY may hold it as well [default: the operator's, if it can be read]
    #[arg(long, global = true, value_name = "PATH")]
    key_file: Option<PathBuf>,
    /// The tenant for whom the operator acts
    #[arg(long, global = true, env = "WEFT_TENANT", value_name = "NAME")]
    tenant: Option<String>,
}

impl Engine {
    /// A client of that engine.
    pub(crate) fn client(&self, config: &Path) -> anyhow::Result<Client> {
        // Beside the engine's own configuration, nothing else needs to be said. A mistake in it is `config check`'s business.
        let local = config::load(config).ok().map(|loaded| loaded.config);
        let base_url = match (&self.url, &local) {
            (Some(url), _) => url.clone(),
            (None, Some(config)) => format!("http://{}", reachable(config.listen)),
            (None, None) => URL.to_owned(),
        };
        let key = match (&self.key_file, std::env::var(KEY)) {
            (Some(file), _) => read_key(file)?,
            (None, Ok(key)) if !key.trim().is_empty() => key.trim().to_owned(),
            (None, _) => match &local {
                Some(config) => read_key(&config.data.join(OPERATOR_KEY_FILE))
                    .with_context(|| format!("set {KEY} or give --key-file: there is no other key"))?,
                None => bail!("a key is needed: set {KEY}, give --key-file, or call this beside the engine's weft.toml"),
            },
        };
        let options = ClientOptions { tenant: self.tenant.clone(), ..ClientOptions::new(base_url, key) };
        Ok(Client::new(options)?)
    }
}

/// The address under which an engine on this machine is reached.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

fn read_key(file: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file).with_context(|| format!("could not read the key in {}", file.display()))?;
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
        for (listen, reached) in [
            ("0.0.0.0:7411", "127.0.0.1:7411"),
            ("[::]:7411", "[::1]:7411"),
            ("192.0.2.7:80", "192.0.2.7:80"),
        ] {
            assert_eq!(reachable(listen.parse().expect("an address")).to_string(), reached);
        }
    }
}
