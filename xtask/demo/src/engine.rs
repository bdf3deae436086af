//! The engine as a child process: started, asked whether it is ready, checked from outside, stopped.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::{Child, Command};
use weft_client::Client;

use crate::clock::Stopwatch;
use crate::stage::{self, Stage};

/// Where `examples/quickstart/weft.toml` lets the engine listen.
pub(crate) const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7411);

/// The variable that holds each tenant's key.
const KEY_VARIABLES: [(&str, &str); 2] = [("shop", "SHOP_KEY"), ("devtools", "DEVTOOLS_KEY")];

/// 30 s: starting takes a second; then something is wrong.
const START_MAX: Duration = Duration::from_secs(30);

/// 40 s: the engine lets requests under way finish, which takes at most the 20 s of an attempt and a margin.
const STOP_MAX: Duration = Duration::from_secs(40);

/// Between two questions that wait for an answer to change.
pub(crate) const ASK_EVERY: Duration = Duration::from_millis(50);

/// How many lines of the log are shown when the engine ends by itself.
const LOG_LINES: usize = 15;

/// A running engine.
pub(crate) struct Engine {
    child: Child,
    stage: Stage,
    /// Each tenant's key.
    pub(crate) keys: BTreeMap<&'static str, String>,
}

impl Engine {
    /// Starts the engine on the quickstart's configuration.
    ///
    /// # Errors
    /// When its port is taken, or it cannot be started.
    pub(crate) fn start(stage: &Stage) -> Result<Self> {
        let keys = KEY_VARIABLES.iter().map(|(tenant, _)| Ok((*tenant, stage::fresh_key()?)));
        let keys: BTreeMap<_, _> = keys.collect::<Result<_>>()?;
        let path = stage.log();
        let log = fs::File::create(&path).with_context(|| format!("could not write {}", path.display()))?;
        let mut command = Command::new(&stage.weft);
        command.arg("serve").arg("--config").arg(stage.config());
        command.envs(KEY_VARIABLES.iter().filter_map(|(tenant, variable)| Some((variable, keys.get(tenant)?))));
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        // Ctrl-C is for the demo, which then stops the engine in its own time.
        command.process_group(0);
        let child = command.spawn().with_context(|| format!("could not start {}", stage.weft.display()))?;
        Ok(Self { child, stage: stage.clone(), keys })
    }

    /// Waits until the engine takes work.
    ///
    /// # Errors
    /// When it ends, or does not become ready within [`START_MAX`].
    pub(crate) async fn ready(&mut self, client: &Client) -> Result<()> {
        let watch = Stopwatch::start();
        loop {
            if client.ready().await.is_ok_and(|answer| answer.ready) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!(self.ended(status));
            }
            if watch.elapsed() > START_MAX {
                bail!("the engine is not ready after {} s; its log: {}", START_MAX.as_secs(), self.log_end());
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    /// Waits for the engine to end by itself, which it should not; returns what there is to say about it.
    ///
    /// # Cancel safety
    /// Nothing is lost when it is dropped.
    pub(crate) async fn fails(&mut self) -> anyhow::Error {
        match self.child.wait().await {
            Ok(status) => anyhow::Error::msg(self.ended(status)),
            Err(error) => anyhow::Error::new(error).context("could not wait for the engine"),
        }
    }

    /// Asks the engine to stop, and waits until it has.
    ///
    /// # Errors
    /// When it does not stop in time, or not well.
    pub(crate) async fn stop(mut self) -> Result<()> {
        let Some(id) = self.child.id() else { return Ok(()) };
        let asked = Command::new("kill").arg("-TERM").arg(id.to_string()).status().await;
        anyhow::ensure!(asked.is_ok_and(|status| status.success()), "could not send SIGTERM to the engine");
        let status = tokio::time::timeout(STOP_MAX, self.child.wait()).await;
        let status =
            status.context("the engine does not stop; it is killed")?.context("could not wait for the engine")?;
        anyhow::ensure!(status.success(), self.ended(status));
        Ok(())
    }

    fn ended(&self, status: ExitStatus) -> String {
        format!("the engine ended with {status}; its log: {}", self.log_end())
    }

    fn log_end(&self) -> String {
        let path = self.stage.log();
        let log = fs::read_to_string(&path).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        let end = lines.len().saturating_sub(LOG_LINES);
        format!("{}\n{}", path.display(), lines[end..].join("\n"))
    }
}

/// Makes sure that nobody has the engine's port.
///
/// # Errors
/// When somebody has.
pub(crate) fn port_is_free() -> Result<()> {
    TcpListener::bind(ADDRESS).map(drop).with_context(|| {
        format!("could not listen on {ADDRESS}, where the engine will: is another one running? end it, or whoever has the port")
    })
}

/// Runs `weft check` beside the running engine and returns what it printed.
///
/// # Errors
/// When it finds something, with what it says.
pub(crate) async fn check(stage: &Stage) -> Result<String> {
    let mut command = Command::new(&stage.weft);
    command.arg("check").arg("--config").arg(stage.config()).stdin(Stdio::null());
    let output = command.output().await.context("could not start `weft check`")?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("`weft check` ended with {}\n{said}\n{}", output.status, complaint.trim());
    }
    Ok(said)
}
