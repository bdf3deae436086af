//! What ended a call early, in the words of the contract: which limit, or the guest's own last words.

use std::any::Any;

use wasmtime::{Error, Trap, WasmBacktrace};
use weft_core::contract::{Fault, FaultClass};
use weft_core::limits::CallLimits;

use crate::guest::Guest;
use crate::lent::Ended;

/// Bytes of a fault's message: it goes into the trace, and an error of the runtime may quote the guest.
const MESSAGE_BYTES_MAX: usize = 2048;

/// The fault for `error`, which kept `guest` from being instantiated: the guest's only if its code ran or it wants too much.
pub(crate) fn of_instantiation(error: &Error, guest: &mut Guest, limits: &CallLimits) -> Fault {
    let is_guests = error.is::<Trap>() || error.is::<WasmBacktrace>() || guest.memory.denied().is_some();
    if is_guests {
        return of_error(error, guest, limits);
    }
    Fault::new(FaultClass::Host, cut(&format!("no instance could be made: {error:#}")))
}

/// The fault for `error`, which ended a call into `guest`.
pub(crate) fn of_error(error: &Error, guest: &mut Guest, limits: &CallLimits) -> Fault {
    let trap = error.downcast_ref::<Trap>().copied();
    if trap == Some(Trap::Interrupt) {
        let message = format!("the call ran longer than {} ms, its limit call_ms_max", limits.call.as_millis());
        return Fault::new(FaultClass::Timeout, message);
    }
    if let Some(bytes) = guest.memory.denied() {
        let message = format!(
            "the guest asked for {bytes} bytes of memory; the limit guest_memory_bytes_max is {}",
            limits.memory_bytes
        );
        return Fault::new(FaultClass::Memory, message);
    }
    if let Some(ended) = error.downcast_ref::<Ended>() {
        return match ended {
            Ended::Breach(what) => Fault::new(FaultClass::Contract, what.clone()),
            Ended::Failed(why) => Fault::new(FaultClass::Host, cut(&why.to_string())),
        };
    }
    let text = format!("{error:#}");
    // The runtime has no type for it; a test pins the words.
    if text.contains("fuel allocated for hostcalls has been exhausted") {
        let message =
            format!("the guest returned more than pass_output_bytes_max, {} bytes, at once", limits.pass_output_bytes);
        return Fault::new(FaultClass::Output, message);
    }
    Fault::new(FaultClass::Trap, trap_message(trap, &text, guest))
}

/// The fault for a panic of the runtime: a bug of ours or of the runtime's, whatever the guest did to bring it about.
pub(crate) fn of_panic(panic: &(dyn Any + Send)) -> Fault {
    Fault::new(FaultClass::Host, format!("the runtime panicked: {}", panic_text(panic)))
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    cut(text.unwrap_or("a panic without a message"))
}

fn trap_message(trap: Option<Trap>, text: &str, guest: &mut Guest) -> String {
    let what = trap.map_or_else(|| text.to_owned(), |trap| trap.to_string());
    match guest.log.last_words() {
        // `unreachable` is how a panic ends; the words say it better.
        Some(words) if trap == Some(Trap::UnreachableCodeReached) => words.to_owned(),
        Some(words) => cut(&format!("{what}; last words: {words}")),
        None => cut(&what),
    }
}

fn cut(text: &str) -> String {
    crate::guest_log::harmless(text, MESSAGE_BYTES_MAX)
}
