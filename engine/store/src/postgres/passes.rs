//! Passes that wait: of events, and of replays of events. Their rows have the same columns and the same indexes.

use sqlx::Row;
use sqlx::postgres::PgPool;
use uuid::Uuid;
use weft_core::time::Timestamp;

use super::session::Session;
use super::statements::statements;
use crate::error::{StoreError, unavailable};
use crate::rows::Cells;
use crate::rows::work::{pass_work, report};
use crate::work::{Lease, PassKey, PassWork};
use crate::writer::{ClaimPasses, Claimed};

statements! {
    /// Frees what nobody works on: rows leased by a start that has ended, and rows whose lease has. $1: now, $2: how many,
    /// $3: the start that asks: it is alive, whatever is said of it.
    FREE_VOID_EVENTS = "\
UPDATE events
SET lease_owner = 0, due_at = received_at
FROM (
    SELECT held.id
    FROM engine_starts
    CROSS JOIN LATERAL (
        SELECT id FROM events
        WHERE state = 'received' AND lease_owner <> 0 AND lease_owner = engine_starts.number
            AND due_at <= CASE
                WHEN engine_starts.alive_until <= $1 AND engine_starts.number <> $3 THEN 9223372036854775807
                ELSE $1
            END
        ORDER BY due_at
        LIMIT $2
        FOR UPDATE SKIP LOCKED
    ) AS held
    WHERE engine_starts.alive_until >= 0
) AS void
WHERE events.id = void.id";

    FREE_VOID_REPLAYS = "\
UPDATE replays
SET lease_owner = 0, due_at = created_at
FROM (
    SELECT held.id
    FROM engine_starts
    CROSS JOIN LATERAL (
        SELECT id FROM replays
        WHERE state = 'received' AND lease_owner <> 0 AND lease_owner = engine_starts.number
            AND due_at <= CASE
                WHEN engine_starts.alive_until <= $1 AND engine_starts.number <> $3 THEN 9223372036854775807
                ELSE $1
            END
        ORDER BY due_at
        LIMIT $2
        FOR UPDATE SKIP LOCKED
    ) AS held
    WHERE engine_starts.alive_until >= 0
) AS void
WHERE replays.id = void.id";

    /// Leases free events and replays that are due at $1, at most $2 together, for $3 until $4: those that were due first.
    CLAIM = "\
WITH free_events AS (
    SELECT id, due_at FROM events
    WHERE state = 'received' AND lease_owner = 0 AND due_at <= $1
    ORDER BY due_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
),
free_replays AS (
    SELECT id, due_at FROM replays
    WHERE state = 'received' AND lease_owner = 0 AND due_at <= $1
    ORDER BY due_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
),
oldest AS (
    SELECT * FROM (
        SELECT false AS is_replay, id, due_at FROM free_events
        UNION ALL
        SELECT true AS is_replay, id, due_at FROM free_replays
    ) AS free
    ORDER BY due_at, is_replay, id
    LIMIT $2
),
leased_events AS (
    UPDATE events SET lease_owner = $3, due_at = $4 FROM oldest WHERE NOT oldest.is_replay AND events.id = oldest.id
),
leased_replays AS (
    UPDATE replays SET lease_owner = $3, due_at = $4 FROM oldest WHERE oldest.is_replay AND replays.id = oldest.id
)
SELECT is_replay, id FROM oldest ORDER BY due_at, is_replay, id";

    /// Reads events $1, as far as they still are leased by $2 until $3.
    LOAD_EVENTS = "\
SELECT
    events.id, tenants.id AS tenant, events.source, events.external_id, events.ordering_key, events.type,
    events.content_type, events.headers, events.body AS bytes, events.received_at, events.passes, NULL::uuid AS replay
FROM UNNEST($1::uuid[]) WITH ORDINALITY AS claimed (id, place)
JOIN events ON events.id = claimed.id
JOIN tenants ON tenants.seq = events.tenant
WHERE events.state = 'received' AND events.lease_owner = $2 AND events.due_at = $3
ORDER BY claimed.place";

    /// The same for the events of replays $1.
    LOAD_REPLAYS = "\
SELECT
    events.id, tenants.id AS tenant, events.source, events.external_id, events.ordering_key, events.type,
    events.content_type, events.headers, events.body AS bytes, events.received_at, replays.passes, replays.id AS replay
FROM UNNEST($1::uuid[]) WITH ORDINALITY AS claimed (id, place)
JOIN replays ON replays.id = claimed.id
JOIN events ON events.id = replays.event
JOIN tenants ON tenants.seq = events.tenant
WHERE replays.state = 'received' AND replays.lease_owner = $2 AND replays.due_at = $3
ORDER BY claimed.place";

    /// Frees rows whose lease still holds. $1: ids, $2: owners, $3: ends of leases.
    RELEASE_EVENTS = "\
UPDATE events
SET lease_owner = 0, due_at = received_at
FROM UNNEST($1::uuid[], $2::bigint[], $3::bigint[]) AS held (id, owner, until)
WHERE events.id = held.id
    AND events.state = 'received'
    AND events.lease_owner = held.owner
    AND events.due_at = held.until";

    RELEASE_REPLAYS = "\
UPDATE replays
SET lease_owner = 0, due_at = created_at
FROM UNNEST($1::uuid[], $2::bigint[], $3::bigint[]) AS held (id, owner, until)
WHERE replays.id = held.id
    AND replays.state = 'received'
    AND replays.lease_owner = held.owner
    AND replays.due_at = held.until";

    /// When the first free row is due, and whether there is one that nobody works on any more. $1: now, $2: the start that asks.
    NEXT_DUE = "\
SELECT
    (SELECT min(due_at) FROM events WHERE state = 'received' AND lease_owner = 0) AS event_due_at,
    (SELECT min(due_at) FROM replays WHERE state = 'received' AND lease_owner = 0) AS replay_due_at,
    EXISTS (
        SELECT 1 FROM engine_starts
        WHERE alive_until >= 0 AND (
            EXISTS (
                SELECT 1 FROM events
                WHERE state = 'received' AND lease_owner <> 0 AND lease_owner = engine_starts.number
                    AND due_at <= CASE
                        WHEN engine_starts.alive_until <= $1 AND engine_starts.number <> $2 THEN 9223372036854775807
                        ELSE $1
                    END
            )
            OR EXISTS (
                SELECT 1 FROM replays
                WHERE state = 'received' AND lease_owner <> 0 AND lease_owner = engine_starts.number
                    AND due_at <= CASE
                        WHEN engine_starts.alive_until <= $1 AND engine_starts.number <> $2 THEN 9223372036854775807
                        ELSE $1
                    END
            )
        )
    ) AS has_void";
}

/// Claims passes, oldest due first; answers their ids.
pub(super) async fn claim(session: &mut Session, ask: &ClaimPasses) -> Result<Claimed<Uuid>, sqlx::Error> {
    let (now, limit) = (ask.now.as_ms(), i64::from(ask.limit));
    for free in [FREE_VOID_EVENTS, FREE_VOID_REPLAYS] {
        sqlx::query(free).bind(now).bind(limit).bind(session.start).execute(&mut session.conn).await?;
    }
    let claim = sqlx::query(CLAIM).bind(now).bind(limit).bind(ask.lease.owner).bind(ask.lease.until.as_ms());
    let mut claimed = Claimed::default();
    for row in claim.fetch_all(&mut session.conn).await? {
        let ids = if row.try_get("is_replay")? { &mut claimed.replays } else { &mut claimed.events };
        ids.push(row.try_get("id")?);
    }
    Ok(claimed)
}

/// Reads claimed passes. One that cannot be read is left out, and keeps its lease until that ends.
pub(super) async fn load(readers: &PgPool, claimed: &Claimed<Uuid>, lease: Lease) -> Result<Vec<PassWork>, StoreError> {
    let mut works = Vec::with_capacity(claimed.events.len() + claimed.replays.len());
    for (statement, table, ids) in
        [(LOAD_EVENTS, "events", &claimed.events), (LOAD_REPLAYS, "replays", &claimed.replays)]
    {
        if ids.is_empty() {
            continue;
        }
        let rows = sqlx::query(statement)
            .bind(ids)
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
    let (replays, events): (Vec<_>, Vec<_>) =
        asks.iter().flat_map(|ask| ask.iter()).partition(|(key, _)| key.replay.is_some());
    for (statement, held) in [(RELEASE_EVENTS, events), (RELEASE_REPLAYS, replays)] {
        if held.is_empty() {
            continue;
        }
        session.leaves_work = true;
        let ids: Vec<Uuid> =
            held.iter().map(|(key, _)| key.replay.map_or(key.event.uuid(), |replay| replay.uuid())).collect();
        sqlx::query(statement)
            .bind(ids)
            .bind(held.iter().map(|(_, lease)| lease.owner).collect::<Vec<_>>())
            .bind(held.iter().map(|(_, lease)| lease.until.as_ms()).collect::<Vec<_>>())
            .execute(&mut session.conn)
            .await?;
    }
    Ok(asks.iter().map(|_| Ok(())).collect())
}

/// When the first pass that nobody works on is due.
pub(super) async fn next_due(readers: &PgPool, start: i64, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    let failed = unavailable("find out when a pass is due");
    let row = sqlx::query(NEXT_DUE).bind(now.as_ms()).bind(start).fetch_one(readers).await.map_err(failed)?;
    let cells = Cells::new(&row, "events", "event_due_at");
    let time = |column| Ok::<_, StoreError>(cells.maybe_int(column)?.map(Timestamp::from_ms));
    let void = cells.flag("has_void")?.then_some(now);
    Ok([time("event_due_at")?, time("replay_due_at")?, void].into_iter().flatten().min())
}
