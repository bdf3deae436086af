//! One instance of a plugin: fresh for one step on one output, its roles called in turn, then gone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, ComponentNamedList, InstancePre, Lift, Lower};
use weft_core::contract::{
    Capability, DestinationView, EventView, Failure, Fault, FaultClass, LogLine, Outputs, Role, Targets, Verdict,
};
use weft_core::id::EventId;
use weft_core::limits::CallLimits;
use weft_core::time::Timestamp;

use crate::admission::{self, Interfaces};
use crate::bindings::types;
use crate::guest::Guest;
use crate::ports::Ports;
use crate::refusal::Refusal;
use crate::{border, fault, ticker};

/// What an answer may weigh beside its payloads: reasons, names, headers, and the host's own records for each item.
const ANSWER_OVERHEAD_BYTES: usize = 1024 * 1024;

/// What an instance is made for.
#[derive(Clone, Copy, Debug)]
pub struct CallContext<'a> {
    /// The step's configuration, JSON text; shared, because each instance gets it.
    pub config: &'a Arc<str>,
    /// What each call may use. `memory_bytes` holds for the instance.
    pub limits: &'a CallLimits,
    /// The event's acceptance time, which the guest takes for the time.
    pub received_at: Timestamp,
    /// The event, which seeds what the guest takes for chance.
    pub event: EventId,
    /// The output, which seeds it too.
    pub output: u32,
}

/// One instance of a plugin. After a fault it answers nothing but faults; drop it, or [`finish`](Self::finish) it for its log.
pub struct Instance {
    store: Store<Guest>,
    guest: wasmtime::component::Instance,
    functions: [Option<ComponentExportIndex>; Role::ALL.len()],
    limits: CallLimits,
    is_usable: bool,
}

type EventParam<'a> = (types::Event<'a>,);
type RouteParams<'a> = (types::Event<'a>, &'a [types::Destination<'a>]);
type Answer<T> = (Result<T, types::Failure>,);

impl Instance {
    pub(crate) fn new(
        linked: &InstancePre<Guest>,
        interfaces: &Interfaces,
        call: &CallContext<'_>,
        ports: Option<Box<dyn Ports>>,
    ) -> Result<Self, Fault> {
        let guest = Guest::new(call, ports);
        let is_lent = |wanted: &&Capability| guest.lent.as_ref().is_some_and(|lent| lent.grants(**wanted));
        if let Some(wanted) = interfaces.wants.iter().find(|wanted| !is_lent(wanted)) {
            let message = format!("the plugin wants {wanted}, which the step does not grant");
            return Err(Fault::new(FaultClass::Host, message));
        }
        let limits = call.limits.clone();
        let mut store = Store::new(linked.engine(), guest);
        store.limiter(|guest| &mut guest.memory);
        store.set_epoch_deadline(ticker::ticks(limits.call));
        store.set_hostcall_fuel(limits.pass_output_bytes.saturating_add(ANSWER_OVERHEAD_BYTES));
        let guest = match catch_unwind(AssertUnwindSafe(|| linked.instantiate(&mut store))) {
            Ok(Ok(guest)) => guest,
            Ok(Err(error)) => return Err(fault::of_instantiation(&error, store.data_mut(), &limits)),
            Err(panic) => return Err(fault::of_panic(&*panic)),
        };
        let mut functions = [None; Role::ALL.len()];
        for (role, index) in &interfaces.exports {
            functions[place(*role)] = Some(*index);
        }
        Ok(Self { store, guest, functions, limits, is_usable: true })
    }

    /// Asks the filter whether `event` goes on.
    ///
    /// # Errors
    /// A [`Fault`] if the guest gave no answer.
    pub fn decide(&mut self, event: &EventView<'_>) -> Result<Result<Verdict, Failure>, Fault> {
        let (headers, attributes) = (border::headers(event.headers), border::headers(event.attributes));
        let event = border::event(event, &headers, &attributes);
        let (answer,) = self.call::<EventParam<'_>, Answer<types::Verdict>>(Role::Filter, (event,))?;
        Ok(answer.map(border::verdict).map_err(border::failure))
    }

    /// Asks the transform what becomes of `event`. Whether the patches keep the contract is judged by `weft_core::draft`.
    ///
    /// # Errors
    /// A [`Fault`] if the guest gave no answer, or more outputs than its limit.
    pub fn transform(&mut self, event: &EventView<'_>) -> Result<Result<Outputs, Failure>, Fault> {
        let (headers, attributes) = (border::headers(event.headers), border::headers(event.attributes));
        let event = border::event(event, &headers, &attributes);
        let (answer,) = self.call::<EventParam<'_>, Answer<types::Outputs>>(Role::Transform, (event,))?;
        if let Ok(types::Outputs::Events(patches)) = &answer {
            at_most("outputs", patches.len(), "outputs_max", self.limits.outputs)?;
        }
        Ok(answer.map(border::outputs).map_err(border::failure))
    }

    /// Asks the route where `event` goes. Whether the targets keep the contract is judged by `weft_core::plan`.
    ///
    /// # Errors
    /// A [`Fault`] if the guest gave no answer, or more targets than its limit.
    pub fn route(
        &mut self,
        event: &EventView<'_>,
        destinations: &[DestinationView],
    ) -> Result<Result<Targets, Failure>, Fault> {
        let (headers, attributes) = (border::headers(event.headers), border::headers(event.attributes));
        let labels = border::labels(destinations);
        let params = (border::event(event, &headers, &attributes), &*border::destinations(destinations, &labels));
        let (answer,) = self.call::<RouteParams<'_>, Answer<types::Targets>>(Role::Route, params)?;
        if let Ok(types::Targets::Send(targets)) = &answer {
            at_most("targets", targets.len(), "targets_max", self.limits.targets)?;
        }
        Ok(answer.map(border::targets).map_err(border::failure))
    }

    /// The memory that the instance has, in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.store.data().memory.bytes()
    }

    /// Ends the instance and hands back what the guest logged and printed, oldest first.
    pub fn finish(self) -> Vec<LogLine> {
        self.store.into_data().log.into_lines()
    }

    /// Refuses roles whose parameters or results are not the contract's.
    pub(crate) fn check_types(&mut self) -> Result<(), Refusal> {
        let (guest, store) = (self.guest, &mut self.store);
        for (role, index) in Role::ALL.into_iter().zip(self.functions) {
            let Some(index) = index else { continue };
            let fits = match role {
                Role::Filter => {
                    guest.get_typed_func::<EventParam<'_>, Answer<types::Verdict>>(&mut *store, index).map(drop)
                }
                Role::Transform => {
                    guest.get_typed_func::<EventParam<'_>, Answer<types::Outputs>>(&mut *store, index).map(drop)
                }
                Role::Route => {
                    guest.get_typed_func::<RouteParams<'_>, Answer<types::Targets>>(&mut *store, index).map(drop)
                }
            };
            fits.map_err(|error| admission::misfit(&error.context(format!("role {role}"))))?;
        }
        Ok(())
    }

    fn call<P, R>(&mut self, role: Role, params: P) -> Result<R, Fault>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift + 'static,
    {
        let Some(function) = self.functions[place(role)] else {
            return Err(Fault::new(FaultClass::Host, format!("this version exports no {role}")));
        };
        if !self.is_usable {
            return Err(Fault::new(FaultClass::Host, "this instance has ended with a fault; it takes a fresh one"));
        }
        // Unusable before the call, so that however the call ends, only an answer makes it usable again.
        self.is_usable = false;
        self.store.set_epoch_deadline(ticker::ticks(self.limits.call));
        let (guest, store) = (self.guest, &mut self.store);
        let called = catch_unwind(AssertUnwindSafe(|| {
            guest.get_typed_func::<P, R>(&mut *store, function)?.call(&mut *store, params)
        }));
        match called {
            Ok(Ok(answer)) => {
                self.is_usable = true;
                Ok(answer)
            }
            Ok(Err(error)) => Err(fault::of_error(&error, self.store.data_mut(), &self.limits)),
            Err(panic) => Err(fault::of_panic(&*panic)),
        }
    }
}

/// Where a role's function is kept.
const fn place(role: Role) -> usize {
    match role {
        Role::Filter => 0,
        Role::Transform => 1,
        Role::Route => 2,
    }
}

fn at_most(what: &str, count: usize, key: &str, limit: usize) -> Result<(), Fault> {
    if count <= limit {
        return Ok(());
    }
    Err(Fault::new(FaultClass::Output, format!("{count} {what}; the limit {key} is {limit}")))
}
