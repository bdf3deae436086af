//! One pass: an event through its tenant's steps, on the versions that were active when it began.
//!
//! Nothing of the store is open while this runs; what comes out is a [`FinishedPass`] without leases, which the fan-out
//! stores. A guest's answer is data: it is checked by `weft_core::draft` and `weft_core::plan`, and a breach is the
//! plugin's fault.

use std::time::Duration;

use weft_core::contract::{
    DestinationView, EventView, Failure, Fault, FaultClass, Outputs, Patch, Role, Target, Targets, Verdict,
};
use weft_core::decide::{AfterFailure, after_failure};
use weft_core::destination::DELIVERY_LIFETIME;
use weft_core::draft::{Draft, ViewTexts, named_headers, number_outputs};
use weft_core::event::{Event, Header};
use weft_core::limits::CallLimits;
use weft_core::pipeline::{FailurePolicy, Step};
use weft_core::plan::{Plan, RoutedOutput, plan, subscribers};
use weft_core::time::Timestamp;
use weft_core::trace::{Answer, PassTrace, RoleAnswer, StepTrace};
use weft_plugin_host::{CallContext, Instance, Version};
use weft_store::work::{FinishedPass, NewDelivery, PassEnd, PassKey, PassWork};

use crate::catalog::Tenant;
use crate::clock::{Clock, Stopwatch};
use crate::plugins::active::{PluginKey, Versions};
use crate::telemetry::Metrics;

/// A route is shown at most this many destinations; a list that is longer is left out, with a warning in the trace.
pub const DESTINATIONS_SHOWN_MAX: usize = 256;

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
    /// For the pass's times and the deliveries' ids.
    pub clock: &'a Clock,
    /// For the steps' times and faults.
    pub metrics: &'a Metrics,
}

/// Runs one pass.
pub fn run_pass(work: &PassWork, context: &PassContext<'_>) -> FinishedPass {
    let started_at = context.clock.now();
    let texts = ViewTexts::of(&work.event);
    let mut pass = Pass {
        event: &work.event,
        texts,
        context,
        trace: PassTrace::default(),
        watch: Stopwatch::start(),
        bytes_out: 0,
    };
    let ended = pass.run();
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
    FinishedPass {
        key: PassKey { event: work.event.id, replay: work.replay },
        tenant: work.event.tenant,
        number: work.number,
        lease: work.lease,
        started_at,
        ended_at,
        trace: pass.trace,
        end,
    }
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
            planned_at: now,
            due_at: now.plus(planned.delay),
            ends_at: now.plus(DELIVERY_LIFETIME),
            lease: None,
        })
        .collect();
    PassEnd::Routed { bodies: plan.bodies, deliveries }
}

enum Ended {
    Planned(Plan),
    Dropped { step: Option<String>, reason: String },
    Failed { step: String, policy: FailurePolicy, failure: Failure },
    TooManyDeliveries(usize),
}

/// What a step made of an output.
enum StepEnd {
    Goes(Vec<Draft>),
    Routed(Draft, Vec<Target>),
    Dropped(String),
    Failed(Failure),
}

struct Pass<'a> {
    event: &'a Event,
    texts: ViewTexts,
    context: &'a PassContext<'a>,
    trace: PassTrace,
    watch: Stopwatch,
    // Payload bytes that the steps have put out so far.
    bytes_out: usize,
}

impl Pass<'_> {
    fn run(&mut self) -> Ended {
        let mut drafts = vec![Draft::of(self.event)];
        for step in &self.context.tenant.pipeline.steps {
            match self.step(step, drafts) {
                StepOutcome::Goes(next) => drafts = next,
                // The step that routes is the last.
                StepOutcome::Routed(outputs) => return self.plan(outputs),
                StepOutcome::Ended(ended) => return ended,
            }
        }
        self.plan(drafts.into_iter().map(|draft| RoutedOutput { draft, targets: None }).collect())
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
            return StepOutcome::Ended(failed(step, retry(&fault)));
        };
        let roles = roles_of(step, version);
        let alone = drafts.len() == 1;
        let mut next = Vec::with_capacity(drafts.len());
        let mut dropped = None;
        for draft in drafts {
            match self.step_on(step, version, &roles, draft, alone) {
                StepEnd::Goes(mut drafts) => next.append(&mut drafts),
                StepEnd::Routed(draft, targets) => {
                    return StepOutcome::Routed(vec![RoutedOutput { draft, targets: Some(targets) }]);
                }
                StepEnd::Dropped(reason) => dropped = Some(reason),
                StepEnd::Failed(failure) => return StepOutcome::Ended(failed(step, failure)),
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
                StepEnd::Dropped(reason) => dropped = Some(reason),
                StepEnd::Failed(failure) => return StepOutcome::Ended(failed(step, failure)),
            }
        }
        match dropped {
            Some(reason) if outputs.is_empty() => {
                StepOutcome::Ended(Ended::Dropped { step: Some(step.name.to_string()), reason })
            }
            _ => StepOutcome::Routed(outputs),
        }
    }

    /// Runs `roles` on one output, on one fresh instance, and writes down what they answered.
    ///
    /// With `route_here` the route runs on the same instance, if one output came out of the roles before it; else the
    /// outputs must be numbered first, and [`Self::route_all`] follows.
    fn step_on(
        &mut self,
        step: &Step,
        version: &Version,
        roles: &[Role],
        draft: Draft,
        route_here: bool,
    ) -> StepEnd {
        let watch = Stopwatch::start();
        let mut trace = StepTrace {
            step: step.name.to_string(),
            plugin: step.plugin.to_string(),
            version: version.digest().to_string(),
            output: draft.output,
            answers: Vec::with_capacity(roles.len()),
            took_us: 0,
            attributes: Vec::new(),
            logs: Vec::new(),
        };
        let call = CallContext {
            config: &step.config,
            limits: self.context.limits,
            received_at: self.event.received_at,
            event: self.event.id,
            output: draft.output,
        };
        let end = match self.time_left().and_then(|()| version.instance(&call)) {
            Ok(mut instance) => {
                let end = self.roles_on(step, &mut instance, roles, draft, route_here, &mut trace);
                trace.logs = instance.finish();
                end
            }
            Err(fault) => {
                let role = roles.first().copied().unwrap_or(Role::Filter);
                StepEnd::Failed(self.note_fault(role, fault, &mut trace))
            }
        };
        let took = watch.elapsed();
        trace.took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.context.metrics.step_ran(step.plugin.name(), took);
        self.trace.steps.push(trace);
        end
    }

    /// Another call may begin only while the lease covers the pass: many outputs of slow calls add up.
    fn time_left(&self) -> Result<(), Fault> {
        if self.watch.elapsed() < self.context.time_max {
            return Ok(());
        }
        let message = format!("the pass took longer than {} ms, which is what lease_ms allows", self.context.time_max.as_millis());
        Err(Fault::new(FaultClass::Timeout, message))
    }

    fn roles_on(
        &mut self,
        step: &Step,
        instance: &mut Instance,
        roles: &[Role],
        draft: Draft,
        route_here: bool,
        trace: &mut StepTrace,
    ) -> StepEnd {
        let event = self.event;
        let headers = named_headers(event, &step.headers);
        if roles.contains(&Role::Filter) {
            let answer = instance.decide(&draft.view(event, &self.texts, &headers));
            match self.answered(Role::Filter, answer, trace) {
                Err(failure) => return StepEnd::Failed(failure),
                Ok(Verdict::Drop(reason)) => {
                    note(trace, Role::Filter, Answer::Dropped { reason: reason.clone() });
                    return StepEnd::Dropped(reason);
                }
                Ok(Verdict::Keep) => note(trace, Role::Filter, Answer::Kept),
            }
        }
        let mut drafts = if roles.contains(&Role::Transform) {
            match self.transform(instance, draft, &headers, trace) {
                StepEnd::Goes(drafts) => drafts,
                ended @ (StepEnd::Dropped(_) | StepEnd::Failed(_) | StepEnd::Routed(..)) => return ended,
            }
        } else {
            vec![draft]
        };
        if !(route_here && drafts.len() == 1 && roles.contains(&Role::Route)) {
            return StepEnd::Goes(drafts);
        }
        match drafts.pop() {
            Some(draft) => self.route(step, instance, draft, &headers, trace),
            None => StepEnd::Goes(drafts),
        }
    }

    fn transform(
        &mut self,
        instance: &mut Instance,
        draft: Draft,
        headers: &[Header],
        trace: &mut StepTrace,
    ) -> StepEnd {
        let answer = instance.transform(&draft.view(self.event, &self.texts, headers));
        match self.answered(Role::Transform, answer, trace) {
            Err(failure) => StepEnd::Failed(failure),
            Ok(Outputs::Drop(reason)) => {
                note(trace, Role::Transform, Answer::Dropped { reason: reason.clone() });
                StepEnd::Dropped(reason)
            }
            Ok(Outputs::Events(patches)) => match self.split(&draft, patches, trace) {
                Ok(drafts) => {
                    note(trace, Role::Transform, Answer::Transformed { outputs: drafts.len() });
                    StepEnd::Goes(drafts)
                }
                Err(fault) => StepEnd::Failed(self.note_fault(Role::Transform, fault, trace)),
            },
        }
    }

    /// Applies the patches of a transform within the limits of the pass.
    fn split(&mut self, draft: &Draft, patches: Vec<Patch>, trace: &mut StepTrace) -> Result<Vec<Draft>, Fault> {
        self.bytes_out += patches.iter().filter_map(|patch| patch.data.as_ref()).map(bytes::Bytes::len).sum::<usize>();
        let bytes_max = self.context.limits.pass_output_bytes;
        if self.bytes_out > bytes_max {
            let message =
                format!("{} bytes put out in one pass; the limit pass_output_bytes_max is {bytes_max}", self.bytes_out);
            return Err(Fault::new(FaultClass::Output, message));
        }
        for attribute in patches.iter().flat_map(|patch| &patch.set_attributes) {
            if !trace.attributes.contains(attribute) {
                trace.attributes.push(attribute.clone());
            }
        }
        draft.split(patches, self.context.limits)
    }

    fn route(
        &mut self,
        step: &Step,
        instance: &mut Instance,
        draft: Draft,
        headers: &[Header],
        trace: &mut StepTrace,
    ) -> StepEnd {
        let shown = if step.sees_destinations { self.destinations_shown(&draft) } else { Vec::new() };
        let view: EventView<'_> = draft.view(self.event, &self.texts, headers);
        let answer = instance.route(&view, &shown);
        match self.answered(Role::Route, answer, trace) {
            Err(failure) => StepEnd::Failed(failure),
            Ok(Targets::Drop(reason)) => {
                note(trace, Role::Route, Answer::Dropped { reason: reason.clone() });
                StepEnd::Dropped(reason)
            }
            Ok(Targets::Send(targets)) => match self.check_targets(&targets) {
                Ok(()) => {
                    note(trace, Role::Route, Answer::Routed { targets: targets.len() });
                    StepEnd::Routed(draft, targets)
                }
                Err(fault) => StepEnd::Failed(self.note_fault(Role::Route, fault, trace)),
            },
        }
    }

    fn check_targets(&mut self, targets: &[Target]) -> Result<(), Fault> {
        let (count, max) = (targets.len(), self.context.limits.targets);
        if count == 0 {
            let message = "a route returned an empty list; answer drop with a reason";
            return Err(Fault::new(FaultClass::Contract, message));
        }
        if count > max {
            return Err(Fault::new(FaultClass::Output, format!("{count} targets; the limit targets_max is {max}")));
        }
        let bytes: usize = targets.iter().filter_map(|target| target.change.data.as_ref()).map(bytes::Bytes::len).sum();
        self.bytes_out += bytes;
        let bytes_max = self.context.limits.pass_output_bytes;
        if self.bytes_out > bytes_max {
            let message =
                format!("{} bytes put out in one pass; the limit pass_output_bytes_max is {bytes_max}", self.bytes_out);
            return Err(Fault::new(FaultClass::Output, message));
        }
        Ok(())
    }

    fn destinations_shown(&mut self, draft: &Draft) -> Vec<DestinationView> {
        let shown: Vec<_> = subscribers(&draft.event_type, &self.context.tenant.destinations)
            .map(|destination| DestinationView {
                name: destination.name.to_string(),
                kind: destination.kind.as_str().to_owned(),
                labels: destination.labels.clone(),
            })
            .collect();
        if shown.len() <= DESTINATIONS_SHOWN_MAX {
            return shown;
        }
        self.trace.notes.push(format!(
            "output {}: {} destinations, over {DESTINATIONS_SHOWN_MAX}; the route was shown none",
            draft.output,
            shown.len()
        ));
        Vec::new()
    }

    /// Takes a role's answer apart; what is no answer is written down as a failure.
    fn answered<T>(
        &self,
        role: Role,
        answer: Result<Result<T, Failure>, Fault>,
        trace: &mut StepTrace,
    ) -> Result<T, Failure> {
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(failure)) => {
                note(trace, role, match &failure {
                    Failure::Retry { reason, .. } => Answer::Retry { reason: reason.clone() },
                    Failure::Reject(reason) => Answer::Rejected { reason: reason.clone() },
                });
                Err(failure)
            }
            Err(fault) => Err(self.note_fault(role, fault, trace)),
        }
    }

    fn note_fault(&self, role: Role, fault: Fault, trace: &mut StepTrace) -> Failure {
        self.context.metrics.fault(&trace.plugin, fault.class);
        let failure = retry(&fault);
        note(trace, role, Answer::Fault { class: fault.class, message: fault.message });
        failure
    }

    /// A fault that planning found, charged to the step that routed.
    fn fault_found_late(&mut self, step: &Step, fault: Fault) -> Failure {
        let mut last = self.trace.steps.pop();
        let failure = match &mut last {
            Some(trace) => self.note_fault(Role::Route, fault, trace),
            None => Failure::Retry { reason: format!("step {}: {fault}", step.name), after_ms: None },
        };
        self.trace.steps.extend(last);
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

fn retry(fault: &Fault) -> Failure {
    Failure::Retry { reason: fault.to_string(), after_ms: None }
}

fn note(trace: &mut StepTrace, role: Role, answer: Answer) {
    trace.answers.push(RoleAnswer { role, answer });
}

/// The roles that a step runs: those that it names, else all that its plugin exports.
fn roles_of(step: &Step, version: &Version) -> Vec<Role> {
    Role::ALL
        .into_iter()
        .filter(|role| version.roles().contains(role) && (step.roles.is_empty() || step.roles.contains(role)))
        .collect()
}
