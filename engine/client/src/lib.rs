//! The engine's HTTP API as types, and a typed client of it.
//!
//! [`wire`] is what goes over the wire, in both directions: the server answers with the very types that the client reads.
//! `Client` (feature `http`, on by default) is what the command line, the demo and the tests speak to an engine with.

#[cfg(feature = "http")]
mod client;
#[cfg(feature = "http")]
mod error;
pub mod wire;

#[cfg(feature = "http")]
pub use client::{Client, ClientOptions, SendEvent};
#[cfg(feature = "http")]
pub use error::ClientError;
