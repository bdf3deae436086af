//! The workers: each owns one stage of an event's journey, and does one round per `tick()`.
//!
//! ```text
//! Intake ─ keep ─┬─────────────────────────────▶ Outbox ─▶ Sending ─▶ Recorder
//!                └▶ PassQueue ─▶ plugin threads ─▶ FanOut ─┘
//! Claims ── what the store holds: restart, retries, overflow ──▶ PassQueue, Outbox
//! Upkeep ── ends what outlived itself, prunes what ended long ago
//! ```
//!
//! A loop around `tick()` waits for a wake-up or a time of the clock; tests call `tick()` themselves. What a commit has
//! stored with a lease is put into its reserved place right after the commit, by the worker that asked for the commit: a
//! caller that goes away changes nothing.

pub mod claims;
pub mod fan_out;
pub mod intake;
pub mod lease;
pub mod outbox;
pub mod pass;
pub mod pass_queue;
pub mod plugin_threads;
pub mod recorder;
pub mod sending;
mod step_run;
pub mod upkeep;
