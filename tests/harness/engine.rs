//! The program `weft` as a child process, which can be killed.

use std::collections::VecDeque;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::sync::watch;

use crate::{Caller, Site, programs, within};

/// A running `weft serve`. If a test drops it, it is killed.
#[derive(Debug)]
pub struct Engine<'s> {
    site: &'s Site,
    child: Child,
    /// The engine's own process, which is a child of the child if it is traced.
    pid: Pid,
    address: SocketAddr,
    log: Log,
    // Kept open, or the engine could not print any more.
    _stdout: BufReader<ChildStdout>,
}

/// An engine that ended before it answered.
#[derive(Debug)]
pub struct Stillborn {
    /// How it ended.
    pub status: ExitStatus,
    /// The end of its log.
    pub log: String,
}

/// The end of what an engine writes to its standard error: read through a pipe, because a full disk must not break it.
#[derive(Clone, Debug)]
struct Log {
    lines: Arc<Mutex<VecDeque<String>>>,
    /// Closed when the engine has closed the pipe.
    reading: watch::Receiver<()>,
}

/// How an engine is started.
#[derive(Clone, Debug, Default)]
pub enum Launch {
    /// As users do.
    #[default]
    Plain,
    /// Built with failpoints, and armed by this line of configuration of the crate `fail`.
    Armed(String),
    /// Under strace, which writes the system calls of a durable answer into this file.
    Traced(PathBuf),
}

impl<'s> Engine<'s> {
    /// Starts an engine on `site`; when this returns, it answers.
    ///
    /// # Panics
    /// If it ends before that, with its log.
    pub async fn start(site: &'s Site) -> Self {
        match Self::launch(site, &Launch::Plain).await {
            Ok(engine) => engine,
            Err(Stillborn { status, log }) => panic!("the engine did not start ({status}):\n{log}"),
        }
    }

    /// Starts an engine in a particular way.
    ///
    /// # Errors
    /// How it ended, if it did not come as far as answering.
    pub async fn launch(site: &'s Site, launch: &Launch) -> Result<Self, Stillborn> {
        let config = site.write();
        let mut command = launch.command();
        command.arg("serve").arg("--config").arg(config).kill_on_drop(true);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the engine can be started");
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let log = Log::of(child.stderr.take().expect("it is piped"));
        match within("the engine says where it listens", address(&mut stdout)).await {
            Some(address) => {
                let pid = launch.engine_of(&child);
                Ok(Self { site, child, pid, address, log, _stdout: stdout })
            }
            None => {
                let status = within("the engine ends", child.wait()).await.expect("our own child");
                within("its log is read", log.closed()).await;
                Err(Stillborn { status, log: log.end() })
            }
        }
    }

    /// Where the API listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The API as a tenant of the site sees it.
    pub fn tenant(&self, name: &str) -> Caller {
        Caller::new(self.address, &self.site.key(name))
    }

    /// The API as the operator sees it.
    pub fn operator(&self) -> Caller {
        Caller::new(self.address, &self.site.operator_key())
    }

    /// Kills it with SIGKILL: nothing of it runs any more when this returns.
    pub async fn kill(mut self) {
        self.signal(Signal::KILL);
        self.ended().await;
    }

    /// Stops it with SIGTERM and waits until it has wound down.
    ///
    /// # Panics
    /// If it does not end well, with its log.
    pub async fn stop(mut self) {
        self.signal(Signal::TERM);
        let status = self.ended().await;
        assert!(status.success(), "the engine stopped with {status}:\n{}", self.log.end());
    }

    /// Asks it to stop with SIGTERM, and does not wait.
    pub fn ask_to_stop(&self) {
        self.signal(Signal::TERM);
    }

    /// Waits until it ends, for whatever reason.
    pub async fn ended(&mut self) -> ExitStatus {
        within("the engine ends", self.child.wait()).await.expect("our own child")
    }

    /// Lets no file grow or change any more, as a full disk does; `None` makes room again.
    pub fn limit_file_size(&self, bytes: Option<u64>) {
        let limit = Rlimit { current: bytes, maximum: None };
        prlimit(Some(self.pid), Resource::Fsize, limit).expect("our own child");
    }

    fn signal(&self, signal: Signal) {
        // It may have ended by itself.
        let _ = kill_process(self.pid, signal);
    }
}

/// Shows what the engine said where a test fails.
impl Drop for Engine<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the engine's log:\n{}", self.log.end());
        }
    }
}

impl Launch {
    /// The beginning of the command line.
    fn command(&self) -> Command {
        match self {
            // A file size limit sends a signal that would end the process; a full disk does not.
            Self::Plain => {
                let mut command = Command::new("sh");
                command.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]).arg(programs::weft());
                command
            }
            Self::Armed(failpoint) => {
                let mut command = Command::new(programs::weft_with_failpoints());
                command.env("FAILPOINTS", failpoint);
                command
            }
            Self::Traced(file) => {
                let mut command = Command::new("strace");
                // -y names the file behind a descriptor; 64 bytes of a buffer show what kind of message it is.
                command.args(["-f", "-y", "-s", "64", "-e", "trace=fsync,fdatasync,read,recvfrom,write,writev,sendto"]);
                command.arg("-o").arg(file).arg(programs::weft());
                command
            }
        }
    }

    /// The process of the engine itself.
    fn engine_of(&self, child: &Child) -> Pid {
        let id = child.id().expect("it runs");
        let id = match self {
            Self::Plain | Self::Armed(_) => id,
            Self::Traced(_) => {
                let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).expect("strace runs");
                children.trim().parse().expect("strace has one child")
            }
        };
        Pid::from_raw(i32::try_from(id).expect("process ids fit")).expect("no process has the id 0")
    }
}

impl Log {
    /// Enough to see what went wrong.
    const LINES: usize = 80;

    /// Reads until the engine ends.
    fn of(stderr: ChildStderr) -> Self {
        let (read, reading) = watch::channel(());
        let lines = Arc::<Mutex<VecDeque<String>>>::default();
        let written = lines.clone();
        tokio::spawn(async move {
            let _read = read;
            let mut lines = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let mut end = written.lock().expect("nobody panics with it");
                end.push_back(line);
                if end.len() > Self::LINES {
                    end.pop_front();
                }
            }
        });
        Self { lines, reading }
    }

    /// Waits until nothing more can be written into it.
    async fn closed(&self) {
        let mut reading = self.reading.clone();
        while reading.changed().await.is_ok() {}
    }

    fn end(&self) -> String {
        self.lines.lock().expect("nobody panics with it").iter().map(|line| format!("{line}\n")).collect()
    }
}

/// Reads until the line that says where the engine listens; `None` if it ends before that.
async fn address(stdout: &mut BufReader<ChildStdout>) -> Option<SocketAddr> {
    let mut lines = stdout.lines();
    while let Some(line) = lines.next_line().await.expect("text") {
        let after = line.split_once("http://").map(|(_, after)| after);
        if let Some(address) = after.and_then(|after| after.split(['/', ' ']).next()?.parse().ok()) {
            return Some(address);
        }
    }
    None
}
