//! From the outputs of a pass to the deliveries that it makes: a pure function.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;

use crate::contract::{Fault, FaultClass, Overrides, Recipients, Target};
use crate::delivery::RequestParts;
use crate::destination::Destination;
use crate::destinations::Destinations;
use crate::draft::Draft;
use crate::event::Event;
use crate::id::DestinationId;
use crate::limits::CallLimits;
use crate::ordering_key::OrderingKey;

/// An output whose way is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutedOutput {
    /// The output.
    pub draft: Draft,
    /// What the route chose; `None` where no step routes: all who subscribe.
    pub targets: Option<Vec<Target>>,
}

/// The deliveries of one pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Bodies that differ from the event's, each once.
    pub bodies: Vec<Bytes>,
    /// At most one for each output and destination.
    pub deliveries: Vec<PlannedDelivery>,
    /// What was left out and why, for the trace.
    pub notes: Vec<String>,
}

/// One output for one destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedDelivery {
    /// Where to.
    pub destination: DestinationId,
    /// 0, or the place of the output after a split.
    pub output: u32,
    /// What to send.
    pub body: BodyRef,
    /// What differs from the plain event.
    pub request: RequestParts,
    /// The key that orders it at its destination, if any.
    pub ordering_key: Option<OrderingKey>,
    /// How long the first attempt waits.
    pub delay: Duration,
    /// How long it lives, that wait included.
    pub lifetime: Duration,
}

/// Where the bytes of a delivery are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyRef {
    /// The event's own.
    Event,
    /// An entry of [`Plan::bodies`].
    New(usize),
}

/// Plans the deliveries of `outputs`, first target first: an output reaches a destination at most once.
///
/// # Errors
/// A contract [`Fault`] if a target names a destination that the tenant does not have, or changes what it may not.
pub fn plan(
    event: &Event,
    outputs: Vec<RoutedOutput>,
    destinations: &Destinations,
    limits: &CallLimits,
) -> Result<Plan, Fault> {
    let mut planner = Planner { event, destinations, limits, plan: Plan::default() };
    for output in outputs {
        planner.add(output)?;
    }
    Ok(planner.plan)
}

struct Planner<'a> {
    event: &'a Event,
    destinations: &'a Destinations,
    limits: &'a CallLimits,
    plan: Plan,
}

impl<'a> Planner<'a> {
    fn add(&mut self, output: RoutedOutput) -> Result<(), Fault> {
        let RoutedOutput { draft, targets } = output;
        let body = self.body(&draft);
        let mut reached = HashSet::new();
        let Some(targets) = targets else {
            let request = draft.request(self.event, Overrides::default())?;
            for destination in self.destinations.subscribers(&draft.event_type) {
                self.deliver(destination, &draft, body, request.clone(), Duration::ZERO, &mut reached);
            }
            return Ok(());
        };
        for target in targets {
            let chosen = self.chosen(&target.to, &draft)?;
            let changes_data = target.change.data.is_some();
            let changed = draft.patched(target.change, self.limits)?;
            let delay = Duration::from_millis(target.request.delay_ms.unwrap_or(0).into());
            let request = changed.request(self.event, target.request)?;
            if chosen.is_empty() {
                continue;
            }
            let body = if changes_data { self.body(&changed) } else { body };
            for destination in chosen {
                self.deliver(destination, &changed, body, request.clone(), delay, &mut reached);
            }
        }
        Ok(())
    }

    /// Keeps a body that differs from the event's, and says where it is.
    fn body(&mut self, draft: &Draft) -> BodyRef {
        match &draft.body {
            Some(body) if *body != self.event.body => {
                self.plan.bodies.push(body.clone());
                BodyRef::New(self.plan.bodies.len() - 1)
            }
            _ => BodyRef::Event,
        }
    }

    /// The destinations that a target means; matching uses the output's type before the target's change.
    fn chosen(&mut self, to: &Recipients, draft: &Draft) -> Result<Vec<&'a Destination>, Fault> {
        match to {
            Recipients::Subscribed => Ok(self.destinations.subscribers(&draft.event_type)),
            Recipients::Labelled(labels) => {
                let mut chosen = self.destinations.subscribers(&draft.event_type);
                chosen.retain(|destination| destination.carries(labels));
                if chosen.is_empty() {
                    self.plan
                        .notes
                        .push(format!("output {}: no subscribed destination carries the labels", draft.output));
                }
                Ok(chosen)
            }
            Recipients::Named(name) => {
                let Some(destination) = self.destinations.iter().find(|d| d.name.as_str() == name) else {
                    let known: Vec<_> = self.destinations.iter().take(20).map(|d| d.name.as_str()).collect();
                    return Err(Fault::new(
                        FaultClass::Contract,
                        format!("a target names {name:?}: no such destination (known: {})", known.join(", ")),
                    ));
                };
                if destination.takes_deliveries() {
                    return Ok(vec![destination]);
                }
                self.plan.notes.push(format!("output {}: destination {name} is disabled", draft.output));
                Ok(vec![])
            }
        }
    }

    fn deliver(
        &mut self,
        destination: &Destination,
        draft: &Draft,
        body: BodyRef,
        request: RequestParts,
        delay: Duration,
        reached: &mut HashSet<DestinationId>,
    ) {
        if reached.insert(destination.id) {
            self.plan.deliveries.push(PlannedDelivery {
                destination: destination.id,
                output: draft.output,
                body,
                request: RequestParts { envelope: destination.envelope(self.event), ..request },
                ordering_key: draft.ordering_key.clone(),
                delay,
                lifetime: destination.retry.lifetime,
            });
        } else {
            let note = format!("output {}: a second target for {} was left out", draft.output, destination.name);
            self.plan.notes.push(note);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Patch;
    use crate::destination::{DestinationKind, DestinationStatus, DisabledReason, HttpTarget, Timeouts};
    use crate::draft::tests::{event, header};
    use crate::event::Header;
    use crate::retry::RetryPolicy;
    use uuid::Uuid;

    fn destination(number: u128, name: &str, pattern: &str, labels: &[Header]) -> Destination {
        Destination {
            id: DestinationId::from_uuid(Uuid::from_u128(number)),
            name: name.parse().expect("a name"),
            kind: DestinationKind::Http(HttpTarget::plain(
                "https://receiver.example/hook".parse().expect("a URL"),
                vec![],
            )),
            events: vec![pattern.parse().expect("a pattern")],
            labels: labels.to_vec(),
            status: DestinationStatus::Active,
            retry: RetryPolicy::default(),
            timeouts: Timeouts { connect: Duration::from_secs(5), total: Duration::from_secs(20) },
        }
    }

    fn three() -> Vec<Destination> {
        vec![
            destination(1, "crm", "order.*", &[header("region", "eu")]),
            destination(2, "billing", "invoice.*", &[]),
            destination(3, "audit", "*", &[header("region", "us")]),
        ]
    }

    fn target(to: Recipients) -> Target {
        Target { to, change: Patch::default(), request: Overrides::default() }
    }

    fn planned(targets: Option<Vec<Target>>, destinations: &[Destination]) -> Result<Plan, Fault> {
        let output = RoutedOutput { draft: Draft::of(&event()), targets };
        plan(&event(), vec![output], &destinations.to_vec().into(), &CallLimits::default())
    }

    fn names(plan: &Plan, destinations: &[Destination]) -> Vec<String> {
        let name = |id| destinations.iter().find(|d| d.id == id).map(|d| d.name.to_string());
        plan.deliveries.iter().filter_map(|d| name(d.destination)).collect()
    }

    #[test]
    fn without_a_route_all_who_subscribe_get_the_event() {
        let plan = planned(None, &three()).expect("a plan");
        assert_eq!(names(&plan, &three()), ["crm", "audit"]);
        assert!(plan.bodies.is_empty(), "an unchanged body is a reference");
    }

    #[test]
    fn a_disabled_destination_gets_nothing_and_the_trace_says_so() {
        let mut destinations = three();
        destinations[0].status = DestinationStatus::Disabled(DisabledReason::Gone);
        assert_eq!(names(&planned(None, &destinations).expect("a plan"), &destinations), ["audit"]);
        let plan = planned(Some(vec![target(Recipients::Named("crm".to_owned()))]), &destinations).expect("a plan");
        assert!(plan.deliveries.is_empty());
        assert!(plan.notes[0].contains("crm is disabled"));
    }

    #[test]
    fn a_name_reaches_a_destination_that_is_not_subscribed() {
        let plan = planned(Some(vec![target(Recipients::Named("billing".to_owned()))]), &three()).expect("a plan");
        assert_eq!(names(&plan, &three()), ["billing"]);
    }

    #[test]
    fn promise_5_an_unknown_name_is_the_plugins_fault_and_says_what_is_known() {
        let fault = planned(Some(vec![target(Recipients::Named("crn".to_owned()))]), &three()).expect_err("a fault");
        assert_eq!(fault.class, FaultClass::Contract);
        assert!(fault.message.contains("known: crm, billing, audit"), "{}", fault.message);
    }

    #[test]
    fn labels_choose_among_the_subscribed() {
        let labelled = |value| Some(vec![target(Recipients::Labelled(vec![header("region", value)]))]);
        assert_eq!(names(&planned(labelled("us"), &three()).expect("a plan"), &three()), ["audit"]);
        assert!(planned(labelled("asia"), &three()).expect("a plan").deliveries.is_empty());
    }

    #[test]
    fn promise_3_the_first_target_that_meets_a_destination_wins() {
        let first = Target {
            change: Patch { set_headers: vec![header("x-first", "1")], ..Patch::default() },
            ..target(Recipients::Named("audit".to_owned()))
        };
        let plan = planned(Some(vec![first, target(Recipients::Subscribed)]), &three()).expect("a plan");
        assert_eq!(names(&plan, &three()), ["audit", "crm"]);
        assert_eq!(plan.deliveries[0].request.headers, [header("x-first", "1")]);
        assert_eq!(plan.notes.len(), 1);
    }

    #[test]
    fn promise_4_a_delivery_has_the_key_of_its_target_else_of_its_output() {
        let mut draft = Draft::of(&event());
        draft.ordering_key = Some("order-7".parse().expect("a key"));
        let named = |name: &str| target(Recipients::Named(name.to_owned()));
        let own = Target {
            change: Patch { ordering_key: Some("customer-1".to_owned()), ..Patch::default() },
            ..named("billing")
        };
        let output = RoutedOutput { draft, targets: Some(vec![named("crm"), own]) };
        let plan = plan(&event(), vec![output], &three().into(), &CallLimits::default()).expect("a plan");
        let keys: Vec<_> = plan.deliveries.iter().map(|d| d.ordering_key.as_ref().map(OrderingKey::as_str)).collect();
        assert_eq!(keys, [Some("order-7"), Some("customer-1")]);
    }

    #[test]
    fn a_changed_body_is_kept_once_for_all_destinations() {
        let mut draft = Draft::of(&event());
        draft.body = Some(Bytes::from_static(b"[1]"));
        let output = RoutedOutput { draft, targets: None };
        let plan = plan(&event(), vec![output], &three().into(), &CallLimits::default()).expect("a plan");
        assert_eq!(plan.bodies.len(), 1);
        assert!(plan.deliveries.iter().all(|d| d.body == BodyRef::New(0)));
    }
}
