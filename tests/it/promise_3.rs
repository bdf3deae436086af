//! Promise 3, at least once, one identity: every attempt of a delivery carries the same `webhook-id` and the same bytes.

mod attempts;
mod duplicates;
mod formats;
mod listening;
mod outputs;
mod replays;
mod signatures;
