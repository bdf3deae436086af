//! The program `weft` as a person or a script sees it: what it is called with, what it says, and how it ends.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinHandle;

use crate::{Caller, programs, within};

/// A run of the program, all of whose words are kept. If a test drops it, it is killed.
#[derive(Debug)]
pub struct Program {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: JoinHandle<String>,
    /// What has been read of its standard output.
    said: String,
}

/// What a run of the program said until it ended.
#[derive(Clone, Debug)]
pub struct Said {
    /// What it ended with; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Program {
    /// Runs `weft` with these words on this configuration; `variables` are added to its environment.
    pub fn run(words: &[&str], config: &Path, variables: &[(&str, &str)]) -> Self {
        Self::of(Command::new(programs::weft()), words, config, variables)
    }

    /// Runs it where no file can become longer than this, as on a disk that is nearly full.
    pub fn run_on_a_small_disk(bytes: u64, words: &[&str], config: &Path) -> Self {
        // The limit is in blocks of 512 bytes; it sends a signal that would end the process, which a full disk does not.
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; ulimit -f \"$1\"; shift; exec \"$@\"", "sh", &(bytes / 512).to_string()]);
        command.arg(programs::weft());
        Self::of(command, words, config, &[])
    }

    fn of(mut command: Command, words: &[&str], config: &Path, variables: &[(&str, &str)]) -> Self {
        command.args(words).arg("--config").arg(config).envs(variables.iter().copied()).kill_on_drop(true);
        let streams = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = streams.spawn().expect("the program can be started");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut errors = child.stderr.take().expect("it is piped");
        let stderr = tokio::spawn(async move {
            let mut text = String::new();
            errors.read_to_string(&mut text).await.expect("text");
            text
        });
        Self { child, stdout, stderr, said: String::new() }
    }

    /// Waits until it says where it listens.
    ///
    /// # Panics
    /// If it ends before that.
    pub async fn listening(&mut self) -> SocketAddr {
        let address = async {
            loop {
                let start = self.said.len();
                let read = self.stdout.read_line(&mut self.said).await.expect("text");
                assert_ne!(read, 0, "it ended before it listened");
                let address = self.said[start..].split_once("http://").map(|(_, rest)| rest.trim());
                if let Some(address) = address.and_then(|address| address.parse().ok()) {
                    return address;
                }
            }
        };
        within("the engine says where it listens", address).await
    }

    /// Asks it to stop, as a service manager does.
    pub fn ask_to_stop(&self) {
        self.signal(Signal::TERM);
    }

    /// Kills it with SIGKILL, and answers what it had said: nothing of it runs any more when this returns.
    pub async fn kill(self) -> Said {
        self.signal(Signal::KILL);
        self.ended().await
    }

    /// Whether it has ended by itself.
    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().expect("our own child").is_some()
    }

    /// Waits until it ends.
    pub async fn ended(mut self) -> Said {
        within("the program ends", self.stdout.read_to_string(&mut self.said)).await.expect("text");
        let status = within("the program ends", self.child.wait()).await.expect("our own child");
        let stderr = within("the program's last words", self.stderr).await.expect("they are text");
        Said { code: status.code(), stdout: self.said, stderr }
    }

    fn signal(&self, signal: Signal) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        kill_process(id.expect("it runs"), signal).expect("our own child");
    }
}

/// The API of an engine at `address`, for whoever holds `key`.
pub fn caller_at(address: SocketAddr, key: &str) -> Caller {
    Caller::new(address, key)
}
