//! Lanes of ordering keys: whether something waits in one, and opening its first row when the one before it has ended.

use rusqlite::{OptionalExtension, params};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use weft_core::ordering_key::OrderingKey;
use weft_core::time::Timestamp;

use super::session::Desk;
use super::statements::{json, statements};

statements! {
    /// Whether a pass of tenant ?1 waits under key ?2, or is under way.
    PASS_WAITS = "\
SELECT
    EXISTS (SELECT 1 FROM events WHERE tenant = ?1 AND ordering_key = ?2 AND state = 'received')
    OR EXISTS (SELECT 1 FROM replays WHERE tenant = ?1 AND ordering_key = ?2 AND state = 'received')";

    /// Whether a delivery for destination ?1 waits under key ?2, or is under way.
    DELIVERY_WAITS = "\
SELECT EXISTS (SELECT 1 FROM deliveries WHERE destination = ?1 AND ordering_key = ?2 AND state = 'pending')";

    /// The first of the passes of tenant ?1 under key ?2.
    FIRST_PASS = "\
SELECT is_replay, seq, lease_owner, due_at FROM (
    SELECT * FROM (
        SELECT 0 AS is_replay, seq, lease_owner, due_at, place FROM events
        WHERE tenant = ?1 AND ordering_key = ?2 AND state = 'received'
        ORDER BY place
        LIMIT 1
    )
    UNION ALL
    SELECT * FROM (
        SELECT 1 AS is_replay, seq, lease_owner, due_at, place FROM replays
        WHERE tenant = ?1 AND ordering_key = ?2 AND state = 'received'
        ORDER BY place
        LIMIT 1
    )
)
ORDER BY place
LIMIT 1";

    OPEN_EVENT = "UPDATE events SET lease_owner = 0 WHERE seq = ?1 AND state = 'received' AND lease_owner = -1";

    OPEN_REPLAY = "UPDATE replays SET lease_owner = 0 WHERE seq = ?1 AND state = 'received' AND lease_owner = -1";

    /// Opens the first of the deliveries for destination ?1 under key ?2, if it is not open.
    OPEN_DELIVERY = "\
UPDATE deliveries
SET lease_owner = 0
WHERE seq = (
        SELECT seq FROM deliveries
        WHERE destination = ?1 AND ordering_key = ?2 AND state = 'pending'
        ORDER BY place
        LIMIT 1
    )
    AND state = 'pending'
    AND lease_owner = -1
RETURNING due_at";

    /// The lanes that deliveries ?1 are or were in.
    LANES_OF_DELIVERIES = "\
SELECT DISTINCT destination, ordering_key FROM deliveries
WHERE seq IN (SELECT value FROM json_each(?1)) AND ordering_key IS NOT NULL";

    /// The lanes that replays ?1 are in.
    LANES_OF_REPLAYS = "\
SELECT DISTINCT tenant, ordering_key FROM replays
WHERE seq IN (SELECT value FROM json_each(?1)) AND ordering_key IS NOT NULL";
}

/// Whether a pass of a tenant waits under `key`, or is under way.
pub(super) fn has_pass(desk: &Desk<'_>, tenant: i64, key: &OrderingKey) -> rusqlite::Result<bool> {
    desk.direct.prepare_cached(PASS_WAITS)?.query_row(params![tenant, key.as_str()], |row| row.get(0))
}

/// Whether a delivery for a destination waits under `key`, or is under way.
pub(super) fn has_delivery(desk: &Desk<'_>, destination: i64, key: &OrderingKey) -> rusqlite::Result<bool> {
    desk.direct.prepare_cached(DELIVERY_WAITS)?.query_row(params![destination, key.as_str()], |row| row.get(0))
}

/// Opens the next pass of a tenant under `key`, since the one before it has ended; answers when it is due.
pub(super) fn open_pass(desk: &Desk<'_>, tenant: i64, key: &OrderingKey) -> rusqlite::Result<Option<Timestamp>> {
    let read =
        |row: &rusqlite::Row<'_>| Ok((row.get::<_, bool>(0)?, row.get::<_, i64>(1)?, row.get::<_, Option<i64>>(3)?));
    let first = desk.direct.prepare_cached(FIRST_PASS)?.query_row(params![tenant, key.as_str()], read).optional()?;
    let Some((is_replay, seq, due_at)) = first else { return Ok(None) };
    let opened = desk.direct.prepare_cached(if is_replay { OPEN_REPLAY } else { OPEN_EVENT })?.execute(params![seq])?;
    Ok(due_at.filter(|_| opened == 1).map(Timestamp::from_ms))
}

/// Opens the next delivery for a destination under `key`, since the one before it has ended; answers when it is due.
pub(super) fn open_delivery(
    desk: &Desk<'_>,
    destination: i64,
    key: &OrderingKey,
) -> rusqlite::Result<Option<Timestamp>> {
    let mut open = desk.direct.prepare_cached(OPEN_DELIVERY)?;
    let due_at = open.query_row(params![destination, key.as_str()], |row| row.get::<_, i64>(0)).optional()?;
    Ok(due_at.map(Timestamp::from_ms))
}

/// Opens what is first in the lanes of deliveries `rows`, of which some have ended or have just come.
pub(super) async fn open_deliveries_of(conn: &mut SqliteConnection, rows: &[i64]) -> Result<(), sqlx::Error> {
    for (destination, key) in lanes(conn, LANES_OF_DELIVERIES, rows).await? {
        sqlx::query(OPEN_DELIVERY).bind(destination).bind(key).execute(&mut *conn).await?;
    }
    Ok(())
}

/// Opens what is first in the lanes of replays `rows`, which have just come.
pub(super) async fn open_passes_of(conn: &mut SqliteConnection, rows: &[i64]) -> Result<(), sqlx::Error> {
    for (tenant, key) in lanes(conn, LANES_OF_REPLAYS, rows).await? {
        let first = sqlx::query(FIRST_PASS).bind(tenant).bind(key).fetch_optional(&mut *conn).await?;
        let Some(first) = first else { continue };
        let open = if first.try_get::<i64, _>("is_replay")? == 0 { OPEN_EVENT } else { OPEN_REPLAY };
        sqlx::query(open).bind(first.try_get::<i64, _>("seq")?).execute(&mut *conn).await?;
    }
    Ok(())
}

async fn lanes(
    conn: &mut SqliteConnection,
    statement: &'static str,
    rows: &[i64],
) -> Result<Vec<(i64, String)>, sqlx::Error> {
    let found = sqlx::query(statement).bind(json(rows)).fetch_all(conn).await?;
    found.iter().map(|row: &SqliteRow| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}
