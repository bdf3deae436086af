//! Figures about the database: counted where an index, the ledger or the server knows them, else estimated.

use sqlx::PgConnection;
use weft_core::time::Timestamp;

use super::statements::statements;
use super::upkeep;
use crate::check::{DeliveryCounts, EventCounts};
use crate::error::{StoreError, unavailable};
use crate::rows::Cells;
use crate::stats::{Figure, LedgerTotals, StatsDepth, StoreSize, StoreStats, TableStats};

statements! {
    LEDGER = "\
SELECT
    coalesce(sum(events), 0)::bigint AS events,
    coalesce(sum(deliveries), 0)::bigint AS deliveries,
    coalesce(sum(replays), 0)::bigint AS replays,
    coalesce(sum(replay_deliveries), 0)::bigint AS replay_deliveries,
    coalesce(sum(events_routed_pruned + events_dropped_pruned + events_dead_pruned), 0)::bigint AS events_pruned,
    coalesce(sum(
        deliveries_delivered_pruned + deliveries_dead_pruned + deliveries_dropped_pruned + deliveries_cancelled_pruned
    ), 0)::bigint AS deliveries_pruned,
    coalesce(sum(replays_pruned), 0)::bigint AS replays_pruned,
    coalesce(sum(replay_deliveries_pruned), 0)::bigint AS replay_deliveries_pruned
FROM ledger";

    /// What indexes know by themselves.
    KNOWN = "\
SELECT
    (SELECT count(*) FROM events WHERE state = 'received' AND lease_owner = 0)
    + (SELECT count(*) FROM events WHERE state = 'received' AND lease_owner <> 0) AS events_received,
    (SELECT count(*) FROM events WHERE state = 'dead') AS events_dead,
    (SELECT count(*) FROM deliveries WHERE state = 'pending' AND lease_owner = 0)
    + (SELECT count(*) FROM deliveries WHERE state = 'pending' AND lease_owner <> 0) AS deliveries_pending,
    (SELECT count(*) FROM deliveries WHERE state = 'dead') AS deliveries_dead,
    (SELECT received_at FROM events ORDER BY id LIMIT 1) AS oldest_event_at,
    pg_database_size(current_database()) AS bytes";

    /// How the states share a hundredth of the pages, or all of them. $1: per cent.
    EVENT_STATES = "SELECT state, count(*) AS rows FROM events TABLESAMPLE SYSTEM ($1) GROUP BY state";

    DELIVERY_STATES = "SELECT state, count(*) AS rows FROM deliveries TABLESAMPLE SYSTEM ($1) GROUP BY state";

    /// What the server knows of the tables, partitions added up: rows as it last estimated them, bytes with indexes.
    TABLES = "\
SELECT
    coalesce(parents.relname, tables.relname)::text AS name,
    sum(greatest(tables.reltuples, 0))::bigint AS rows,
    sum(pg_total_relation_size(tables.oid))::bigint AS bytes
FROM pg_class AS tables
LEFT JOIN pg_inherits ON pg_inherits.inhrelid = tables.oid
LEFT JOIN pg_class AS parents ON parents.oid = pg_inherits.inhparent
WHERE tables.relkind = 'r' AND tables.relnamespace = current_schema()::regnamespace
GROUP BY 1";
}

/// Every table, in the order of their importance.
const TABLE_NAMES: [&str; 20] = [
    "events",
    "bodies",
    "deliveries",
    "attempts",
    "responses",
    "passes",
    "replays",
    "dedupe",
    "kv",
    "ledger",
    "engine_starts",
    "tenants",
    "api_keys",
    "destinations",
    "sealed_secrets",
    "plugins",
    "plugin_versions",
    "plugin_activations",
    "plugin_files",
    "components",
];

/// Rows below which looking at all of them costs nothing to speak of.
const FEW_ROWS: u64 = 100_000;

/// Collects the figures in the transaction that `conn` is in.
pub(super) async fn stats(conn: &mut PgConnection, depth: StatsDepth) -> Result<StoreStats, StoreError> {
    let failed = unavailable("collect figures about the store");
    let known = sqlx::query(KNOWN).fetch_one(&mut *conn).await.map_err(failed)?;
    let known = Cells::new(&known, "events", "bytes");
    let ledger = ledger(conn).await?;
    let (received, dead) = (known.number("events_received")?, known.number("events_dead")?);
    let there = ledger.events.saturating_sub(ledger.events_pruned);
    let all_events = depth == StatsDepth::Whole || there <= FEW_ROWS;
    let rest = (!all_events).then(|| there.saturating_sub(received + dead));
    let [routed, dropped] = shares(conn, EVENT_STATES, ["routed", "dropped"], rest).await?;
    let events = EventCounts { received, routed, dropped, dead };
    let (pending, dead) = (known.number("deliveries_pending")?, known.number("deliveries_dead")?);
    let there = (ledger.deliveries + ledger.replay_deliveries)
        .saturating_sub(ledger.deliveries_pruned + ledger.replay_deliveries_pruned);
    let all_deliveries = depth == StatsDepth::Whole || there <= FEW_ROWS;
    let rest = (!all_deliveries).then(|| there.saturating_sub(pending + dead));
    let states = ["delivered", "dropped", "cancelled"];
    let [delivered, dropped, cancelled] = shares(conn, DELIVERY_STATES, states, rest).await?;
    Ok(StoreStats {
        size: StoreSize { bytes: known.number("bytes")?, free_bytes: 0, log_bytes: 0 },
        events,
        deliveries: DeliveryCounts { pending, delivered, dead, dropped, cancelled },
        states_estimated: !(all_events && all_deliveries),
        counts: upkeep::counts(&mut *conn).await?,
        oldest_event_at: known.maybe_int("oldest_event_at")?.map(Timestamp::from_ms),
        ledger,
        tables: tables(conn).await?,
    })
}

async fn ledger(conn: &mut PgConnection) -> Result<LedgerTotals, StoreError> {
    let row = sqlx::query(LEDGER).fetch_one(conn).await.map_err(unavailable("add up the ledger"))?;
    let cells = Cells::new(&row, "ledger", "events");
    Ok(LedgerTotals {
        events: cells.number("events")?,
        deliveries: cells.number("deliveries")?,
        replays: cells.number("replays")?,
        replay_deliveries: cells.number("replay_deliveries")?,
        events_pruned: cells.number("events_pruned")?,
        deliveries_pruned: cells.number("deliveries_pruned")?,
        replays_pruned: cells.number("replays_pruned")?,
        replay_deliveries_pruned: cells.number("replay_deliveries_pruned")?,
    })
}

/// How many rows are in each of `states`: counted, or `rest` shared in the proportion of a sample.
async fn shares<const N: usize>(
    conn: &mut PgConnection,
    statement: &'static str,
    states: [&str; N],
    rest: Option<u64>,
) -> Result<[u64; N], StoreError> {
    let per_cent = if rest.is_some() { 1.0_f32 } else { 100.0 };
    let rows = sqlx::query(statement).bind(per_cent).fetch_all(conn).await;
    let mut seen = [0_u64; N];
    for row in rows.map_err(unavailable("look at a sample of rows"))? {
        let cells = Cells::new(&row, "sample", "state");
        let state = cells.text("state")?;
        if let Some(place) = states.iter().position(|known| *known == state) {
            seen[place] = cells.number("rows")?;
        }
    }
    let Some(rest) = rest else { return Ok(seen) };
    let sum = seen.iter().sum::<u64>().max(1);
    let share = |seen: u64| u64::try_from(u128::from(rest) * u128::from(seen) / u128::from(sum)).unwrap_or(rest);
    let mut shares = seen.map(share);
    // The first takes what rounding has left, so that the sum stays exact.
    let others: u64 = shares.iter().skip(1).sum();
    if let Some(first) = shares.first_mut() {
        *first = rest.saturating_sub(others);
    }
    Ok(shares)
}

async fn tables(conn: &mut PgConnection) -> Result<Vec<TableStats>, StoreError> {
    let rows = sqlx::query(TABLES).fetch_all(conn).await.map_err(unavailable("measure the tables"))?;
    let mut tables: Vec<_> =
        TABLE_NAMES.map(|name| TableStats { name, rows: Figure::default(), bytes: Figure::exact(0) }).into();
    for row in &rows {
        let cells = Cells::new(row, "pg_class", "name");
        let name = cells.text("name")?;
        if let Some(table) = tables.iter_mut().find(|table| table.name == name) {
            table.rows = Figure { value: cells.number("rows")?, estimated: true };
            table.bytes = Figure::exact(cells.number("bytes")?);
        }
    }
    Ok(tables)
}
