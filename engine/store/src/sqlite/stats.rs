//! Figures about the file: counted where an index or the ledger knows them, else estimated from a sample of rows.
//!
//! Rows are numbered with few gaps, so windows of rows at equal distances are a fair sample: how many of the numbers in
//! them are taken, and what those rows are like, is taken for the whole table. A table no longer than the sample is one
//! window, and so its figures are exact; [`StatsDepth::Whole`] makes every table one window, and asks `dbstat` for the pages.

use std::collections::HashMap;
use std::path::Path;

use sqlx::SqliteConnection;
use weft_core::time::Timestamp;

use super::statements::{json, statements};
use super::upkeep;
use crate::check::{DeliveryCounts, EventCounts};
use crate::error::{StoreError, unavailable};
use crate::rows::Cells;
use crate::stats::{Figure, LedgerTotals, StatsDepth, StoreSize, StoreStats, TableStats};

/// Windows of a sample, and rows in each: a thousand rows tell shares to a few per cent, and cost a few milliseconds.
const WINDOWS: i64 = 64;
const WINDOW_ROWS: i64 = 16;

statements! {
    SIZE = "\
SELECT page_count * page_size AS bytes, freelist_count * page_size AS free_bytes
FROM pragma_page_count CROSS JOIN pragma_page_size CROSS JOIN pragma_freelist_count";

    LEDGER = "\
SELECT
    coalesce(sum(events), 0) AS events,
    coalesce(sum(deliveries), 0) AS deliveries,
    coalesce(sum(replays), 0) AS replays,
    coalesce(sum(replay_deliveries), 0) AS replay_deliveries,
    coalesce(sum(events_routed_pruned + events_dropped_pruned + events_dead_pruned), 0) AS events_pruned,
    coalesce(sum(
        deliveries_delivered_pruned + deliveries_dead_pruned + deliveries_dropped_pruned + deliveries_cancelled_pruned
    ), 0) AS deliveries_pruned,
    coalesce(sum(replays_pruned), 0) AS replays_pruned,
    coalesce(sum(replay_deliveries_pruned), 0) AS replay_deliveries_pruned
FROM ledger";

    /// What indexes know by themselves, and the first and the last number of each table.
    KNOWN = "\
SELECT
    (SELECT count(*) FROM events WHERE state = 'received') AS events_received,
    (SELECT count(*) FROM events WHERE state = 'dead') AS events_dead,
    (SELECT count(*) FROM deliveries WHERE state = 'pending') AS deliveries_pending,
    (SELECT count(*) FROM deliveries WHERE state = 'dead') AS deliveries_dead,
    (SELECT received_at FROM events ORDER BY seq LIMIT 1) AS oldest_event_at,
    (SELECT min(seq) FROM events) AS events_first, (SELECT max(seq) FROM events) AS events_last,
    (SELECT min(seq) FROM deliveries) AS deliveries_first, (SELECT max(seq) FROM deliveries) AS deliveries_last,
    (SELECT min(seq) FROM bodies) AS bodies_first, (SELECT max(seq) FROM bodies) AS bodies_last,
    (SELECT min(seq) FROM replays) AS replays_first, (SELECT max(seq) FROM replays) AS replays_last,
    (SELECT min(seq) FROM dedupe) AS dedupe_first, (SELECT max(seq) FROM dedupe) AS dedupe_last";

    /// Events in the windows that begin at ?1 and have ?2 rows, with the passes that hang on them; so the next four.
    EVENTS = "\
SELECT
    state, count(*) AS rows, sum(length(events.type) + length(content_type) + coalesce(length(headers), 0) + 60) AS bytes,
    sum((SELECT count(*) FROM passes WHERE passes.event = events.seq)) AS first_rows,
    sum((SELECT coalesce(sum(length(trace) + 40), 0) FROM passes WHERE passes.event = events.seq)) AS first_bytes,
    0 AS second_rows, 0 AS second_bytes
FROM json_each(?1) AS j CROSS JOIN events ON events.seq BETWEEN j.value AND j.value + ?2 - 1
GROUP BY state";

    /// With their attempts and responses.
    DELIVERIES = "\
SELECT
    state, count(*) AS rows, sum(coalesce(length(request), 0) + coalesce(length(reason), 0) + 70) AS bytes,
    sum((SELECT count(*) FROM attempts WHERE delivery = deliveries.seq)) AS first_rows,
    sum((SELECT coalesce(sum(coalesce(length(detail), 0) + 30), 0) FROM attempts WHERE delivery = deliveries.seq))
        AS first_bytes,
    sum((SELECT count(*) FROM responses WHERE delivery = deliveries.seq)) AS second_rows,
    sum((
        SELECT coalesce(sum(length(responses.headers) + length(responses.body) + 12), 0)
        FROM responses WHERE delivery = deliveries.seq
    )) AS second_bytes
FROM json_each(?1) AS j CROSS JOIN deliveries ON deliveries.seq BETWEEN j.value AND j.value + ?2 - 1
GROUP BY state";

    BODIES = "\
SELECT
    '' AS state, count(*) AS rows, coalesce(sum(length(bytes) + 8), 0) AS bytes,
    0 AS first_rows, 0 AS first_bytes, 0 AS second_rows, 0 AS second_bytes
FROM json_each(?1) AS j CROSS JOIN bodies ON bodies.seq BETWEEN j.value AND j.value + ?2 - 1";

    REPLAYS = "\
SELECT
    '' AS state, count(*) AS rows, count(*) * 60 AS bytes,
    0 AS first_rows, 0 AS first_bytes, 0 AS second_rows, 0 AS second_bytes
FROM json_each(?1) AS j CROSS JOIN replays ON replays.seq BETWEEN j.value AND j.value + ?2 - 1";

    DEDUPE = "\
SELECT
    '' AS state, count(*) AS rows, coalesce(sum(length(dedupe.source) + length(dedupe.key) + 70), 0) AS bytes,
    0 AS first_rows, 0 AS first_bytes, 0 AS second_rows, 0 AS second_bytes
FROM json_each(?1) AS j CROSS JOIN dedupe ON dedupe.seq BETWEEN j.value AND j.value + ?2 - 1";

    /// The tables that traffic does not grow.
    SMALL = "\
SELECT
    (SELECT count(*) FROM ledger) AS ledger,
    (SELECT count(*) FROM kv) AS kv,
    (SELECT count(*) FROM engine_starts) AS engine_starts,
    (SELECT count(*) FROM tenants) AS tenants,
    (SELECT count(*) FROM api_keys) AS api_keys,
    (SELECT count(*) FROM destinations) AS destinations,
    (SELECT count(*) FROM sealed_secrets) AS sealed_secrets,
    (SELECT count(*) FROM plugins) AS plugins,
    (SELECT count(*) FROM plugin_versions) AS plugin_versions,
    (SELECT count(*) FROM plugin_activations) AS plugin_activations,
    (SELECT count(*) FROM plugin_files) AS plugin_files,
    (SELECT count(*) FROM components) AS components";

    /// The bytes of the pages of tables ?1 with their indexes: reads all of those pages.
    PAGES = "\
SELECT sqlite_schema.tbl_name AS name, sum(dbstat.pgsize) AS bytes
FROM sqlite_schema
CROSS JOIN dbstat ON dbstat.name = sqlite_schema.name AND dbstat.aggregate = TRUE
WHERE sqlite_schema.tbl_name IN (SELECT value FROM json_each(?1))
GROUP BY sqlite_schema.tbl_name";
}

/// Tables that grow with traffic: only a sample of them is cheap.
const LARGE: [&str; 8] = ["events", "bodies", "deliveries", "attempts", "responses", "passes", "replays", "dedupe"];

/// Tables that do not; columns of [`SMALL`].
const SMALL_TABLES: [&str; 12] = [
    "ledger",
    "kv",
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

/// What a sample of one table says of the whole.
#[derive(Debug, Default)]
struct Sample {
    rows: f64,
    bytes: f64,
    /// Rows and bytes of the two tables that hang on it.
    hanging: [(f64, f64); 2],
    by_state: HashMap<String, f64>,
    /// Whether it was the whole table.
    is_whole: bool,
}

/// Collects the figures in the transaction that `conn` is in; `path` is the file.
pub(super) async fn stats(
    conn: &mut SqliteConnection,
    path: &Path,
    depth: StatsDepth,
) -> Result<StoreStats, StoreError> {
    let failed = unavailable("collect figures about the store");
    let known = sqlx::query(KNOWN).fetch_one(&mut *conn).await.map_err(failed)?;
    let known = Cells::new(&known, "events", "events_first");
    let ledger = ledger(conn).await?;
    let samples = [
        sample(conn, EVENTS, &known, ["events_first", "events_last"], depth).await?,
        sample(conn, BODIES, &known, ["bodies_first", "bodies_last"], depth).await?,
        sample(conn, DELIVERIES, &known, ["deliveries_first", "deliveries_last"], depth).await?,
        sample(conn, REPLAYS, &known, ["replays_first", "replays_last"], depth).await?,
        sample(conn, DEDUPE, &known, ["dedupe_first", "dedupe_last"], depth).await?,
    ];
    let mut tables = large(conn, &samples, &ledger, depth).await?;
    tables.extend(small(conn).await?);
    let [events, _, deliveries, _, _] = &samples;
    Ok(StoreStats {
        size: size(conn, path).await?,
        events: event_states(events, &known, &ledger)?,
        deliveries: delivery_states(deliveries, &known, &ledger)?,
        states_estimated: !(events.is_whole && deliveries.is_whole),
        counts: upkeep::counts(&mut *conn).await?,
        oldest_event_at: known.maybe_int("oldest_event_at")?.map(Timestamp::from_ms),
        ledger,
        tables,
    })
}

async fn size(conn: &mut SqliteConnection, path: &Path) -> Result<StoreSize, StoreError> {
    let row = sqlx::query(SIZE).fetch_one(conn).await.map_err(unavailable("measure the database"))?;
    let cells = Cells::new(&row, "pragma_page_count", "bytes");
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    // No log, no bytes: the last engine has tidied it away.
    let log_bytes = std::fs::metadata(log).map_or(0, |log| log.len());
    Ok(StoreSize { bytes: cells.number("bytes")?, free_bytes: cells.number("free_bytes")?, log_bytes })
}

async fn ledger(conn: &mut SqliteConnection) -> Result<LedgerTotals, StoreError> {
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

/// Looks into windows of a table whose numbers run from one column of `known` to another.
async fn sample(
    conn: &mut SqliteConnection,
    statement: &'static str,
    known: &Cells<'_>,
    [first, last]: [&'static str; 2],
    depth: StatsDepth,
) -> Result<Sample, StoreError> {
    let (Some(first), Some(last)) = (known.maybe_int(first)?, known.maybe_int(last)?) else {
        return Ok(Sample { is_whole: true, ..Sample::default() });
    };
    let numbers = last - first + 1;
    let is_whole = depth == StatsDepth::Whole || numbers <= WINDOWS * WINDOW_ROWS;
    let (windows, width) = if is_whole { (vec![first], numbers) } else { (windows(first, numbers), WINDOW_ROWS) };
    // Each row that was seen stands for this many.
    #[expect(clippy::cast_precision_loss, reason = "an estimate, and exact up to 2^53 rows")]
    let scale = if is_whole { 1.0 } else { numbers as f64 / (WINDOWS * WINDOW_ROWS) as f64 };
    let rows = sqlx::query(statement).bind(json(&windows)).bind(width).fetch_all(conn).await;
    let mut sample = Sample { is_whole, ..Sample::default() };
    for row in rows.map_err(unavailable("look at a sample of rows"))? {
        let cells = Cells::new(&row, "sample", "state");
        #[expect(clippy::cast_precision_loss, reason = "an estimate, and exact up to 2^53")]
        let scaled = |column| Ok::<_, StoreError>(cells.int(column)? as f64 * scale);
        sample.rows += scaled("rows")?;
        sample.bytes += scaled("bytes")?;
        let hanging = [("first_rows", "first_bytes"), ("second_rows", "second_bytes")];
        for (sum, (rows, bytes)) in sample.hanging.iter_mut().zip(hanging) {
            *sum = (sum.0 + scaled(rows)?, sum.1 + scaled(bytes)?);
        }
        sample.by_state.insert(cells.text("state")?, scaled("rows")?);
    }
    Ok(sample)
}

/// The first numbers of windows at equal distances; more numbers than the windows have.
fn windows(first: i64, numbers: i64) -> Vec<i64> {
    let room = numbers - WINDOW_ROWS;
    (0..WINDOWS)
        .map(|window| {
            first + i64::try_from(i128::from(room) * i128::from(window) / i128::from(WINDOWS - 1)).unwrap_or(0)
        })
        .collect()
}

/// The tables that grow with traffic.
async fn large(
    conn: &mut SqliteConnection,
    [events, bodies, deliveries, replays, dedupe]: &[Sample; 5],
    ledger: &LedgerTotals,
    depth: StatsDepth,
) -> Result<Vec<TableStats>, StoreError> {
    let pages = match depth {
        StatsDepth::Whole => Some(pages(conn, &LARGE).await?),
        StatsDepth::Sampled => None,
    };
    // What the ledger says is exact, whatever was sampled.
    let there = |counted: u64, pruned: u64| Some(counted.saturating_sub(pruned));
    let known = |name| match name {
        "events" => there(ledger.events, ledger.events_pruned),
        "replays" => there(ledger.replays, ledger.replays_pruned),
        "deliveries" => there(
            ledger.deliveries + ledger.replay_deliveries,
            ledger.deliveries_pruned + ledger.replay_deliveries_pruned,
        ),
        _ => None,
    };
    let sampled = [
        (events, events.rows, events.bytes),
        (bodies, bodies.rows, bodies.bytes),
        (deliveries, deliveries.rows, deliveries.bytes),
        (deliveries, deliveries.hanging[0].0, deliveries.hanging[0].1),
        (deliveries, deliveries.hanging[1].0, deliveries.hanging[1].1),
        (events, events.hanging[0].0, events.hanging[0].1),
        (replays, replays.rows, replays.bytes),
        (dedupe, dedupe.rows, dedupe.bytes),
    ];
    let table = |(name, (sample, rows, bytes)): (&'static str, (&Sample, f64, f64))| {
        let sampled = Figure { value: rounded(rows), estimated: !sample.is_whole };
        let rows = if sample.is_whole { sampled } else { known(name).map_or(sampled, Figure::exact) };
        let estimated = Figure { value: rounded(bytes), estimated: true };
        let bytes = pages.as_ref().map_or(estimated, |pages| Figure::exact(pages.get(name).copied().unwrap_or(0)));
        TableStats { name, rows, bytes }
    };
    Ok(LARGE.into_iter().zip(sampled).map(table).collect())
}

async fn small(conn: &mut SqliteConnection) -> Result<Vec<TableStats>, StoreError> {
    let pages = pages(conn, &SMALL_TABLES).await?;
    let row = sqlx::query(SMALL).fetch_one(conn).await.map_err(unavailable("count the small tables"))?;
    let cells = Cells::new(&row, "sqlite_schema", "tenants");
    let table = |name| {
        let bytes = Figure::exact(pages.get(name).copied().unwrap_or(0));
        Ok(TableStats { name, rows: Figure::exact(cells.number(name)?), bytes })
    };
    SMALL_TABLES.into_iter().map(table).collect()
}

async fn pages(conn: &mut SqliteConnection, tables: &[&str]) -> Result<HashMap<String, u64>, StoreError> {
    let rows =
        sqlx::query(PAGES).bind(json(tables)).fetch_all(conn).await.map_err(unavailable("measure the tables"))?;
    let read = |row: &sqlx::sqlite::SqliteRow| {
        let cells = Cells::new(row, "dbstat", "name");
        Ok((cells.text("name")?, cells.number("bytes")?))
    };
    rows.iter().map(read).collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sums of counts: never negative, far below 2^53"
)]
fn rounded(value: f64) -> u64 {
    value.round() as u64
}

/// What is left of `whole` for states that no index knows, in the proportion of the sample.
fn shared<const N: usize>(sample: &Sample, whole: u64, states: [&str; N]) -> [u64; N] {
    let seen = states.map(|state| sample.by_state.get(state).copied().unwrap_or(0.0));
    if sample.is_whole {
        return seen.map(rounded);
    }
    let sum: f64 = seen.iter().sum();
    #[expect(clippy::cast_precision_loss, reason = "an estimate, and exact up to 2^53")]
    let mut shares = seen.map(|seen| if sum > 0.0 { rounded(whole as f64 * seen / sum) } else { 0 });
    // The first takes what rounding has left, so that the sum stays exact.
    let others: u64 = shares.iter().skip(1).sum();
    if let Some(first) = shares.first_mut() {
        *first = whole.saturating_sub(others);
    }
    shares
}

fn event_states(sample: &Sample, known: &Cells<'_>, ledger: &LedgerTotals) -> Result<EventCounts, StoreError> {
    let (received, dead): (u64, u64) = (known.number("events_received")?, known.number("events_dead")?);
    let rest = ledger.events.saturating_sub(ledger.events_pruned).saturating_sub(received + dead);
    let [routed, dropped] = shared(sample, rest, ["routed", "dropped"]);
    Ok(EventCounts { received, routed, dropped, dead })
}

fn delivery_states(sample: &Sample, known: &Cells<'_>, ledger: &LedgerTotals) -> Result<DeliveryCounts, StoreError> {
    let (pending, dead): (u64, u64) = (known.number("deliveries_pending")?, known.number("deliveries_dead")?);
    let there = (ledger.deliveries + ledger.replay_deliveries)
        .saturating_sub(ledger.deliveries_pruned + ledger.replay_deliveries_pruned);
    let rest = there.saturating_sub(pending + dead);
    let [delivered, dropped, cancelled] = shared(sample, rest, ["delivered", "dropped", "cancelled"]);
    Ok(DeliveryCounts { pending, delivered, dead, dropped, cancelled })
}
