//! What comes next after an attempt or a failed pass: pure functions of policy, history, time and chance.

use std::time::Duration;

use crate::attempt::AttemptOutcome;
use crate::contract::Failure;
use crate::delivery::DeadDelivery;
use crate::pipeline::{FailurePolicy, Then};
use crate::retry::{Jitter, RetryPolicy};
use crate::time::Timestamp;

/// The longest wish of a receiver (`Retry-After`) that is honoured.
pub const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);

/// What a delivery does after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextStep {
    /// It has arrived.
    Delivered,
    /// It is tried again at this time.
    Retry(Timestamp),
    /// It is given up.
    Dead(DeadDelivery),
}

/// Decides what comes after attempt `number` (1 for the first), which ended at `now` with `outcome`.
///
/// Every failure is retried by the schedule, because receivers answer 4xx while they deploy; exceptions are the answers on which the
/// destination gives up, and 410, which ends the delivery (its destination is then disabled). A receiver's `Retry-After` may delay
/// the next attempt, never hasten it, and counts up to [`RETRY_AFTER_MAX`]. No attempt lies beyond `ends_at`.
pub fn next_step(
    policy: &RetryPolicy,
    number: u32,
    outcome: &AttemptOutcome,
    now: Timestamp,
    ends_at: Timestamp,
    jitter: Jitter,
) -> NextStep {
    let wish = match outcome {
        AttemptOutcome::Accepted { .. } => return NextStep::Delivered,
        AttemptOutcome::Rejected { status: 410, .. } => return NextStep::Dead(DeadDelivery::Gone),
        AttemptOutcome::Rejected { status, .. } if policy.give_up_on.contains(*status) => {
            return NextStep::Dead(DeadDelivery::Refused);
        }
        AttemptOutcome::Rejected { retry_after, .. } => retry_after.unwrap_or_default().min(RETRY_AFTER_MAX),
        AttemptOutcome::TimedOut { .. } | AttemptOutcome::Unreachable { .. } | AttemptOutcome::Forbidden { .. } => {
            Duration::ZERO
        }
    };
    let Some(wait) = policy.wait_after(number, jitter) else {
        return NextStep::Dead(DeadDelivery::Exhausted);
    };
    let at = now.plus(wait.max(wish));
    if at > ends_at { NextStep::Dead(DeadDelivery::Lifetime) } else { NextStep::Retry(at) }
}

/// What an event does after a pass that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AfterFailure {
    /// Another pass begins at this time.
    Retry(Timestamp),
    /// The event is dead, for this reason.
    Dead(String),
    /// The event is dropped, for this reason.
    Drop(String),
}

/// Decides what comes after pass `number` (1 for the first) in which a plugin asked for a retry, refused or faulted.
///
/// `reject` ends dead at once. The others use up the step's retries; a plugin's own wish for a later time may delay the
/// next pass, never hasten it, and counts up to [`RETRY_AFTER_MAX`].
pub fn after_failure(policy: &FailurePolicy, number: u32, failure: Failure, now: Timestamp) -> AfterFailure {
    let (reason, wish) = match failure {
        Failure::Reject(reason) => return AfterFailure::Dead(reason),
        Failure::Retry { reason, after_ms } => {
            (reason, Duration::from_millis(after_ms.unwrap_or(0).into()).min(RETRY_AFTER_MAX))
        }
    };
    let made = usize::try_from(number.max(1)).unwrap_or(usize::MAX);
    match (policy.retries.get(made - 1), policy.then) {
        (Some(wait), _) => AfterFailure::Retry(now.plus((*wait).max(wish))),
        (None, Then::DeadLetter) => AfterFailure::Dead(reason),
        (None, Then::Drop) => AfterFailure::Drop(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FAR: Timestamp = Timestamp::from_ms(i64::MAX);

    fn rejected(status: u16) -> AttemptOutcome {
        AttemptOutcome::Rejected { status, retry_after: None }
    }

    fn policy(seconds: &[u64]) -> RetryPolicy {
        let waits = seconds.iter().copied().map(Duration::from_secs).collect();
        RetryPolicy { waits, ..RetryPolicy::default() }
    }

    #[test]
    fn a_rejected_delivery_is_retried_after_each_wait_and_then_dead() {
        let policy = policy(&[5, 300]);
        let now = Timestamp::from_ms(1_000);
        let step = |number| next_step(&policy, number, &rejected(404), now, FAR, Jitter::NONE);
        assert_eq!(step(1), NextStep::Retry(Timestamp::from_ms(6_000)));
        assert_eq!(step(2), NextStep::Retry(Timestamp::from_ms(301_000)));
        assert_eq!(step(3), NextStep::Dead(DeadDelivery::Exhausted));
    }

    #[test]
    fn an_answer_on_which_its_destination_gives_up_ends_a_delivery_at_once() {
        let give_up_on = vec!["400-409".parse().expect("a range")].into();
        let policy = RetryPolicy { give_up_on, ..RetryPolicy::default() };
        let step = |status| next_step(&policy, 1, &rejected(status), Timestamp::from_ms(0), FAR, Jitter::NONE);
        assert_eq!(step(404), NextStep::Dead(DeadDelivery::Refused));
        assert!(matches!(step(500), NextStep::Retry(_)));
        assert_eq!(step(410), NextStep::Dead(DeadDelivery::Gone), "which also disables the destination");
    }

    #[test]
    fn gone_ends_a_delivery_whatever_the_schedule() {
        let step = next_step(&policy(&[5]), 1, &rejected(410), Timestamp::from_ms(0), FAR, Jitter::NONE);
        assert_eq!(step, NextStep::Dead(DeadDelivery::Gone));
    }

    #[test]
    fn a_plugin_that_rejects_ends_the_event_at_once() {
        let after = after_failure(
            &FailurePolicy::default(),
            1,
            Failure::Reject("no customer".to_owned()),
            Timestamp::from_ms(0),
        );
        assert_eq!(after, AfterFailure::Dead("no customer".to_owned()));
    }

    #[test]
    fn a_failing_step_uses_up_its_retries_and_then_does_as_told() {
        let policy = FailurePolicy { retries: vec![Duration::from_secs(1)], then: Then::Drop };
        let fail = || Failure::Retry { reason: "later".to_owned(), after_ms: Some(3_000) };
        let at = |number| after_failure(&policy, number, fail(), Timestamp::from_ms(0));
        assert_eq!(at(1), AfterFailure::Retry(Timestamp::from_ms(3_000)));
        assert_eq!(at(2), AfterFailure::Drop("later".to_owned()));
    }

    fn failures() -> impl Strategy<Value = AttemptOutcome> {
        (300_u16..600, proptest::option::of(0_u64..200_000)).prop_map(|(status, seconds)| AttemptOutcome::Rejected {
            status,
            retry_after: seconds.map(Duration::from_secs),
        })
    }

    proptest! {
        #[test]
        fn a_receivers_wish_may_delay_never_hasten(
            number in 1_u32..12, seconds in 0_u64..200_000, throw in -1.0_f64..1.0
        ) {
            let policy = RetryPolicy::default();
            let now = Timestamp::from_ms(0);
            let wish = Some(Duration::from_secs(seconds));
            let plain = next_step(&policy, number, &rejected(503), now, FAR, Jitter::new(throw));
            let asked = AttemptOutcome::Rejected { status: 503, retry_after: wish };
            let wished = next_step(&policy, number, &asked, now, FAR, Jitter::new(throw));
            if let (NextStep::Retry(plain), NextStep::Retry(wished)) = (plain, wished) {
                prop_assert!(wished >= plain);
                prop_assert!(wished <= plain.max(now.plus(RETRY_AFTER_MAX)));
            } else {
                prop_assert_eq!(plain, wished);
            }
        }

        #[test]
        fn nothing_is_tried_beyond_its_lifetime(
            number in 1_u32..12, outcome in failures(), ends in 0_i64..100_000_000, throw in -1.0_f64..1.0
        ) {
            let ends_at = Timestamp::from_ms(ends);
            let step =
                next_step(&RetryPolicy::default(), number, &outcome, Timestamp::from_ms(0), ends_at, Jitter::new(throw));
            if let NextStep::Retry(at) = step {
                prop_assert!(at <= ends_at);
            }
        }
    }
}
