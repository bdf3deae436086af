//! Deliveries that wait: storing them, claiming them and giving them back.
//!
//! Free rows stand in an index by destination and due time, leased ones in another by owner and end of lease. What nobody
//! works on any more (its engine's start has ended, or its lease has) is freed before free rows are claimed; there never is more of it than
//! fits into the memory of the engines that leased it.

use std::collections::HashSet;

use serde::Serialize;
use sqlx::Row;
use sqlx::postgres::PgPool;
use uuid::Uuid;
use weft_core::delivery::{DeadDelivery, RequestParts};
use weft_core::id::DeliveryId;
use weft_core::ordering_key::OrderingKey;
use weft_core::plan::BodyRef;
use weft_core::time::Timestamp;

use super::lanes::{self, LaneRow, Of};
use super::session::Session;
use super::statements::{Statement, statements};
use crate::error::{StoreError, unavailable};
use crate::lane::{BEHIND, Lane};
use crate::ledger::Count;
use crate::rows::Cells;
use crate::rows::work::{delivery_work, report};
use crate::want::merged;
use crate::work::{DeliveryWork, Lease, NewDelivery};
use crate::writer::ClaimDeliveries;

/// Stores deliveries, given the arrays of their columns in order: by itself, or as a part of another statement.
macro_rules! insert_text {
    ($first:literal $(, $column:literal)+) => {
        concat!(
            "INSERT INTO deliveries (id, tenant, event, replay, pass, output, destination, body, request, planned_at, \
             ends_at, due_at, lease_owner, state) SELECT new.*, 'pending' FROM UNNEST(",
            $first $(, ", ", $column)+,
            ") AS new"
        )
    };
}
pub(super) use insert_text;

statements! {
    INSERT = insert_text!(
        "$1::uuid[]", "$2::integer[]", "$3::uuid[]", "$4::uuid[]", "$5::integer[]", "$6::integer[]", "$7::integer[]",
        "$8::uuid[]", "$9::text[]", "$10::bigint[]", "$11::bigint[]", "$12::bigint[]", "$13::bigint[]"
    );

    /// The same where at least one has an ordering key.
    INSERT_IN_LANES = "\
INSERT INTO deliveries (
    id, tenant, event, replay, pass, output, destination, body, request, planned_at, ends_at, due_at, lease_owner,
    ordering_key, place, state
)
SELECT new.*, 'pending'
FROM UNNEST(
    $1::uuid[], $2::integer[], $3::uuid[], $4::uuid[], $5::integer[], $6::integer[], $7::integer[], $8::uuid[],
    $9::text[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::text[], $15::bigint[]
) AS new";

    /// Frees what nobody works on: rows leased by a start that has ended, and rows whose lease has. $1: now, $2: how many of
    /// each start, $3: the start that asks: it is alive, whatever is said of it.
    FREE_VOID = "\
UPDATE deliveries
SET lease_owner = 0, due_at = planned_at
FROM (
    SELECT held.id
    FROM engine_starts
    CROSS JOIN LATERAL (
        SELECT id FROM deliveries
        WHERE state = 'pending' AND lease_owner <> 0 AND lease_owner = engine_starts.number
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
WHERE deliveries.id = void.id";

    /// Leases free rows that are due at $3, for each destination $1 at most $2, for $4 until $5.
    CLAIM = "\
UPDATE deliveries
SET lease_owner = $4, due_at = $5
FROM (
    SELECT wanted.place, free.id, free.due_at
    FROM UNNEST($1::integer[], $2::bigint[]) WITH ORDINALITY AS wanted (destination, count, place)
    CROSS JOIN LATERAL (
        SELECT id, due_at FROM deliveries
        WHERE state = 'pending' AND lease_owner = 0 AND destination = wanted.destination AND due_at <= $3
        ORDER BY due_at
        LIMIT wanted.count
        FOR UPDATE SKIP LOCKED
    ) AS free
) AS claimed
WHERE deliveries.id = claimed.id
RETURNING claimed.place, claimed.due_at, deliveries.id";

    /// Reads the rows $1, as far as they still are leased by $2 until $3.
    LOAD = "\
SELECT
    deliveries.id, deliveries.event, tenants.id AS tenant, destinations.id AS destination, deliveries.output,
    events.type, events.content_type, deliveries.request, deliveries.ordering_key, coalesce(bodies.bytes, events.body) AS bytes,
    deliveries.attempts, deliveries.ends_at
FROM UNNEST($1::uuid[]) WITH ORDINALITY AS claimed (id, place)
JOIN deliveries ON deliveries.id = claimed.id
JOIN events ON events.id = deliveries.event
JOIN tenants ON tenants.seq = deliveries.tenant
JOIN destinations ON destinations.seq = deliveries.destination
LEFT JOIN bodies ON bodies.id = deliveries.body
WHERE deliveries.state = 'pending' AND deliveries.lease_owner = $2 AND deliveries.due_at = $3
ORDER BY claimed.place";

    /// Frees rows whose lease still holds. $1: ids, $2: owners, $3: ends of leases.
    RELEASE = "\
UPDATE deliveries
SET lease_owner = 0, due_at = planned_at
FROM UNNEST($1::uuid[], $2::bigint[], $3::bigint[]) AS held (id, owner, until)
WHERE deliveries.id = held.id
    AND deliveries.state = 'pending'
    AND deliveries.lease_owner = held.owner
    AND deliveries.due_at = held.until";

    /// Up to $2 rows that nobody works on, also behind others of their lanes, whose lifetime is over at $1.
    EXPIRED = "\
SELECT over.id, destinations.id AS destination, over.ordering_key
FROM (
    SELECT id, destination, ordering_key FROM deliveries
    WHERE state = 'pending' AND lease_owner <= 0 AND ends_at <= $1
    ORDER BY ends_at
    LIMIT $2
) AS over
JOIN destinations ON destinations.seq = over.destination";

    /// Ends those of rows $1 that still nobody works on and whose lifetime is over at $2, with reason $3.
    EXPIRE = "\
UPDATE deliveries
SET state = 'dead', reason = $3, due_at = NULL, lease_owner = 0, ended_at = $2
FROM (
    SELECT id FROM deliveries
    WHERE id = ANY ($1) AND state = 'pending' AND lease_owner <= 0 AND ends_at <= $2
    FOR UPDATE SKIP LOCKED
) AS over
WHERE deliveries.id = over.id
RETURNING deliveries.destination, deliveries.ordering_key";
}

/// What deliveries are planned for.
#[derive(Clone, Copy)]
pub(super) struct Origin {
    pub(super) tenant: i64,
    pub(super) event: Uuid,
    pub(super) replay: Option<Uuid>,
    /// 0 if they were planned as the event was kept, or by a delivery's replay.
    pub(super) pass: u32,
}

/// A delivery's row.
pub(super) struct PlannedRow<'a> {
    origin: Origin,
    /// Nothing where the event's own is sent.
    body: Option<Uuid>,
    new: &'a NewDelivery,
}

/// The rows of the deliveries of one event or pass; `made` names the bodies that the pass made and sends.
pub(super) fn rows<'a>(
    origin: Origin,
    planned: &'a [NewDelivery],
    made: &[Option<Uuid>],
) -> impl Iterator<Item = PlannedRow<'a>> {
    planned.iter().map(move |new| {
        let body = match new.body {
            BodyRef::Event => None,
            BodyRef::New(index) => made[index],
        };
        PlannedRow { origin, body, new }
    })
}

/// The number of a tenant or destination as a column holds it: the database made it of this size.
pub(super) fn short(seq: i64) -> i32 {
    i32::try_from(seq).unwrap_or(i32::MAX)
}

/// JSON as a column holds it.
pub(super) fn json(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value).expect("texts, numbers and lists of them always serialise")
}

/// Stores deliveries and counts them in the ledger; answers those that wait behind others of their lanes.
pub(super) async fn insert(session: &mut Session, rows: &[PlannedRow<'_>]) -> Result<HashSet<DeliveryId>, sqlx::Error> {
    let mut behind = HashSet::new();
    if rows.is_empty() {
        return Ok(behind);
    }
    count(session, rows);
    session.leaves_work |= leave_work(rows);
    if have_keys(rows) {
        let places = places(session, rows, &mut behind).await?;
        let keys = rows.iter().map(|row| row.new.ordering_key.as_ref().map(OrderingKey::as_str));
        let insert = bind(sqlx::query(INSERT_IN_LANES), session, rows, &behind);
        insert.bind(keys.collect::<Vec<_>>()).bind(places).execute(&mut session.conn).await?;
    } else {
        bind(sqlx::query(INSERT), session, rows, &behind).execute(&mut session.conn).await?;
    }
    Ok(behind)
}

/// Whether one of them has an ordering key.
pub(super) fn have_keys(rows: &[PlannedRow<'_>]) -> bool {
    rows.iter().any(|row| row.new.ordering_key.is_some())
}

/// The place of each delivery that has an ordering key; those that wait behind others are put into `behind`.
async fn places(
    session: &mut Session,
    rows: &[PlannedRow<'_>],
    behind: &mut HashSet<DeliveryId>,
) -> Result<Vec<Option<i64>>, sqlx::Error> {
    let lane = |row: &PlannedRow<'_>| Some((destination(session, row), row.new.ordering_key.clone()?));
    let keyed: Vec<_> = rows.iter().enumerate().filter_map(|(at, row)| Some((at, lane(row)?))).collect();
    let lanes: Vec<LaneRow<'_>> = keyed.iter().map(|(_, (to, key))| (*to, key.as_str())).collect();
    let entries = lanes::enter(&mut session.conn, Of::Deliveries, &lanes).await?;
    let mut places = vec![None; rows.len()];
    let mut entered = HashSet::new();
    for (((at, _), lane), entry) in keyed.iter().zip(lanes).zip(entries) {
        places[*at] = Some(entry.place);
        if !entered.insert(lane) || entry.is_used {
            behind.insert(rows[*at].new.id);
        }
    }
    Ok(places)
}

/// Counts new deliveries for the ledger.
pub(super) fn count(session: &mut Session, rows: &[PlannedRow<'_>]) {
    for row in rows {
        let count = if row.origin.replay.is_some() { Count::ReplayDeliveries } else { Count::Deliveries };
        session.ledger.add(row.origin.tenant, row.new.planned_at, count, 1);
    }
}

/// Whether one of them is for whoever claims it.
pub(super) fn leave_work(rows: &[PlannedRow<'_>]) -> bool {
    rows.iter().any(|row| row.new.lease.is_none())
}

/// The number of the destination of a new delivery.
fn destination(session: &Session, row: &PlannedRow<'_>) -> i32 {
    short(session.directory.destination(row.new.destination).expect("keep::known() has found it"))
}

/// Gives a statement the columns of new deliveries, of which those in `behind` wait behind others.
pub(super) fn bind<'q>(
    statement: Statement<'q>,
    session: &Session,
    rows: &[PlannedRow<'_>],
    behind: &HashSet<DeliveryId>,
) -> Statement<'q> {
    let number = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    let is_behind = |new: &NewDelivery| !behind.is_empty() && behind.contains(&new.id);
    let due = |new: &NewDelivery| match new.lease {
        Some(lease) if !is_behind(new) => lease.until.as_ms(),
        _ => new.due_at.as_ms(),
    };
    let owner = |new: &NewDelivery| match new.lease {
        _ if is_behind(new) => BEHIND,
        Some(lease) => lease.owner,
        None => 0,
    };
    statement
        .bind(rows.iter().map(|row| row.new.id.uuid()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| short(row.origin.tenant)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.origin.event).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.origin.replay).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| number(row.origin.pass)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| number(row.new.output)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| destination(session, row)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.body).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| request(&row.new.request)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.new.planned_at.as_ms()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.new.ends_at.as_ms()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| due(row.new)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| owner(row.new)).collect::<Vec<_>>())
}

fn request(parts: &RequestParts) -> Option<String> {
    (!parts.is_plain()).then(|| json(parts))
}

/// Claims deliveries; answers their ids in the order of the wants, oldest due first in each.
pub(super) async fn claim(
    session: &mut Session,
    ask: &ClaimDeliveries,
) -> Result<Result<Vec<Uuid>, StoreError>, sqlx::Error> {
    let wants = merged(&ask.wants);
    if wants.iter().any(|want| session.directory.destination(want.destination).is_err()) {
        session.learn().await?;
    }
    let mut destinations = Vec::with_capacity(wants.len());
    for want in &wants {
        match session.directory.destination(want.destination) {
            Ok(destination) => destinations.push(short(destination)),
            Err(unknown) => return Ok(Err(unknown)),
        }
    }
    let counts: Vec<i64> = wants.iter().map(|want| i64::from(want.count)).collect();
    let void_max = counts.iter().sum::<i64>();
    sqlx::query(FREE_VOID).bind(ask.now.as_ms()).bind(void_max).bind(session.start).execute(&mut session.conn).await?;
    let claim = sqlx::query(CLAIM).bind(destinations).bind(counts).bind(ask.now.as_ms());
    let claim = claim.bind(ask.lease.owner).bind(ask.lease.until.as_ms());
    let mut claimed: Vec<(i64, i64, Uuid)> = Vec::new();
    for row in claim.fetch_all(&mut session.conn).await? {
        claimed.push((row.try_get("place")?, row.try_get("due_at")?, row.try_get("id")?));
    }
    claimed.sort_unstable();
    Ok(Ok(claimed.into_iter().map(|(_, _, id)| id).collect()))
}

/// Reads claimed deliveries. One that cannot be read is left out, and keeps its lease until that ends.
pub(super) async fn load(readers: &PgPool, ids: &[Uuid], lease: Lease) -> Result<Vec<DeliveryWork>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(LOAD)
        .bind(ids)
        .bind(lease.owner)
        .bind(lease.until.as_ms())
        .fetch_all(readers)
        .await
        .map_err(unavailable("read claimed deliveries"))?;
    let works = rows.iter().map(|row| delivery_work(&Cells::new(row, "deliveries", "id"), lease));
    Ok(works.filter_map(|work| work.inspect_err(report).ok()).collect())
}

/// Gives deliveries back. They are due at once, before all that became due later than they were planned.
pub(super) async fn release(
    session: &mut Session,
    asks: &[&Vec<(DeliveryId, Lease)>],
) -> Result<Vec<Result<(), StoreError>>, sqlx::Error> {
    let held = || asks.iter().flat_map(|ask| ask.iter());
    session.leaves_work |= held().next().is_some();
    sqlx::query(RELEASE)
        .bind(held().map(|(id, _)| id.uuid()).collect::<Vec<_>>())
        .bind(held().map(|(_, lease)| lease.owner).collect::<Vec<_>>())
        .bind(held().map(|(_, lease)| lease.until.as_ms()).collect::<Vec<_>>())
        .execute(&mut session.conn)
        .await?;
    Ok(asks.iter().map(|_| Ok(())).collect())
}

/// Deliveries that nobody works on whose lifetime is over, and their lanes.
pub(super) async fn expired(
    readers: &PgPool,
    limit: u32,
    now: Timestamp,
) -> Result<(Vec<Uuid>, Vec<Lane>), StoreError> {
    let failed = unavailable("find deliveries whose lifetime is over");
    let rows = sqlx::query(EXPIRED).bind(now.as_ms()).bind(i64::from(limit)).fetch_all(readers).await;
    let (mut ids, mut lanes) = (Vec::new(), Vec::new());
    for row in &rows.map_err(failed)? {
        let cells = Cells::new(row, "deliveries", "id");
        ids.push(cells.uuid("id")?);
        if let Some(key) = cells.maybe_parsed("ordering_key")? {
            lanes.push(Lane::of_deliveries(cells.id("destination")?, &key));
        }
    }
    Ok((ids, lanes))
}

/// Ends those of `ids` that still nobody works on, and opens what is first in their lanes; answers how many.
pub(super) async fn expire(session: &mut Session, ids: &[Uuid], now: Timestamp) -> Result<u64, StoreError> {
    let failed = unavailable("end deliveries whose lifetime is over");
    let reason = DeadDelivery::Lifetime.as_str();
    let over = sqlx::query(EXPIRE).bind(ids).bind(now.as_ms()).bind(reason).fetch_all(&mut session.conn).await;
    let over = over.map_err(failed)?;
    let mut lanes: Vec<LaneRow<'_>> = Vec::new();
    for row in &over {
        let key: Option<&str> = row.try_get("ordering_key").map_err(failed)?;
        lanes.extend(key.zip(row.try_get("destination").ok()).map(|(key, destination)| (destination, key)));
    }
    let opened = lanes::open(&mut session.conn, Of::Deliveries, &lanes).await.map_err(failed)?;
    session.leaves_work |= !opened.is_empty();
    Ok(over.len() as u64)
}
