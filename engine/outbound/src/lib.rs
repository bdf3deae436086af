//! Sends deliveries to their destinations, and only where the operator lets Weft dial.
//!
//! [`Sender`] makes one attempt and reports what happened: it never retries, stores nothing and decides nothing.
//! [`AddressGuard`] stands in the connector, where every address is seen at the moment it is dialled. One file per kind of
//! destination: `http.rs` is the first.
//!
//! HTTP goes through hyper's connections under this crate's own connector and pool, which the documentation of [`mod@http`] compares
//! with reqwest.

mod cidr;
mod connect;
mod connection;
mod failure;
mod guard;
pub mod http;
mod pool;
mod retry_after;
mod target;

pub use self::http::{OutgoingRequest, SendReport, Sender, SenderConfig, SenderError};
pub use cidr::{Cidr, InvalidCidr};
pub use guard::{AddressGuard, Forbidden};
pub use target::{InvalidTarget, PreparedTarget, check_url};
