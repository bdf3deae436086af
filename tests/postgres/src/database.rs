//! A database for one test, on the server that a whole run of tests shares.

use std::env;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{PostgresError, Server};

/// The environment variable with the URL of the server that tests share.
pub const SERVER_VARIABLE: &str = "WEFT_TEST_POSTGRES";

/// An empty database, dropped with everybody who is connected to it when this is dropped.
#[derive(Debug)]
pub struct TestDatabase {
    server: Server,
    name: String,
}

impl TestDatabase {
    /// Creates one on the shared server.
    ///
    /// # Errors
    /// [`PostgresError::NoServer`] says how tests get a server; else what the server says.
    pub fn create() -> Result<Self, PostgresError> {
        let url = env::var(SERVER_VARIABLE).map_err(|_| PostgresError::NoServer)?;
        Self::create_on(&Server::at(&url))
    }

    /// Creates one on `server`.
    ///
    /// # Errors
    /// What the server says.
    pub fn create_on(server: &Server) -> Result<Self, PostgresError> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("weft_test_{}_{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        // A test that was killed has left its database behind, and process numbers come again.
        server.drop_database(&name)?;
        server.create_database(&name)?;
        Ok(Self { server: server.clone(), name })
    }

    /// Where it is.
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// Runs one statement in it and answers its rows, as [`Server::query`] does.
    ///
    /// # Errors
    /// What the server says.
    pub fn query(&self, statement: &str) -> Result<String, PostgresError> {
        self.server.query(&self.name, statement)
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // A server that is gone has taken its databases along.
        let _ = self.server.drop_database(&self.name);
    }
}
