//! The rules: each is a statement whose rows break it. ?1 bounds the rows.

use super::super::statements::statements;
use crate::rows::check::{
    Rule, accepted_undelivered, attempt_after_end, contradicting_delivery, contradicting_event, contradicting_replay,
    delivered_twice, delivered_unaccepted, delivery_out_of_lane, lease_of_delivery, lease_of_event, lease_of_replay,
    miscounted_attempts, miscounted_kv, miscounted_passes_of_event, miscounted_passes_of_replay, missing_of_event,
    missing_of_replay, orphan, pass_out_of_lane,
};

/// All rules but the ledger's.
pub(super) const RULES: &[Rule] = &[
    Rule { statement: EVENT_DELIVERIES, table: "events", finding: missing_of_event },
    Rule { statement: REPLAY_DELIVERIES, table: "replays", finding: missing_of_replay },
    Rule { statement: EVENT_STATES, table: "events", finding: contradicting_event },
    Rule { statement: REPLAY_STATES, table: "replays", finding: contradicting_replay },
    Rule { statement: DELIVERY_STATES, table: "deliveries", finding: contradicting_delivery },
    Rule { statement: DELIVERED, table: "deliveries", finding: delivered_unaccepted },
    Rule { statement: ACCEPTED, table: "deliveries", finding: accepted_undelivered },
    Rule { statement: AFTER_END, table: "deliveries", finding: attempt_after_end },
    Rule { statement: ATTEMPTS, table: "deliveries", finding: miscounted_attempts },
    Rule { statement: EVENT_PASSES, table: "events", finding: miscounted_passes_of_event },
    Rule { statement: REPLAY_PASSES, table: "replays", finding: miscounted_passes_of_replay },
    Rule { statement: TWICE, table: "deliveries", finding: delivered_twice },
    Rule { statement: EVENT_LEASES, table: "events", finding: lease_of_event },
    Rule { statement: REPLAY_LEASES, table: "replays", finding: lease_of_replay },
    Rule { statement: DELIVERY_LEASES, table: "deliveries", finding: lease_of_delivery },
    Rule { statement: PASS_LANES, table: "events", finding: pass_out_of_lane },
    Rule { statement: DELIVERY_LANES, table: "deliveries", finding: delivery_out_of_lane },
    Rule { statement: KV_USAGE, table: "kv_usage", finding: miscounted_kv },
    Rule { statement: ORPHANS, table: "bodies", finding: orphan },
];

statements! {
    KV_USAGE = "\
SELECT * FROM (
    SELECT
        tenants.name AS tenant, plugin, sum(entries) AS entries, sum(found_entries) AS found_entries, sum(bytes) AS bytes,
        sum(found_bytes) AS found_bytes
    FROM (
        SELECT tenant, plugin, entries, bytes, 0 AS found_entries, 0 AS found_bytes FROM kv_usage
        UNION ALL
        SELECT tenant, plugin, 0, 0, count(*), sum(length(key) + length(value)) FROM kv GROUP BY tenant, plugin
    ) AS both_counts
    JOIN tenants ON tenants.seq = both_counts.tenant
    GROUP BY tenants.name, plugin
) AS counts
WHERE entries <> found_entries OR bytes <> found_bytes
LIMIT ?1";

    EVENT_DELIVERIES = "\
SELECT * FROM (
    SELECT
        seq, id, planned,
        (SELECT count(*) FROM deliveries WHERE deliveries.event = events.seq AND deliveries.replay IS NULL) AS found,
        state = 'routed' AS is_routed
    FROM events
)
WHERE planned <> found OR is_routed <> (planned > 0)
LIMIT ?1";

    REPLAY_DELIVERIES = "\
SELECT * FROM (
    SELECT
        seq, id, planned,
        (
            SELECT count(*) FROM deliveries
            WHERE deliveries.event = replays.event AND deliveries.replay = replays.seq
        ) AS found,
        state = 'routed' AS is_routed
    FROM replays
)
WHERE planned <> found OR is_routed <> (planned > 0)
LIMIT ?1";

    EVENT_STATES = "\
SELECT seq, id, state, ended_at, due_at, reason, replayed_by
FROM events
WHERE (state = 'received') <> (due_at IS NOT NULL)
    OR (state = 'received') <> (ended_at IS NULL)
    OR (state IN ('dropped', 'dead')) <> (reason IS NOT NULL)
    OR (replayed_by IS NOT NULL AND state <> 'dead')
LIMIT ?1";

    REPLAY_STATES = "\
SELECT seq, id, state, ended_at, due_at, reason, NULL AS replayed_by
FROM replays
WHERE (state = 'received') <> (due_at IS NOT NULL)
    OR (state = 'received') <> (ended_at IS NULL)
    OR (state IN ('dropped', 'dead')) <> (reason IS NOT NULL)
LIMIT ?1";

    DELIVERY_STATES = "\
SELECT seq, id, state, ended_at, due_at, reason, replayed_by
FROM deliveries
WHERE (state = 'pending') <> (due_at IS NOT NULL)
    OR (state = 'pending') <> (ended_at IS NULL)
    OR (state IN ('dropped', 'dead', 'cancelled')) <> (reason IS NOT NULL)
    OR (replayed_by IS NOT NULL AND state <> 'dead')
LIMIT ?1";

    DELIVERED = "\
SELECT seq, id
FROM deliveries
WHERE state = 'delivered'
    AND NOT EXISTS (SELECT 1 FROM attempts WHERE attempts.delivery = deliveries.seq AND outcome = 'accepted')
LIMIT ?1";

    ACCEPTED = "\
SELECT deliveries.seq, deliveries.id, deliveries.state, attempts.number
FROM attempts
CROSS JOIN deliveries ON deliveries.seq = attempts.delivery
WHERE attempts.outcome = 'accepted' AND deliveries.state <> 'delivered'
LIMIT ?1";

    AFTER_END = "\
SELECT deliveries.seq, deliveries.id, attempts.number
FROM attempts
CROSS JOIN deliveries ON deliveries.seq = attempts.delivery
WHERE attempts.started_at > deliveries.ended_at
    OR EXISTS (
        SELECT 1 FROM attempts AS earlier
        WHERE earlier.delivery = attempts.delivery
            AND earlier.number < attempts.number
            AND earlier.outcome = 'accepted'
    )
LIMIT ?1";

    ATTEMPTS = "\
SELECT * FROM (
    SELECT
        seq, id, attempts AS counted,
        (SELECT count(*) FROM attempts WHERE attempts.delivery = deliveries.seq) AS found,
        (SELECT coalesce(max(number), 0) FROM attempts WHERE attempts.delivery = deliveries.seq) AS last
    FROM deliveries
)
WHERE counted <> found OR counted <> last
LIMIT ?1";

    EVENT_PASSES = "\
SELECT * FROM (
    SELECT
        seq, id, passes AS counted,
        (SELECT count(*) FROM passes WHERE passes.event = events.seq AND passes.replay = 0) AS found,
        (SELECT coalesce(max(number), 0) FROM passes WHERE passes.event = events.seq AND passes.replay = 0) AS last
    FROM events
)
WHERE counted <> found OR counted <> last
LIMIT ?1";

    REPLAY_PASSES = "\
SELECT * FROM (
    SELECT
        seq, id, passes AS counted,
        (SELECT count(*) FROM passes WHERE passes.event = replays.event AND passes.replay = replays.seq) AS found,
        (
            SELECT coalesce(max(number), 0) FROM passes
            WHERE passes.event = replays.event AND passes.replay = replays.seq
        ) AS last
    FROM replays
)
WHERE counted <> found OR counted <> last
LIMIT ?1";

    TWICE = "\
SELECT
    min(deliveries.seq) AS seq, events.id AS event, replays.id AS replay, deliveries.pass, deliveries.output,
    destinations.id AS destination, count(*) AS found
FROM deliveries
CROSS JOIN events ON events.seq = deliveries.event
CROSS JOIN destinations ON destinations.seq = deliveries.destination
LEFT JOIN replays ON replays.seq = deliveries.replay
GROUP BY deliveries.event, deliveries.replay, deliveries.pass, deliveries.output, deliveries.destination
HAVING count(*) > 1
LIMIT ?1";

    EVENT_LEASES = "\
SELECT seq, id, state, lease_owner
FROM events
WHERE lease_owner <> 0
    AND (
        state <> 'received'
        OR due_at IS NULL
        OR lease_owner <> CASE WHEN ordering_key IS NULL THEN 0 ELSE -1 END
            AND lease_owner NOT BETWEEN 1 AND (SELECT coalesce(max(number), 0) FROM engine_starts)
    )
LIMIT ?1";

    REPLAY_LEASES = "\
SELECT seq, id, state, lease_owner
FROM replays
WHERE lease_owner <> 0
    AND (
        state <> 'received'
        OR due_at IS NULL
        OR lease_owner <> CASE WHEN ordering_key IS NULL THEN 0 ELSE -1 END
            AND lease_owner NOT BETWEEN 1 AND (SELECT coalesce(max(number), 0) FROM engine_starts)
    )
LIMIT ?1";

    DELIVERY_LEASES = "\
SELECT seq, id, state, lease_owner
FROM deliveries
WHERE lease_owner <> 0
    AND (
        state <> 'pending'
        OR due_at IS NULL
        OR lease_owner <> CASE WHEN ordering_key IS NULL THEN 0 ELSE -1 END
            AND lease_owner NOT BETWEEN 1 AND (SELECT coalesce(max(number), 0) FROM engine_starts)
    )
LIMIT ?1";

    /// What waits for a pass under an ordering key: the first of its lane is open, every other stands behind.
    PASS_LANES = "\
SELECT * FROM (
    SELECT
        waiting.*, min(place) OVER (PARTITION BY tenant, ordering_key) AS first,
        count(*) OVER (PARTITION BY tenant, ordering_key, place) > 1 AS is_twice
    FROM (
        SELECT seq, id, 0 AS is_replay, state, tenant, ordering_key, place, lease_owner FROM events
        WHERE ordering_key IS NOT NULL AND state = 'received'
        UNION ALL
        SELECT seq, id, 1 AS is_replay, state, tenant, ordering_key, place, lease_owner FROM replays
        WHERE ordering_key IS NOT NULL AND state = 'received'
    ) AS waiting
) AS placed
WHERE place IS NULL OR is_twice OR (place > first) = (lease_owner <> -1)
LIMIT ?1";

    /// The same for deliveries.
    DELIVERY_LANES = "\
SELECT * FROM (
    SELECT
        seq, id, state, place, lease_owner, min(place) OVER (PARTITION BY destination, ordering_key) AS first,
        count(*) OVER (PARTITION BY destination, ordering_key, place) > 1 AS is_twice
    FROM deliveries
    WHERE ordering_key IS NOT NULL AND state = 'pending'
) AS placed
WHERE place IS NULL OR is_twice OR (place > first) = (lease_owner <> -1)
LIMIT ?1";

    ORPHANS = "\
SELECT seq FROM bodies
EXCEPT SELECT body FROM events
EXCEPT SELECT body FROM deliveries
LIMIT ?1";
}
