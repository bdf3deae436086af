//! A dry run: what another version of a plugin would have made of events that are stored, compared with the active one, without any
//! effect.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use weft_client::wire::{DryRunExample, DryRunLine, DryRunResult, DryRunSide};
use weft_core::digest::Digest;
use weft_core::draft::Draft;
use weft_core::event::Event;
use weft_core::id::EventId;
use weft_core::limits::CallLimits;
use weft_core::time::Timestamp;
use weft_store::{Store, StoreError};

use crate::catalog::Tenant;
use crate::clock::Clock;
use crate::plugins::{ActiveVersions, PluginKey, PluginRegistry, RegistryError, Versions};
use crate::telemetry::Metrics;
use crate::workers::kv::KvShelf;
use crate::workers::pass::{Outcome, PassContext, Rehearsal, rehearse};

/// Events that one dry run looks at, at most.
pub const EVENTS_MAX: u32 = 100_000;
/// Events that are read at once; the bodies of a page are in memory together.
const PAGE_EVENTS: u32 = 64;
/// Changed events that are shown whole.
const EXAMPLES_MAX: usize = 10;
/// More than any pass takes; a call is limited by its own limit.
const PASS_TIME_MAX: Duration = Duration::from_secs(60);

/// What dry runs need of an engine.
#[derive(Clone)]
pub struct DryRuns {
    /// Where the events are.
    pub store: Store,
    /// Where the versions are.
    pub plugins: PluginRegistry,
    /// Those that are active.
    pub versions: ActiveVersions,
    /// For ids that nobody sees.
    pub clock: Clock,
    /// Around each call, as in a pass.
    pub limits: CallLimits,
    /// How many deliveries an event may make.
    pub deliveries_max: usize,
    /// One dry run at a time: it takes a core from the engine.
    pub turn: Arc<Semaphore>,
}

/// What is to be tried.
#[derive(Clone, Debug)]
pub struct Question {
    /// Whose events, through whose pipeline.
    pub tenant: Arc<Tenant>,
    /// Which plugin.
    pub plugin: PluginKey,
    /// The version that is tried.
    pub candidate: Digest,
    /// How many of the newest events.
    pub last: u32,
    /// None before this time.
    pub since: Option<Timestamp>,
}

/// Why nothing was tried.
#[derive(Debug, thiserror::Error)]
pub enum DryRunError {
    /// The version cannot be loaded, or no pipeline could run it.
    #[error(transparent)]
    Plugin(#[from] RegistryError),
    /// No step would be another.
    #[error("no step of tenant {tenant} binds {plugin}")]
    NotBound {
        /// Whose pipeline.
        tenant: String,
        /// What was meant.
        plugin: PluginKey,
    },
    /// The engine is stopping.
    #[error("the engine is stopping")]
    Stopping,
    /// The events cannot be read.
    #[error("could not read the events")]
    Store(#[source] StoreError),
}

/// A dry run that may begin.
pub struct DryRun {
    runs: DryRuns,
    question: Question,
    active: Arc<Versions>,
    candidate: Versions,
    // Each begins with nothing kept, since what the live ones keep already knows these events; and sees them newest first.
    kv: KvShelf,
    candidate_kv: KvShelf,
}

impl DryRuns {
    /// Loads the candidate, and finds out whether it can be compared.
    ///
    /// # Errors
    /// [`DryRunError`].
    pub async fn prepare(&self, question: Question) -> Result<DryRun, DryRunError> {
        let tenant = &question.tenant;
        let is_bound =
            tenant.pipeline.steps.iter().any(|step| PluginKey::of(tenant.id, &step.plugin) == question.plugin);
        if !is_bound {
            let (tenant, plugin) = (tenant.name.to_string(), question.plugin);
            return Err(DryRunError::NotBound { tenant, plugin });
        }
        let version = self.plugins.version(&question.plugin, question.candidate).await?;
        let active = self.versions.snapshot();
        let mut candidate = Versions::clone(&active);
        candidate.insert(question.plugin.clone(), version);
        let (kv, candidate_kv) = (KvShelf::empty(), KvShelf::empty());
        Ok(DryRun { runs: self.clone(), question, active, candidate, kv, candidate_kv })
    }
}

impl DryRun {
    /// Tries event after event and tells how far it is; ends early if nobody listens any more.
    pub async fn run(self, told: mpsc::Sender<DryRunLine>) {
        let end = match self.compare(&told).await {
            Ok(Some(comparison)) => DryRunLine::Result(Box::new(comparison)),
            Ok(None) => return,
            Err(error) => DryRunLine::Failed { reason: error.to_string() },
        };
        // Nobody is left to hear it if this fails.
        let _ = told.send(end).await;
    }

    async fn compare(self, told: &mpsc::Sender<DryRunLine>) -> Result<Option<DryRunResult>, DryRunError> {
        let turn = Arc::clone(&self.runs.turn);
        let _turn = turn.acquire().await.map_err(|_| DryRunError::Stopping)?;
        let this = Arc::new(self);
        let (mut done, of) = (0, u64::from(this.question.last));
        let mut tally = Tally::default();
        let mut page = this.page(this.runs.clock.fresh(), of).await?;
        while let Some(oldest) = page.events.last().map(|event| event.id) {
            done += page.events.len() as u64;
            let (worker, events) = (Arc::clone(&this), page.events);
            // Guests run for as long as they are allowed to: not on the threads that serve I/O.
            let trying = tokio::task::spawn_blocking(move || {
                worker.try_page(&events, &mut tally);
                tally
            });
            // The store answers meanwhile.
            let next = if page.is_last { Ok(Page::default()) } else { this.page(oldest, of - done).await };
            tally = trying.await.map_err(|_| DryRunError::Stopping)?;
            if told.send(DryRunLine::Progress { done, of }).await.is_err() {
                return Ok(None);
            }
            page = next?;
        }
        Ok(Some(tally.sum_up()))
    }

    /// The next events before `before`, at most `wanted`.
    async fn page(&self, before: EventId, wanted: u64) -> Result<Page, DryRunError> {
        let limit = u32::try_from(wanted).unwrap_or(PAGE_EVENTS).min(PAGE_EVENTS);
        let events = self.runs.store.events_before(self.question.tenant.id, before, limit).await;
        let mut events = events.map_err(DryRunError::Store)?;
        let read = events.len();
        events.retain(|event| self.question.since.is_none_or(|since| event.received_at >= since));
        Ok(Page { is_last: read < limit as usize || events.len() < read || u64::from(limit) == wanted, events })
    }

    fn try_page(&self, page: &[Event], tally: &mut Tally) {
        // Trying is no fault of the plugins that the engine counts.
        let metrics = Metrics::default();
        for event in page {
            let now = self.rehearse(event, &self.active, &self.kv, &metrics);
            let then = self.rehearse(event, &self.candidate, &self.candidate_kv, &metrics);
            tally.add(event, &now, &then);
        }
    }

    fn rehearse(&self, event: &Event, versions: &Versions, kv: &KvShelf, metrics: &Metrics) -> Rehearsal {
        let DryRuns { clock, limits, deliveries_max, .. } = &self.runs;
        let context = PassContext {
            tenant: &self.question.tenant,
            versions,
            limits,
            time_max: PASS_TIME_MAX,
            deliveries_max: *deliveries_max,
            kv,
            clock,
            metrics,
        };
        rehearse(event, Draft::of(event), &context)
    }
}

/// Some of the events, newest first.
#[derive(Default)]
struct Page {
    events: Vec<Event>,
    /// Whether there are no more to be tried.
    is_last: bool,
}

/// Two versions on the same events, as far as they have come.
#[derive(Default)]
struct Tally {
    now: Side,
    then: Side,
    same: u64,
    changed: u64,
    examples: Vec<DryRunExample>,
}

/// One version on all events.
#[derive(Default)]
struct Side {
    counts: DryRunSide,
    took_us: Vec<u64>,
}

impl Tally {
    fn add(&mut self, event: &Event, now: &Rehearsal, then: &Rehearsal) {
        self.now.add(now);
        self.then.add(then);
        if is_same(event, &now.outcome, &then.outcome) {
            self.same += 1;
            return;
        }
        self.changed += 1;
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(DryRunExample {
                event: event.id.to_string(),
                event_type: event.event_type.to_string(),
                now: now.shown(),
                then: then.shown(),
            });
        }
    }

    fn sum_up(self) -> DryRunResult {
        let Self { now, then, same, changed, examples } = self;
        DryRunResult { events: same + changed, same, changed, now: now.sum_up(), then: then.sum_up(), examples }
    }
}

impl Side {
    fn add(&mut self, rehearsal: &Rehearsal) {
        *self.counts.ends.entry(rehearsal.end().to_owned()).or_default() += 1;
        if let Outcome::Outputs { plan, .. } = &rehearsal.outcome {
            self.counts.deliveries += plan.deliveries.len() as u64;
        }
        let steps = &rehearsal.trace.steps;
        self.took_us.push(steps.iter().map(|step| step.took_us).sum());
        let largest = steps.iter().map(|step| step.memory_bytes).max().unwrap_or(0);
        self.counts.memory_bytes = self.counts.memory_bytes.max(largest);
    }

    fn sum_up(mut self) -> DryRunSide {
        self.took_us.sort_unstable();
        let last = self.took_us.len().saturating_sub(1);
        let at = |percent: usize| self.took_us.get(last * percent / 100).copied().unwrap_or(0);
        DryRunSide { steps_us_median: at(50), steps_us_p99: at(99), ..self.counts }
    }
}

/// Whether the same would go out: a body that was set to what it was is no change.
fn is_same(event: &Event, now: &Outcome, then: &Outcome) -> bool {
    let (Outcome::Outputs { outputs: now, .. }, Outcome::Outputs { outputs: then, .. }) = (now, then) else {
        return now == then;
    };
    now.len() == then.len()
        && now.iter().zip(then).all(|(now, then)| {
            let plain = |draft: &Draft| Draft { body: Some(draft.payload(event).clone()), ..draft.clone() };
            now.targets == then.targets && plain(&now.draft) == plain(&then.draft)
        })
}
