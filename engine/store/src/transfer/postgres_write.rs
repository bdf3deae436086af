//! Writing a store on Postgres table by table, a batch in one statement.

use sqlx::postgres::PgArguments;
use sqlx::{Arguments as _, PgConnection};
use uuid::Uuid;

use super::table::{Cell, Kind, NAMES, Name, Row};

/// The table that lives as long as a move: how far it is.
pub(super) const MAKE_MARKS: &str = "CREATE TABLE store_move (name text PRIMARY KEY, place text NOT NULL)";

pub(super) const REMOVE_MARKS: &str = "DROP TABLE store_move";

/// How each table is written, in the order of [`NAMES`]. Binds an array for each column.
const WRITING: [&str; NAMES.len()] = [
    ENGINE_STARTS,
    TENANTS,
    API_KEYS,
    DESTINATIONS,
    SEALED_SECRETS,
    COMPONENTS,
    PLUGINS,
    PLUGIN_VERSIONS,
    PLUGIN_ACTIVATIONS,
    PLUGIN_FILES,
    EVENTS,
    REPLAYS,
    BODIES,
    DELIVERIES,
    PASSES,
    ATTEMPTS,
    RESPONSES,
    REPLAYED_EVENTS,
    REPLAYED_DELIVERIES,
    REPLAYS_OF_DELIVERIES,
    DEDUPE,
    KV,
    KV_USAGE,
    LEDGER,
];

const ENGINE_STARTS: &str = "\
INSERT INTO engine_starts (number, node, started_at, alive_until)
OVERRIDING SYSTEM VALUE
SELECT c0, 'moved', c1, 0
FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS u (c0, c1, place)
ORDER BY place";

const TENANTS: &str = "\
INSERT INTO tenants (id, name, declared, created_at)
SELECT c0, c1, c2 <> 0, c3
FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[]) WITH ORDINALITY AS u (c0, c1, c2, c3, place)
ORDER BY place";

const API_KEYS: &str = "\
INSERT INTO api_keys (id, tenant, name, hash, declared, created_at)
SELECT c0, (SELECT seq FROM tenants WHERE id = c1), c2, c3, c4 <> 0, c5
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bytea[], $5::bigint[], $6::bigint[]) WITH ORDINALITY AS u (c0,
    c1, c2, c3, c4, c5, place)
ORDER BY place";

const DESTINATIONS: &str = "\
INSERT INTO destinations (id, tenant, name, declared, disabled, status_since, created_at, paused)
SELECT c0, (SELECT seq FROM tenants WHERE id = c1), c2, c3 <> 0, c4, c5, c6, c7 <> 0
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[]) WITH
    ORDINALITY AS u (c0, c1, c2, c3, c4, c5, c6, c7, place)
ORDER BY place";

const SEALED_SECRETS: &str = "\
INSERT INTO sealed_secrets (destination, name, sealed, created_at)
SELECT (SELECT seq FROM destinations WHERE id = c0), c1, c2, c3
FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::bigint[]) WITH ORDINALITY AS u (c0, c1, c2, c3, place)
ORDER BY place";

const COMPONENTS: &str = "\
INSERT INTO components (digest, bytes)
SELECT c0, c1
FROM unnest($1::bytea[], $2::bytea[]) WITH ORDINALITY AS u (c0, c1, place)
ORDER BY place";

const PLUGINS: &str = "\
INSERT INTO plugins (id, tenant, name, mode, active, created_at)
SELECT c0, (SELECT seq FROM tenants WHERE id = c1), c2, c3, c4, c5
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bytea[], $6::bigint[]) WITH ORDINALITY AS u (c0, c1,
    c2, c3, c4, c5, place)
ORDER BY place";

const PLUGIN_VERSIONS: &str = "\
INSERT INTO plugin_versions (plugin, digest, component_bytes, roles, refusal, rolled_back_at, first_seen_at, state)
SELECT (SELECT seq FROM plugins WHERE id = c0), c1, c2, c3, c4, c5, c6, c7
FROM unnest($1::uuid[], $2::bytea[], $3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::text[])
    WITH ORDINALITY AS u (c0, c1, c2, c3, c4, c5, c6, c7, place)
ORDER BY place";

const PLUGIN_ACTIVATIONS: &str = "\
INSERT INTO plugin_activations (plugin, digest, previous, by, folder, file, at)
SELECT (SELECT seq FROM plugins WHERE id = c0), c1, c2, c3, c4, c5, c6
FROM unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::text[], $5::text[], $6::text[], $7::bigint[]) WITH ORDINALITY
    AS u (c0, c1, c2, c3, c4, c5, c6, place)
ORDER BY place";

const PLUGIN_FILES: &str = "\
INSERT INTO plugin_files (folder, name, plugin, activated)
SELECT c0, c1, (SELECT seq FROM plugins WHERE id = c2), c3
FROM unnest($1::text[], $2::text[], $3::uuid[], $4::bytea[]) WITH ORDINALITY AS u (c0, c1, c2, c3, place)
ORDER BY place";

const EVENTS: &str = "\
INSERT INTO events (id, tenant, source, external_id, type, content_type, headers, body, received_at, state, passes,
    planned, due_at, lease_owner, ended_at, step, reason, ordering_key, place)
SELECT c0, (SELECT seq FROM tenants WHERE id = c1), c2, c3, c4, c5, c6, c7, c8, c9, c10::integer, c11::integer, c12,
    c13, c14, c15, c16, c17, c18
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bytea[],
    $9::bigint[], $10::text[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[],
    $16::text[], $17::text[], $18::text[], $19::bigint[]) WITH ORDINALITY AS u (c0, c1, c2, c3, c4, c5, c6, c7, c8, c9,
    c10, c11, c12, c13, c14, c15, c16, c17, c18, place)
ORDER BY place";

const REPLAYS: &str = "\
INSERT INTO replays (id, tenant, event, created_at, state, passes, planned, due_at, lease_owner, ended_at, step,
    reason, ordering_key, place)
SELECT c0, (SELECT seq FROM tenants WHERE id = c1), c2, c3, c4, c5::integer, c6::integer, c7, c8, c9, c10, c11,
    c12, c13
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[],
    $9::bigint[], $10::bigint[], $11::text[], $12::text[], $13::text[], $14::bigint[]) WITH ORDINALITY AS u (c0, c1,
    c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, place)
ORDER BY place";

const BODIES: &str = "\
INSERT INTO bodies (id, bytes)
SELECT c0, c1
FROM unnest($1::uuid[], $2::bytea[]) WITH ORDINALITY AS u (c0, c1, place)
ORDER BY place";

const DELIVERIES: &str = "\
INSERT INTO deliveries (id, tenant, event, replay, pass, output, destination, body, request, planned_at, ends_at,
    state, attempts, due_at, lease_owner, ended_at, reason, ordering_key, place)
SELECT c0, (SELECT seq FROM tenants WHERE id = c1), c2, c3, c4::integer, c5::integer, (SELECT seq FROM destinations
    WHERE id = c6), c7, c8, c9, c10, c11, c12::integer, c13, c14, c15, c16, c17, c18
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::bigint[], $6::bigint[], $7::uuid[], $8::uuid[],
    $9::text[], $10::bigint[], $11::bigint[], $12::text[], $13::bigint[], $14::bigint[], $15::bigint[],
    $16::bigint[], $17::text[], $18::text[], $19::bigint[]) WITH ORDINALITY AS u (c0, c1, c2, c3, c4, c5, c6, c7, c8,
    c9, c10, c11, c12, c13, c14, c15, c16, c17, c18, place)
ORDER BY place";

const PASSES: &str = "\
INSERT INTO passes (event, replay, number, started_at, ended_at, result, planned, trace)
SELECT c0, c1, c2::integer, c3, c4, c5, c6::integer, c7
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::bigint[], $8::text[])
    WITH ORDINALITY AS u (c0, c1, c2, c3, c4, c5, c6, c7, place)
ORDER BY place";

const ATTEMPTS: &str = "\
INSERT INTO attempts (delivery, number, started_at, took_us, outcome, status, retry_after_ms, detail)
SELECT c0, c1::integer, c2, c3, c4, c5::integer, c6, c7
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[], $7::bigint[],
    $8::text[]) WITH ORDINALITY AS u (c0, c1, c2, c3, c4, c5, c6, c7, place)
ORDER BY place";

const RESPONSES: &str = "\
INSERT INTO responses (delivery, number, headers, body)
SELECT c0, c1::integer, c2, c3
FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::bytea[]) WITH ORDINALITY AS u (c0, c1, c2, c3, place)
ORDER BY place";

const REPLAYED_EVENTS: &str = "\
UPDATE events
SET replayed_by = u.c1
FROM unnest($1::uuid[], $2::uuid[]) AS u (c0, c1)
WHERE events.id = u.c0";

const REPLAYED_DELIVERIES: &str = "\
UPDATE deliveries
SET replayed_by = u.c1
FROM unnest($1::uuid[], $2::uuid[]) AS u (c0, c1)
WHERE deliveries.id = u.c0";

const REPLAYS_OF_DELIVERIES: &str = "\
UPDATE replays
SET delivery = u.c1
FROM unnest($1::uuid[], $2::uuid[]) AS u (c0, c1)
WHERE replays.id = u.c0";

const DEDUPE: &str = "\
INSERT INTO dedupe (tenant, source, key, body_digest, event_id, expires_at)
SELECT (SELECT seq FROM tenants WHERE id = c0), c1, c2, c3, c4, c5
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[], $5::uuid[], $6::bigint[]) WITH ORDINALITY AS u (c0, c1,
    c2, c3, c4, c5, place)
ORDER BY place";

const KV: &str = "\
INSERT INTO kv (tenant, plugin, key, value, expires_at)
SELECT (SELECT seq FROM tenants WHERE id = c0), c1, c2, c3, c4
FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::bytea[], $5::bigint[]) WITH ORDINALITY AS u (c0, c1, c2, c3, c4,
    place)
ORDER BY place";

const KV_USAGE: &str = "\
INSERT INTO kv_usage (tenant, plugin, entries, bytes)
SELECT (SELECT seq FROM tenants WHERE id = c0), c1, c2, c3
FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[]) WITH ORDINALITY AS u (c0, c1, c2, c3, place)
ORDER BY place";

const LEDGER: &str = "\
INSERT INTO ledger (tenant, day, shard, events, deliveries, replays, replay_deliveries, events_routed_pruned,
    events_dropped_pruned, events_dead_pruned, deliveries_delivered_pruned, deliveries_dead_pruned,
    deliveries_dropped_pruned, deliveries_cancelled_pruned, replays_pruned, replay_deliveries_pruned)
SELECT (SELECT seq FROM tenants WHERE id = c0), c1, 0, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
    $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[],
    $15::bigint[]) WITH ORDINALITY AS u (c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14, place)
ORDER BY place";

/// The next start of an engine is counted on from those that were moved, and the next place in a lane from those that wait in one.
pub(super) const COUNT_ON: &str = "\
SELECT setval(pg_get_serial_sequence('engine_starts', 'number'), max(number)) FROM engine_starts HAVING max(number) > 0;
SELECT setval('lane_places', last.place)
FROM (
    SELECT greatest(
        (SELECT max(place) FROM events WHERE ordering_key IS NOT NULL AND state = 'received'),
        (SELECT max(place) FROM replays WHERE ordering_key IS NOT NULL AND state = 'received'),
        (SELECT max(place) FROM deliveries WHERE ordering_key IS NOT NULL AND state = 'pending')
    ) AS place
) AS last
WHERE last.place > 0";

/// Writes rows, in the transaction that `conn` is in.
pub(super) async fn write(conn: &mut PgConnection, name: Name, rows: &[Row]) -> Result<(), sqlx::Error> {
    let mut values = PgArguments::default();
    for (at, kind) in name.table().columns.iter().enumerate() {
        let cells = rows.iter().map(|row| row.get(at).unwrap_or(&Cell::Empty));
        bind(&mut values, *kind, cells).map_err(sqlx::Error::Encode)?;
    }
    sqlx::query_with(WRITING[name as usize], values).execute(conn).await.map(drop)
}

/// Gives a statement a column of all rows.
fn bind<'a>(
    values: &mut PgArguments,
    kind: Kind,
    cells: impl Iterator<Item = &'a Cell>,
) -> Result<(), sqlx::error::BoxDynError> {
    match kind {
        Kind::Id => values.add(cells.map(id).collect::<Vec<_>>()),
        Kind::Int => values.add(cells.map(int).collect::<Vec<_>>()),
        Kind::Text => values.add(cells.map(text).collect::<Vec<_>>()),
        Kind::Bytes => values.add(cells.map(bytes).collect::<Vec<_>>()),
    }
}

fn id(cell: &Cell) -> Option<Uuid> {
    if let Cell::Id(id) = cell { Some(Uuid::from_bytes(*id)) } else { None }
}

fn int(cell: &Cell) -> Option<i64> {
    if let Cell::Int(number) = cell { Some(*number) } else { None }
}

fn text(cell: &Cell) -> Option<&str> {
    if let Cell::Text(text) = cell { Some(text) } else { None }
}

fn bytes(cell: &Cell) -> Option<&[u8]> {
    if let Cell::Bytes(bytes) = cell { Some(bytes) } else { None }
}
