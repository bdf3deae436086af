//! A pass without effect: what the steps would make of an event, for whoever tries a plugin before it goes live.

use serde_json::Value;
use weft_core::contract::Failure;
use weft_core::draft::Draft;
use weft_core::event::Event;
use weft_core::plan::{Plan, RoutedOutput};
use weft_core::trace::PassTrace;

use super::{Ended, Pass, PassContext, Stepped, shown};

/// What a pass would have done.
#[derive(Debug)]
pub struct Rehearsal {
    /// Step by step.
    pub trace: PassTrace,
    /// How it would have ended.
    pub outcome: Outcome,
}

impl Rehearsal {
    /// The word for how it would have ended.
    pub fn end(&self) -> &'static str {
        shown::end(self)
    }

    /// The outcome as JSON, for people and for fixtures: what was decided and what would go out, without ids and times.
    pub fn shown(&self) -> Value {
        shown::outcome(self)
    }
}

/// How a pass would have ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// These outputs would go on.
    Outputs {
        /// As the steps left them, with what a route chose.
        outputs: Vec<RoutedOutput>,
        /// What they would become for the tenant's destinations; without deliveries if nobody would get any.
        plan: Plan,
    },
    /// The event would end, and nothing would be wrong.
    Dropped {
        /// The step that drops it.
        step: String,
        /// The plugin's reason.
        reason: String,
    },
    /// The step's failure policy would decide.
    Failed {
        /// The step that fails; the trace tells an answer from a fault.
        step: String,
        /// What it said.
        failure: Failure,
    },
    /// So many deliveries would be more than an event may make.
    TooManyDeliveries(usize),
}

/// Takes `first`, which is usually [`Draft::of`] the event, through the tenant's steps. Nothing is stored and nothing is sent; faults
/// are counted where `context` says, and what plugins keep stays in its shelf, which should be an [empty](crate::workers::kv::KvShelf::empty)
/// one.
pub fn rehearse(event: &Event, first: Draft, context: &PassContext<'_>) -> Rehearsal {
    // What has expired is judged by the time of the event, as it was then.
    let mut pass = Pass::new(event, context, event.received_at);
    let outcome = match pass.steps(first) {
        Stepped::Outputs(outputs) => match pass.plan(outputs.clone()) {
            Ended::Planned(plan) => Outcome::Outputs { outputs, plan },
            Ended::Dropped { .. } => Outcome::Outputs { outputs, plan: Plan::default() },
            ended @ (Ended::Failed { .. } | Ended::TooManyDeliveries(_)) => short_of_outputs(ended),
        },
        Stepped::Ended(ended) => short_of_outputs(ended),
    };
    let (trace, kv) = pass.into_parts();
    let leaves = matches!(outcome, Outcome::Outputs { .. } | Outcome::Dropped { .. });
    let touches = kv.map(|kv| kv.into_touches(leaves)).unwrap_or_default();
    context.kv.announce(event.tenant, &touches).kept();
    Rehearsal { trace, outcome }
}

fn short_of_outputs(ended: Ended) -> Outcome {
    match ended {
        Ended::Dropped { step, reason } => Outcome::Dropped { step: step.unwrap_or_default(), reason },
        Ended::Failed { step, failure, policy: _ } => Outcome::Failed { step, failure },
        Ended::TooManyDeliveries(count) => Outcome::TooManyDeliveries(count),
        Ended::Planned(plan) => Outcome::Outputs { outputs: Vec::new(), plan },
    }
}
