//! Drops events whose key was seen before: see `README.md` for the configuration.

use std::time::Duration;

use serde::Deserialize;
use weft_plugin::key::KeyFields;
use weft_plugin::kv::{self, Refusal};
use weft_plugin::{Event, Failure, Filter, Later, Verdict};

/// The longest window: 30 days.
const WINDOW_SECONDS_MAX: u32 = 30 * 24 * 60 * 60;

/// The plugin, as configured.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dedupe {
    key: KeyFields,
    #[serde(default)]
    window_seconds: Window,
    #[serde(default)]
    on_missing: OnMissing,
}

/// How long a key is remembered.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "u32")]
struct Window(u32);

impl Default for Window {
    fn default() -> Self {
        Self(24 * 60 * 60)
    }
}

impl TryFrom<u32> for Window {
    type Error = String;

    fn try_from(seconds: u32) -> Result<Self, String> {
        match seconds {
            1..=WINDOW_SECONDS_MAX => Ok(Self(seconds)),
            _ => Err(format!("{seconds} is out of 1 to {WINDOW_SECONDS_MAX}")),
        }
    }
}

/// What becomes of an event without a key.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OnMissing {
    /// It is a dead letter.
    #[default]
    Reject,
    /// It is kept.
    Keep,
    /// It is dropped.
    Drop,
}

impl Filter for Dedupe {
    fn decide(&self, event: &Event) -> Result<Verdict, Failure> {
        let key = match self.key.of(event) {
            Ok(key) => key,
            Err(why) => return self.missing(why),
        };
        let Window(seconds) = self.window_seconds;
        // Two windows of one key are two memories.
        let key = format!("{seconds} {key}");
        match kv::get(&key) {
            // A replay is the same event, and so are the outputs into which an earlier step has split it.
            Some(first) if first == event.id.as_bytes() => Ok(Verdict::Keep),
            Some(first) => {
                let first = String::from_utf8_lossy(&first);
                Ok(Verdict::Drop(format!("seen before, as {first}, within {seconds} s")))
            }
            None => match kv::set(&key, event.id.as_bytes(), Some(Duration::from_secs(seconds.into()))) {
                Ok(()) => Ok(Verdict::Keep),
                // There is room again when others have expired.
                Err(full @ (Refusal::Full | Refusal::Key | Refusal::Value)) => {
                    Err(Failure::Retry(Later { reason: full.to_string(), after_ms: None }))
                }
            },
        }
    }
}

impl Dedupe {
    /// The answer where there is no key.
    fn missing(&self, why: String) -> Result<Verdict, Failure> {
        match self.on_missing {
            OnMissing::Reject => Err(Failure::Reject(why)),
            OnMissing::Keep => Ok(Verdict::Keep),
            OnMissing::Drop => Ok(Verdict::Drop(why)),
        }
    }
}

weft_plugin::export!(Dedupe: filter);

#[cfg(test)]
mod tests;
