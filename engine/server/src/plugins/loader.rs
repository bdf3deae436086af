//! From a component's bytes to a version that may run: compiled, checked and probed on a thread of its own.

use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use tokio::sync::{Mutex, oneshot};
use weft_core::limits::CallLimits;
use weft_plugin_host::{CallContext, PluginHost, Version};

use crate::clock::Clock;

/// The configuration that a probe's instance sees.
const PROBE_CONFIG: &str = "{}";

/// Turns components into versions, one at a time.
pub(super) struct Loader {
    host: PluginHost,
    limits: CallLimits,
    clock: Clock,
    // Compiling a big component takes 0.4 GiB and all cores: whoever comes meanwhile waits here, on no thread.
    turn: Mutex<()>,
}

impl Loader {
    pub(super) fn new(host: PluginHost, limits: CallLimits, clock: Clock) -> Self {
        Self { host, limits, clock, turn: Mutex::default() }
    }

    /// The clock by which probes and changes are dated.
    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Compiles, checks and probes `component`.
    ///
    /// # Errors
    /// Why it was refused, for a person.
    ///
    /// # Cancel safety
    /// Dropping the future lets the thread finish for nothing.
    pub(super) async fn load(&self, component: Bytes) -> Result<Version, String> {
        let _turn = self.turn.lock().await;
        let (answer, loaded) = oneshot::channel();
        let (host, limits, clock) = (self.host.clone(), self.limits.clone(), self.clock.clone());
        // Not one of the runtime's threads: a stop of the engine does not wait for a compiler.
        let started = thread::Builder::new().name("weft-compile".to_owned()).spawn(move || {
            // Nobody listens if the caller went away.
            let _ = answer.send(load(&host, &limits, &clock, &component));
        });
        if let Err(error) = started {
            return Err(format!("could not start a thread to compile it on: {error}"));
        }
        // The host turns panics into refusals; one outside it drops the sender.
        loaded.await.unwrap_or_else(|_| Err("the engine failed while it compiled or probed it".to_owned()))
    }
}

fn load(host: &PluginHost, limits: &CallLimits, clock: &Clock, component: &[u8]) -> Result<Version, String> {
    let version = host.load(component).map_err(|refusal| refusal.to_string())?;
    let config = Arc::from(PROBE_CONFIG);
    let call = CallContext { config: &config, limits, received_at: clock.now(), event: clock.fresh(), output: 0 };
    version.probe(&call).map_err(|refusal| refusal.to_string())?;
    Ok(version)
}
