//! Lines for the trace of the event. They are stored and read by people: no body and no secret belongs there.

/// Writes a line for the author of the plugin.
pub fn debug(message: impl AsRef<str>) {
    write(Level::Debug, message.as_ref());
}

/// Writes a line for the tenant.
pub fn info(message: impl AsRef<str>) {
    write(Level::Info, message.as_ref());
}

/// Writes that something is odd.
pub fn warn(message: impl AsRef<str>) {
    write(Level::Warn, message.as_ref());
}

/// Writes that something failed.
pub fn error(message: impl AsRef<str>) {
    write(Level::Error, message.as_ref());
}

use crate::bindings::log::Level;

#[cfg(target_family = "wasm")]
fn write(level: Level, message: &str) {
    crate::bindings::log::log(level, message);
}

/// Outside a host, as in native tests, lines go to standard error.
#[cfg(not(target_family = "wasm"))]
fn write(level: Level, message: &str) {
    eprintln!("{level:?}: {message}");
}
