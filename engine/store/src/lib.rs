//! Where events, deliveries and their history are kept.
//!
//! One writer; every commit takes everything that waits at that moment, with whole batches per statement. A change of
//! state names the state and the lease that it expects and knows how many rows it changed. No transaction, connection or
//! row type of a database leaves this crate; nothing here reads a clock.

mod at;
pub mod backup;
pub mod catalog;
pub mod check;
pub mod dead_letter;
mod declared;
mod directory;
mod error;
mod failpoint;
mod finish;
pub mod history;
mod keep;
pub mod kv;
mod lane;
mod ledger;
pub mod plugin;
mod postgres;
mod progress;
mod record;
pub mod replay;
mod rows;
mod snapshot;
mod sqlite;
pub mod stats;
mod store;
pub mod transfer;
pub mod upkeep;
mod want;
pub mod work;
mod writer;

pub use at::{PostgresAt, StoreAt};
pub use error::{OpenError, StoreError};
pub use failpoint::FAILPOINTS;
pub use progress::Progress;
pub use snapshot::Snapshot;
pub use store::{ALIVE_FOR, Store, StoreOptions};
