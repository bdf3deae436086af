//! The ledger must add up: for each tenant and day, what was counted as it was stored is there or was pruned.

use super::super::statements::statements;
use crate::rows::check::{Rule, ledger};

/// The rule: one row for each sum that is off.
pub(super) const RULE: Rule = Rule { statement: SUMS, table: "ledger", finding: ledger };

statements! {
    /// The rows of each table stand against the ledger's columns for them.
    SUMS = "\
WITH found (noun, tenant, day, rows) AS (
    SELECT 'events', tenant, received_at / 86400000, count(*) FROM events GROUP BY 2, 3
    UNION ALL
    SELECT 'deliveries', tenant, planned_at / 86400000, count(*) FROM deliveries WHERE replay IS NULL GROUP BY 2, 3
    UNION ALL
    SELECT 'replays', tenant, created_at / 86400000, count(*) FROM replays GROUP BY 2, 3
    UNION ALL
    SELECT 'replay deliveries', tenant, planned_at / 86400000, count(*) FROM deliveries
    WHERE replay IS NOT NULL GROUP BY 2, 3
),
counted (noun, tenant, day, rows, pruned) AS (
    SELECT 'events', tenant, day, events, events_routed_pruned + events_dropped_pruned + events_dead_pruned FROM ledger
    UNION ALL
    SELECT 'deliveries', tenant, day, deliveries,
        deliveries_delivered_pruned + deliveries_dead_pruned + deliveries_dropped_pruned + deliveries_cancelled_pruned
    FROM ledger
    UNION ALL
    SELECT 'replays', tenant, day, replays, replays_pruned FROM ledger
    UNION ALL
    SELECT 'replay deliveries', tenant, day, replay_deliveries, replay_deliveries_pruned FROM ledger
)
SELECT
    noun, day, tenants.id AS tenant, coalesce(counted.rows, 0) AS counted, coalesce(found.rows, 0) AS found,
    coalesce(counted.pruned, 0) AS pruned
FROM counted
FULL JOIN found USING (noun, tenant, day)
LEFT JOIN tenants ON tenants.seq = tenant
WHERE coalesce(counted.rows, 0) <> coalesce(found.rows, 0) + coalesce(counted.pruned, 0)
LIMIT ?1";
}
