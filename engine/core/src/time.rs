//! A point in time, to the millisecond. Nothing here reads a clock.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Milliseconds in a day: the grain of the ledger.
const DAY_MS: i64 = 86_400_000;

/// Milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The point `ms` milliseconds after the Unix epoch.
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_ms(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, as `webhook-timestamp` wants them.
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Days since the Unix epoch, UTC.
    pub const fn day(self) -> i64 {
        self.0.div_euclid(DAY_MS)
    }

    /// This point moved on by `by`; saturates at the end of time.
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// This point moved back by `by`; saturates at the beginning of time.
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long it is from `earlier` to this point; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// RFC 3339 in UTC with milliseconds, as guests, traces and the API show it.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => write!(f, "{at:.3}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

/// Why a text is not a [`Timestamp`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a time: use RFC 3339, e.g. 2026-01-31T12:00:00Z")]
pub struct InvalidTimestamp {
    text: String,
}

/// Reads RFC 3339 with any offset; what is finer than a millisecond is cut off.
impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        match text.parse::<jiff::Timestamp>() {
            Ok(at) => Ok(Self(at.as_millisecond())),
            Err(_) => Err(InvalidTimestamp { text: text.chars().take(80).collect() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_reads_as_rfc_3339_with_milliseconds() {
        assert_eq!(Timestamp::from_ms(1_614_265_330_007).to_string(), "2021-02-25T15:02:10.007Z");
    }

    #[test]
    fn a_timestamp_reads_back_as_it_was_shown_and_with_other_offsets() {
        let at = Timestamp::from_ms(1_614_265_330_007);
        assert_eq!(at.to_string().parse(), Ok(at));
        assert_eq!("2021-02-25T16:02:10.007+01:00".parse(), Ok(at));
        let refused = "yesterday".parse::<Timestamp>().expect_err("not a time");
        assert!(refused.to_string().contains("RFC 3339"), "{refused}");
    }

    #[test]
    fn moving_past_the_end_of_time_saturates() {
        let end = Timestamp::from_ms(i64::MAX);
        assert_eq!(end.plus(Duration::from_secs(1)), end);
        assert_eq!(Timestamp::from_ms(0).since(end), Duration::ZERO);
    }
}
