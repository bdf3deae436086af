//! The nouns of Weft and the decisions about them.
//!
//! Everything in this crate is a pure function of its arguments: no IO, no async, no clock, no dice. Time, chance and fresh
//! ids are handed in by the caller, which is what makes planning, signing and deciding testable to the last case.
//! `ARCHITECTURE.md` shows where each piece is used.

pub mod attempt;
pub mod contract;
pub mod decide;
pub mod delivery;
pub mod destination;
pub mod destinations;
pub mod digest;
pub mod draft;
pub mod envelope;
pub mod event;
mod hex;
pub mod id;
pub mod kv;
pub mod limits;
pub mod name;
pub mod ordering_key;
pub mod pipeline;
pub mod plan;
pub mod request_header;
pub mod retry;
pub mod sign;
pub mod signature_template;
pub mod signing;
pub mod signing_key;
pub mod statuses;
pub mod time;
pub mod trace;
pub mod verify;
