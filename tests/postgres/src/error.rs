//! What can go wrong around a Postgres, in words that name the way out.

use std::io;
use std::path::PathBuf;

use crate::binaries::BINARIES_VARIABLE;
use crate::database::SERVER_VARIABLE;

/// Why there is no Postgres, or why it did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// No server is installed where one is looked for.
    #[error(
        "Postgres was not found: neither PATH nor /usr/lib/postgresql/*/bin has `initdb` and `postgres`; install the Debian \
         package postgresql, or set {BINARIES_VARIABLE} to the folder that holds them"
    )]
    NotFound,
    /// The variable names a folder without a server.
    #[error("{BINARIES_VARIABLE} is {}, which has no `initdb` and `postgres`", .0.display())]
    NotThere(PathBuf),
    /// Postgres refuses to run as root, and there is nobody else.
    #[error(
        "Postgres does not run as root, and /etc/passwd has neither `postgres` nor `nobody`: add one, or be another user"
    )]
    NoAccount,
    /// A file or folder of the server could not be made or handed over.
    #[error("could not {doing} {}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A program of Postgres could not be started or watched.
    #[error("could not {doing} `{program}`")]
    Program {
        /// What was being done.
        doing: &'static str,
        /// Which program.
        program: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A program of Postgres ended badly.
    #[error("`{program}` ended with {status}: {said}")]
    Failed {
        /// Which program.
        program: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// What it said.
        said: String,
    },
    /// The server ended before it answered.
    #[error("Postgres ended before it answered; the end of its log:\n{log}")]
    Stillborn {
        /// The end of its log.
        log: String,
    },
    /// The server runs and does not answer.
    #[error("Postgres does not answer at {url} ({said}); the end of its log:\n{log}")]
    Silent {
        /// Where it should answer.
        url: String,
        /// What the last attempt to connect said.
        said: String,
        /// The end of its log.
        log: String,
    },
    /// No server is named by the environment.
    #[error(
        "this test needs Postgres and {SERVER_VARIABLE} is not set: run `cargo xtask test`, which starts a private one, or set \
         it to the URL of a server, e.g. postgres://postgres@127.0.0.1:5432"
    )]
    NoServer,
    /// There is no free port, or no network on this machine.
    #[error("could not find a free port on 127.0.0.1")]
    Port(#[source] io::Error),
}
