//! One step on one output: a fresh instance, its roles one after the other, and what they answered.

use std::time::Duration;

use bytes::Bytes;
use weft_core::contract::{
    DestinationView, Failure, Fault, FaultClass, LogLevel, LogLine, Outputs, Patch, Role, Target, Targets, Verdict,
};
use weft_core::draft::{Draft, ViewTexts, named_headers};
use weft_core::event::{Event, Header};
use weft_core::limits::CallLimits;
use weft_core::pipeline::Step;
use weft_core::trace::{Answer, RoleAnswer, StepTrace};
use weft_plugin_host::{CallContext, Instance, Ports, Version};

use crate::catalog::Tenant;
use crate::clock::Stopwatch;
use crate::telemetry::Metrics;
use crate::workers::kv::{Lender, Used};

/// A route is shown at most this many destinations; a list that is longer is left out, with a warning in the trace.
const DESTINATIONS_SHOWN_MAX: usize = 256;

/// What a step made of an output.
pub(super) enum StepEnd {
    /// It goes on, as one or as several.
    Goes(Vec<Draft>),
    /// It goes to these targets.
    Routed(Draft, Vec<Target>),
    /// It does not go on.
    Stopped(Stopped),
}

/// Why an output does not go on.
pub(super) enum Stopped {
    /// The plugin dropped it, for this reason.
    Dropped(String),
    /// The plugin asked for another pass, refused, or has a bug.
    Failed(Failure),
}

/// What a whole pass may still use up; every step takes from it.
pub(super) struct PassBudget {
    watch: Stopwatch,
    time_max: Duration,
    bytes_out: usize,
    bytes_max: usize,
}

impl PassBudget {
    /// A budget that begins to run now. `time_max` is what the lease allows.
    pub(super) fn new(time_max: Duration, limits: &CallLimits) -> Self {
        Self { watch: Stopwatch::start(), time_max, bytes_out: 0, bytes_max: limits.pass_output_bytes }
    }

    /// Another call may begin only while the lease covers the pass: many outputs of slow calls add up.
    fn check_time(&self) -> Result<(), Fault> {
        if self.watch.elapsed() < self.time_max {
            return Ok(());
        }
        let message =
            format!("the pass took longer than {} ms, which is what lease_ms allows", self.time_max.as_millis());
        Err(Fault::new(FaultClass::Timeout, message))
    }

    fn take_bytes<'p>(&mut self, patches: impl Iterator<Item = &'p Patch>) -> Result<(), Fault> {
        self.bytes_out += patches.filter_map(|patch| patch.data.as_ref()).map(Bytes::len).sum::<usize>();
        if self.bytes_out <= self.bytes_max {
            return Ok(());
        }
        let (out, max) = (self.bytes_out, self.bytes_max);
        let message = format!("{out} bytes put out in one pass; the limit pass_output_bytes_max is {max}");
        Err(Fault::new(FaultClass::Output, message))
    }
}

/// A step that is about to run, with all that its instance and its trace need.
pub(super) struct StepRun<'a> {
    /// The event of the pass.
    pub(super) event: &'a Event,
    /// The event's texts.
    pub(super) texts: &'a ViewTexts,
    /// Whose event it is.
    pub(super) tenant: &'a Tenant,
    /// The step.
    pub(super) step: &'a Step,
    /// What runs.
    pub(super) version: &'a Version,
    /// Around each call.
    pub(super) limits: &'a CallLimits,
    /// For what the step grants, if it grants anything.
    pub(super) lender: Option<&'a Lender>,
    /// For the step's time and faults.
    pub(super) metrics: &'a Metrics,
}

impl StepRun<'_> {
    /// Runs `roles` on one output, on one fresh instance, and writes down what they answered.
    ///
    /// With `route_here` the route runs on the same instance, if one output came out of the roles before it; else the
    /// outputs must be numbered first, and the pass routes each on an instance of its own.
    pub(super) fn run(
        &self,
        roles: &[Role],
        draft: Draft,
        route_here: bool,
        budget: &mut PassBudget,
    ) -> (StepEnd, StepTrace) {
        let watch = Stopwatch::start();
        let mut trace = StepTrace {
            step: self.step.name.to_string(),
            plugin: self.step.plugin.to_string(),
            version: self.version.digest().to_string(),
            output: draft.output,
            answers: Vec::with_capacity(roles.len()),
            took_us: 0,
            memory_bytes: 0,
            kv: Vec::new(),
            attributes: Vec::new(),
            logs: Vec::new(),
        };
        let call = CallContext {
            config: &self.step.config,
            limits: self.limits,
            received_at: self.event.received_at,
            event: self.event.id,
            output: draft.output,
        };
        let ports =
            self.lender.map(|lender| Box::new(lender.lend(self.step, &self.tenant.step_secrets)) as Box<dyn Ports>);
        let end = match budget.check_time().and_then(|()| self.version.instance(&call, ports)) {
            Ok(mut instance) => {
                let end = self.call_roles(&mut instance, roles, draft, route_here, budget, &mut trace);
                trace.memory_bytes = u64::try_from(instance.memory_bytes()).unwrap_or(u64::MAX);
                trace.logs.extend(instance.finish());
                end
            }
            Err(fault) => {
                let role = roles.first().copied().unwrap_or(Role::Filter);
                StepEnd::Stopped(Stopped::Failed(self.note_fault(role, fault, &mut trace)))
            }
        };
        self.note_use(&mut trace);
        let took = watch.elapsed();
        trace.took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.metrics.step_ran(self.step.plugin.name(), took);
        (end, trace)
    }

    /// Writes down what the plugin did with what it was lent.
    fn note_use(&self, trace: &mut StepTrace) {
        let Some(lender) = self.lender else { return };
        let Used { kv, counted } = lender.used();
        trace.kv = kv;
        for (name, delta) in counted {
            self.metrics.plugin_counted(&self.tenant.name, &trace.plugin, &name, delta);
        }
    }

    /// Writes a fault down as the answer of `role`, counts it, and makes the failure of it that the step's policy judges.
    fn note_fault(&self, role: Role, fault: Fault, trace: &mut StepTrace) -> Failure {
        self.metrics.fault(&trace.plugin, fault.class);
        let failure = Failure::Retry { reason: fault.to_string(), after_ms: None };
        note(trace, role, Answer::Fault { class: fault.class, message: fault.message });
        failure
    }

    fn call_roles(
        &self,
        instance: &mut Instance,
        roles: &[Role],
        draft: Draft,
        route_here: bool,
        budget: &mut PassBudget,
        trace: &mut StepTrace,
    ) -> StepEnd {
        let headers = named_headers(self.event, &self.step.headers);
        if roles.contains(&Role::Filter)
            && let Err(stopped) = self.filter(instance, &draft, &headers, trace)
        {
            return StepEnd::Stopped(stopped);
        }
        let mut drafts = if roles.contains(&Role::Transform) {
            match self.transform(instance, &draft, &headers, budget, trace) {
                Ok(drafts) => drafts,
                Err(stopped) => return StepEnd::Stopped(stopped),
            }
        } else {
            vec![draft]
        };
        if !(route_here && drafts.len() == 1 && roles.contains(&Role::Route)) {
            return StepEnd::Goes(drafts);
        }
        match drafts.pop() {
            Some(draft) => match self.route(instance, &draft, &headers, budget, trace) {
                Ok(targets) => StepEnd::Routed(draft, targets),
                Err(stopped) => StepEnd::Stopped(stopped),
            },
            None => StepEnd::Goes(drafts),
        }
    }

    fn filter(
        &self,
        instance: &mut Instance,
        draft: &Draft,
        headers: &[Header],
        trace: &mut StepTrace,
    ) -> Result<(), Stopped> {
        let answer = instance.decide(&draft.view(self.event, self.texts, headers));
        match self.answered(Role::Filter, answer, trace).map_err(Stopped::Failed)? {
            Verdict::Keep => {
                note(trace, Role::Filter, Answer::Kept);
                Ok(())
            }
            Verdict::Drop(reason) => Err(dropped(Role::Filter, reason, trace)),
        }
    }

    fn transform(
        &self,
        instance: &mut Instance,
        draft: &Draft,
        headers: &[Header],
        budget: &mut PassBudget,
        trace: &mut StepTrace,
    ) -> Result<Vec<Draft>, Stopped> {
        let answer = instance.transform(&draft.view(self.event, self.texts, headers));
        let patches = match self.answered(Role::Transform, answer, trace).map_err(Stopped::Failed)? {
            Outputs::Drop(reason) => return Err(dropped(Role::Transform, reason, trace)),
            Outputs::Events(patches) => patches,
        };
        for attribute in patches.iter().flat_map(|patch| &patch.set_attributes) {
            if !trace.attributes.contains(attribute) {
                trace.attributes.push(attribute.clone());
            }
        }
        match budget.take_bytes(patches.iter()).and_then(|()| draft.split(patches, self.limits)) {
            Ok(drafts) => {
                note(trace, Role::Transform, Answer::Transformed { outputs: drafts.len() });
                Ok(drafts)
            }
            Err(fault) => Err(Stopped::Failed(self.note_fault(Role::Transform, fault, trace))),
        }
    }

    fn route(
        &self,
        instance: &mut Instance,
        draft: &Draft,
        headers: &[Header],
        budget: &mut PassBudget,
        trace: &mut StepTrace,
    ) -> Result<Vec<Target>, Stopped> {
        let shown = if self.step.sees_destinations { self.destinations_shown(draft, trace) } else { Vec::new() };
        let answer = instance.route(&draft.view(self.event, self.texts, headers), &shown);
        let targets = match self.answered(Role::Route, answer, trace).map_err(Stopped::Failed)? {
            Targets::Drop(reason) => return Err(dropped(Role::Route, reason, trace)),
            Targets::Send(targets) => targets,
        };
        let checked = check_count(targets.len(), self.limits.targets)
            .and_then(|()| budget.take_bytes(targets.iter().map(|target| &target.change)));
        match checked {
            Ok(()) => {
                note(trace, Role::Route, Answer::Routed { targets: targets.len() });
                Ok(targets)
            }
            Err(fault) => Err(Stopped::Failed(self.note_fault(Role::Route, fault, trace))),
        }
    }

    fn destinations_shown(&self, draft: &Draft, trace: &mut StepTrace) -> Vec<DestinationView> {
        let subscribers = self.tenant.destinations.subscribers(&draft.event_type);
        let shown: Vec<_> = subscribers
            .into_iter()
            .map(|destination| DestinationView {
                name: destination.name.to_string(),
                kind: destination.kind.as_str().to_owned(),
                labels: destination.labels.clone(),
            })
            .collect();
        if shown.len() <= DESTINATIONS_SHOWN_MAX {
            return shown;
        }
        let message = format!("{} destinations, over {DESTINATIONS_SHOWN_MAX}; the route is shown none", shown.len());
        tracing::warn!(event.id = %self.event.id, "step {}: {message}", trace.step);
        trace.logs.push(LogLine { level: LogLevel::Warn, message });
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
                note(
                    trace,
                    role,
                    match &failure {
                        Failure::Retry { reason, .. } => Answer::Retry { reason: reason.clone() },
                        Failure::Reject(reason) => Answer::Rejected { reason: reason.clone() },
                    },
                );
                Err(failure)
            }
            Err(fault) => Err(self.note_fault(role, fault, trace)),
        }
    }
}

fn check_count(targets: usize, max: usize) -> Result<(), Fault> {
    match targets {
        0 => Err(Fault::new(FaultClass::Contract, "a route returned an empty list; answer drop with a reason")),
        count if count > max => {
            Err(Fault::new(FaultClass::Output, format!("{count} targets; the limit targets_max is {max}")))
        }
        _ => Ok(()),
    }
}

fn dropped(role: Role, reason: String, trace: &mut StepTrace) -> Stopped {
    note(trace, role, Answer::Dropped { reason: reason.clone() });
    Stopped::Dropped(reason)
}

fn note(trace: &mut StepTrace, role: Role, answer: Answer) {
    trace.answers.push(RoleAnswer { role, answer });
}
