//! The threads on which guests run: beside, not on, the threads that serve HTTP.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use weft_core::event::Event;
use weft_core::kv::{Found, Left};
use weft_core::limits::CallLimits;
use weft_store::work::{FinishedPass, PassEnd, PassWork};

use crate::catalog::CurrentCatalog;
use crate::clock::Clock;
use crate::plugins::active::ActiveVersions;
use crate::telemetry::Metrics;
use crate::workers::kv::{Announced, KvShelf};
use crate::workers::pass::{PassContext, run_pass};
use crate::workers::pass_queue::{PassBytes, PassQueue, TakenPass};

/// What every plugin thread leans on.
#[derive(Clone)]
pub struct PassRunner {
    /// Who is known.
    pub catalog: CurrentCatalog,
    /// What runs.
    pub versions: ActiveVersions,
    /// Around each call.
    pub limits: CallLimits,
    /// Around a pass: what its lease allows.
    pub time_max: Duration,
    /// How many deliveries one event may make.
    pub deliveries_max: usize,
    /// What plugins keep.
    pub kv: KvShelf,
    /// For the passes' times and ids.
    pub clock: Clock,
    /// For the steps' times and faults.
    pub metrics: Arc<Metrics>,
}

/// A pass that has run, with the event that it ran on: the fan-out hands its deliveries on from memory.
pub struct RunPass {
    /// The event.
    pub event: Arc<Event>,
    /// What came out.
    pub finished: FinishedPass,
    /// What it has left of what its plugins keep.
    pub kv: Announced,
    /// What it holds in memory until it is stored.
    pub bytes: PassBytes,
}

impl PassRunner {
    /// Runs one pass; `None` if its tenant is not in the catalog or the store does not answer, so that the pass must wait.
    pub fn run(&self, work: &PassWork) -> Option<FinishedPass> {
        let catalog = self.catalog.snapshot();
        let Some(tenant) = catalog.tenant(work.event.tenant) else {
            tracing::warn!(event.id = %work.event.id, "the tenant of {} is not declared; it waits", work.event.id);
            return None;
        };
        let versions = self.versions.snapshot();
        let context = PassContext {
            tenant,
            versions: &versions,
            limits: &self.limits,
            time_max: self.time_max,
            deliveries_max: self.deliveries_max,
            kv: &self.kv,
            clock: &self.clock,
            metrics: &self.metrics,
        };
        run_pass(work, &context)
    }

    /// Runs one pass; a defect of ours that panics costs this pass its lease, not the engine a thread.
    fn run_contained(&self, work: &PassWork) -> Option<FinishedPass> {
        // What a panic could leave half done is this pass alone, and it is thrown away.
        catch_unwind(AssertUnwindSafe(|| self.run(work))).unwrap_or_else(|_| {
            tracing::error!(event.id = %work.event.id, "the pass of {} panicked; it runs again when its lease ends", work.event.id);
            None
        })
    }
}

/// Starts `count` threads, which end when `queue` is closed.
///
/// Passes that cannot be run at present are dropped: their lease ends by itself.
///
/// # Errors
/// If the system gives no thread.
pub fn start_plugin_threads(
    count: usize,
    queue: &PassQueue,
    runner: &PassRunner,
    finished: &mpsc::Sender<RunPass>,
) -> std::io::Result<Vec<JoinHandle<()>>> {
    (0..count)
        .map(|number| {
            let (queue, runner, finished) = (queue.clone(), runner.clone(), finished.clone());
            std::thread::Builder::new().name(format!("weft-plugin-{number}")).spawn(move || {
                while let Some(TakenPass { work, slot, mut bytes }) = queue.take() {
                    let pass = runner.run_contained(&work);
                    // The tenant's turn comes again before the fan-out has room: the channel is the bound, not the slot.
                    drop(slot);
                    // What could not be run waits for its lease to end.
                    let Some(pass) = pass else { continue };
                    bytes.add(bytes_of(&pass));
                    let kv = runner.kv.announce(pass.tenant, &pass.kv);
                    if finished.blocking_send(RunPass { event: work.event, finished: pass, kv, bytes }).is_err() {
                        return;
                    }
                }
            })
        })
        .collect()
}

/// What a pass has made, as far as a plugin decides how much that is.
fn bytes_of(pass: &FinishedPass) -> usize {
    let bodies = match &pass.end {
        PassEnd::Routed { bodies, .. } => bodies.iter().map(Bytes::len).sum(),
        PassEnd::Dropped { .. } | PassEnd::Dead { .. } | PassEnd::Retry { .. } => 0,
    };
    let logs = pass.trace.steps.iter().flat_map(|step| &step.logs);
    let kept = pass.kv.iter().map(|touch| {
        let found = if let Found::Value(value) = &touch.found { value.len() } else { 0 };
        let left = if let Some(Left::Value { value, .. }) = &touch.left { value.len() } else { 0 };
        touch.key.len() + found + left
    });
    bodies + logs.map(|line| line.message.len()).sum::<usize>() + kept.sum::<usize>()
}
