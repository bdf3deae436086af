//! Every limit by name: its default, the most it may be set to, and why.
//!
//! A limit without a name and a reason does not exist in Weft. The configuration offers each under its `key`; a value
//! outside `min..=max` is an error there, never silently replaced.

use std::time::Duration;

/// A limit as the configuration offers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The configuration key, with the unit last.
    pub key: &'static str,
    /// What holds when nothing is written.
    pub default: u64,
    /// The least that makes sense.
    pub min: u64,
    /// The most that the engine is built for.
    pub max: u64,
    /// Why there is such a limit, and why this default.
    pub why: &'static str,
}

macro_rules! bounds {
    ($($(#[$doc:meta])* $name:ident = $key:literal, $default:expr, $min:expr, $max:expr, $why:literal;)+) => {
        $(
            $(#[$doc])*
            pub const $name: Bound = Bound { key: $key, default: $default, min: $min, max: $max, why: $why };
        )+

        /// All limits, in the order of the example configuration.
        pub const ALL: &[Bound] = &[$($name),+];
    };
}

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

bounds! {
    /// Largest accepted request body.
    EVENT_BODY_BYTES = "event_body_bytes_max", MIB, KIB, 16 * MIB,
        "bounds what one request can hold in memory; webhooks are advised to stay below 20 kB";
    /// Requests under way at the API at once.
    API_REQUESTS = "api_requests_max", 4096, 16, 65_536,
        "bounds sockets and tasks of the API; ingest_bytes_max bounds the bodies";
    /// Events on their way in at once, from the first byte of the body to the commit; a tenant may have half of it.
    INGEST_EVENTS = "ingest_events_max", 4096, 16, 65_536,
        "senders that outrun the disk are told so, before memory is";
    /// Bytes of their bodies; a tenant may have half of it.
    INGEST_BYTES = "ingest_bytes_max", 32 * MIB, MIB, 4_096 * MIB,
        "bounds memory whatever the bodies' size, however many connections there are";
    /// CPU time of one plugin call.
    CALL_MS = "call_ms_max", 50, 1, 5_000,
        "a call that needs more holds up its tenant's other events";
    /// Linear memory of one plugin instance.
    GUEST_MEMORY_BYTES = "guest_memory_bytes_max", 64 * MIB, MIB, 256 * MIB,
        "JavaScript and Python guests start at 1 to 26 MiB";
    /// One output of a plugin.
    OUTPUT_BYTES = "output_bytes_max", MIB, KIB, 16 * MIB,
        "an output is delivered as a body, so it is bounded like one";
    /// All outputs of one pass together.
    PASS_OUTPUT_BYTES = "pass_output_bytes_max", 4 * MIB, KIB, 64 * MIB,
        "bounds what one event can put into the store";
    /// Outputs of one split.
    OUTPUTS = "outputs_max", 64, 1, 1_024,
        "one event must not become a flood by accident";
    /// Targets that a route may name for one output.
    TARGETS = "targets_max", 64, 1, 1_024,
        "one event must not become a flood by accident";
    /// Deliveries planned from one event.
    DELIVERIES = "deliveries_max", 10_000, 1, 10_000,
        "the fan-out of one event is one transaction";
    /// Deliveries planned in the same commit as the event.
    DELIVERIES_AT_ONCE = "deliveries_at_once_max", 64, 0, 256,
        "more are planned by a worker, so that the acknowledgement stays fast";
    /// Log lines kept of one call.
    LOG_LINES = "log_lines_max", 64, 0, 1_024,
        "logs go into the trace, which is stored";
    /// Length of one log line; the rest is cut.
    LOG_LINE_BYTES = "log_line_bytes_max", 4 * KIB, 64, 64 * KIB,
        "logs go into the trace, which is stored";
    /// Calls of one plugin instance to what it keeps.
    KV_CALLS = "kv_calls_max", 64, 1, 10_000,
        "each may wait for the store, while the tenant's other events wait";
    /// One value that a plugin keeps.
    KV_VALUE_BYTES = "kv_value_bytes_max", 64 * KIB, KIB, MIB,
        "it is read whole and compared when the pass is stored";
    /// Keys that one plugin keeps for one tenant.
    KV_ENTRIES = "kv_entries_max", 100_000, 1, 10_000_000,
        "one tenant's plugin must not fill the store";
    /// Bytes of these keys and values.
    KV_BYTES = "kv_bytes_max", 64 * MIB, KIB, 16 * 1024 * MIB,
        "one tenant's plugin must not fill the store";
    /// Configuration of one step, as JSON.
    STEP_CONFIG_BYTES = "step_config_bytes_max", 64 * KIB, KIB, MIB,
        "it is copied into every instance that asks for it";
    /// Size of one component.
    COMPONENT_BYTES = "component_bytes_max", 32 * MIB, KIB, 128 * MIB,
        "a Python component of one line is 18 MB";
    /// Versions that are kept of all plugins that one tenant, or the operator, has pushed.
    PLUGIN_VERSIONS = "plugin_versions_max", 256, 2, 10_000,
        "each holds a whole component in the store, and a tenant must not fill the disk";
    /// Plugin threads; 0 stands for one less than the cores, at least two.
    PLUGIN_THREADS = "plugin_threads", 0, 0, 256,
        "guests run beside, not on, the threads that serve HTTP";
    /// Time to a connection.
    CONNECT_MS = "connect_ms_max", 5_000, 10, 60_000,
        "a receiver that is reachable answers within seconds";
    /// Time of one attempt from the first byte out to the last byte in.
    REQUEST_MS = "request_ms_max", 20_000, 10, 60_000,
        "Standard Webhooks advises 15 to 30 s";
    /// How much of a response is read.
    RESPONSE_BYTES = "response_bytes_max", 64 * KIB, 0, MIB,
        "a receiver must not be able to fill our memory";
    /// Attempts under way at once that may be answered at any moment: each counts here for its first half second at most.
    ATTEMPTS = "attempts_max", 1_024, 1, 65_536,
        "bounds sockets and memory of the sender, and what the machine works on at a time";
    /// Attempts under way at once that their receivers let wait; destinations that do not answer at all may have half of it.
    ATTEMPTS_SLOW = "attempts_slow_max", 2_048, 1, 65_536,
        "each holds a socket and 15 to 50 KiB and does no work; a thousand destinations may hang, and the others do not feel it";
    /// Attempts under way at once to one destination.
    ATTEMPTS_PER_DESTINATION = "attempts_per_destination_max", 64, 1, 4_096,
        "a hanging destination must not take the others' slots";
    /// Deliveries waiting in memory for a slot.
    DELIVERIES_IN_MEMORY = "deliveries_in_memory_max", 8_192, 1, 1_000_000,
        "what has just been stored goes on from memory; more than this waits in the store";
    /// Deliveries of one destination waiting in memory.
    DELIVERIES_IN_MEMORY_PER_DESTINATION = "deliveries_in_memory_per_destination_max", 2_048, 1, 100_000,
        "a slow destination must not fill the memory's share of the others";
    /// Bodies of deliveries waiting in memory. As much again of each: bodies of attempts under way, those of slow attempts, answers that
    /// wait to be stored, events that wait for a plugin thread, passes under way. One destination may have a quarter.
    BYTES_IN_MEMORY = "bytes_in_memory_max", 32 * MIB, MIB, 4_096 * MIB,
        "bounds memory whatever the bodies' size";
    /// Events waiting in memory for a plugin thread.
    PASSES_IN_MEMORY = "passes_in_memory_max", 4_096, 1, 1_000_000,
        "what has just been stored goes on from memory; more than this waits in the store";
    /// How long a node may work on a row.
    LEASE_MS = "lease_ms", 60_000, 5_000, 600_000,
        "outlasts the longest work (a whole request, a whole pass) plus a margin";
    /// Age at which ended rows are pruned.
    RETENTION_HOURS = "retention_hours", 14 * 24, 1, 24 * 366,
        "long enough to look into last week's trouble";
    /// How long an idempotency key is remembered.
    DEDUPE_HOURS = "dedupe_hours", 24, 1, 24 * 30,
        "senders retry within a day";
}

/// The limits around one plugin call, in the units that the host needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallLimits {
    /// See [`CALL_MS`].
    pub call: Duration,
    /// See [`GUEST_MEMORY_BYTES`].
    pub memory_bytes: usize,
    /// See [`OUTPUT_BYTES`].
    pub output_bytes: usize,
    /// See [`PASS_OUTPUT_BYTES`].
    pub pass_output_bytes: usize,
    /// See [`OUTPUTS`].
    pub outputs: usize,
    /// See [`TARGETS`].
    pub targets: usize,
    /// See [`LOG_LINES`].
    pub log_lines: usize,
    /// See [`LOG_LINE_BYTES`].
    pub log_line_bytes: usize,
    /// See [`KV_CALLS`].
    pub kv_calls: usize,
    /// See [`KV_VALUE_BYTES`].
    pub kv_value_bytes: usize,
    /// See [`KV_ENTRIES`].
    pub kv_entries: u64,
    /// See [`KV_BYTES`].
    pub kv_bytes: u64,
}

impl Default for CallLimits {
    fn default() -> Self {
        let size = |bound: Bound| usize::try_from(bound.default).unwrap_or(usize::MAX);
        Self {
            call: Duration::from_millis(CALL_MS.default),
            memory_bytes: size(GUEST_MEMORY_BYTES),
            output_bytes: size(OUTPUT_BYTES),
            pass_output_bytes: size(PASS_OUTPUT_BYTES),
            outputs: size(OUTPUTS),
            targets: size(TARGETS),
            log_lines: size(LOG_LINES),
            log_line_bytes: size(LOG_LINE_BYTES),
            kv_calls: size(KV_CALLS),
            kv_value_bytes: size(KV_VALUE_BYTES),
            kv_entries: KV_ENTRIES.default,
            kv_bytes: KV_BYTES.default,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_lies_within_its_bounds_and_has_a_reason() {
        for bound in ALL {
            assert!((bound.min..=bound.max).contains(&bound.default), "{}", bound.key);
            assert!(!bound.why.is_empty(), "{}", bound.key);
        }
    }

    #[test]
    fn keys_are_unique() {
        let keys: std::collections::BTreeSet<_> = ALL.iter().map(|b| b.key).collect();
        assert_eq!(keys.len(), ALL.len());
    }
}
