//! The whole engine: puts every part together, starts it, and takes it apart again.
//!
//! This is the one module that knows everyone. Starting is in the order of need: configuration and secrets, the store and
//! its lock, plugins, workers, and the API last. Stopping is in the order of the journey, so that what is under way
//! finishes and what waits goes back to the store.

mod registry;

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle as ThreadHandle;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinHandle;
use weft_outbound::{Sender, SenderConfig};
use weft_store::work::PassKey;
use weft_store::{Store, StoreAt, StoreOptions};

use crate::api::{self, ApiParts, Health, Phase};
use crate::catalog::CurrentCatalog;
use crate::clock::Clock;
use crate::config::{Config, Limits};
use crate::declare::Declarer;
use crate::pipelines;
use crate::plugins::{ActiveVersions, PluginRegistry};
use crate::secrets::{KeyHash, SealKey, operator_key, random_bytes};
use crate::start_error::StartError;
use crate::telemetry::Metrics;
use crate::workers::answers::AnswerRoom;
use crate::workers::claims_wake::ClaimsWake;
use crate::workers::delivery_claims::DeliveryClaims;
use crate::workers::fan_out::FanOut;
use crate::workers::heartbeat::Heartbeat;
use crate::workers::intake::{HandOver, Intake, IntakeParts};
use crate::workers::kv::KvShelf;
use crate::workers::lease::LeaseTerm;
use crate::workers::lookout::Lookout;
use crate::workers::outbox::{Outbox, OutboxLimits};
use crate::workers::pass_claims::PassClaims;
use crate::workers::pass_queue::{PassLimits, PassQueue};
use crate::workers::plugin_threads::{PassRunner, start_plugin_threads};
use crate::workers::recorder::Recorder;
use crate::workers::room::{Room, RoomLimits};
use crate::workers::sending::{Sending, SendingParts};
use crate::workers::survey::Survey;
use crate::workers::upkeep::Upkeep;

/// Workers of a kind that gather a batch while another commits; more would only make the batches smaller.
const COMMITTERS: usize = 2;
/// Finished passes and attempts that wait for a commit; beyond it, threads and attempts wait.
const FINISHED_MAX: usize = 2_048;
/// How much longer than the longest attempt a stop may take before it is cut short.
const STOP_MARGIN: Duration = Duration::from_secs(10);

/// A running engine.
pub struct App {
    address: SocketAddr,
    store: Store,
    health: Health,
    stop: watch::Sender<bool>,
    stop_within: Duration,
    passes: PassQueue,
    outbox: Outbox,
    threads: Vec<ThreadHandle<()>>,
    api: JoinHandle<()>,
    fan_out: Vec<JoinHandle<()>>,
    sending: JoinHandle<()>,
    recorders: Vec<JoinHandle<()>>,
    // Nothing of theirs must be finished: they are dropped.
    attendants: Vec<JoinHandle<()>>,
    // Dropped last: leases hold while something is under way.
    heartbeat: JoinHandle<()>,
}

/// What the parts share.
struct Shared {
    store: Store,
    catalog: CurrentCatalog,
    clock: Clock,
    metrics: Arc<Metrics>,
    hand_over: HandOver,
    versions: ActiveVersions,
    health: Health,
    limits: Limits,
}

impl App {
    /// Starts an engine; when this returns, it answers.
    ///
    /// # Errors
    /// [`StartError`] says what to change.
    pub async fn start(config: Config, clock: Clock) -> Result<Self, StartError> {
        let secrets = config.read_secrets()?;
        for warning in &secrets.warnings {
            tracing::warn!("{warning}");
        }
        make_data_folder(&config)?;
        let store = open_store(&config, &secrets.store, &clock).await?;
        let seal = match &secrets.seal_key {
            Some(key) => key.clone(),
            None => SealKey::in_folder(&config.data, random_bytes)?,
        };
        let operator = KeyHash::of(operator_key(&config.data, random_bytes)?.as_str());
        let declarer = Declarer { store: &store, clock: &clock, seal: &seal };
        let catalog = CurrentCatalog::new(declarer.declare(&config, secrets, operator).await?);
        let (stop, stopping) = watch::channel(false);
        let shared = share(store, catalog, clock, &config.limits);
        let registry = registry::start_registry(&config, &shared, &seal).await?;
        pipelines::check_all(&shared.catalog.snapshot(), &shared.versions.snapshot(), &registry.latest())
            .map_err(StartError::Pipelines)?;
        let listener = TcpListener::bind(config.listen)
            .await
            .map_err(|source| StartError::Listen { address: config.listen, source })?;
        let address = listener.local_addr().map_err(|source| StartError::Listen { address: config.listen, source })?;
        shared.run(&config, registry, listener, address, stop, stopping)
    }

    /// Where the API listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops: takes nothing more in, lets what is under way finish, gives the rest back to the store.
    pub async fn stop(self) {
        let store = self.store.clone();
        let heartbeat = self.heartbeat.abort_handle();
        let within = self.stop_within;
        if tokio::time::timeout(within, self.wind_down()).await.is_err() {
            tracing::warn!("the stop was cut short; what was under way is done again at the next start");
        }
        heartbeat.abort();
        store.close().await;
    }

    async fn wind_down(self) {
        self.health.enter(Phase::Stopping);
        // Nobody listening is as good as everybody told.
        let _ = self.stop.send(true);
        ended(vec![self.api]).await;
        for attendant in self.attendants {
            attendant.abort();
        }
        let passes = self.passes.close().into_iter();
        let passes = passes.map(|work| (PassKey { event: work.event.id, replay: work.replay }, work.lease)).collect();
        let threads = self.threads;
        let joined = tokio::task::spawn_blocking(move || threads.into_iter().for_each(|thread| drop(thread.join())));
        ended(vec![joined]).await;
        ended(self.fan_out).await;
        let deliveries = self.outbox.close().into_iter().map(|work| (work.id, work.lease)).collect();
        ended(vec![self.sending]).await;
        ended(self.recorders).await;
        let released = (self.store.release_passes(passes).await, self.store.release_deliveries(deliveries).await);
        if let (Err(error), _) | (_, Err(error)) = released {
            tracing::warn!(error = &error as &dyn std::error::Error, "what waited was not given back; its leases end");
        }
    }
}

impl Shared {
    /// Starts the workers and, last, the API.
    fn run(
        self,
        config: &Config,
        registry: PluginRegistry,
        listener: TcpListener,
        address: SocketAddr,
        stop: watch::Sender<bool>,
        stopping: watch::Receiver<bool>,
    ) -> Result<App, StartError> {
        let (finished_passes, passes) = mpsc::channel(FINISHED_MAX);
        let (made_attempts, attempts) = mpsc::channel(FINISHED_MAX);
        let sender = Sender::new(SenderConfig {
            guard: config.network.guard(),
            response_bytes_max: self.limits.response_bytes,
            user_agent: format!("Weft/{}", env!("CARGO_PKG_VERSION")),
        })?;
        let runner = PassRunner {
            catalog: self.catalog.clone(),
            versions: self.versions.clone(),
            limits: self.limits.call_limits(),
            time_max: self.limits.pass(),
            deliveries_max: self.limits.deliveries,
            kv: KvShelf::stored(self.store.clone(), tokio::runtime::Handle::current()),
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
        };
        let count = registry::plugin_threads(&self.limits);
        let threads = start_plugin_threads(count, &self.hand_over.passes, &runner, &finished_passes)
            .map_err(StartError::Threads)?;
        drop(finished_passes);
        let intake = self.intake();
        let fan_out = self.fan_out(passes);
        let recorder = self.recorder(attempts);
        let sending = self.sending(sender, made_attempts);
        let heartbeat = Heartbeat { store: self.store.clone(), clock: self.clock.clone() };
        let mut attendants = self.attendants();
        let watching = crate::plugins::watch(registry.clone(), stopping.clone());
        let parts = self.api_parts(intake, registry);
        attendants.push(tokio::spawn(watching));
        let api = tokio::spawn(api::serve(listener, api::router(parts), stopping, self.limits.api_requests));
        self.health.enter(Phase::Serving);
        Ok(App {
            address,
            health: self.health,
            stop,
            stop_within: self.limits.request + STOP_MARGIN,
            passes: self.hand_over.passes.clone(),
            outbox: self.hand_over.outbox.clone(),
            store: self.store,
            threads,
            api,
            fan_out: committers(|| loop_fan_out(fan_out.clone())),
            sending: tokio::spawn(async move { sending.run().await }),
            recorders: committers(|| loop_recorder(recorder.clone())),
            attendants,
            heartbeat: tokio::spawn(async move { heartbeat.run().await }),
        })
    }

    /// Starts those who keep the others supplied and the store tidy.
    fn attendants(&self) -> Vec<JoinHandle<()>> {
        let (store, catalog, clock) = (|| self.store.clone(), || self.catalog.clone(), || self.clock.clone());
        let (hand_over, outbox) = (|| self.hand_over.clone(), self.hand_over.outbox.clone());
        let bytes = self.limits.bytes_in_memory;
        let passes = PassClaims::new(store(), hand_over(), clock(), bytes);
        let deliveries = DeliveryClaims::new(store(), catalog(), hand_over(), clock(), bytes);
        let survey = Survey::new(store(), catalog(), hand_over(), clock());
        let lookout = Lookout { outbox, store: store(), clock: clock() };
        let (claims, retention) = (self.hand_over.claims.clone(), self.limits.retention);
        let upkeep = Upkeep { store: store(), claims, clock: clock(), retention };
        vec![
            tokio::spawn(async move { passes.run().await }),
            tokio::spawn(async move { deliveries.run().await }),
            tokio::spawn(survey.run()),
            tokio::spawn(async move { lookout.run().await }),
            tokio::spawn(async move { upkeep.run().await }),
        ]
    }

    fn intake(&self) -> Intake {
        Intake::new(IntakeParts {
            store: self.store.clone(),
            catalog: self.catalog.clone(),
            hand_over: self.hand_over.clone(),
            deliveries_at_once: self.limits.deliveries_at_once,
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
        })
    }

    fn fan_out(&self, passes: mpsc::Receiver<crate::workers::plugin_threads::RunPass>) -> FanOut {
        FanOut {
            passes: Arc::new(Mutex::new(passes)),
            store: self.store.clone(),
            catalog: self.catalog.clone(),
            hand_over: self.hand_over.clone(),
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
        }
    }

    fn recorder(&self, attempts: mpsc::Receiver<crate::workers::recorder::MadeAttempt>) -> Recorder {
        Recorder {
            attempts: Arc::new(Mutex::new(attempts)),
            store: self.store.clone(),
            catalog: self.catalog.clone(),
            hand_over: self.hand_over.clone(),
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
        }
    }

    fn sending(&self, sender: Sender, attempts: mpsc::Sender<crate::workers::recorder::MadeAttempt>) -> Sending {
        Sending::new(SendingParts {
            outbox: self.hand_over.outbox.clone(),
            catalog: self.catalog.clone(),
            sender,
            attempts,
            answers: AnswerRoom::new(self.limits.bytes_in_memory),
            store: self.store.clone(),
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
        })
    }

    fn api_parts(&self, intake: Intake, registry: PluginRegistry) -> ApiParts {
        ApiParts {
            store: self.store.clone(),
            catalog: self.catalog.clone(),
            intake,
            room: Room::new(RoomLimits { events: self.limits.ingest_events, bytes: self.limits.ingest_bytes }),
            dry_runs: registry::dry_runs(self, &registry),
            plugins: registry,
            claims: self.hand_over.claims.clone(),
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
            health: self.health.clone(),
            event_body_bytes: self.limits.event_body_bytes,
            component_bytes: self.limits.component_bytes,
        }
    }
}

fn make_data_folder(config: &Config) -> Result<(), StartError> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&config.data)
        .map_err(|source| StartError::DataFolder { path: config.data.clone(), source })
}

async fn open_store(config: &Config, at: &StoreAt, clock: &Clock) -> Result<Store, StartError> {
    let options = StoreOptions { dedupe_for: config.limits.dedupe, ..StoreOptions::new(at.clone(), clock.now()) };
    Ok(Store::open(&options).await?)
}

fn share(store: Store, catalog: CurrentCatalog, clock: Clock, limits: &Limits) -> Shared {
    let outbox = Outbox::new(OutboxLimits {
        waiting: limits.deliveries_in_memory,
        waiting_per_destination: limits.deliveries_in_memory_per_destination,
        bytes: limits.bytes_in_memory,
        attempts: limits.attempts,
        attempts_slow: limits.attempts_slow,
        attempts_per_destination: limits.attempts_per_destination,
    });
    let hand_over = HandOver {
        outbox,
        passes: PassQueue::new(PassLimits {
            waiting: limits.passes_in_memory,
            bytes: limits.bytes_in_memory,
            threads: registry::plugin_threads(limits),
        }),
        claims: ClaimsWake::default(),
        term: LeaseTerm { owner: store.start_number(), lasts: limits.lease },
    };
    Shared {
        store,
        catalog,
        clock,
        metrics: Arc::default(),
        hand_over,
        versions: ActiveVersions::default(),
        health: Health::default(),
        limits: limits.clone(),
    }
}

fn committers<F: Future<Output = ()> + Send + 'static>(worker: impl Fn() -> F) -> Vec<JoinHandle<()>> {
    (0..COMMITTERS).map(|_| tokio::spawn(worker())).collect()
}

async fn loop_fan_out(worker: FanOut) {
    while worker.tick().await {}
}

async fn loop_recorder(worker: Recorder) {
    while worker.tick().await {}
}

/// Waits for tasks; one that panicked has ended as well, and tokio has said so.
async fn ended(tasks: Vec<JoinHandle<()>>) {
    for task in tasks {
        if let Err(error) = task.await
            && error.is_panic()
        {
            tracing::error!(error = &error as &dyn std::error::Error, "a worker ended in a panic");
        }
    }
}
