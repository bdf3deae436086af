//! The one Postgres of a run: started when a stage first needs it, stopped when the run is over.

use std::env;

use anyhow::{Context, Result};
use weft_private_postgres::{Binaries, Durability, Options, PostgresError, PrivatePostgres, SERVER_VARIABLE};

use super::Ending;
use super::tool::Sought;
use crate::apt;

/// Connections that the server takes: every test has an engine or two with a handful each, and as many tests run at once as
/// there are cores.
const CONNECTIONS_MAX: &str = "400";

/// The server that all tests of a run share, each in a database of its own.
#[derive(Default)]
pub(super) struct SharedPostgres(Option<PrivatePostgres>);

impl SharedPostgres {
    /// The URL of the server: the one that the environment names, else a private one, installed first if it may be.
    ///
    /// # Errors
    /// When there is a Postgres and it does not start.
    pub(super) fn seek(&mut self, install: bool) -> Result<Sought<String>> {
        if let Ok(url) = env::var(SERVER_VARIABLE) {
            return Ok(Sought::Found(url));
        }
        if let Some(server) = &self.0 {
            return Ok(Sought::Found(server.url("")));
        }
        if let Err(PostgresError::NotFound) = Binaries::find() {
            if !install {
                let remedy = format!("apt-get install {}, or --install", apt::POSTGRES);
                return Ok(Sought::Missing(Ending::LeftOut { missing: "Postgres".into(), remedy }));
            }
            apt::install(&[apt::POSTGRES])?;
        }
        // An engine refuses a server that does not wait for its disk, and whole engines are among the tests.
        let options = Options::new(Durability::Full).with("max_connections", CONNECTIONS_MAX);
        let server = PrivatePostgres::start(&options).context("no Postgres for the tests")?;
        Ok(Sought::Found(self.0.insert(server).url("")))
    }
}
