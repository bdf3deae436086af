//! Reading a store on SQLite table by table, in the order in which its rows were written.

use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments as _, Row as _, SqliteConnection};

use super::batch::{Batch, BatchSize, Place};
use super::table::{Cell, Kind, NAMES, Name, Row};

/// Where reading a table begins, and so what its place consists of.
#[derive(Clone, Copy, Debug)]
enum Begin {
    /// A row number, which begins above 0.
    Number,
    /// A row number and another number.
    TwoNumbers,
    /// A row number and two others.
    ThreeNumbers,
    /// Two texts.
    TwoTexts,
}

impl Begin {
    /// The place before every row.
    fn place(self) -> Vec<Cell> {
        match self {
            Self::Number => vec![Cell::Int(0)],
            Self::TwoNumbers => vec![Cell::Int(0), Cell::Int(i64::MIN)],
            Self::ThreeNumbers => vec![Cell::Int(0), Cell::Int(i64::MIN), Cell::Int(i64::MIN)],
            Self::TwoTexts => vec![Cell::Text(String::new()), Cell::Text(String::new())],
        }
    }
}

/// How each table is read, in the order of [`NAMES`]: the columns of its place, then its own. Binds the place, then how many
/// rows.
const READING: [(Begin, &str); NAMES.len()] = [
    (Begin::Number, STARTS),
    (Begin::Number, TENANTS),
    (Begin::Number, API_KEYS),
    (Begin::Number, DESTINATIONS),
    (Begin::Number, SEALED_SECRETS),
    (Begin::Number, COMPONENTS),
    (Begin::Number, PLUGINS),
    (Begin::Number, PLUGIN_VERSIONS),
    (Begin::Number, PLUGIN_ACTIVATIONS),
    (Begin::TwoTexts, PLUGIN_FILES),
    (Begin::Number, EVENTS),
    (Begin::Number, REPLAYS),
    (Begin::Number, BODIES),
    (Begin::Number, DELIVERIES),
    (Begin::ThreeNumbers, PASSES),
    (Begin::TwoNumbers, ATTEMPTS),
    (Begin::TwoNumbers, RESPONSES),
    (Begin::Number, REPLAYED_EVENTS),
    (Begin::Number, REPLAYED_DELIVERIES),
    (Begin::Number, REPLAYS_OF_DELIVERIES),
    (Begin::Number, DEDUPE),
    (Begin::Number, KV),
    (Begin::Number, KV_USAGE),
    (Begin::TwoNumbers, LEDGER),
];

const STARTS: &str = "\
SELECT number, number, started_at
FROM engine_starts WHERE number > ?1 ORDER BY number LIMIT ?2";

const TENANTS: &str = "\
SELECT seq, id, name, declared, created_at
FROM tenants WHERE seq > ?1 ORDER BY seq LIMIT ?2";

const API_KEYS: &str = "\
SELECT
    seq, id, (SELECT id FROM tenants WHERE seq = api_keys.tenant), name, hash, declared, created_at
FROM api_keys WHERE seq > ?1 ORDER BY seq LIMIT ?2";

const DESTINATIONS: &str = "\
SELECT
    seq, id, (SELECT id FROM tenants WHERE seq = destinations.tenant), name, declared, disabled, status_since, created_at,
    paused
FROM destinations WHERE seq > ?1 ORDER BY seq LIMIT ?2";

const SEALED_SECRETS: &str = "\
SELECT
    seq, (SELECT id FROM destinations WHERE seq = sealed_secrets.destination), name, sealed, created_at
FROM sealed_secrets WHERE seq > ?1 ORDER BY seq LIMIT ?2";

const COMPONENTS: &str = "\
SELECT rowid, digest, bytes
FROM components WHERE rowid > ?1 ORDER BY rowid LIMIT ?2";

const PLUGINS: &str = "\
SELECT
    seq, id, (SELECT id FROM tenants WHERE seq = plugins.tenant), name, mode, active, created_at
FROM plugins WHERE seq > ?1 ORDER BY seq LIMIT ?2";

const PLUGIN_VERSIONS: &str = "\
SELECT
    seq, (SELECT id FROM plugins WHERE seq = plugin_versions.plugin), digest, component_bytes, roles, refusal,
    rolled_back_at, first_seen_at, state
FROM plugin_versions WHERE seq > ?1 ORDER BY seq LIMIT ?2";

const PLUGIN_ACTIVATIONS: &str = "\
SELECT
    seq, (SELECT id FROM plugins WHERE seq = plugin_activations.plugin), digest, previous, by, folder, file, at
FROM plugin_activations WHERE seq > ?1 ORDER BY seq LIMIT ?2";

const PLUGIN_FILES: &str = "\
SELECT
    folder, name, folder, name, (SELECT id FROM plugins WHERE seq = plugin_files.plugin), activated
FROM plugin_files WHERE (folder, name) > (?1, ?2) ORDER BY folder, name LIMIT ?3";

const EVENTS: &str = "\
SELECT
    events.seq, events.id, tenants.id, events.source, events.external_id, events.type, events.content_type,
    events.headers, bodies.bytes, events.received_at, events.state, events.passes, events.planned, events.due_at,
    events.lease_owner, events.ended_at, events.step, events.reason,
    events.ordering_key, events.place
FROM events
CROSS JOIN tenants ON tenants.seq = events.tenant
CROSS JOIN bodies ON bodies.seq = events.body
WHERE events.seq > ?1 ORDER BY events.seq LIMIT ?2";

const REPLAYS: &str = "\
SELECT
    replays.seq, replays.id, tenants.id, events.id, replays.created_at, replays.state, replays.passes, replays.planned,
    replays.due_at, replays.lease_owner, replays.ended_at, replays.step, replays.reason,
    replays.ordering_key, replays.place
FROM replays
CROSS JOIN tenants ON tenants.seq = replays.tenant
CROSS JOIN events ON events.seq = replays.event
WHERE replays.seq > ?1 ORDER BY replays.seq LIMIT ?2";

/// The bodies that passes made, by the first delivery that sends each.
const BODIES: &str = "\
SELECT deliveries.seq, deliveries.id, bodies.bytes
FROM deliveries
CROSS JOIN events ON events.seq = deliveries.event
CROSS JOIN bodies ON bodies.seq = deliveries.body
WHERE deliveries.seq > ?1 AND deliveries.body <> events.body AND deliveries.seq = (
    SELECT first.seq FROM deliveries AS first
    WHERE first.event = deliveries.event AND first.body = deliveries.body
    ORDER BY first.seq LIMIT 1
)
ORDER BY deliveries.seq LIMIT ?2";

const DELIVERIES: &str = "\
SELECT
    deliveries.seq, deliveries.id, tenants.id, events.id, (SELECT id FROM replays WHERE seq = deliveries.replay),
    deliveries.pass, deliveries.output, destinations.id,
    CASE WHEN deliveries.body <> events.body THEN (
        SELECT first.id FROM deliveries AS first
        WHERE first.event = deliveries.event AND first.body = deliveries.body
        ORDER BY first.seq LIMIT 1
    ) END,
    deliveries.request, deliveries.planned_at, deliveries.ends_at, deliveries.state, deliveries.attempts,
    deliveries.due_at, deliveries.lease_owner, deliveries.ended_at, deliveries.reason,
    deliveries.ordering_key, deliveries.place
FROM deliveries
CROSS JOIN tenants ON tenants.seq = deliveries.tenant
CROSS JOIN events ON events.seq = deliveries.event
CROSS JOIN destinations ON destinations.seq = deliveries.destination
WHERE deliveries.seq > ?1 ORDER BY deliveries.seq LIMIT ?2";

const PASSES: &str = "\
SELECT
    passes.event, passes.replay, passes.number, events.id, coalesce(replays.id, zeroblob(16)), passes.number,
    passes.started_at, passes.ended_at, passes.result, passes.planned, passes.trace
FROM passes
CROSS JOIN events ON events.seq = passes.event
LEFT JOIN replays ON replays.seq = passes.replay
WHERE (passes.event, passes.replay, passes.number) > (?1, ?2, ?3)
ORDER BY passes.event, passes.replay, passes.number LIMIT ?4";

const ATTEMPTS: &str = "\
SELECT
    attempts.delivery, attempts.number, deliveries.id, attempts.number, attempts.started_at, attempts.took_us,
    attempts.outcome, attempts.status, attempts.retry_after_ms, attempts.detail
FROM attempts
CROSS JOIN deliveries ON deliveries.seq = attempts.delivery
WHERE (attempts.delivery, attempts.number) > (?1, ?2)
ORDER BY attempts.delivery, attempts.number LIMIT ?3";

const RESPONSES: &str = "\
SELECT responses.delivery, responses.number, deliveries.id, responses.number, responses.headers, responses.body
FROM responses
CROSS JOIN deliveries ON deliveries.seq = responses.delivery
WHERE (responses.delivery, responses.number) > (?1, ?2)
ORDER BY responses.delivery, responses.number LIMIT ?3";

const REPLAYED_EVENTS: &str = "\
SELECT events.seq, events.id, replays.id
FROM events
CROSS JOIN replays ON replays.seq = events.replayed_by
WHERE events.seq > ?1 AND events.state = 'dead' ORDER BY events.seq LIMIT ?2";

const REPLAYED_DELIVERIES: &str = "\
SELECT deliveries.seq, deliveries.id, replays.id
FROM deliveries
CROSS JOIN replays ON replays.seq = deliveries.replayed_by
WHERE deliveries.seq > ?1 AND deliveries.state = 'dead' ORDER BY deliveries.seq LIMIT ?2";

const REPLAYS_OF_DELIVERIES: &str = "\
SELECT replays.seq, replays.id, deliveries.id
FROM replays
CROSS JOIN deliveries ON deliveries.seq = replays.delivery
WHERE replays.seq > ?1 ORDER BY replays.seq LIMIT ?2";

const DEDUPE: &str = "\
SELECT dedupe.seq, tenants.id, dedupe.source, dedupe.key, dedupe.body_digest, dedupe.event_id, dedupe.expires_at
FROM dedupe
CROSS JOIN tenants ON tenants.seq = dedupe.tenant
WHERE dedupe.seq > ?1 ORDER BY dedupe.seq LIMIT ?2";

const KV: &str = "\
SELECT kv.seq, tenants.id, kv.plugin, kv.key, kv.value, kv.expires_at
FROM kv
CROSS JOIN tenants ON tenants.seq = kv.tenant
WHERE kv.seq > ?1 ORDER BY kv.seq LIMIT ?2";

const KV_USAGE: &str = "\
SELECT kv_usage.seq, tenants.id, kv_usage.plugin, kv_usage.entries, kv_usage.bytes
FROM kv_usage
CROSS JOIN tenants ON tenants.seq = kv_usage.tenant
WHERE kv_usage.seq > ?1 ORDER BY kv_usage.seq LIMIT ?2";

const LEDGER: &str = "\
SELECT
    ledger.tenant, ledger.day, tenants.id, ledger.day, ledger.events, ledger.deliveries, ledger.replays,
    ledger.replay_deliveries, ledger.events_routed_pruned, ledger.events_dropped_pruned, ledger.events_dead_pruned,
    ledger.deliveries_delivered_pruned, ledger.deliveries_dead_pruned, ledger.deliveries_dropped_pruned,
    ledger.deliveries_cancelled_pruned, ledger.replays_pruned, ledger.replay_deliveries_pruned
FROM ledger
CROSS JOIN tenants ON tenants.seq = ledger.tenant
WHERE (ledger.tenant, ledger.day) > (?1, ?2)
ORDER BY ledger.tenant, ledger.day LIMIT ?3";

/// How many rows all tables have together, about: pairs are not counted.
const ROWS: &str = "\
SELECT
    (SELECT count(*) FROM events) + (SELECT count(*) FROM replays) + (SELECT count(*) FROM deliveries)
    + (SELECT count(*) FROM passes) + (SELECT count(*) FROM attempts) + (SELECT count(*) FROM responses)
    + (SELECT count(*) FROM dedupe) + (SELECT count(*) FROM kv) + (SELECT count(*) FROM ledger) + (SELECT count(*) FROM engine_starts)";

/// The last start of an engine: who has it has everything that was done before.
const LAST_START: &str = "\
SELECT number || ' at ' || started_at FROM engine_starts ORDER BY number DESC LIMIT 1";

/// About how many rows there are.
pub(super) async fn rows(conn: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
    let rows: i64 = sqlx::query(ROWS).fetch_one(conn).await?.try_get(0)?;
    Ok(u64::try_from(rows).unwrap_or(0))
}

/// The last start of an engine, in words; none if there was none.
pub(super) async fn last_start(conn: &mut SqliteConnection) -> Result<Option<String>, sqlx::Error> {
    let row = sqlx::query(LAST_START).fetch_optional(conn).await?;
    row.map(|row| row.try_get(0)).transpose()
}

/// Reads the rows of a table that follow `after`.
pub(super) async fn batch(
    conn: &mut SqliteConnection,
    name: Name,
    after: Option<&Place>,
    size: &mut BatchSize,
) -> Result<Batch, sqlx::Error> {
    let (begin, statement) = READING[name as usize];
    let begin = begin.place();
    let place = after.map_or(&begin, |place| &place.0);
    let mut values = SqliteArguments::default();
    for cell in place {
        bind(&mut values, cell).map_err(sqlx::Error::Encode)?;
    }
    values.add(size.rows()).map_err(sqlx::Error::Encode)?;
    let rows = sqlx::query_with(statement, values).fetch_all(conn).await?;
    let mut batch = Batch { is_last: (rows.len() as u64) < u64::from(size.rows()), ..Batch::default() };
    let columns = name.table().columns;
    if let Some(last) = rows.last() {
        let place = begin.iter().enumerate().map(|(at, begin)| place_cell(last, at, begin));
        batch.place = Some(Place(place.collect::<Result<_, _>>()?));
    }
    for row in &rows {
        batch.rows.push(neutral(row, begin.len(), columns)?);
    }
    size.learn(&batch);
    Ok(batch)
}

fn neutral(row: &SqliteRow, first: usize, columns: &[Kind]) -> Result<Row, sqlx::Error> {
    columns.iter().enumerate().map(|(at, kind)| cell(row, first + at, *kind)).collect()
}

fn cell(row: &SqliteRow, at: usize, kind: Kind) -> Result<Cell, sqlx::Error> {
    let cell = match kind {
        Kind::Int => row.try_get::<Option<i64>, _>(at)?.map(Cell::Int),
        Kind::Text => row.try_get::<Option<String>, _>(at)?.map(Cell::Text),
        Kind::Bytes => row.try_get::<Option<Vec<u8>>, _>(at)?.map(Cell::Bytes),
        Kind::Id => match row.try_get::<Option<&[u8]>, _>(at)? {
            Some(bytes) => Some(Cell::Id(bytes.try_into().map_err(|error| sqlx::Error::Decode(Box::new(error)))?)),
            None => None,
        },
    };
    Ok(cell.unwrap_or(Cell::Empty))
}

/// A column of the place, of the kind that its beginning has.
fn place_cell(row: &SqliteRow, at: usize, begin: &Cell) -> Result<Cell, sqlx::Error> {
    match begin {
        Cell::Text(_) => cell(row, at, Kind::Text),
        Cell::Int(_) | Cell::Id(_) | Cell::Bytes(_) | Cell::Empty => cell(row, at, Kind::Int),
    }
}

/// Gives a statement its next value.
pub(super) fn bind(values: &mut SqliteArguments, cell: &Cell) -> Result<(), sqlx::error::BoxDynError> {
    match cell {
        Cell::Empty => values.add(None::<i64>),
        Cell::Id(id) => values.add(id.to_vec()),
        Cell::Int(number) => values.add(*number),
        Cell::Text(text) => values.add(text.clone()),
        Cell::Bytes(bytes) => values.add(bytes.clone()),
    }
}
