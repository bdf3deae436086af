//! What the engine counts, in Prometheus' text format.
//!
//! Labels are bounded: end states, outcomes and fault classes are enums, plugins are those that are bound.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use weft_core::attempt::AttemptOutcome;
use weft_core::contract::FaultClass;
use weft_core::name::Name;

/// Upper bounds of the buckets for attempts, in seconds: from loopback to the longest request limit.
const ATTEMPT_BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 20.0];
/// Upper bounds of the buckets for steps, in seconds: from a native guest to the longest call limit.
const STEP_BUCKETS: [f64; 10] = [5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 5e-4, 1e-3, 1e-2, 5e-2, 0.5];

/// Counters of one tenant's plugin that have a name of their own.
const COUNTER_NAMES_MAX: usize = 64;
/// The name of all others.
const OTHER_COUNTERS: &str = "other";

/// The engine's counters. Counting never blocks and never fails.
pub struct Metrics {
    registry: Registry,
    accepted: Counter,
    duplicates: Counter,
    refused: Family<Reason, Counter>,
    events: Family<EndState, Counter>,
    deliveries: Family<EndState, Counter>,
    attempts: Family<Outcome, Counter>,
    attempt_seconds: Histogram,
    steps: Family<PluginLabel, Histogram, fn() -> Histogram>,
    faults: Family<FaultLabel, Counter>,
    plugin_counters: Family<PluginCounter, Counter>,
    // The names that each tenant's plugin has used, so that nobody can make a metric of every event.
    counter_names: Mutex<HashMap<(Name, String), BTreeSet<String>>>,
    kv_conflicts: Counter,
    leases_lost: Counter,
    store_failures: Counter,
    events_waiting: Gauge,
    deliveries_waiting: Gauge,
    oldest_waiting_seconds: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndState {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PluginLabel {
    plugin: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PluginCounter {
    tenant: String,
    plugin: String,
    name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FaultLabel {
    plugin: String,
    class: &'static str,
}

/// What waits at the moment of a scrape.
#[derive(Clone, Copy, Debug, Default)]
pub struct WaitingGauges {
    /// Events without an end.
    pub events: u64,
    /// Deliveries without an end.
    pub deliveries: u64,
    /// Age of the oldest of them.
    pub oldest: Duration,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("weft"),
            accepted: Counter::default(),
            duplicates: Counter::default(),
            refused: Family::default(),
            events: Family::default(),
            deliveries: Family::default(),
            attempts: Family::default(),
            attempt_seconds: Histogram::new(ATTEMPT_BUCKETS),
            steps: Family::new_with_constructor(|| Histogram::new(STEP_BUCKETS)),
            faults: Family::default(),
            plugin_counters: Family::default(),
            counter_names: Mutex::default(),
            kv_conflicts: Counter::default(),
            leases_lost: Counter::default(),
            store_failures: Counter::default(),
            events_waiting: Gauge::default(),
            deliveries_waiting: Gauge::default(),
            oldest_waiting_seconds: Gauge::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("events_accepted", "Events stored and acknowledged", self.accepted.clone());
        registry.register("events_duplicate", "Events answered with the first answer", self.duplicates.clone());
        registry.register("requests_refused", "Requests to ingest that were refused", self.refused.clone());
        registry.register("events_ended", "Events by end state", self.events.clone());
        registry.register("deliveries_ended", "Deliveries by end state", self.deliveries.clone());
        registry.register("attempts", "Attempts by outcome", self.attempts.clone());
        let seconds = Unit::Seconds;
        let text = "Duration of attempts";
        registry.register_with_unit("attempt_duration", text, seconds.clone(), self.attempt_seconds.clone());
        let text = "Host time of plugin steps";
        registry.register_with_unit("plugin_step_duration", text, seconds.clone(), self.steps.clone());
        registry.register("plugin_faults", "Faults of plugins by class", self.faults.clone());
        registry.register("plugin_counter", "What plugins count", self.plugin_counters.clone());
        let text = "Passes that ran again because what they had read of a plugin's keys has changed";
        registry.register("kv_conflicts", text, self.kv_conflicts.clone());
        registry.register("leases_lost", "Work that was done for nothing", self.leases_lost.clone());
        registry.register("store_failures", "Commits that failed", self.store_failures.clone());
        registry.register("events_waiting", "Events without an end", self.events_waiting.clone());
        registry.register("deliveries_waiting", "Deliveries without an end", self.deliveries_waiting.clone());
        let text = "Age of the oldest event or delivery without an end";
        registry.register_with_unit("oldest_waiting", text, seconds, self.oldest_waiting_seconds.clone());
    }

    /// The text of a scrape.
    pub fn scrape(&self, waiting: WaitingGauges) -> String {
        let gauge = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.events_waiting.set(gauge(waiting.events));
        self.deliveries_waiting.set(gauge(waiting.deliveries));
        self.oldest_waiting_seconds.set(gauge(waiting.oldest.as_secs()));
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    /// An event was stored.
    pub fn event_accepted(&self) {
        self.accepted.inc();
    }

    /// An event was answered with the first answer.
    pub fn event_duplicate(&self) {
        self.duplicates.inc();
    }

    /// A request to ingest was refused; `reason` is one of a few fixed words.
    pub fn request_refused(&self, reason: &'static str) {
        self.refused.get_or_create(&Reason { reason }).inc();
    }

    /// An event ended *routed*, *dropped* or *dead*.
    pub fn event_ended(&self, state: &'static str) {
        self.events.get_or_create(&EndState { state }).inc();
    }

    /// A delivery ended *delivered*, *dropped*, *dead* or *cancelled*.
    pub fn delivery_ended(&self, state: &'static str) {
        self.deliveries.get_or_create(&EndState { state }).inc();
    }

    /// An attempt was made.
    pub fn attempt_made(&self, outcome: &AttemptOutcome, took: Duration) {
        self.attempts.get_or_create(&Outcome { outcome: outcome.as_str() }).inc();
        self.attempt_seconds.observe(took.as_secs_f64());
    }

    /// A step ran.
    pub fn step_ran(&self, plugin: &Name, took: Duration) {
        self.steps.get_or_create(&PluginLabel { plugin: plugin.to_string() }).observe(took.as_secs_f64());
    }

    /// A plugin showed a bug.
    pub fn fault(&self, plugin: &str, class: FaultClass) {
        self.faults.get_or_create(&FaultLabel { plugin: plugin.to_owned(), class: class.as_str() }).inc();
    }

    /// A plugin counted. The first 64 names of a tenant's plugin stand for themselves, the others together.
    pub fn plugin_counted(&self, tenant: &Name, plugin: &str, name: &str, delta: u32) {
        let mut counters = self.counter_names.lock().unwrap_or_else(PoisonError::into_inner);
        let names = counters.entry((tenant.clone(), plugin.to_owned())).or_default();
        let is_known = names.contains(name) || names.len() < COUNTER_NAMES_MAX && names.insert(name.to_owned());
        drop(counters);
        let name = if is_known { name } else { OTHER_COUNTERS };
        let label = PluginCounter { tenant: tenant.to_string(), plugin: plugin.to_owned(), name: name.to_owned() };
        self.plugin_counters.get_or_create(&label).inc_by(delta.into());
    }

    /// A pass ran for nothing, because a plugin's keys had changed meanwhile.
    pub fn kv_conflict(&self) {
        self.kv_conflicts.inc();
    }

    /// A finisher came too late.
    pub fn lease_lost(&self) {
        self.leases_lost.inc();
    }

    /// A commit failed.
    pub fn store_failed(&self) {
        self.store_failures.inc();
    }
}
