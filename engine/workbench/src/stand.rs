//! Runs a component as the engine does: the same host, the same steps, the same limits; nothing is stored or sent.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;
use url::Url;
use uuid::Uuid;
use weft_core::contract::Capability;
use weft_core::destination::{Destination, DestinationKind, DestinationStatus, HttpTarget, Timeouts};
use weft_core::destinations::Destinations;
use weft_core::event::EventPattern;
use weft_core::id::TenantId;
use weft_core::limits::CallLimits;
use weft_core::name::{Name, PluginRef};
use weft_core::pipeline::{FailurePolicy, Pipeline, Step};
use weft_core::retry::RetryPolicy;
use weft_core::trace::StepTrace;
use weft_plugin_host::{CallContext, HostConfig, PluginHost, Refusal, Version};
use weft_server::catalog::Tenant;
use weft_server::clock::Clock;
use weft_server::plugins::{PluginKey, Versions};
use weft_server::secrets::{SecretText, StepSecret};
use weft_server::telemetry::Metrics;
use weft_server::workers::pass::{PassContext, rehearse};

use crate::fixture::{Fixture, Place, pairs};

/// Instances at once: one for each output of a call chain, one after the other.
const INSTANCES_MAX: u32 = 4;
/// More than an engine would allow a pass; what a call may take is in the limits.
const PASS_TIME_MAX: Duration = Duration::from_secs(60);
/// No pipeline is that wide.
const DELIVERIES_MAX: usize = 10_000;

/// Where components are tried.
pub struct Stand {
    host: PluginHost,
    limits: CallLimits,
    clock: Clock,
    metrics: Metrics,
}

/// What became of a fixture.
#[derive(Debug)]
pub struct Run {
    /// The outcome, as expected ones are written.
    pub outcome: Value,
    /// Every role that was called, with logs, time and memory.
    pub steps: Vec<StepTrace>,
}

impl Run {
    /// The time that the plugin took.
    pub fn took(&self) -> Duration {
        Duration::from_micros(self.steps.iter().map(|step| step.took_us).sum())
    }

    /// The memory of its largest instance, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        self.steps.iter().map(|step| step.memory_bytes).max().unwrap_or(0)
    }
}

impl Stand {
    /// A stand with the engine's limits, but `call` for the time of a call.
    ///
    /// # Errors
    /// When components do not run on this machine.
    pub fn new(call: Duration) -> Result<Self> {
        let limits = CallLimits { call, ..CallLimits::default() };
        let largest = weft_core::limits::COMPONENT_BYTES.default;
        let host = PluginHost::new(&HostConfig {
            instances_max: INSTANCES_MAX,
            component_bytes_max: usize::try_from(largest).unwrap_or(usize::MAX),
            memory_bytes_max: limits.memory_bytes,
        })?;
        Ok(Self { host, limits, clock: Clock::system(), metrics: Metrics::default() })
    }

    /// Compiles, checks and probes a component.
    ///
    /// # Errors
    /// Why an engine would not take it.
    pub fn load(&self, component: &[u8]) -> Result<Version, Refusal> {
        let version = self.host.load(component)?;
        let config = Arc::from("{}");
        let now = self.clock.now();
        version.probe(&CallContext {
            config: &config,
            limits: &self.limits,
            received_at: now,
            event: self.clock.fresh(),
            output: 0,
        })?;
        Ok(version)
    }

    /// Runs all roles of `version` on a fixture.
    ///
    /// # Errors
    /// When the fixture makes no sense, or its configuration is not what the plugin's description asks for.
    pub fn run(&self, version: &Version, fixture: &Fixture) -> Result<Run> {
        let config = fixture.config.as_ref().map_or_else(|| "{}".to_owned(), Value::to_string);
        if let Some(Err(problems)) = version.description().map(|description| description.check_config(&config)) {
            anyhow::bail!("configuration: {}", problems.join("; "));
        }
        let tenant = self.tenant(fixture, config)?;
        let (event, first) = fixture.event(tenant.id)?;
        let key = PluginKey::of(tenant.id, &tenant.pipeline.steps[0].plugin);
        let versions = Versions::from([(key, version.clone())]);
        let rehearsal = rehearse(
            &event,
            first,
            &PassContext {
                tenant: &tenant,
                versions: &versions,
                limits: &self.limits,
                time_max: PASS_TIME_MAX,
                deliveries_max: DELIVERIES_MAX,
                kv: &fixture.shelf(tenant.id, &tenant.pipeline.steps[0].plugin),
                clock: &self.clock,
                metrics: &self.metrics,
            },
        );
        Ok(Run { outcome: rehearsal.shown(), steps: rehearsal.trace.steps })
    }

    /// A tenant with one step, which sees all that the fixture has.
    fn tenant(&self, fixture: &Fixture, config: String) -> Result<Tenant> {
        let name: Name = "plugin".parse().context("a name")?;
        let headers = fixture.header_names();
        let step = Step {
            name: name.clone(),
            plugin: PluginRef::Own(name.clone()),
            roles: Vec::new(),
            config: config.into(),
            headers: headers.clone(),
            grants: Capability::ALL.to_vec(),
            sees_destinations: true,
            on_failure: FailurePolicy::default(),
        };
        let places = fixture.destinations.iter().map(|place| self.destination(place));
        Ok(Tenant {
            id: TenantId::from_uuid(Uuid::nil()),
            name: name.clone(),
            type_pointer: String::new(),
            pipeline: Pipeline { steps: vec![step] },
            step_secrets: HashMap::from([(name.clone(), secrets(fixture)?)]),
            headers,
            destinations: Destinations::from(places.collect::<Result<Vec<_>>>()?),
        })
    }

    fn destination(&self, place: &Place) -> Result<Destination> {
        Ok(Destination {
            id: self.clock.fresh(),
            name: place.name.parse().context("destinations")?,
            kind: DestinationKind::Http(HttpTarget::plain(Url::parse("http://localhost/")?, Vec::new())),
            events: vec![EventPattern::All],
            labels: labels(&place.labels),
            status: DestinationStatus::Active,
            retry: RetryPolicy::default(),
            timeouts: Timeouts { connect: PASS_TIME_MAX, total: PASS_TIME_MAX },
        })
    }
}

/// Each may be read, so that a plugin can be seen to work with it.
fn secrets(fixture: &Fixture) -> Result<Arc<[StepSecret]>> {
    let secret = |(name, text): (&String, &String)| {
        let name = name.parse().context("secrets")?;
        Ok(StepSecret::new(name, &SecretText::new(text.clone()), true))
    };
    fixture.secrets.iter().map(secret).collect()
}

fn labels(labels: &BTreeMap<String, String>) -> Vec<weft_core::event::Header> {
    pairs(labels).collect()
}
