//! The programs of a bench: built as they are shipped, started on free ports, ended with whoever holds them.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::command;
use crate::project::{BENCH_WORKSPACE, Project};
use crate::stopwatch::Stopwatch;

/// 30 s: starting takes a second; then something is wrong.
const START_MAX: Duration = Duration::from_secs(30);

/// 5 ms: how exactly the time of a start is known.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The profile of the engine that is shipped, and the folder of what is built with it.
const SHIPPED: &str = "dist";

/// Where the built programs lie.
pub(super) struct Programs {
    pub(super) weft: PathBuf,
    pub(super) floor: PathBuf,
    pub(super) loadgen: PathBuf,
    pub(super) seed: PathBuf,
    pub(super) prepare: PathBuf,
    sink: PathBuf,
    pub(super) components: PathBuf,
    /// Stores of the runs, on the disk that holds the repository: a file system in memory would measure nothing.
    folder: PathBuf,
}

/// A program that serves, until it is dropped.
pub(super) struct Server {
    child: Child,
    pub(super) address: SocketAddr,
    /// From its start until it answered at its address, in seconds.
    pub(super) start_s: f64,
}

impl Programs {
    /// Builds the engine as it is shipped, and the floor and the tools the same way.
    pub(super) fn build(project: &Project) -> Result<Self> {
        // In one go, so that what both need is compiled once.
        let wanted = ["--package", "weft-cli", "--bin", "weft", "--package", "weft-store", "--example", "seed"];
        command::run(project.cargo().args(["build", "--locked", "--profile", SHIPPED]).args(wanted))?;
        let target = project.path("target/bench");
        let mut tools = project.cargo_in(BENCH_WORKSPACE);
        tools.args(["build", "--locked", "--release", "--workspace", "--target-dir"]).arg(&target);
        command::run(&mut tools)?;
        let tool = |name: &str| target.join("release").join(name);
        let folder = target.join("runs");
        std::fs::create_dir_all(&folder).with_context(|| format!("could not create {}", folder.display()))?;
        Ok(Self {
            weft: project.target().join(SHIPPED).join("weft"),
            floor: tool("floor"),
            loadgen: tool("loadgen"),
            seed: project.target().join(SHIPPED).join("examples/seed"),
            prepare: tool("prepare"),
            sink: tool("sink"),
            components: project.components(),
            folder,
        })
    }

    /// A folder for a store, on the disk that is measured; it is removed when dropped.
    pub(super) fn fresh_folder(&self) -> Result<TempDir> {
        tempfile::tempdir_in(&self.folder).context("no folder for the store")
    }

    /// Where the stores of the runs lie.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn sink(&self) -> Result<Server> {
        Server::start(&self.sink, |command, address| {
            command.args(["--listen", &address.to_string()]);
            Ok(())
        })
    }
}

impl Server {
    /// Starts a program on a free port; `prepare` tells it the address.
    ///
    /// # Errors
    /// When it ends, or does not listen within [`START_MAX`].
    pub(super) fn start(program: &Path, prepare: impl FnOnce(&mut Command, SocketAddr) -> Result<()>) -> Result<Self> {
        let address = free_address()?;
        let mut command = Command::new(program);
        prepare(&mut command, address)?;
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().with_context(|| format!("could not start {}", program.display()))?;
        let watch = Stopwatch::start();
        let mut server = Self { child, address, start_s: 0.0 };
        while TcpStream::connect(address).is_err() {
            if let Some(status) = server.child.try_wait()? {
                bail!("{} ended at its start with {status}", program.display());
            }
            if watch.elapsed() > START_MAX {
                bail!("{} does not listen on {address}", program.display());
            }
            thread::sleep(LOOK_EVERY);
        }
        server.start_s = watch.elapsed().as_secs_f64();
        Ok(server)
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone and collected afterwards.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address that nobody listens on at this moment.
fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?)
}
