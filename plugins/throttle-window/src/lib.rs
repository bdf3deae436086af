//! Lets so many events pass in a window of time, and drops the rest: see `README.md` for the configuration.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::Deserialize;
use weft_plugin::key::KeyFields;
use weft_plugin::{Event, Failure, Filter, Later, Verdict, kv, time};

/// The longest window: 30 days.
const WINDOW_SECONDS_MAX: u32 = 30 * 24 * 60 * 60;
/// How long a window's count outlives the window, for events that wait: a day.
const AFTER_SECONDS: u64 = 24 * 60 * 60;

/// The plugin, as configured.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThrottleWindow {
    events: NonZeroU32,
    window_seconds: Window,
    key: Option<KeyFields>,
    #[serde(default)]
    on_missing: OnMissing,
}

/// The length of a window.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "u32")]
struct Window(u32);

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

impl Filter for ThrottleWindow {
    fn decide(&self, event: &Event) -> Result<Verdict, Failure> {
        let key = match self.key.as_ref().map(|fields| fields.of(event)).transpose() {
            Ok(key) => key.unwrap_or_default(),
            Err(why) => return self.missing(why),
        };
        let (Window(seconds), events) = (self.window_seconds, self.events.get());
        let received_at = time::unix_ms(&event.received_at)
            .ok_or_else(|| Failure::Reject(format!("received_at {:?} is no time", event.received_at)))?;
        let window = received_at.div_euclid(1_000).div_euclid(i64::from(seconds));
        let key = format!("{events}/{seconds} {window} {key}");
        let passed = kv::get(&key).and_then(|value| String::from_utf8(value).ok()?.parse::<u32>().ok()).unwrap_or(0);
        if passed >= events {
            return Ok(Verdict::Drop(format!("over {events} events in {seconds} s")));
        }
        let ttl = Duration::from_secs(u64::from(seconds) + AFTER_SECONDS);
        match kv::set(&key, (passed + 1).to_string().as_bytes(), Some(ttl)) {
            Ok(()) => Ok(Verdict::Keep),
            // There is room again when others have expired.
            Err(refused) => Err(Failure::Retry(Later { reason: refused.to_string(), after_ms: None })),
        }
    }
}

impl ThrottleWindow {
    /// The answer where there is no key.
    fn missing(&self, why: String) -> Result<Verdict, Failure> {
        match self.on_missing {
            OnMissing::Reject => Err(Failure::Reject(why)),
            OnMissing::Keep => Ok(Verdict::Keep),
            OnMissing::Drop => Ok(Verdict::Drop(why)),
        }
    }
}

weft_plugin::export!(ThrottleWindow: filter);

#[cfg(test)]
mod tests;
