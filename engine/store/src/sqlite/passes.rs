//! Passes that wait: of events, and of replays of events. Their rows have the same columns and the same index.

use std::collections::HashMap;

use sqlx::Row;
use sqlx::sqlite::SqlitePool;
use weft_core::time::Timestamp;

use super::session::Session;
use super::statements::{Hex, bytes, json, statements};
use crate::error::{StoreError, unavailable};
use crate::rows::Cells;
use crate::rows::work::{pass_work, report};
use crate::work::{Lease, PassKey, PassWork};
use crate::writer::{ClaimPasses, Claimed};

statements! {
    /// What may be taken: void leases, ended leases, free ones. ?1: this start, ?2: now, ?3: how many.
    CLAIMABLE = "\
SELECT kind, seq FROM (
    SELECT * FROM (
        SELECT 0 AS kind, seq, due_at FROM events
        WHERE state = 'received' AND lease_owner > 0 AND lease_owner < ?1
        ORDER BY lease_owner, due_at
        LIMIT ?3
    )
    UNION ALL
    SELECT * FROM (
        SELECT 0 AS kind, seq, due_at FROM events
        WHERE state = 'received' AND lease_owner = ?1 AND due_at <= ?2
        ORDER BY due_at
        LIMIT ?3
    )
    UNION ALL
    SELECT * FROM (
        SELECT 0 AS kind, seq, due_at FROM events
        WHERE state = 'received' AND lease_owner = 0 AND due_at <= ?2
        ORDER BY due_at
        LIMIT ?3
    )
    UNION ALL
    SELECT * FROM (
        SELECT 1 AS kind, seq, due_at FROM replays
        WHERE state = 'received' AND lease_owner > 0 AND lease_owner < ?1
        ORDER BY lease_owner, due_at
        LIMIT ?3
    )
    UNION ALL
    SELECT * FROM (
        SELECT 1 AS kind, seq, due_at FROM replays
        WHERE state = 'received' AND lease_owner = ?1 AND due_at <= ?2
        ORDER BY due_at
        LIMIT ?3
    )
    UNION ALL
    SELECT * FROM (
        SELECT 1 AS kind, seq, due_at FROM replays
        WHERE state = 'received' AND lease_owner = 0 AND due_at <= ?2
        ORDER BY due_at
        LIMIT ?3
    )
)
ORDER BY due_at, seq
LIMIT ?3";

    /// Leases events ?1 and replays ?2 for ?3 until ?4.
    LEASE = "\
UPDATE events SET lease_owner = ?3, due_at = ?4
WHERE seq IN (SELECT value FROM json_each(?1)) AND state = 'received';
UPDATE replays SET lease_owner = ?3, due_at = ?4
WHERE seq IN (SELECT value FROM json_each(?2)) AND state = 'received'";

    /// Reads events ?1, as far as they still are leased by ?2 until ?3.
    LOAD_EVENTS = "\
SELECT
    events.seq, events.id, tenants.id AS tenant, events.source, events.external_id, events.ordering_key,
    events.type, events.content_type, events.headers, bodies.bytes, events.received_at, events.passes, NULL AS replay
FROM json_each(?1) AS claimed
CROSS JOIN events ON events.seq = claimed.value
CROSS JOIN tenants ON tenants.seq = events.tenant
CROSS JOIN bodies ON bodies.seq = events.body
WHERE events.state = 'received' AND events.lease_owner = ?2 AND events.due_at = ?3";

    /// The same for the events of replays ?1.
    LOAD_REPLAYS = "\
SELECT
    replays.seq, events.id, tenants.id AS tenant, events.source, events.external_id, events.ordering_key,
    events.type, events.content_type, events.headers, bodies.bytes, events.received_at, replays.passes, replays.id AS replay
FROM json_each(?1) AS claimed
CROSS JOIN replays ON replays.seq = claimed.value
CROSS JOIN events ON events.seq = replays.event
CROSS JOIN tenants ON tenants.seq = events.tenant
CROSS JOIN bodies ON bodies.seq = events.body
WHERE replays.state = 'received' AND replays.lease_owner = ?2 AND replays.due_at = ?3";

    /// Frees rows whose lease still holds. ?1, ?2: [id, owner, until] of events and of replays.
    RELEASE = "\
UPDATE events
SET lease_owner = 0, due_at = received_at
FROM (SELECT unhex(value ->> 0) AS id, value ->> 1 AS owner, value ->> 2 AS until FROM json_each(?1)) AS held
WHERE events.id = held.id
    AND events.state = 'received'
    AND events.lease_owner = held.owner
    AND events.due_at = held.until;
UPDATE replays
SET lease_owner = 0, due_at = created_at
FROM (SELECT unhex(value ->> 0) AS id, value ->> 1 AS owner, value ->> 2 AS until FROM json_each(?2)) AS held
WHERE replays.id = held.id
    AND replays.state = 'received'
    AND replays.lease_owner = held.owner
    AND replays.due_at = held.until";

    /// The first row of each range of both indexes. ?1: this start.
    NEXT_DUE = "\
SELECT
    (SELECT min(due_at) FROM events WHERE state = 'received' AND lease_owner = 0) AS event_due_at,
    (SELECT min(due_at) FROM replays WHERE state = 'received' AND lease_owner = 0) AS replay_due_at,
    EXISTS (SELECT 1 FROM events WHERE state = 'received' AND lease_owner > 0 AND lease_owner < ?1)
    OR EXISTS (SELECT 1 FROM replays WHERE state = 'received' AND lease_owner > 0 AND lease_owner < ?1) AS has_void,
    (SELECT min(due_at) FROM events WHERE state = 'received' AND lease_owner = ?1) AS event_lease_ends_at,
    (SELECT min(due_at) FROM replays WHERE state = 'received' AND lease_owner = ?1) AS replay_lease_ends_at";
}

/// Claims passes; answers their rows.
pub(super) async fn claim(session: &mut Session, ask: &ClaimPasses) -> Result<Claimed<i64>, sqlx::Error> {
    let rows = sqlx::query(CLAIMABLE)
        .bind(session.start)
        .bind(ask.now.as_ms())
        .bind(ask.limit)
        .fetch_all(&mut session.conn)
        .await?;
    let mut claimed = Claimed::default();
    for row in rows {
        let seq = row.try_get("seq")?;
        if row.try_get::<i64, _>("kind")? == 0 { claimed.events.push(seq) } else { claimed.replays.push(seq) }
    }
    if !claimed.events.is_empty() || !claimed.replays.is_empty() {
        sqlx::query(LEASE)
            .bind(json(&claimed.events))
            .bind(json(&claimed.replays))
            .bind(ask.lease.owner)
            .bind(ask.lease.until.as_ms())
            .execute(&mut session.conn)
            .await?;
    }
    Ok(claimed)
}

/// Reads claimed passes. One that cannot be read is left out, and keeps its lease until that ends.
pub(super) async fn load(
    readers: &SqlitePool,
    claimed: &Claimed<i64>,
    lease: Lease,
) -> Result<Vec<PassWork>, StoreError> {
    let mut works = Vec::with_capacity(claimed.events.len() + claimed.replays.len());
    for (statement, table, rows) in
        [(LOAD_EVENTS, "events", &claimed.events), (LOAD_REPLAYS, "replays", &claimed.replays)]
    {
        if rows.is_empty() {
            continue;
        }
        let rows = sqlx::query(statement)
            .bind(json(rows))
            .bind(lease.owner)
            .bind(lease.until.as_ms())
            .fetch_all(readers)
            .await
            .map_err(unavailable("read claimed passes"))?;
        let read = rows.iter().map(|row| pass_work(&Cells::new(row, table, "id"), lease));
        works.extend(read.filter_map(|work| work.inspect_err(report).ok()));
    }
    Ok(works)
}

/// Gives passes back: due at once.
pub(super) async fn release(
    session: &mut Session,
    asks: &[&Vec<(PassKey, Lease)>],
) -> Result<Vec<Result<(), StoreError>>, sqlx::Error> {
    let mut held: HashMap<bool, Vec<(String, i64, i64)>> = HashMap::new();
    for (key, lease) in asks.iter().flat_map(|ask| ask.iter()) {
        let id = key.replay.map_or_else(|| bytes(&key.event), |replay| bytes(&replay));
        let row = (Hex(&id).to_string(), lease.owner, lease.until.as_ms());
        held.entry(key.replay.is_some()).or_default().push(row);
    }
    let of = |replays: bool| json(held.get(&replays).map_or(&[][..], Vec::as_slice));
    sqlx::query(RELEASE).bind(of(false)).bind(of(true)).execute(&mut session.conn).await?;
    Ok(asks.iter().map(|_| Ok(())).collect())
}

/// When the first pass that nobody works on is due.
pub(super) async fn next_due(
    readers: &SqlitePool,
    start: i64,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let failed = unavailable("find out when a pass is due");
    let row = sqlx::query(NEXT_DUE).bind(start).fetch_one(readers).await.map_err(failed)?;
    let cells = Cells::new(&row, "events", "event_due_at");
    let time = |column| Ok::<_, StoreError>(cells.maybe_int(column)?.map(Timestamp::from_ms));
    // A lease of our own that has not ended is somebody's work, not a waiting row.
    let ended = |column| Ok::<_, StoreError>(time(column)?.filter(|ends_at| *ends_at <= now));
    let void = cells.flag("has_void")?.then_some(now);
    let times = [
        time("event_due_at")?,
        time("replay_due_at")?,
        void,
        ended("event_lease_ends_at")?,
        ended("replay_lease_ends_at")?,
    ];
    Ok(times.into_iter().flatten().min())
}
