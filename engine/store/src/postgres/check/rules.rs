//! The rules: each is a statement whose rows break it. $1 bounds the rows.
//!
//! What hangs on a row is counted for all rows at once and joined: a look-up for each would read every index as often as there
//! are rows.

use super::super::statements::statements;
use crate::rows::check::{
    Rule, accepted_undelivered, attempt_after_end, contradicting_delivery, contradicting_event, contradicting_replay,
    delivered_twice, delivered_unaccepted, delivery_out_of_lane, lease_of_delivery, lease_of_event, lease_of_replay,
    miscounted_attempts, miscounted_kv, miscounted_passes_of_event, miscounted_passes_of_replay, missing_of_event,
    missing_of_replay, orphan, pass_out_of_lane,
};

/// All rules but those for references and the ledger's.
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
        tenants.name AS tenant, plugin, sum(entries)::bigint AS entries, sum(found_entries)::bigint AS found_entries, sum(bytes)::bigint AS bytes,
        sum(found_bytes)::bigint AS found_bytes
    FROM (
        SELECT tenant, plugin, entries, bytes, 0 AS found_entries, 0 AS found_bytes FROM kv_usage
        UNION ALL
        SELECT tenant, plugin, 0, 0, count(*), sum(octet_length(key) + octet_length(value)) FROM kv GROUP BY tenant, plugin
    ) AS both_counts
    JOIN tenants ON tenants.seq = both_counts.tenant
    GROUP BY tenants.name, plugin
) AS counts
WHERE entries <> found_entries OR bytes <> found_bytes
LIMIT $1";

    EVENT_DELIVERIES = "\
SELECT events.id, events.planned, coalesce(made.found, 0) AS found, events.state = 'routed' AS is_routed
FROM events
LEFT JOIN (
    SELECT event, count(*) AS found FROM deliveries WHERE replay IS NULL GROUP BY event
) AS made ON made.event = events.id
WHERE events.planned <> coalesce(made.found, 0) OR (events.state = 'routed') <> (events.planned > 0)
LIMIT $1";

    REPLAY_DELIVERIES = "\
SELECT replays.id, replays.planned, coalesce(made.found, 0) AS found, replays.state = 'routed' AS is_routed
FROM replays
LEFT JOIN (
    SELECT event, replay, count(*) AS found FROM deliveries WHERE replay IS NOT NULL GROUP BY event, replay
) AS made ON made.event = replays.event AND made.replay = replays.id
WHERE replays.planned <> coalesce(made.found, 0) OR (replays.state = 'routed') <> (replays.planned > 0)
LIMIT $1";

    EVENT_STATES = "\
SELECT id, state, ended_at, due_at, reason, replayed_by
FROM events
WHERE (state = 'received') <> (due_at IS NOT NULL)
    OR (state = 'received') <> (ended_at IS NULL)
    OR (state IN ('dropped', 'dead')) <> (reason IS NOT NULL)
    OR (replayed_by IS NOT NULL AND state <> 'dead')
LIMIT $1";

    REPLAY_STATES = "\
SELECT id, state, ended_at, due_at, reason, NULL::uuid AS replayed_by
FROM replays
WHERE (state = 'received') <> (due_at IS NOT NULL)
    OR (state = 'received') <> (ended_at IS NULL)
    OR (state IN ('dropped', 'dead')) <> (reason IS NOT NULL)
LIMIT $1";

    DELIVERY_STATES = "\
SELECT id, state, ended_at, due_at, reason, replayed_by
FROM deliveries
WHERE (state = 'pending') <> (due_at IS NOT NULL)
    OR (state = 'pending') <> (ended_at IS NULL)
    OR (state IN ('dropped', 'dead', 'cancelled')) <> (reason IS NOT NULL)
    OR (replayed_by IS NOT NULL AND state <> 'dead')
LIMIT $1";

    DELIVERED = "\
SELECT id
FROM deliveries
WHERE state = 'delivered'
    AND NOT EXISTS (SELECT 1 FROM attempts WHERE attempts.delivery = deliveries.id AND outcome = 'accepted')
LIMIT $1";

    ACCEPTED = "\
SELECT deliveries.id, deliveries.state, attempts.number
FROM attempts
JOIN deliveries ON deliveries.id = attempts.delivery
WHERE attempts.outcome = 'accepted' AND deliveries.state <> 'delivered'
LIMIT $1";

    AFTER_END = "\
SELECT deliveries.id, attempts.number
FROM attempts
JOIN deliveries ON deliveries.id = attempts.delivery
LEFT JOIN (
    SELECT delivery, min(number) AS number FROM attempts WHERE outcome = 'accepted' GROUP BY delivery
) AS earlier ON earlier.delivery = attempts.delivery
WHERE attempts.started_at > deliveries.ended_at OR attempts.number > earlier.number
LIMIT $1";

    ATTEMPTS = "\
SELECT
    deliveries.id, deliveries.attempts AS counted, coalesce(made.found, 0) AS found, coalesce(made.last, 0) AS last
FROM deliveries
LEFT JOIN (
    SELECT delivery, count(*) AS found, max(number) AS last FROM attempts GROUP BY delivery
) AS made ON made.delivery = deliveries.id
WHERE deliveries.attempts <> coalesce(made.found, 0) OR deliveries.attempts <> coalesce(made.last, 0)
LIMIT $1";

    EVENT_PASSES = "\
SELECT events.id, events.passes AS counted, coalesce(made.found, 0) AS found, coalesce(made.last, 0) AS last
FROM events
LEFT JOIN (
    SELECT event, count(*) AS found, max(number) AS last
    FROM passes
    WHERE replay = '00000000-0000-0000-0000-000000000000'
    GROUP BY event
) AS made ON made.event = events.id
WHERE events.passes <> coalesce(made.found, 0) OR events.passes <> coalesce(made.last, 0)
LIMIT $1";

    REPLAY_PASSES = "\
SELECT replays.id, replays.passes AS counted, coalesce(made.found, 0) AS found, coalesce(made.last, 0) AS last
FROM replays
LEFT JOIN (
    SELECT event, replay, count(*) AS found, max(number) AS last FROM passes GROUP BY event, replay
) AS made ON made.event = replays.event AND made.replay = replays.id
WHERE replays.passes <> coalesce(made.found, 0) OR replays.passes <> coalesce(made.last, 0)
LIMIT $1";

    TWICE = "\
SELECT
    twice.event AS id, twice.event, twice.replay, twice.pass, twice.output, destinations.id AS destination, twice.found
FROM (
    SELECT event, replay, pass, output, destination, count(*) AS found
    FROM deliveries
    GROUP BY event, replay, pass, output, destination
    HAVING count(*) > 1
) AS twice
JOIN destinations ON destinations.seq = twice.destination
LIMIT $1";

    EVENT_LEASES = "\
SELECT id, state, lease_owner
FROM events
WHERE lease_owner <> 0
    AND (
        state <> 'received'
        OR due_at IS NULL
        OR lease_owner <> CASE WHEN ordering_key IS NULL THEN 0 ELSE -1 END
            AND NOT EXISTS (
                SELECT 1 FROM engine_starts
                WHERE engine_starts.number = events.lease_owner AND engine_starts.alive_until >= 0
            )
    )
LIMIT $1";

    REPLAY_LEASES = "\
SELECT id, state, lease_owner
FROM replays
WHERE lease_owner <> 0
    AND (
        state <> 'received'
        OR due_at IS NULL
        OR lease_owner <> CASE WHEN ordering_key IS NULL THEN 0 ELSE -1 END
            AND NOT EXISTS (
                SELECT 1 FROM engine_starts
                WHERE engine_starts.number = replays.lease_owner AND engine_starts.alive_until >= 0
            )
    )
LIMIT $1";

    DELIVERY_LEASES = "\
SELECT id, state, lease_owner
FROM deliveries
WHERE lease_owner <> 0
    AND (
        state <> 'pending'
        OR due_at IS NULL
        OR lease_owner <> CASE WHEN ordering_key IS NULL THEN 0 ELSE -1 END
            AND NOT EXISTS (
                SELECT 1 FROM engine_starts
                WHERE engine_starts.number = deliveries.lease_owner AND engine_starts.alive_until >= 0
            )
    )
LIMIT $1";

    /// What waits for a pass under an ordering key: the first of its lane is open, every other stands behind.
    PASS_LANES = "\
SELECT * FROM (
    SELECT
        waiting.*, min(place) OVER (PARTITION BY tenant, ordering_key) AS first,
        count(*) OVER (PARTITION BY tenant, ordering_key, place) > 1 AS is_twice
    FROM (
        SELECT id, false AS is_replay, state, tenant, ordering_key, place, lease_owner FROM events
        WHERE ordering_key IS NOT NULL AND state = 'received'
        UNION ALL
        SELECT id, true AS is_replay, state, tenant, ordering_key, place, lease_owner FROM replays
        WHERE ordering_key IS NOT NULL AND state = 'received'
    ) AS waiting
) AS placed
WHERE place IS NULL OR is_twice OR (place > first) = (lease_owner <> -1)
LIMIT $1";

    /// The same for deliveries.
    DELIVERY_LANES = "\
SELECT * FROM (
    SELECT
        id, state, place, lease_owner, min(place) OVER (PARTITION BY destination, ordering_key) AS first,
        count(*) OVER (PARTITION BY destination, ordering_key, place) > 1 AS is_twice
    FROM deliveries
    WHERE ordering_key IS NOT NULL AND state = 'pending'
) AS placed
WHERE place IS NULL OR is_twice OR (place > first) = (lease_owner <> -1)
LIMIT $1";

    ORPHANS = "\
SELECT id
FROM bodies
WHERE NOT EXISTS (SELECT 1 FROM deliveries WHERE deliveries.body = bodies.id)
LIMIT $1";
}
