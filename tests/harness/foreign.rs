//! Receivers in other languages, on the libraries that theirs use: the examples, as a reader of them would run them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::within;

/// Where `cargo xtask test` has put them, with their libraries.
const FOLDER: &str = "WEFT_RECEIVERS";

/// A language that there is a receiver in.
#[derive(Clone, Copy, Debug)]
pub enum Language {
    /// On Node.js.
    JavaScript,
    /// Python 3.
    Python,
}

/// A receiver that runs until it is dropped.
#[derive(Debug)]
pub struct Foreign {
    _child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    address: SocketAddr,
}

impl Foreign {
    /// Starts the receiver of this language, which verifies with `secret`.
    ///
    /// # Panics
    /// If it does not come up.
    pub async fn start(language: Language, secret: &str) -> Self {
        Self::start_with(language, secret, &[]).await
    }

    /// The same with these variables in its environment.
    ///
    /// # Panics
    /// If it does not come up.
    pub async fn start_with(language: Language, secret: &str, variables: &[(&str, &str)]) -> Self {
        let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap_or_else(|| panic!("{FOLDER} is not set")));
        let mut command = match language {
            Language::JavaScript => {
                let mut node = Command::new("node");
                node.arg(folder.join("javascript/receiver.mjs"));
                node
            }
            Language::Python => {
                let mut python = Command::new(folder.join("python/venv/bin/python"));
                python.arg(folder.join("python/receiver.py"));
                python
            }
        };
        command.env("WEBHOOK_SECRET", secret).env("PORT", "0").envs(variables.iter().copied()).kill_on_drop(true);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it can be started");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let first = within("the receiver says where it listens", lines.next_line()).await.expect("text");
        let address = first.as_deref().and_then(|line| line.strip_prefix("http://")?.parse().ok());
        let address = address.unwrap_or_else(|| panic!("it says {first:?} and not where it listens"));
        Self { _child: child, lines, address }
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for so many deliveries that it accepts; answers a line for each, `new evt_…` or `again evt_…`.
    pub async fn accepted(&mut self, count: usize) -> Vec<String> {
        let mut accepted = Vec::new();
        while accepted.len() < count {
            let line = within("a delivery that is accepted", self.lines.next_line()).await.expect("text");
            accepted.push(line.expect("it runs"));
        }
        accepted
    }
}
