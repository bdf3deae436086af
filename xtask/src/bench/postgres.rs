//! A Postgres of the bench's own, as durable as in production, on the disk that is measured.

use std::cell::Cell;

use anyhow::{Context, Result};
use weft_private_postgres::{Durability, Options, PrivatePostgres};

use super::programs::Programs;

/// The server, with a fresh database for each run.
pub(super) struct Postgres {
    server: PrivatePostgres,
    pub(super) pid: u32,
    made: Cell<u32>,
}

impl Postgres {
    pub(super) fn start(programs: &Programs) -> Result<Self> {
        let mut options = Options::new(Durability::Full);
        programs.folder().clone_into(&mut options.parent);
        let server = PrivatePostgres::start(&options)?;
        // The first line of the file is the process that all others come from.
        let file = server.query("postgres", "SELECT pg_read_file('postmaster.pid')")?;
        let pid =
            file.lines().next().and_then(|line| line.trim().parse().ok()).context("postmaster.pid has no number")?;
        Ok(Self { server, pid, made: Cell::new(0) })
    }

    /// The URL of a database that nobody has used, in place of the one before.
    pub(super) fn fresh(&self) -> Result<String> {
        let name = |number: u32| format!("weft_bench_{number}");
        let number = self.made.get();
        self.server.drop_database(&name(number))?;
        self.made.set(number + 1);
        self.server.create_database(&name(number + 1))?;
        Ok(self.server.url(&name(number + 1)))
    }
}
