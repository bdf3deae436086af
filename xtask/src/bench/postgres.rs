//! A Postgres of the bench's own, as durable as in production, on the disk that is measured.

use std::cell::Cell;

use anyhow::{Context, Result};
use weft_private_postgres::{Durability, Options, PrivatePostgres};

use super::programs::Programs;

/// The server, with a database of its own for each run.
pub(super) struct Postgres {
    server: PrivatePostgres,
    pub(super) pid: u32,
    made: Cell<u32>,
}

/// A database of the server.
#[derive(Clone)]
pub(super) struct Database {
    name: String,
    pub(super) url: String,
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

    /// A database that nobody has used, in place of the one that a run had before.
    pub(super) fn fresh(&self) -> Result<Database> {
        let name = self.next_name()?;
        self.server.create_database(&name)?;
        Ok(self.database(name))
    }

    /// A copy of a database that nobody is connected to, in place of the one that a run had before.
    pub(super) fn copy_of(&self, original: &Database) -> Result<Database> {
        let name = self.next_name()?;
        self.server.query("postgres", &format!("CREATE DATABASE {name} TEMPLATE {}", original.name))?;
        Ok(self.database(name))
    }

    /// A database that stays.
    pub(super) fn named(&self, name: &str) -> Result<Database> {
        self.server.create_database(name)?;
        Ok(self.database(name.to_owned()))
    }

    /// What a database takes on the disk, without the server's log.
    pub(super) fn mib(&self, database: &Database) -> Result<f64> {
        let bytes = self.server.query("postgres", &format!("SELECT pg_database_size('{}')", database.name))?;
        Ok(bytes.trim().parse::<f64>().context("pg_database_size is no number")? / f64::from(1 << 20))
    }

    /// The name of the next run's database; that of the run before is dropped.
    fn next_name(&self) -> Result<String> {
        let name = |number: u32| format!("weft_bench_{number}");
        let number = self.made.get();
        self.server.drop_database(&name(number))?;
        self.made.set(number + 1);
        Ok(name(number + 1))
    }

    fn database(&self, name: String) -> Database {
        let url = self.server.url(&name);
        Database { name, url }
    }
}
