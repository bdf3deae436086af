//! Where events, deliveries and their history are kept.
//!
//! One writer; every commit takes everything that waits at that moment, with whole batches per statement. A change of
//! state names the state and the lease that it expects and knows how many rows it changed. No transaction, connection or
//! row type of a database leaves this crate; nothing here reads a clock.

pub mod catalog;
pub mod check;
pub mod dead_letter;
mod declared;
mod error;
pub mod history;
pub mod plugin;
pub mod replay;
mod sqlite;
mod store;
pub mod upkeep;
pub mod work;

pub use error::{OpenError, StoreError};
pub use sqlite::failpoint::FAILPOINTS;
pub use store::{Snapshot, Store, StoreOptions};
