//! When a failed delivery is tried again, and when no more.

use std::time::Duration;

use crate::statuses::Statuses;

/// How long a delivery lives from its planning, unless its destination says otherwise: no attempt is made after that.
pub const LIFETIME: Duration = Duration::from_hours(7 * 24);

/// How far a wait may be off its schedule in percent, unless the destination says otherwise: a thousand deliveries that failed together
/// do not come back together.
pub const JITTER_PERCENT: u8 = 10;

/// What becomes of deliveries that a destination does not accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The wait before each further attempt: one entry fewer than there are attempts.
    pub waits: Vec<Duration>,
    /// How far a wait may be off, shorter or longer, in percent.
    pub jitter_percent: u8,
    /// How long a delivery lives from its planning.
    pub lifetime: Duration,
    /// Answers after which there is no further attempt.
    pub give_up_on: Statuses,
}

impl Default for RetryPolicy {
    /// Ten attempts over three days, as the Standard Webhooks specification suggests.
    fn default() -> Self {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        let seconds = [5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];
        Self {
            waits: seconds.map(Duration::from_secs).to_vec(),
            jitter_percent: JITTER_PERCENT,
            lifetime: LIFETIME,
            give_up_on: Statuses::default(),
        }
    }
}

impl RetryPolicy {
    /// The wait after attempt `number` (1 for the first), off by as much as `jitter` says; nothing after the last.
    pub(crate) fn wait_after(&self, number: u32, jitter: Jitter) -> Option<Duration> {
        let made = usize::try_from(number.max(1)).unwrap_or(usize::MAX);
        let wait = self.waits.get(made - 1)?;
        Some(wait.mul_f64(1.0 + f64::from(self.jitter_percent.min(100)) / 100.0 * jitter.0))
    }
}

/// The waits between `attempts` attempts: the first is `first`, each further one `factor` times the one before, none is beyond
/// `longest`.
pub fn exponential(first: Duration, factor: u32, longest: Duration, attempts: u32) -> Vec<Duration> {
    let next = |wait: &Duration| Some(wait.saturating_mul(factor).min(longest));
    std::iter::successors(Some(first.min(longest)), next)
        .take(usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX))
        .collect()
}

/// A throw of the dice between -1 and 1, made by the caller.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Jitter(f64);

impl Jitter {
    /// No deviation.
    pub const NONE: Self = Self(0.0);

    /// A throw; what lies outside -1 to 1 is brought to the nearest end, what is no number to 0.
    pub fn new(throw: f64) -> Self {
        if throw.is_nan() { Self::NONE } else { Self(throw.clamp(-1.0, 1.0)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_default_schedule_is_the_one_of_standard_webhooks() {
        let waits = RetryPolicy::default().waits;
        assert_eq!(waits.len() + 1, 10);
        assert_eq!(waits.iter().sum::<Duration>(), Duration::from_secs(75 * 3600 + 35 * 60 + 5));
    }

    #[test]
    fn an_exponential_schedule_grows_by_its_factor_up_to_its_longest_wait() {
        let second = Duration::from_secs(1);
        let waits = exponential(second, 3, 20 * second, 6);
        assert_eq!(waits, [1, 3, 9, 20, 20].map(Duration::from_secs));
        assert_eq!(exponential(second, 2, second, 1), []);
    }

    proptest! {
        #[test]
        fn an_exponential_backoff_never_shrinks(
            first in 0_u64..100_000, factor in 1_u32..20, longest in 0_u64..100_000, attempts in 0_u32..80
        ) {
            let (first, longest) = (Duration::from_secs(first), Duration::from_secs(longest));
            let waits = exponential(first, factor, longest, attempts);
            prop_assert_eq!(waits.len(), attempts.saturating_sub(1) as usize);
            prop_assert!(waits.is_sorted());
            prop_assert!(waits.iter().all(|wait| *wait <= longest));
        }

        #[test]
        fn a_wait_is_off_by_no_more_than_its_jitter(number in 1_u32..10, percent in 0_u8..=100, throw in -5.0_f64..5.0) {
            let policy = RetryPolicy { jitter_percent: percent, ..RetryPolicy::default() };
            let plain = policy.waits[number as usize - 1].as_secs_f64();
            let wait = policy.wait_after(number, Jitter::new(throw)).expect("it has a wait").as_secs_f64();
            prop_assert!((wait - plain).abs() <= plain * f64::from(percent) / 100.0 + 0.001);
        }
    }
}
