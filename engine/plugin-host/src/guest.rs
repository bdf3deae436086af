//! What the host keeps beside one instance: all that the guest's imports may read or change.

use std::sync::Arc;

use crate::guest_log::GuestLog;
use crate::instance::CallContext;
use crate::lent::Lent;
use crate::memory::MemoryMeter;
use crate::ports::Ports;
use crate::wasi::clocks::VirtualTime;
use crate::wasi::random::Dice;

/// The host's side of one instance. Making it allocates nothing: most guests use none of it.
pub(crate) struct Guest {
    /// The step's configuration.
    pub(crate) config: Arc<str>,
    /// What the guest said.
    pub(crate) log: GuestLog,
    /// What the guest uses.
    pub(crate) memory: MemoryMeter,
    /// What the guest takes for the time.
    pub(crate) time: VirtualTime,
    /// What the guest takes for chance.
    pub(crate) dice: Dice,
    /// What the step grants it, if it grants anything.
    pub(crate) lent: Option<Lent>,
}

impl Guest {
    /// The host's side of an instance for `call`.
    pub(crate) fn new(call: &CallContext<'_>, ports: Option<Box<dyn Ports>>) -> Self {
        Self {
            config: Arc::clone(call.config),
            log: GuestLog::new(call.limits.log_lines, call.limits.log_line_bytes),
            memory: MemoryMeter::new(call.limits.memory_bytes),
            time: VirtualTime::starting_at(call.received_at),
            dice: Dice::of(call.event, call.output),
            lent: ports.map(|ports| Lent::new(ports, call.limits)),
        }
    }
}
