//! Hosts plugins: WebAssembly components that a tenant brings and that nobody has to trust (promise 5).
//!
//! [`PluginHost::load`] turns the bytes of a component into a [`Version`], or says in a [`Refusal`] why it cannot.
//! [`Version::instance`] makes a fresh [`Instance`] for one step on one output; its roles are called one after the other
//! and [`Instance::finish`] hands back what the guest logged. Whatever a guest does ends as an answer or as a
//! [`Fault`](weft_core::contract::Fault): time, memory, output and logs are bounded for each call.
//!
//! This crate alone knows wasmtime. It knows no store, no HTTP and no clock; the only files that it reads are its own [`CompiledCode`]. Everything here blocks:
//! call it on plugin threads (with the usual 2 MiB of stack), never on the threads that serve I/O.

mod admission;
mod bindings;
mod border;
mod capabilities;
mod compiled_code;
mod description;
mod fault;
mod guest;
mod guest_log;
mod host;
mod imports;
mod instance;
mod lent;
mod memory;
mod ports;
mod refusal;
mod ticker;
mod version;
mod wasi;

pub use bindings::CONTRACT;
pub use compiled_code::CompiledCode;
pub use description::{DESCRIPTION_BYTES_MAX, Description, InvalidDescription, SECTION, describe};
pub use host::{HostConfig, HostError, PluginHost};
pub use instance::{CallContext, Instance};
pub use ports::{PortFailed, Ports, Revealed};
pub use refusal::{Refusal, UngrantedImport};
pub use version::Version;
