//! What is left of a panic in a guest: it aborts, nothing catches it, so its message must be out before the trap.

use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, Ordering};

/// Makes a panic log its message and place, in one line, before it traps.
pub fn report_panics() {
    static DONE: AtomicBool = AtomicBool::new(false);
    if !DONE.swap(true, Ordering::Relaxed) {
        std::panic::set_hook(Box::new(|panic| crate::log::error(report(panic))));
    }
}

fn report(panic: &PanicHookInfo<'_>) -> String {
    let message = panic.payload_as_str().unwrap_or("with a value that is no text");
    match panic.location() {
        Some(place) => format!("panicked at {place}: {message}"),
        None => format!("panicked: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[test]
    fn a_panic_is_reported_in_one_line_with_message_and_place() {
        let reported = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&reported);
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if let Ok(mut lines) = sink.lock() {
                lines.push(report(panic));
            }
        }));
        let caught = std::panic::catch_unwind(|| panic!("no {}", "luck"));
        std::panic::set_hook(previous);
        assert!(caught.is_err());
        let lines = reported.lock().expect("the hook has ended");
        let line = lines.iter().find(|line| line.ends_with(": no luck")).expect("the panic above");
        assert!(line.starts_with("panicked at sdk/src/panic.rs:") && !line.contains('\n'), "{line}");
    }
}
