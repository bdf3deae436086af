//! The engine: joins the store, the plugin host and the sender, and serves the API.
//!
//! [`app`] puts everything together. An event's way leads through `api`, `workers/intake`, `workers/pass`,
//! `workers/fan_out`, `workers/sending` and `workers/recorder`; `ARCHITECTURE.md` has the map.

pub mod api;
pub mod app;
pub mod catalog;
pub mod clock;
pub mod config;
pub mod declare;
pub mod dry_run;
mod generated;
pub mod pipelines;
pub mod plugins;
pub mod secrets;
pub mod start_error;
pub mod telemetry;
pub mod workers;
