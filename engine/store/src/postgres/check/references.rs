//! Rows that point to others: no foreign key is enforced where traffic grows, so each reference is proved here. $1 bounds
//! the rows.

use super::super::statements::statements;
use crate::rows::check::{Rule, dangling};

/// A rule for each reference.
pub(super) const RULES: &[Rule] = &[
    Rule { statement: EVENT_TENANT, table: "events", finding: dangling },
    Rule { statement: EVENT_REPLAYED_BY, table: "events", finding: dangling },
    Rule { statement: REPLAY_TENANT, table: "replays", finding: dangling },
    Rule { statement: REPLAY_EVENT, table: "replays", finding: dangling },
    Rule { statement: REPLAY_DELIVERY, table: "replays", finding: dangling },
    Rule { statement: PASS_EVENT, table: "passes", finding: dangling },
    Rule { statement: DELIVERY_TENANT, table: "deliveries", finding: dangling },
    Rule { statement: DELIVERY_EVENT, table: "deliveries", finding: dangling },
    Rule { statement: DELIVERY_REPLAY, table: "deliveries", finding: dangling },
    Rule { statement: DELIVERY_DESTINATION, table: "deliveries", finding: dangling },
    Rule { statement: DELIVERY_BODY, table: "deliveries", finding: dangling },
    Rule { statement: DELIVERY_REPLAYED_BY, table: "deliveries", finding: dangling },
    Rule { statement: ATTEMPT_DELIVERY, table: "attempts", finding: dangling },
    Rule { statement: RESPONSE_ATTEMPT, table: "responses", finding: dangling },
];

statements! {
    EVENT_TENANT = "\
SELECT 'events' AS child, id, 'tenants' AS parent FROM events
WHERE NOT EXISTS (SELECT 1 FROM tenants WHERE tenants.seq = events.tenant)
LIMIT $1";

    EVENT_REPLAYED_BY = "\
SELECT 'events' AS child, id, 'replays' AS parent FROM events
WHERE replayed_by IS NOT NULL AND NOT EXISTS (SELECT 1 FROM replays WHERE replays.id = events.replayed_by)
LIMIT $1";

    REPLAY_TENANT = "\
SELECT 'replays' AS child, id, 'tenants' AS parent FROM replays
WHERE NOT EXISTS (SELECT 1 FROM tenants WHERE tenants.seq = replays.tenant)
LIMIT $1";

    REPLAY_EVENT = "\
SELECT 'replays' AS child, id, 'events' AS parent FROM replays
WHERE NOT EXISTS (SELECT 1 FROM events WHERE events.id = replays.event)
LIMIT $1";

    REPLAY_DELIVERY = "\
SELECT 'replays' AS child, id, 'deliveries' AS parent FROM replays
WHERE delivery IS NOT NULL AND NOT EXISTS (SELECT 1 FROM deliveries WHERE deliveries.id = replays.delivery)
LIMIT $1";

    PASS_EVENT = "\
SELECT 'passes' AS child, event AS id, 'events' AS parent FROM passes
WHERE NOT EXISTS (SELECT 1 FROM events WHERE events.id = passes.event)
LIMIT $1";

    DELIVERY_TENANT = "\
SELECT 'deliveries' AS child, id, 'tenants' AS parent FROM deliveries
WHERE NOT EXISTS (SELECT 1 FROM tenants WHERE tenants.seq = deliveries.tenant)
LIMIT $1";

    DELIVERY_EVENT = "\
SELECT 'deliveries' AS child, id, 'events' AS parent FROM deliveries
WHERE NOT EXISTS (SELECT 1 FROM events WHERE events.id = deliveries.event)
LIMIT $1";

    DELIVERY_REPLAY = "\
SELECT 'deliveries' AS child, id, 'replays' AS parent FROM deliveries
WHERE replay IS NOT NULL AND NOT EXISTS (SELECT 1 FROM replays WHERE replays.id = deliveries.replay)
LIMIT $1";

    DELIVERY_DESTINATION = "\
SELECT 'deliveries' AS child, id, 'destinations' AS parent FROM deliveries
WHERE NOT EXISTS (SELECT 1 FROM destinations WHERE destinations.seq = deliveries.destination)
LIMIT $1";

    DELIVERY_BODY = "\
SELECT 'deliveries' AS child, id, 'bodies' AS parent FROM deliveries
WHERE body IS NOT NULL AND NOT EXISTS (SELECT 1 FROM bodies WHERE bodies.id = deliveries.body)
LIMIT $1";

    DELIVERY_REPLAYED_BY = "\
SELECT 'deliveries' AS child, id, 'replays' AS parent FROM deliveries
WHERE replayed_by IS NOT NULL AND NOT EXISTS (SELECT 1 FROM replays WHERE replays.id = deliveries.replayed_by)
LIMIT $1";

    ATTEMPT_DELIVERY = "\
SELECT 'attempts' AS child, delivery AS id, 'deliveries' AS parent FROM attempts
WHERE NOT EXISTS (SELECT 1 FROM deliveries WHERE deliveries.id = attempts.delivery)
LIMIT $1";

    RESPONSE_ATTEMPT = "\
SELECT 'responses' AS child, delivery AS id, 'attempts' AS parent FROM responses
WHERE NOT EXISTS (
    SELECT 1 FROM attempts WHERE attempts.delivery = responses.delivery AND attempts.number = responses.number
)
LIMIT $1";
}
