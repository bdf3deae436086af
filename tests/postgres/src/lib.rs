//! A Postgres of one's own: for tests, the demo and the benchmarks.
//!
//! A [`PrivatePostgres`] is a server in a folder of its own that listens on a free port of 127.0.0.1, and ends with whoever
//! started it. A [`Server`] is any server that answers, private or not; it is spoken to through `psql`, so that this crate
//! brings no client and compiles in seconds. A [`TestDatabase`] is a database for one test on the server that
//! `cargo xtask test` shares among all of them.
//!
//! Tests that need Postgres have `on_postgres` in their name or in that of a module: `cargo xtask test` leaves them out by
//! that where there is no Postgres.

mod account;
mod binaries;
mod database;
mod error;
mod private;
mod process;
mod server;

pub use binaries::{BINARIES_VARIABLE, Binaries};
pub use database::{SERVER_VARIABLE, TestDatabase};
pub use error::PostgresError;
pub use private::{Durability, Options, PrivatePostgres, Stop};
pub use server::Server;
