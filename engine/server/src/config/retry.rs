//! What becomes of deliveries that a destination does not accept: the keys of `[[tenant.destination]]` that say so.

use std::time::Duration;

use weft_core::decide::RETRY_AFTER_MAX;
use weft_core::retry::{JITTER_PERCENT, LIFETIME, RetryPolicy, exponential};
use weft_core::statuses::{StatusRange, Statuses};

use super::duration::{read_waits, shown};
use super::reader::{Field, Table};

/// Most waits of a schedule: the default has nine.
const WAITS_MAX: usize = 64;
/// The attempts that these waits lie between.
const ATTEMPTS_MAX: i64 = WAITS_MAX as i64 + 1;
/// The largest factor of an exponential schedule.
const FACTOR_MAX: i64 = 10;
/// The largest jitter: above it, a wait would say little.
const JITTER_PERCENT_MAX: i64 = 50;
/// The least a delivery lives: a receiver that starts again takes seconds.
const LIFETIME_MIN: Duration = Duration::from_secs(1);
/// The most a delivery lives: what waits is kept, whatever the retention.
const LIFETIME_MAX: Duration = Duration::from_hours(30 * 24);
/// Most ranges of statuses in one list.
const STATUSES_MAX: usize = 32;

/// Reads the keys of a destination that say when its deliveries are tried again; `success` are the answers by which it accepts.
pub(super) fn read(table: &Table<'_>, success: &Statuses) -> RetryPolicy {
    let lifetime = table.field("lifetime").and_then(lifetime).unwrap_or(LIFETIME);
    let waits = table.field("retry_waits").map(|field| waits(field, lifetime));
    let waits = waits.unwrap_or_else(|| default_within(lifetime));
    let jitter_percent = table.field("jitter_percent").and_then(jitter).unwrap_or(JITTER_PERCENT);
    let give_up_on = table.field("give_up_on").map(|field| give_up_on(field, success)).unwrap_or_default();
    RetryPolicy { waits, jitter_percent, lifetime, give_up_on }
}

/// Reads the answers by which a destination accepts.
pub(super) fn success(field: Field<'_>) -> Statuses {
    let statuses = statuses(field);
    let redirects = Statuses::from(vec!["3xx".parse::<StatusRange>().expect("the constant is a range")]);
    if statuses.meets(&redirects) {
        field.problem::<()>("holds a redirect (3xx): it is not followed, so the receiver has not got the delivery");
    }
    statuses
}

fn give_up_on(field: Field<'_>, success: &Statuses) -> Statuses {
    let statuses = statuses(field);
    if statuses.meets(success) {
        field.problem::<()>("holds an answer that counts as success here");
    }
    statuses
}

fn statuses(field: Field<'_>) -> Statuses {
    let ranges: Vec<StatusRange> = field.list(STATUSES_MAX).into_iter().filter_map(Field::parsed).collect();
    if ranges.is_empty() {
        field.problem::<()>("names no status; leave the key out for the default");
    }
    ranges.into()
}

/// Reads a schedule: a list of waits, or how they grow. They must end within the lifetime.
fn waits(field: Field<'_>, lifetime: Duration) -> Vec<Duration> {
    let waits = if field.is_table() {
        field.table().and_then(growing).unwrap_or_default()
    } else {
        read_waits(field, WAITS_MAX, RETRY_AFTER_MAX)
    };
    let total: Duration = waits.iter().sum();
    if total >= lifetime {
        field.problem::<()>(format!(
            "the waits add up to {}, but a delivery lives {}: the last of them would never end",
            shown(total),
            shown(lifetime)
        ));
    }
    waits
}

/// Reads how the waits of a schedule grow.
fn growing(table: Table<'_>) -> Option<Vec<Duration>> {
    let wait = |key, way_out| {
        let field = table.required(key, way_out)?;
        let wait = field.duration()?;
        if wait > RETRY_AFTER_MAX || wait.is_zero() {
            return field.problem(format!("must be 1ms to {}", shown(RETRY_AFTER_MAX)));
        }
        Some(wait)
    };
    let first = wait("first", "say how long the first wait is, e.g. first = \"5s\"");
    let longest = wait("longest", "say where the waits stop growing, e.g. longest = \"1h\"");
    let factor = table.field("factor").map_or(Some(2), |field| whole(field, 1..=FACTOR_MAX));
    let attempts = table.required("attempts", "say how many there are in all, e.g. attempts = 12");
    let attempts = attempts.and_then(|field| whole(field, 1..=ATTEMPTS_MAX));
    table.finish();
    Some(exponential(first?, factor?, longest?, attempts?))
}

fn whole(field: Field<'_>, bounds: std::ops::RangeInclusive<i64>) -> Option<u32> {
    let number = field.integer()?;
    if bounds.contains(&number) {
        return u32::try_from(number).ok();
    }
    field.problem(format!("must be {} to {}", bounds.start(), bounds.end()))
}

fn jitter(field: Field<'_>) -> Option<u8> {
    whole(field, 0..=JITTER_PERCENT_MAX).and_then(|percent| u8::try_from(percent).ok())
}

fn lifetime(field: Field<'_>) -> Option<Duration> {
    let lifetime = field.duration()?;
    if (LIFETIME_MIN..=LIFETIME_MAX).contains(&lifetime) {
        return Some(lifetime);
    }
    field.problem(format!("must be {} to {}", shown(LIFETIME_MIN), shown(LIFETIME_MAX)))
}

/// The default schedule, as far as it ends within the lifetime: a shorter life needs no schedule of its own.
fn default_within(lifetime: Duration) -> Vec<Duration> {
    let mut total = Duration::ZERO;
    let ends_in_time = |wait: &Duration| {
        total += *wait;
        total < lifetime
    };
    RetryPolicy::default().waits.into_iter().take_while(ends_in_time).collect()
}
