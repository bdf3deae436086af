//! The limits of [`weft_core::limits`], typed, and how they must relate to each other.

use std::time::Duration;

use weft_core::contract::Role;
use weft_core::limits::{self, Bound, CallLimits};

use super::reader::{Field, Table};

/// How much longer than the longest work a lease must be: writing the result may have to wait for a full commit.
pub const LEASE_MARGIN: Duration = Duration::from_secs(3);

macro_rules! limits {
    ($($(#[$doc:meta])* $field:ident: $type:ty = $unit:ident($bound:ident);)+) => {
        /// Every limit of [`weft_core::limits::ALL`], in the unit that its users need. Defaults are those of the bounds.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Limits {
            $($(#[$doc])* #[doc = concat!("See [`weft_core::limits::", stringify!($bound), "`].")] pub $field: $type,)+
        }

        impl Limits {
            /// Asks `value` for each limit.
            fn of(value: impl Fn(Bound) -> u64) -> Self {
                Self { $($field: $unit(value(limits::$bound)),)+ }
            }
        }
    };
}

limits! {
    event_body_bytes: usize = size(EVENT_BODY_BYTES);
    api_requests: usize = size(API_REQUESTS);
    ingest_events: usize = size(INGEST_EVENTS);
    ingest_bytes: usize = size(INGEST_BYTES);
    call: Duration = millis(CALL_MS);
    guest_memory_bytes: usize = size(GUEST_MEMORY_BYTES);
    output_bytes: usize = size(OUTPUT_BYTES);
    pass_output_bytes: usize = size(PASS_OUTPUT_BYTES);
    outputs: usize = size(OUTPUTS);
    targets: usize = size(TARGETS);
    deliveries: usize = size(DELIVERIES);
    deliveries_at_once: usize = size(DELIVERIES_AT_ONCE);
    log_lines: usize = size(LOG_LINES);
    log_line_bytes: usize = size(LOG_LINE_BYTES);
    kv_calls: usize = size(KV_CALLS);
    kv_value_bytes: usize = size(KV_VALUE_BYTES);
    kv_entries: u64 = count(KV_ENTRIES);
    kv_bytes: u64 = count(KV_BYTES);
    step_config_bytes: usize = size(STEP_CONFIG_BYTES);
    component_bytes: usize = size(COMPONENT_BYTES);
    plugin_versions: usize = size(PLUGIN_VERSIONS);
    /// 0 stands for one less than the cores, at least two.
    plugin_threads: usize = size(PLUGIN_THREADS);
    /// The default of a destination's `connect_timeout`, and the most that it may say.
    connect: Duration = millis(CONNECT_MS);
    /// The default of a destination's `request_timeout`, and the most that it may say.
    request: Duration = millis(REQUEST_MS);
    response_bytes: usize = size(RESPONSE_BYTES);
    attempts: usize = size(ATTEMPTS);
    attempts_slow: usize = size(ATTEMPTS_SLOW);
    attempts_per_destination: usize = size(ATTEMPTS_PER_DESTINATION);
    deliveries_in_memory: usize = size(DELIVERIES_IN_MEMORY);
    deliveries_in_memory_per_destination: usize = size(DELIVERIES_IN_MEMORY_PER_DESTINATION);
    bytes_in_memory: usize = size(BYTES_IN_MEMORY);
    passes_in_memory: usize = size(PASSES_IN_MEMORY);
    lease: Duration = millis(LEASE_MS);
    retention: Duration = hours(RETENTION_HOURS);
    dedupe: Duration = hours(DEDUPE_HOURS);
}

fn size(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

const fn count(value: u64) -> u64 {
    value
}

fn millis(value: u64) -> Duration {
    Duration::from_millis(value)
}

fn hours(value: u64) -> Duration {
    Duration::from_hours(value)
}

impl Default for Limits {
    fn default() -> Self {
        Self::of(|bound| bound.default)
    }
}

impl Limits {
    /// The limits around one plugin call, as the plugin host takes them.
    pub fn call_limits(&self) -> CallLimits {
        CallLimits {
            call: self.call,
            memory_bytes: self.guest_memory_bytes,
            output_bytes: self.output_bytes,
            pass_output_bytes: self.pass_output_bytes,
            outputs: self.outputs,
            targets: self.targets,
            log_lines: self.log_lines,
            log_line_bytes: self.log_line_bytes,
            kv_calls: self.kv_calls,
            kv_value_bytes: self.kv_value_bytes,
            kv_entries: self.kv_entries,
            kv_bytes: self.kv_bytes,
        }
    }

    /// The longest that a whole pass may take, so that its result is written before its lease ends.
    ///
    /// One step on all outputs always fits; a pass of many slow steps must be stopped at this time by whoever runs it.
    pub fn pass(&self) -> Duration {
        self.lease.saturating_sub(LEASE_MARGIN)
    }

    /// Reads `[limits]`; a limit that is wrong keeps its default and is among the findings.
    pub(super) fn read(field: Option<Field<'_>>) -> Self {
        let Some(table) = field.and_then(Field::table) else { return Self::default() };
        let written: Vec<_> = limits::ALL.iter().map(|bound| Written::read(*bound, &table)).collect();
        table.finish();
        check_relations(&written);
        Self::of(|bound| written.iter().find(|limit| limit.bound == bound).map_or(bound.default, Written::value))
    }
}

/// A limit as the file has it.
struct Written<'a> {
    bound: Bound,
    field: Option<Field<'a>>,
    /// `None` if the file has it wrong.
    value: Option<u64>,
}

impl<'a> Written<'a> {
    fn read(bound: Bound, table: &Table<'a>) -> Self {
        let field = table.field(bound.key);
        let value = match field {
            None => Some(bound.default),
            Some(field) => within(bound, field),
        };
        Self { bound, field, value }
    }

    fn value(&self) -> u64 {
        self.value.unwrap_or(self.bound.default)
    }
}

fn within(bound: Bound, field: Field<'_>) -> Option<u64> {
    let value = field.integer()?;
    let Bound { min, max, why, .. } = bound;
    match u64::try_from(value) {
        Ok(value) if (min..=max).contains(&value) => Some(value),
        Ok(_) | Err(_) => field.problem(format!("must be {min} to {max}: {why}")),
    }
}

/// Reports limits that contradict each other, at the one that must grow, else at the first of those that it must hold.
fn check_relations(written: &[Written<'_>]) {
    let margin = u64::try_from(LEASE_MARGIN.as_millis()).unwrap_or(u64::MAX);
    let roles = Role::ALL.len() as u64;
    let sum = |values: &[u64]| values.iter().sum::<u64>() + margin;
    let calls = |values: &[u64]| values.iter().product::<u64>() * roles + margin;
    let plain = |values: &[u64]| values.iter().sum();

    let relation = |big: Bound, small: &[Bound], least: &dyn Fn(&[u64]) -> u64, why: &str| {
        let find = |bound: Bound| written.iter().find(|limit| limit.bound == bound);
        let Some(big) = find(big) else { return };
        let small: Vec<_> = small.iter().filter_map(|bound| find(*bound)).collect();
        let (Some(value), Some(values)) =
            (big.value, small.iter().map(|limit| limit.value).collect::<Option<Vec<_>>>())
        else {
            return;
        };
        let least = least(&values);
        let Some(field) = big.field.or_else(|| small.iter().find_map(|limit| limit.field)) else { return };
        if value < least {
            field.problem::<()>(format!("{} is {value} and must be at least {least}: {why}", big.bound.key));
        }
    };

    relation(
        limits::LEASE_MS,
        &[limits::REQUEST_MS, limits::CONNECT_MS],
        &sum,
        &format!(
            "a lease outlasts the longest attempt, request_ms_max + connect_ms_max + {margin}, or it is made twice"
        ),
    );
    relation(
        limits::LEASE_MS,
        &[limits::CALL_MS, limits::OUTPUTS],
        &calls,
        &format!(
            "a lease outlasts a step on all outputs, call_ms_max x {roles} roles x outputs_max + {margin}, or it is run twice"
        ),
    );
    relation(limits::REQUEST_MS, &[limits::CONNECT_MS], &plain, "connecting is part of a request (connect_ms_max)");
    relation(limits::PASS_OUTPUT_BYTES, &[limits::OUTPUT_BYTES], &plain, "one output (output_bytes_max) must fit in");
    relation(
        limits::GUEST_MEMORY_BYTES,
        &[limits::EVENT_BODY_BYTES, limits::OUTPUT_BYTES],
        &plain,
        "a guest holds the event and its output at once (event_body_bytes_max + output_bytes_max)",
    );
    relation(limits::KV_BYTES, &[limits::KV_VALUE_BYTES], &plain, "one value (kv_value_bytes_max) must fit in");
    relation(limits::DELIVERIES, &[limits::DELIVERIES_AT_ONCE], &plain, "it includes deliveries_at_once_max");
    relation(
        limits::ATTEMPTS,
        &[limits::ATTEMPTS_PER_DESTINATION],
        &plain,
        "one destination (attempts_per_destination_max) must not have more than all together",
    );
    relation(
        limits::DELIVERIES_IN_MEMORY,
        &[limits::DELIVERIES_IN_MEMORY_PER_DESTINATION],
        &plain,
        "one destination (deliveries_in_memory_per_destination_max) must not have more than all together",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_changes_the_field_of_its_name_and_no_other() {
        let shown = |limits: &Limits| format!("{limits:#?}").lines().map(str::to_owned).collect::<Vec<_>>();
        let defaults = Limits::default();
        for changed in limits::ALL {
            let other = if changed.default < changed.max { changed.default + 1 } else { changed.default - 1 };
            let limits = Limits::of(|bound| if bound == *changed { other } else { bound.default });
            let pairs = shown(&defaults).into_iter().zip(shown(&limits));
            let differing: Vec<_> = pairs.filter(|(before, after)| before != after).map(|(_, after)| after).collect();
            let stem = changed.key.trim_end_matches("_max").trim_end_matches("_ms").trim_end_matches("_hours");
            assert_eq!(differing.len(), 1, "{}: {differing:?}", changed.key);
            assert!(differing[0].trim_start().starts_with(&format!("{stem}: ")), "{}: {differing:?}", changed.key);
        }
    }
}
