//! The guest SDK for Weft plugins written in Rust: a thin layer over the bindings of `wit/weft.wit`.
//!
//! A plugin is a plain type that *is* its configuration: it implements [`serde::Deserialize`] and one or more of the roles
//! [`Filter`], [`Transform`] and [`Route`], and [`export!`] makes a component of it.
//!
//! ```
//! use weft_plugin::{Event, Failure, Filter, Verdict};
//!
//! #[derive(serde::Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct MaxBytes {
//!     bytes: usize,
//! }
//!
//! impl Filter for MaxBytes {
//!     fn decide(&self, event: &Event) -> Result<Verdict, Failure> {
//!         if event.data.as_bytes().len() <= self.bytes {
//!             Ok(Verdict::Keep)
//!         } else {
//!             Ok(Verdict::Drop(format!("the body is over {} bytes", self.bytes)))
//!         }
//!     }
//! }
//!
//! weft_plugin::export!(MaxBytes: filter);
//! # fn main() {}
//! ```
//!
//! The roles are ordinary functions of ordinary types, so `cargo test` runs them natively; [`testing`] makes events for
//! that. Weft makes a fresh instance for each event and step: what a plugin keeps in memory ends with the call, every
//! allocation counts, and `HashMap` costs a call for random bytes.

pub mod clock;
pub mod config;
#[doc(hidden)]
pub mod export;
pub mod field;
pub mod json;
pub mod key;
pub mod kv;
pub mod log;
pub mod metrics;
mod panic;
mod patch;
mod payload;
pub mod random;
pub mod secrets;
pub mod template;
pub mod testing;
pub mod time;

mod bindings;

pub use bindings::types::{
    Destination, Event, Failure, Header, Later, Outputs, Overrides, Patch, Payload, Recipients, Target, Targets,
    Verdict,
};

/// Keeps or drops an event.
pub trait Filter {
    /// Decides whether `event` goes on.
    ///
    /// # Errors
    /// A [`Failure`] is an answer: try again, or never will do. A panic is a bug, which the host reports as a fault.
    fn decide(&self, event: &Event) -> Result<Verdict, Failure>;
}

/// Changes an event or splits it into several.
pub trait Transform {
    /// Answers what becomes of `event`: one [`Patch`] changes it, several split it, an empty list is a fault.
    ///
    /// # Errors
    /// A [`Failure`] is an answer: try again, or never will do. A panic is a bug, which the host reports as a fault.
    fn transform(&self, event: &Event) -> Result<Outputs, Failure>;
}

/// Chooses the destinations of an event.
pub trait Route {
    /// Answers where `event` goes; `destinations` is empty unless the step asks to see them.
    ///
    /// # Errors
    /// A [`Failure`] is an answer: try again, or never will do. A panic is a bug, which the host reports as a fault.
    fn route(&self, event: &Event, destinations: &[Destination]) -> Result<Targets, Failure>;
}
