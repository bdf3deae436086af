//! One pass: an event through its tenant's steps, on the versions that were active when it began.
//!
//! Nothing of the store is open while this runs; what comes out is a [`FinishedPass`] without leases, which the fan-out
//! stores. A guest's answer is data: it is checked by `weft_core::draft` and `weft_core::plan`, and a breach is the
//! plugin's fault.

mod rehearsal;
mod shown;

use std::time::Duration;

use weft_core::contract::{Failure, Fault, FaultClass, Role};
use weft_core::decide::{AfterFailure, after_failure};
use weft_core::draft::{Draft, ViewTexts, number_outputs};
use weft_core::event::Event;
use weft_core::limits::CallLimits;
use weft_core::pipeline::{FailurePolicy, Step};
use weft_core::plan::{Plan, RoutedOutput, plan};
use weft_core::time::Timestamp;
use weft_core::trace::{Answer, PassTrace, RoleAnswer};
use weft_plugin_host::Version;
use weft_store::work::{FinishedPass, NewDelivery, PassEnd, PassKey, PassWork};

use crate::catalog::Tenant;
use crate::clock::Clock;
use crate::plugins::active::{PluginKey, Versions};
use crate::telemetry::Metrics;
use crate::workers::kv::{KvShelf, Lender, PassKv};
use crate::workers::step_run::{PassBudget, StepEnd, StepRun, Stopped};

pub use rehearsal::{Outcome, Rehearsal, rehearse};

/// What a pass may lean on while it runs.
pub struct PassContext<'a> {
    /// Whose event it is.
    pub tenant: &'a Tenant,
    /// The versions that were active when the pass began.
    pub versions: &'a Versions,
    /// Around each call.
    pub limits: &'a CallLimits,
    /// Around the whole pass: what its lease allows.
    pub time_max: Duration,
    /// How many deliveries one event may make.
    pub deliveries_max: usize,
    /// What plugins keep.
    pub kv: &'a KvShelf,
    /// For the pass's times and the deliveries' ids.
    pub clock: &'a Clock,
    /// For the steps' times and faults.
    pub metrics: &'a Metrics,
}

/// Runs one pass; `None` if the store could not be read for it, so that it must run again.
pub fn run_pass(work: &PassWork, context: &PassContext<'_>) -> Option<FinishedPass> {
    let started_at = context.clock.now();
    let mut pass = Pass::new(&work.event, context, started_at);
    let ended = pass.run();
    let (trace, kv) = pass.into_parts();
    if kv.as_ref().is_some_and(PassKv::has_failed) {
        return None;
    }
    let ended_at = context.clock.now();
    let end = match ended {
        Ended::Planned(plan) => routed(plan, ended_at, context.clock),
        Ended::Dropped { step, reason } => PassEnd::Dropped { step, reason },
        Ended::Failed { step, policy, failure } => match after_failure(&policy, work.number, failure, ended_at) {
            AfterFailure::Retry(at) => PassEnd::Retry { at },
            AfterFailure::Dead(reason) => PassEnd::Dead { step: Some(step), reason },
            AfterFailure::Drop(reason) => PassEnd::Dropped { step: Some(step), reason },
        },
        Ended::TooManyDeliveries(count) => PassEnd::Dead {
            step: None,
            reason: format!("{count} deliveries; the limit deliveries_max is {}", context.deliveries_max),
        },
    };
    let leaves = match end {
        PassEnd::Routed { .. } | PassEnd::Dropped { .. } => true,
        PassEnd::Dead { .. } | PassEnd::Retry { .. } => false,
    };
    Some(FinishedPass {
        key: PassKey { event: work.event.id, replay: work.replay },
        tenant: work.event.tenant,
        ordering_key: work.event.ordering_key.clone(),
        number: work.number,
        lease: work.lease,
        started_at,
        ended_at,
        trace,
        kv: kv.map(|kv| kv.into_touches(leaves)).unwrap_or_default(),
        end,
    })
}

/// The deliveries of a plan, as the store wants them.
fn routed(plan: Plan, now: Timestamp, clock: &Clock) -> PassEnd {
    let deliveries = plan
        .deliveries
        .into_iter()
        .map(|planned| NewDelivery {
            id: clock.fresh(),
            destination: planned.destination,
            output: planned.output,
            body: planned.body,
            request: planned.request,
            ordering_key: planned.ordering_key,
            planned_at: now,
            due_at: now.plus(planned.delay),
            ends_at: now.plus(planned.lifetime),
            lease: None,
        })
        .collect();
    PassEnd::Routed { bodies: plan.bodies, deliveries }
}

/// What the steps made of an event.
enum Stepped {
    Outputs(Vec<RoutedOutput>),
    Ended(Ended),
}

enum Ended {
    Planned(Plan),
    Dropped { step: Option<String>, reason: String },
    Failed { step: String, policy: FailurePolicy, failure: Failure },
    TooManyDeliveries(usize),
}

struct Pass<'a> {
    event: &'a Event,
    texts: ViewTexts,
    context: &'a PassContext<'a>,
    at: Timestamp,
    /// Made for the first step that lends anything: most lend nothing.
    lender: Option<Lender>,
    trace: PassTrace,
    budget: PassBudget,
}

impl<'a> Pass<'a> {
    /// A pass that begins at `at`.
    fn new(event: &'a Event, context: &'a PassContext<'a>, at: Timestamp) -> Self {
        Self {
            event,
            texts: ViewTexts::of(event),
            context,
            at,
            lender: None,
            trace: PassTrace::default(),
            budget: PassBudget::new(context.time_max, context.limits),
        }
    }

    /// What the steps did, and what they read and wrote of what they keep.
    fn into_parts(self) -> (PassTrace, Option<PassKv>) {
        (self.trace, self.lender.and_then(Lender::into_kv))
    }

    fn run(&mut self) -> Ended {
        match self.steps(Draft::of(self.event)) {
            Stepped::Outputs(outputs) => self.plan(outputs),
            Stepped::Ended(ended) => ended,
        }
    }

    /// Takes `first` through all steps.
    fn steps(&mut self, first: Draft) -> Stepped {
        let mut drafts = vec![first];
        for step in &self.context.tenant.pipeline.steps {
            match self.step(step, drafts) {
                StepOutcome::Goes(next) => drafts = next,
                // The step that routes is the last.
                StepOutcome::Routed(outputs) => return Stepped::Outputs(outputs),
                StepOutcome::Ended(ended) => return Stepped::Ended(ended),
            }
        }
        Stepped::Outputs(drafts.into_iter().map(|draft| RoutedOutput { draft, targets: None }).collect())
    }

    fn plan(&mut self, outputs: Vec<RoutedOutput>) -> Ended {
        let destinations = &self.context.tenant.destinations;
        match plan(self.event, outputs, destinations, self.context.limits) {
            Ok(mut plan) => {
                self.trace.notes.append(&mut plan.notes);
                match plan.deliveries.len() {
                    0 => Ended::Dropped { step: None, reason: "no-destination".to_owned() },
                    count if count > self.context.deliveries_max => Ended::TooManyDeliveries(count),
                    _ => Ended::Planned(plan),
                }
            }
            // Only a route's targets can break the contract here, and the route is the last step.
            Err(fault) => {
                let Some(step) = self.context.tenant.pipeline.steps.last() else {
                    return Ended::Dropped { step: None, reason: fault.to_string() };
                };
                let failure = self.fault_found_late(step, fault);
                failed(step, failure)
            }
        }
    }

    /// Runs one step on all outputs: first what filters and transforms, then what routes.
    fn step(&mut self, step: &Step, drafts: Vec<Draft>) -> StepOutcome {
        let key = PluginKey::of(self.context.tenant.id, &step.plugin);
        let Some(version) = self.context.versions.get(&key) else {
            let fault = Fault::new(FaultClass::Host, format!("plugin {} has no active version", step.plugin));
            return StepOutcome::Ended(failed(step, Failure::Retry { reason: fault.to_string(), after_ms: None }));
        };
        let roles = roles_of(step, version);
        let alone = drafts.len() == 1;
        // They have their numbers already, and no role comes before the route.
        if !alone && roles == [Role::Route] {
            return self.route_all(step, version, drafts);
        }
        let mut next = Vec::with_capacity(drafts.len());
        let mut dropped = None;
        for draft in drafts {
            match self.step_on(step, version, &roles, draft, alone) {
                StepEnd::Goes(mut drafts) => next.append(&mut drafts),
                StepEnd::Routed(draft, targets) => {
                    return StepOutcome::Routed(vec![RoutedOutput { draft, targets: Some(targets) }]);
                }
                StepEnd::Stopped(Stopped::Dropped(reason)) => dropped = Some(reason),
                StepEnd::Stopped(Stopped::Failed(failure)) => return StepOutcome::Ended(failed(step, failure)),
            }
        }
        if let (true, Some(reason)) = (next.is_empty(), dropped) {
            return StepOutcome::Ended(Ended::Dropped { step: Some(step.name.to_string()), reason });
        }
        number_outputs(&mut next);
        if roles.contains(&Role::Route) { self.route_all(step, version, next) } else { StepOutcome::Goes(next) }
    }

    /// Routes each of several outputs, on a fresh instance each.
    fn route_all(&mut self, step: &Step, version: &Version, drafts: Vec<Draft>) -> StepOutcome {
        let mut outputs = Vec::with_capacity(drafts.len());
        let mut dropped = None;
        for draft in drafts {
            match self.step_on(step, version, &[Role::Route], draft, true) {
                StepEnd::Routed(draft, targets) => outputs.push(RoutedOutput { draft, targets: Some(targets) }),
                StepEnd::Goes(drafts) => {
                    outputs.extend(drafts.into_iter().map(|draft| RoutedOutput { draft, targets: None }));
                }
                StepEnd::Stopped(Stopped::Dropped(reason)) => dropped = Some(reason),
                StepEnd::Stopped(Stopped::Failed(failure)) => return StepOutcome::Ended(failed(step, failure)),
            }
        }
        match dropped {
            Some(reason) if outputs.is_empty() => {
                StepOutcome::Ended(Ended::Dropped { step: Some(step.name.to_string()), reason })
            }
            _ => StepOutcome::Routed(outputs),
        }
    }

    fn step_on(&mut self, step: &Step, version: &Version, roles: &[Role], draft: Draft, route_here: bool) -> StepEnd {
        let tenant = self.context.tenant;
        let lends = !step.grants.is_empty() || tenant.step_secrets.contains_key(&step.name);
        let lender = lends.then(|| {
            &*self.lender.get_or_insert_with(|| {
                let kv = PassKv::new(self.context.kv, tenant.id, self.at, self.context.limits);
                Lender::new(kv, self.context.clock.clone())
            })
        });
        let run = StepRun {
            event: self.event,
            texts: &self.texts,
            tenant,
            step,
            version,
            limits: self.context.limits,
            lender,
            metrics: self.context.metrics,
        };
        let (end, trace) = run.run(roles, draft, route_here, &mut self.budget);
        self.trace.steps.push(trace);
        end
    }

    /// A fault that planning found, charged to the step that routed.
    fn fault_found_late(&mut self, step: &Step, fault: Fault) -> Failure {
        let failure = Failure::Retry { reason: fault.to_string(), after_ms: None };
        if let Some(trace) = self.trace.steps.last_mut() {
            self.context.metrics.fault(&trace.plugin, fault.class);
            let answer = Answer::Fault { class: fault.class, message: fault.message };
            trace.answers.push(RoleAnswer { role: Role::Route, answer });
        } else {
            self.trace.notes.push(format!("step {}: {fault}", step.name));
        }
        failure
    }
}

enum StepOutcome {
    Goes(Vec<Draft>),
    Routed(Vec<RoutedOutput>),
    Ended(Ended),
}

fn failed(step: &Step, failure: Failure) -> Ended {
    Ended::Failed { step: step.name.to_string(), policy: step.on_failure.clone(), failure }
}

/// The roles that a step runs: those that it names, else all that its plugin exports.
fn roles_of(step: &Step, version: &Version) -> Vec<Role> {
    Role::ALL
        .into_iter()
        .filter(|role| version.roles().contains(role) && (step.roles.is_empty() || step.roles.contains(role)))
        .collect()
}
