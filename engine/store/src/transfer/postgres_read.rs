//! Reading a store on Postgres table by table, in the order of its keys.

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{Arguments as _, PgConnection, Row as _};
use uuid::Uuid;

use super::batch::{Batch, BatchSize, Place};
use super::table::{Cell, Kind, NAMES, Name, Row};

/// Where reading a table begins, and so what its place consists of.
#[derive(Clone, Copy, Debug)]
enum Begin {
    /// A row number, which begins above 0.
    Number,
    TwoNumbers,
    TwoNumbersAndTexts,
    TwoTexts,
    Digest,
    /// An id, which is never zero.
    Id,
    IdAndNumber,
    TwoIdsAndNumber,
}

impl Begin {
    /// The place before every row.
    fn place(self) -> Vec<Cell> {
        let (least, nothing, nobody) = (Cell::Int(i32::MIN.into()), Cell::Text(String::new()), Cell::Id([0; 16]));
        match self {
            Self::Number => vec![Cell::Int(0)],
            Self::TwoNumbers => vec![Cell::Int(0), least],
            Self::TwoNumbersAndTexts => vec![Cell::Int(i64::MIN), Cell::Int(0), nothing.clone(), nothing],
            Self::TwoTexts => vec![nothing.clone(), nothing],
            Self::Digest => vec![Cell::Bytes(Vec::new())],
            Self::Id => vec![nobody],
            Self::IdAndNumber => vec![nobody, least],
            Self::TwoIdsAndNumber => vec![nobody.clone(), nobody, least],
        }
    }
}

/// How each table is read, in the order of [`NAMES`]: the columns of its place, then its own. Binds the place, then how many
/// rows.
const READING: [(Begin, &str); NAMES.len()] = [
    (Begin::Number, ENGINE_STARTS),
    (Begin::Number, TENANTS),
    (Begin::Number, API_KEYS),
    (Begin::Number, DESTINATIONS),
    (Begin::Number, SEALED_SECRETS),
    (Begin::Digest, COMPONENTS),
    (Begin::Number, PLUGINS),
    (Begin::Number, PLUGIN_VERSIONS),
    (Begin::Number, PLUGIN_ACTIVATIONS),
    (Begin::TwoTexts, PLUGIN_FILES),
    (Begin::Id, EVENTS),
    (Begin::Id, REPLAYS),
    (Begin::Id, BODIES),
    (Begin::Id, DELIVERIES),
    (Begin::TwoIdsAndNumber, PASSES),
    (Begin::IdAndNumber, ATTEMPTS),
    (Begin::IdAndNumber, RESPONSES),
    (Begin::Id, REPLAYED_EVENTS),
    (Begin::Id, REPLAYED_DELIVERIES),
    (Begin::Id, REPLAYS_OF_DELIVERIES),
    (Begin::TwoNumbersAndTexts, DEDUPE),
    (Begin::Number, KV),
    (Begin::Number, KV_USAGE),
    (Begin::TwoNumbers, LEDGER),
];

const ENGINE_STARTS: &str = "\
SELECT number, number, started_at
FROM engine_starts WHERE number > $1 ORDER BY number LIMIT $2";

const TENANTS: &str = "\
SELECT seq, id, name, declared::integer, created_at
FROM tenants WHERE seq > $1 ORDER BY seq LIMIT $2";

const API_KEYS: &str = "\
SELECT
    seq, id, (SELECT id FROM tenants WHERE seq = api_keys.tenant), name, hash, declared::integer, created_at
FROM api_keys WHERE seq > $1 ORDER BY seq LIMIT $2";

const DESTINATIONS: &str = "\
SELECT
    seq, id, (SELECT id FROM tenants WHERE seq = destinations.tenant), name, declared::integer, disabled, status_since,
    created_at, paused::integer
FROM destinations WHERE seq > $1 ORDER BY seq LIMIT $2";

const SEALED_SECRETS: &str = "\
SELECT
    seq, (SELECT id FROM destinations WHERE seq = sealed_secrets.destination), name, sealed, created_at
FROM sealed_secrets WHERE seq > $1 ORDER BY seq LIMIT $2";

const COMPONENTS: &str = "\
SELECT digest, digest, bytes
FROM components WHERE digest > $1 ORDER BY digest LIMIT $2";

const PLUGINS: &str = "\
SELECT
    seq, id, (SELECT id FROM tenants WHERE seq = plugins.tenant), name, mode, active, created_at
FROM plugins WHERE seq > $1 ORDER BY seq LIMIT $2";

const PLUGIN_VERSIONS: &str = "\
SELECT
    seq, (SELECT id FROM plugins WHERE seq = plugin_versions.plugin), digest, component_bytes, roles, refusal,
    rolled_back_at, first_seen_at, state
FROM plugin_versions WHERE seq > $1 ORDER BY seq LIMIT $2";

const PLUGIN_ACTIVATIONS: &str = "\
SELECT
    seq, (SELECT id FROM plugins WHERE seq = plugin_activations.plugin), digest, previous, by, folder, file, at
FROM plugin_activations WHERE seq > $1 ORDER BY seq LIMIT $2";

const PLUGIN_FILES: &str = "\
SELECT
    folder, name, folder, name, (SELECT id FROM plugins WHERE seq = plugin_files.plugin), activated
FROM plugin_files WHERE (folder, name) > ($1, $2) ORDER BY folder, name LIMIT $3";

const EVENTS: &str = "\
SELECT
    events.id, events.id, tenants.id, events.source, events.external_id, events.type, events.content_type,
    events.headers, events.body, events.received_at, events.state, events.passes, events.planned, events.due_at,
    events.lease_owner, events.ended_at, events.step, events.reason,
    events.ordering_key, events.place
FROM events
JOIN tenants ON tenants.seq = events.tenant
WHERE events.id > $1 ORDER BY events.id LIMIT $2";

const REPLAYS: &str = "\
SELECT
    replays.id, replays.id, tenants.id, replays.event, replays.created_at, replays.state, replays.passes,
    replays.planned, replays.due_at, replays.lease_owner, replays.ended_at, replays.step, replays.reason,
    replays.ordering_key, replays.place
FROM replays
JOIN tenants ON tenants.seq = replays.tenant
WHERE replays.id > $1 ORDER BY replays.id LIMIT $2";

const BODIES: &str = "\
SELECT id, id, bytes
FROM bodies WHERE id > $1 ORDER BY id LIMIT $2";

const DELIVERIES: &str = "\
SELECT
    deliveries.id, deliveries.id, tenants.id, deliveries.event, deliveries.replay, deliveries.pass, deliveries.output,
    destinations.id, deliveries.body, deliveries.request, deliveries.planned_at, deliveries.ends_at, deliveries.state,
    deliveries.attempts, deliveries.due_at, deliveries.lease_owner, deliveries.ended_at, deliveries.reason,
    deliveries.ordering_key, deliveries.place
FROM deliveries
JOIN tenants ON tenants.seq = deliveries.tenant
JOIN destinations ON destinations.seq = deliveries.destination
WHERE deliveries.id > $1 ORDER BY deliveries.id LIMIT $2";

const PASSES: &str = "\
SELECT
    event, replay, number, event, replay, number, started_at, ended_at, result, planned, trace
FROM passes WHERE (event, replay, number) > ($1, $2, $3) ORDER BY event, replay, number LIMIT $4";

const ATTEMPTS: &str = "\
SELECT
    delivery, number, delivery, number, started_at, took_us, outcome, status, retry_after_ms, detail
FROM attempts WHERE (delivery, number) > ($1, $2) ORDER BY delivery, number LIMIT $3";

const RESPONSES: &str = "\
SELECT delivery, number, delivery, number, headers, body
FROM responses WHERE (delivery, number) > ($1, $2) ORDER BY delivery, number LIMIT $3";

const REPLAYED_EVENTS: &str = "\
SELECT id, id, replayed_by
FROM events WHERE id > $1 AND state = 'dead' AND replayed_by IS NOT NULL ORDER BY id LIMIT $2";

const REPLAYED_DELIVERIES: &str = "\
SELECT id, id, replayed_by
FROM deliveries WHERE id > $1 AND state = 'dead' AND replayed_by IS NOT NULL ORDER BY id LIMIT $2";

const REPLAYS_OF_DELIVERIES: &str = "\
SELECT id, id, delivery
FROM replays WHERE id > $1 AND delivery IS NOT NULL ORDER BY id LIMIT $2";

const DEDUPE: &str = "\
SELECT
    dedupe.expires_at, dedupe.tenant, dedupe.source, dedupe.key, tenants.id, dedupe.source, dedupe.key,
    dedupe.body_digest, dedupe.event_id, dedupe.expires_at
FROM dedupe
JOIN tenants ON tenants.seq = dedupe.tenant
WHERE (dedupe.expires_at, dedupe.tenant, dedupe.source, dedupe.key) > ($1, $2, $3, $4)
ORDER BY dedupe.expires_at, dedupe.tenant, dedupe.source, dedupe.key LIMIT $5";

const KV: &str = "\
SELECT kv.seq, tenants.id, kv.plugin, kv.key, kv.value, kv.expires_at
FROM kv
JOIN tenants ON tenants.seq = kv.tenant
WHERE kv.seq > $1 ORDER BY kv.seq LIMIT $2";

const KV_USAGE: &str = "\
SELECT kv_usage.seq, tenants.id, kv_usage.plugin, kv_usage.entries, kv_usage.bytes
FROM kv_usage
JOIN tenants ON tenants.seq = kv_usage.tenant
WHERE kv_usage.seq > $1 ORDER BY kv_usage.seq LIMIT $2";

const LEDGER: &str = "\
SELECT
    ledger.tenant, ledger.day, tenants.id, ledger.day,
    sum(ledger.events)::bigint,
    sum(ledger.deliveries)::bigint,
    sum(ledger.replays)::bigint,
    sum(ledger.replay_deliveries)::bigint,
    sum(ledger.events_routed_pruned)::bigint,
    sum(ledger.events_dropped_pruned)::bigint,
    sum(ledger.events_dead_pruned)::bigint,
    sum(ledger.deliveries_delivered_pruned)::bigint,
    sum(ledger.deliveries_dead_pruned)::bigint,
    sum(ledger.deliveries_dropped_pruned)::bigint,
    sum(ledger.deliveries_cancelled_pruned)::bigint,
    sum(ledger.replays_pruned)::bigint,
    sum(ledger.replay_deliveries_pruned)::bigint
FROM ledger
JOIN tenants ON tenants.seq = ledger.tenant
WHERE (ledger.tenant, ledger.day) > ($1, $2)
GROUP BY ledger.tenant, ledger.day, tenants.id ORDER BY ledger.tenant, ledger.day LIMIT $3";

/// How many rows all tables have together, about: pairs are not counted.
const ROWS: &str = "\
SELECT
    (SELECT count(*) FROM events) + (SELECT count(*) FROM replays) + (SELECT count(*) FROM deliveries)
    + (SELECT count(*) FROM passes) + (SELECT count(*) FROM attempts) + (SELECT count(*) FROM responses)
    + (SELECT count(*) FROM dedupe) + (SELECT count(*) FROM kv) + (SELECT count(*) FROM ledger) + (SELECT count(*) FROM engine_starts)";

/// The last start of an engine: who has it has everything that was done before.
const LAST_START: &str = "\
SELECT number::text || ' at ' || started_at::text FROM engine_starts ORDER BY number DESC LIMIT 1";

/// About how many rows there are.
pub(super) async fn rows(conn: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let rows: i64 = sqlx::query(ROWS).fetch_one(conn).await?.try_get(0)?;
    Ok(u64::try_from(rows).unwrap_or(0))
}

/// The last start of an engine, in words; none if there was none.
pub(super) async fn last_start(conn: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    let row = sqlx::query(LAST_START).fetch_optional(conn).await?;
    row.map(|row| row.try_get(0)).transpose()
}

/// Reads the rows of a table that follow `after`.
pub(super) async fn batch(
    conn: &mut PgConnection,
    name: Name,
    after: Option<&Place>,
    size: &mut BatchSize,
) -> Result<Batch, sqlx::Error> {
    let (begin, statement) = READING[name as usize];
    let begin = begin.place();
    let place = after.map_or(&begin, |place| &place.0);
    let mut values = PgArguments::default();
    for cell in place {
        bind(&mut values, cell).map_err(sqlx::Error::Encode)?;
    }
    values.add(i64::from(size.rows())).map_err(sqlx::Error::Encode)?;
    let rows = sqlx::query_with(statement, values).fetch_all(conn).await?;
    let mut batch = Batch { is_last: (rows.len() as u64) < u64::from(size.rows()), ..Batch::default() };
    if let Some(last) = rows.last() {
        let place = begin.iter().enumerate().map(|(at, begin)| cell(last, at, kind(begin)));
        batch.place = Some(Place(place.collect::<Result<_, _>>()?));
    }
    for row in &rows {
        batch.rows.push(neutral(row, begin.len(), name.table().columns)?);
    }
    size.learn(&batch);
    Ok(batch)
}

fn neutral(row: &PgRow, first: usize, columns: &[Kind]) -> Result<Row, sqlx::Error> {
    columns.iter().enumerate().map(|(at, kind)| cell(row, first + at, *kind)).collect()
}

fn cell(row: &PgRow, at: usize, kind: Kind) -> Result<Cell, sqlx::Error> {
    let cell = match kind {
        // A number of two or four bytes is read as well.
        Kind::Int => row.try_get_unchecked::<Option<i64>, _>(at)?.map(Cell::Int),
        Kind::Text => row.try_get::<Option<String>, _>(at)?.map(Cell::Text),
        Kind::Bytes => row.try_get::<Option<Vec<u8>>, _>(at)?.map(Cell::Bytes),
        Kind::Id => row.try_get::<Option<Uuid>, _>(at)?.map(|id| Cell::Id(id.into_bytes())),
    };
    Ok(cell.unwrap_or(Cell::Empty))
}

/// The kind of a column of the place.
const fn kind(begin: &Cell) -> Kind {
    match begin {
        Cell::Id(_) => Kind::Id,
        Cell::Int(_) | Cell::Empty => Kind::Int,
        Cell::Text(_) => Kind::Text,
        Cell::Bytes(_) => Kind::Bytes,
    }
}

/// Gives a statement its next value.
fn bind(values: &mut PgArguments, cell: &Cell) -> Result<(), sqlx::error::BoxDynError> {
    match cell {
        Cell::Empty => values.add(None::<i64>),
        Cell::Id(id) => values.add(Uuid::from_bytes(*id)),
        Cell::Int(number) => values.add(*number),
        Cell::Text(text) => values.add(text.clone()),
        Cell::Bytes(bytes) => values.add(bytes.clone()),
    }
}
