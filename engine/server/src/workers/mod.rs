//! The workers: each owns one stage of an event's journey, and does one round per `tick()`.
//!
//! ```text
//! Intake ─ keep ─┬─────────────────────────────▶ Outbox ─▶ Sending ─▶ Recorder
//!                └▶ PassQueue ─▶ plugin threads ─▶ FanOut ─┘
//! PassClaims, DeliveryClaims ── what the store holds: restart, retries, overflow ──▶ PassQueue, Outbox
//! Survey ── where something waits that nobody has spoken of ──▶ DeliveryClaims
//! Lookout ── tells destinations that answer from those that hang ──▶ Outbox
//! Upkeep ── ends what outlived itself, prunes what ended long ago
//! Heartbeat ── says that this engine lives
//! ```
//!
//! A loop around `tick()` waits for a wake-up or a time of the clock; tests call `tick()` themselves. What a commit has
//! stored with a lease is put into its reserved place right after the commit, by the store's writer or by the worker that
//! asked for the commit: a caller that goes away changes nothing.

mod agenda;
pub mod answers;
mod claim_size;
pub mod claims_wake;
pub mod delivery_claims;
pub mod fan_out;
pub mod heartbeat;
pub mod intake;
pub mod kv;
pub mod lease;
pub mod lookout;
pub mod outbox;
pub mod pass;
pub mod pass_claims;
pub mod pass_queue;
pub mod plugin_threads;
pub mod ready;
pub mod recorder;
pub mod room;
pub mod sending;
mod step_run;
pub mod survey;
pub mod upkeep;
