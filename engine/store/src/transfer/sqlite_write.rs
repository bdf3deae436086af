//! Writing a store on SQLite table by table: ids become row numbers again.
//!
//! Rows are numbered in the order in which they come. Bodies get their numbers here: that of an event in its own batch, that of
//! a pass before the deliveries that send it, by a table of names that lives as long as the move.

use sqlx::{Row as _, SqliteConnection};

use super::table::{Cell, NAMES, Name, Row};
use crate::sqlite::statements::{Hex, InsertRows, Table, Values};

/// Two tables that live as long as a move: how far it is, and the bodies by their names.
pub(super) const MAKE_MARKS: &str = "\
CREATE TABLE store_move (name TEXT PRIMARY KEY, place TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE store_move_bodies (name BLOB PRIMARY KEY, body INTEGER NOT NULL) STRICT, WITHOUT ROWID";

pub(super) const REMOVE_MARKS: &str = "DROP TABLE store_move_bodies; DROP TABLE store_move";

/// What a question mark stands for.
#[derive(Clone, Copy, Debug)]
enum Of {
    Column(usize),
    /// The number of the row's body.
    Body,
}

/// How a table is written.
#[derive(Clone, Copy, Debug)]
enum Writing {
    /// Rows of one table: head, row. The question marks stand for the columns in their order.
    Plain(&'static str, &'static str),
    /// Rows of several tables: head, row, what the question marks stand for.
    Rows(&'static [(&'static str, &'static str, &'static [Of])]),
    /// A change of rows that are there. ?1: [id, id], as 32 hexadecimal digits each.
    Change(&'static str),
}

use Of::{Body, Column};
use Writing::{Change, Plain, Rows};

/// How each table is written, in the order of [`NAMES`].
const WRITING: [Writing; NAMES.len()] = [
    Plain("INSERT INTO engine_starts (number, started_at)", "(?, ?)"),
    Plain("INSERT INTO tenants (id, name, declared, created_at)", "(?, ?, ?, ?)"),
    Plain(
        "INSERT INTO api_keys (id, tenant, name, hash, declared, created_at)",
        "(?, (SELECT seq FROM tenants WHERE id = ?), ?, ?, ?, ?)",
    ),
    Plain(
        "INSERT INTO destinations (id, tenant, name, declared, disabled, status_since, created_at, paused)",
        "(?, (SELECT seq FROM tenants WHERE id = ?), ?, ?, ?, ?, ?, ?)",
    ),
    Plain(
        "INSERT INTO sealed_secrets (destination, name, sealed, created_at)",
        "((SELECT seq FROM destinations WHERE id = ?), ?, ?, ?)",
    ),
    Plain("INSERT INTO components (digest, bytes)", "(?, ?)"),
    Plain(
        "INSERT INTO plugins (id, tenant, name, mode, active, created_at)",
        "(?, (SELECT seq FROM tenants WHERE id = ?), ?, ?, ?, ?)",
    ),
    Plain(
        "\
INSERT INTO plugin_versions (
    plugin, digest, component_bytes, roles, refusal, rolled_back_at, first_seen_at, state
)",
        "((SELECT seq FROM plugins WHERE id = ?), ?, ?, ?, ?, ?, ?, ?)",
    ),
    Plain(
        "INSERT INTO plugin_activations (plugin, digest, previous, by, folder, file, at)",
        "((SELECT seq FROM plugins WHERE id = ?), ?, ?, ?, ?, ?, ?)",
    ),
    Plain(
        "INSERT INTO plugin_files (folder, name, plugin, activated)",
        "(?, ?, (SELECT seq FROM plugins WHERE id = ?), ?)",
    ),
    Rows(EVENTS),
    Plain(
        "\
INSERT INTO replays (
    id, tenant, event, created_at, state, passes, planned, due_at, lease_owner, ended_at, step, reason, ordering_key, place
)",
        "(
    ?, (SELECT seq FROM tenants WHERE id = ?), (SELECT seq FROM events WHERE id = ?), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
)",
    ),
    Rows(BODIES),
    Rows(DELIVERIES),
    Plain(
        "INSERT INTO passes (event, replay, number, started_at, ended_at, result, planned, trace)",
        "(
    (SELECT seq FROM events WHERE id = ?), coalesce((SELECT seq FROM replays WHERE id = ?), 0), ?, ?, ?, ?, ?, ?
)",
    ),
    Plain(
        "INSERT INTO attempts (delivery, number, started_at, took_us, outcome, status, retry_after_ms, detail)",
        "((SELECT seq FROM deliveries WHERE id = ?), ?, ?, ?, ?, ?, ?, ?)",
    ),
    Plain(
        "INSERT INTO responses (delivery, number, headers, body)",
        "((SELECT seq FROM deliveries WHERE id = ?), ?, ?, ?)",
    ),
    Change(REPLAYED_EVENTS),
    Change(REPLAYED_DELIVERIES),
    Change(REPLAYS_OF_DELIVERIES),
    Plain(
        "INSERT INTO dedupe (tenant, source, key, body_digest, event_id, expires_at)",
        "((SELECT seq FROM tenants WHERE id = ?), ?, ?, ?, ?, ?)",
    ),
    Plain(
        "INSERT INTO kv (tenant, plugin, key, value, expires_at)",
        "((SELECT seq FROM tenants WHERE id = ?), ?, ?, ?, ?)",
    ),
    Plain(
        "INSERT INTO kv_usage (tenant, plugin, entries, bytes)",
        "((SELECT seq FROM tenants WHERE id = ?), ?, ?, ?)",
    ),
    Plain(
        "\
INSERT INTO ledger (
    tenant, day, events, deliveries, replays, replay_deliveries,
    events_routed_pruned, events_dropped_pruned, events_dead_pruned,
    deliveries_delivered_pruned, deliveries_dead_pruned, deliveries_dropped_pruned, deliveries_cancelled_pruned,
    replays_pruned, replay_deliveries_pruned
)",
        "((SELECT seq FROM tenants WHERE id = ?), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    ),
];

const INSERT_BODIES: &str = "INSERT INTO bodies (seq, bytes)";

const EVENTS: &[(&str, &str, &[Of])] = &[
    (INSERT_BODIES, "(?, ?)", &[Body, Column(7)]),
    (
        "\
INSERT INTO events (
    id, tenant, source, external_id, type, content_type, headers, body, received_at, state, passes, planned, due_at,
    lease_owner, ended_at, step, reason, ordering_key, place
)",
        "(?, (SELECT seq FROM tenants WHERE id = ?), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        &[
            Column(0),
            Column(1),
            Column(2),
            Column(3),
            Column(4),
            Column(5),
            Column(6),
            Body,
            Column(8),
            Column(9),
            Column(10),
            Column(11),
            Column(12),
            Column(13),
            Column(14),
            Column(15),
            Column(16),
            Column(17),
            Column(18),
        ],
    ),
];

const BODIES: &[(&str, &str, &[Of])] = &[
    (INSERT_BODIES, "(?, ?)", &[Body, Column(1)]),
    ("INSERT INTO store_move_bodies (name, body)", "(?, ?)", &[Column(0), Body]),
];

const DELIVERIES: &[(&str, &str, &[Of])] = &[(
    "\
INSERT INTO deliveries (
    id, tenant, event, replay, pass, output, destination, body, request, planned_at, ends_at, state, attempts, due_at,
    lease_owner, ended_at, reason, ordering_key, place
)",
    "(
    ?, (SELECT seq FROM tenants WHERE id = ?), (SELECT seq FROM events WHERE id = ?),
    (SELECT seq FROM replays WHERE id = ?), ?, ?, (SELECT seq FROM destinations WHERE id = ?),
    coalesce((SELECT body FROM store_move_bodies WHERE name = ?), (SELECT body FROM events WHERE id = ?)),
    ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
)",
    &[
        Column(0),
        Column(1),
        Column(2),
        Column(3),
        Column(4),
        Column(5),
        Column(6),
        Column(7),
        Column(2),
        Column(8),
        Column(9),
        Column(10),
        Column(11),
        Column(12),
        Column(13),
        Column(14),
        Column(15),
        Column(16),
        Column(17),
        Column(18),
    ],
)];

const REPLAYED_EVENTS: &str = "\
UPDATE events
SET replayed_by = (SELECT seq FROM replays WHERE id = pair.later)
FROM (SELECT unhex(value ->> 0) AS first, unhex(value ->> 1) AS later FROM json_each(?1)) AS pair
WHERE events.id = pair.first";

const REPLAYED_DELIVERIES: &str = "\
UPDATE deliveries
SET replayed_by = (SELECT seq FROM replays WHERE id = pair.later)
FROM (SELECT unhex(value ->> 0) AS first, unhex(value ->> 1) AS later FROM json_each(?1)) AS pair
WHERE deliveries.id = pair.first";

const REPLAYS_OF_DELIVERIES: &str = "\
UPDATE replays
SET delivery = (SELECT seq FROM deliveries WHERE id = pair.later)
FROM (SELECT unhex(value ->> 0) AS first, unhex(value ->> 1) AS later FROM json_each(?1)) AS pair
WHERE replays.id = pair.first";

/// The number of the last body.
const LAST_BODY: &str = "SELECT coalesce(max(seq), 0) FROM bodies";

/// The texts of one table's statements, made once.
#[derive(Debug)]
pub(super) struct Writer {
    name: Name,
    writing: Writing,
    inserts: Vec<(InsertRows<1>, Vec<Of>)>,
}

impl Writer {
    pub(super) fn of(name: Name) -> Self {
        let writing = WRITING[name as usize];
        let rows = |head, row: &'static str| InsertRows::new([Table { head, row, values: row.matches('?').count() }]);
        let inserts = match writing {
            Plain(head, row) => vec![(rows(head, row), (0..name.table().columns.len()).map(Column).collect())],
            Rows(tables) => tables.iter().map(|(head, row, of)| (rows(head, row), of.to_vec())).collect(),
            Change(_) => Vec::new(),
        };
        Self { name, writing, inserts }
    }

    /// The table.
    pub(super) const fn name(&self) -> Name {
        self.name
    }

    /// Writes rows, in the transaction that `conn` is in.
    pub(super) async fn write(&self, conn: &mut SqliteConnection, rows: &[Row]) -> Result<(), sqlx::Error> {
        if let Change(statement) = self.writing {
            let pairs = serde_json::to_string(&pairs(rows)).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
            sqlx::query(statement).bind(pairs).execute(conn).await?;
            return Ok(());
        }
        let last: i64 = sqlx::query(LAST_BODY).fetch_one(&mut *conn).await?.try_get(0)?;
        let numbered: Vec<(i64, &Row)> = (last + 1..).zip(rows).collect();
        for (insert, of) in &self.inserts {
            let bind = |values: &mut Values, (body, row): &(i64, &Row)| {
                for of in of {
                    match of {
                        Column(at) => put(values, row.get(*at).unwrap_or(&Cell::Empty)),
                        Body => values.int(*body),
                    }
                }
            };
            insert.insert(&mut *conn, &numbered, [&bind]).await?;
        }
        Ok(())
    }
}

fn put(values: &mut Values, cell: &Cell) {
    match cell {
        Cell::Empty => values.maybe_int(None),
        Cell::Id(id) => values.blob(id),
        Cell::Int(number) => values.int(*number),
        Cell::Text(text) => values.text(text),
        Cell::Bytes(bytes) => values.blob(bytes),
    }
}

/// The ids of rows of pairs, as hexadecimal digits.
fn pairs(rows: &[Row]) -> Vec<Vec<String>> {
    let digits = |cell: &Cell| match cell {
        Cell::Id(id) => Hex(id).to_string(),
        Cell::Empty | Cell::Int(_) | Cell::Text(_) | Cell::Bytes(_) => String::new(),
    };
    rows.iter().map(|row| row.iter().map(digits).collect()).collect()
}
