//! A server in a folder of its own.

use std::env;
use std::fs;
use std::net::TcpListener;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::account::Account;
use crate::binaries::clean;
use crate::process::{Process, dies_with_us};
use crate::{Binaries, PostgresError, Server};

/// The superuser of a private server; its name is nobody's on the machine.
const USER: &str = "weft";
/// The wait between two attempts to connect to a server that starts.
const READY_WAIT: Duration = Duration::from_millis(20);
/// Attempts to connect to a server that starts: a minute at the least, for it may have to repair itself after a crash.
const READY_TRIES: u32 = 3_000;
/// Ports that are tried, because another program can take a free port before the server does.
const PORT_TRIES: u32 = 5;
/// Lines of the log that an error shows.
const LOG_LINES: usize = 20;

/// How a private server is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether a commit survives a loss of power.
    pub durability: Durability,
    /// Further settings, as `postgresql.conf` has them, e.g. `("max_connections", "20")`.
    pub settings: Vec<(String, String)>,
    /// Where its folder is made; that of temporary files by default. If we are root, others must be able to go through it.
    pub parent: PathBuf,
}

/// Whether a commit survives a loss of power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Every commit is on disk before it is answered, as in production.
    Full,
    /// Nothing is synced: for tests of what statements do.
    None,
}

/// How a server is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Connections are cut, transactions rolled back, everything is written.
    Fast,
    /// As in a crash: nothing is written, the next start repairs.
    Immediate,
}

/// A server of one's own, which answers on 127.0.0.1 only. It is stopped and its folder removed when it is dropped.
#[derive(Debug)]
pub struct PrivatePostgres {
    server: Server,
    process: Process,
    plan: Plan,
}

/// What is needed to start a server, and to start it again.
#[derive(Debug)]
struct Plan {
    folder: TempDir,
    binaries: Binaries,
    account: Account,
    settings: Vec<(String, String)>,
    port: u16,
}

impl Options {
    /// A server with this durability and no other wishes.
    pub fn new(durability: Durability) -> Self {
        Self { durability, settings: Vec::new(), parent: env::temp_dir() }
    }

    /// Adds a setting.
    #[must_use]
    pub fn with(mut self, setting: &str, value: &str) -> Self {
        self.settings.push((setting.to_owned(), value.to_owned()));
        self
    }
}

impl PrivatePostgres {
    /// Makes a server and starts it; when this returns, it answers.
    ///
    /// # Errors
    /// [`PostgresError::NotFound`] if there is no Postgres on this machine; else what went wrong, with the server's log.
    pub fn start(options: &Options) -> Result<Self, PostgresError> {
        let mut plan = Plan::make(options)?;
        for _ in 1..PORT_TRIES {
            match plan.start() {
                Err(PostgresError::Stillborn { log }) if log.contains("Address already in use") => {
                    plan.port = free_port()?;
                }
                started => return Self::of(plan, started),
            }
        }
        let started = plan.start();
        Self::of(plan, started)
    }

    fn of(plan: Plan, started: Result<Process, PostgresError>) -> Result<Self, PostgresError> {
        Ok(Self { server: plan.server(), process: started?, plan })
    }

    /// The server, for whoever only talks to it.
    pub const fn server(&self) -> &Server {
        &self.server
    }

    /// Stops it, and waits until it has ended; its data stay.
    pub fn stop(&mut self, how: Stop) {
        self.process.end(match how {
            Stop::Fast => Signal::INT,
            Stop::Immediate => Signal::QUIT,
        });
    }

    /// Starts it on the same folder and port after a [`Self::stop`]; when this returns, it answers.
    ///
    /// # Errors
    /// If it does not start, with its log.
    pub fn start_again(&mut self) -> Result<(), PostgresError> {
        self.stop(Stop::Fast);
        self.process = self.plan.start()?;
        Ok(())
    }

    /// The end of what it wrote to its log.
    pub fn log(&self) -> String {
        self.plan.log()
    }
}

impl Deref for PrivatePostgres {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        // Nothing of it is kept, so nothing has to be written; its folder goes when it has ended.
        self.stop(Stop::Immediate);
    }
}

impl Plan {
    /// Makes the folder and the files of a database in it.
    fn make(options: &Options) -> Result<Self, PostgresError> {
        let (binaries, account) = (Binaries::find()?, Account::find()?);
        let file = |source| PostgresError::File { doing: "make a folder in", path: options.parent.clone(), source };
        let folder = tempfile::Builder::new().prefix("weft-postgres-").tempdir_in(&options.parent).map_err(file)?;
        account.own(folder.path())?;
        let mut settings = match options.durability {
            Durability::Full => Vec::new(),
            Durability::None => ["fsync", "synchronous_commit", "full_page_writes"].map(off).to_vec(),
        };
        settings.extend(options.settings.iter().cloned());
        let plan = Self { folder, binaries, account, settings, port: free_port()? };
        plan.init()?;
        Ok(plan)
    }

    fn init(&self) -> Result<(), PostgresError> {
        let mut initdb = self.binaries.command("initdb");
        let program = initdb.get_program().to_string_lossy().into_owned();
        // Nobody but this machine can connect; and what is lost with the power now is only that nothing is there yet.
        initdb.args([
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-instructions",
            "--no-sync",
            "-U",
            USER,
            "-D",
        ]);
        initdb.arg(self.data()).current_dir(self.folder.path());
        self.account.take_over(&mut initdb);
        let output = initdb.stdin(Stdio::null()).output();
        let output =
            output.map_err(|source| PostgresError::Program { doing: "start", program: program.clone(), source })?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(PostgresError::Failed { program, status: output.status, said })
    }

    /// Starts the server and waits until it answers.
    fn start(&self) -> Result<Process, PostgresError> {
        let mut command = dies_with_us(&self.binaries.path("postgres"));
        clean(&mut command);
        command.arg("-D").arg(self.data()).args(["-p", &self.port.to_string(), "-h", "127.0.0.1", "-k", ""]);
        for (setting, value) in &self.settings {
            command.arg("-c").arg(format!("{setting}={value}"));
        }
        let log = fs::File::create(self.log_file());
        let log = log.map_err(|source| PostgresError::File { doing: "write", path: self.log_file(), source })?;
        command.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.account.take_over(&mut command);
        let mut process = Process::start(command)?;
        self.ready(&mut process)?;
        Ok(process)
    }

    /// Waits until the server answers, or has ended.
    fn ready(&self, process: &mut Process) -> Result<(), PostgresError> {
        let server = self.server();
        let mut said = String::new();
        for _ in 0..READY_TRIES {
            if process.is_over() {
                return Err(PostgresError::Stillborn { log: self.log() });
            }
            match server.query("postgres", "SELECT 1") {
                Ok(_) => return Ok(()),
                Err(PostgresError::Failed { said: why, .. }) => said = why,
                Err(error) => {
                    process.end(Signal::QUIT);
                    return Err(error);
                }
            }
            thread::sleep(READY_WAIT);
        }
        process.end(Signal::QUIT);
        Err(PostgresError::Silent { url: server.url("postgres"), said, log: self.log() })
    }

    fn server(&self) -> Server {
        Server::at(&format!("postgres://{USER}@127.0.0.1:{}", self.port))
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn log(&self) -> String {
        last_lines(&self.log_file())
    }
}

fn off(setting: &str) -> (String, String) {
    (setting.to_owned(), "off".to_owned())
}

fn last_lines(file: &Path) -> String {
    let text = fs::read(file).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}

fn free_port() -> Result<u16, PostgresError> {
    let socket = TcpListener::bind("127.0.0.1:0").map_err(PostgresError::Port)?;
    Ok(socket.local_addr().map_err(PostgresError::Port)?.port())
}
