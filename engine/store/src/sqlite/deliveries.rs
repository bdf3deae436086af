//! Deliveries that wait: storing them, finding out where some wait, claiming them and giving them back.
//!
//! A waiting row's `due_at` says when somebody may next take it: a leased one's is the end of its lease. The index of waiting
//! rows is (destination, lease_owner, due_at, ends_at), so that for each destination there are three ranges to look at and
//! nothing to search: the free rows (owner 0) up to now, those leased by earlier starts of the engine (void, whatever
//! their time), and those of this start whose lease has ended. Leased rows are in the index as well: that is what makes a crash
//! cost nothing but a start, without a write and without a scan.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, OnceLock};

use sqlx::sqlite::{SqliteArguments, SqlitePool};
use sqlx::{Arguments, AssertSqlSafe, Row};
use weft_core::delivery::{DeadDelivery, RequestParts};
use weft_core::id::DeliveryId;
use weft_core::plan::BodyRef;
use weft_core::time::Timestamp;

use super::cells::Cells;
use super::ledger::Count;
use super::session::{Session, unavailable};
use super::statements::{Hex, InsertRows, Table, Values, bytes, json, statements};
use super::writer::ClaimDeliveries;
use crate::error::StoreError;
use crate::work::{DeliveryWork, Lease, NewDelivery, Waiting, Want};

pub(super) static INSERT: InsertRows<1> = InsertRows::new([Table {
    head: "\
INSERT INTO deliveries (
    seq, id, tenant, event, replay, pass, output, destination, body, request, planned_at, ends_at,
    due_at, lease_owner, state
)",
    row: "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending')",
    values: 14,
}]);

statements! {
    /// Walks from destination to destination through the index, and looks at the first row of each of its ranges. ?1: this start.
    WAITING = "\
WITH RECURSIVE waiting (destination) AS (
    SELECT min(destination) FROM deliveries WHERE state = 'pending'
    UNION ALL
    SELECT (
        SELECT min(further.destination)
        FROM deliveries AS further
        WHERE further.state = 'pending' AND further.destination > waiting.destination
    )
    FROM waiting
    WHERE waiting.destination IS NOT NULL
)
SELECT
    destinations.id,
    (
        SELECT min(due_at) FROM deliveries
        WHERE state = 'pending' AND destination = waiting.destination AND lease_owner = 0
    ) AS free_due_at,
    EXISTS (
        SELECT 1 FROM deliveries
        WHERE state = 'pending' AND destination = waiting.destination AND lease_owner > 0 AND lease_owner < ?1
    ) AS has_void,
    (
        SELECT min(due_at) FROM deliveries
        WHERE state = 'pending' AND destination = waiting.destination AND lease_owner = ?1
    ) AS lease_ends_at
FROM waiting
CROSS JOIN destinations ON destinations.seq = waiting.destination";

    /// The rows of one destination that may be taken: void leases, ended leases, free ones; oldest due first in each.
    CLAIMABLE = "\
SELECT seq FROM (
    SELECT seq FROM (
        SELECT seq FROM deliveries
        WHERE state = 'pending' AND destination = ? AND lease_owner > 0 AND lease_owner < ?
        ORDER BY lease_owner, due_at
        LIMIT ?
    )
    UNION ALL
    SELECT seq FROM (
        SELECT seq FROM deliveries
        WHERE state = 'pending' AND destination = ? AND lease_owner = ? AND due_at <= ?
        ORDER BY due_at
        LIMIT ?
    )
    UNION ALL
    SELECT seq FROM (
        SELECT seq FROM deliveries
        WHERE state = 'pending' AND destination = ? AND lease_owner = 0 AND due_at <= ?
        ORDER BY due_at
        LIMIT ?
    )
)
LIMIT ?";

    /// Leases the rows ?1 until ?3.
    LEASE = "\
UPDATE deliveries
SET lease_owner = ?2, due_at = ?3
WHERE seq IN (SELECT value FROM json_each(?1)) AND state = 'pending'";

    /// Reads the rows ?1, as far as they still are leased by ?2 until ?3.
    LOAD = "\
SELECT
    deliveries.id, events.id AS event, tenants.id AS tenant, destinations.id AS destination, deliveries.output,
    events.type, events.content_type, deliveries.request, bodies.bytes, deliveries.attempts, deliveries.ends_at
FROM json_each(?1) AS claimed
CROSS JOIN deliveries ON deliveries.seq = claimed.value
CROSS JOIN events ON events.seq = deliveries.event
CROSS JOIN tenants ON tenants.seq = deliveries.tenant
CROSS JOIN destinations ON destinations.seq = deliveries.destination
CROSS JOIN bodies ON bodies.seq = deliveries.body
WHERE deliveries.state = 'pending' AND deliveries.lease_owner = ?2 AND deliveries.due_at = ?3";

    /// Frees rows whose lease still holds. ?1: [id, owner, until].
    RELEASE = "\
UPDATE deliveries
SET lease_owner = 0, due_at = planned_at
FROM (SELECT unhex(value ->> 0) AS id, value ->> 1 AS owner, value ->> 2 AS until FROM json_each(?1)) AS held
WHERE deliveries.id = held.id
    AND deliveries.state = 'pending'
    AND deliveries.lease_owner = held.owner
    AND deliveries.due_at = held.until";

    /// Free rows whose lifetime is over, from the index alone. ?1: now, ?2: how many.
    EXPIRED = "\
WITH RECURSIVE waiting (destination) AS (
    SELECT min(destination) FROM deliveries WHERE state = 'pending'
    UNION ALL
    SELECT (
        SELECT min(further.destination)
        FROM deliveries AS further
        WHERE further.state = 'pending' AND further.destination > waiting.destination
    )
    FROM waiting
    WHERE waiting.destination IS NOT NULL
)
SELECT deliveries.seq
FROM waiting
CROSS JOIN deliveries
    ON deliveries.destination = waiting.destination
    AND deliveries.state = 'pending'
    AND deliveries.lease_owner = 0
    AND deliveries.due_at <= ?1
WHERE deliveries.ends_at <= ?1
LIMIT ?2";

    /// Ends those of the rows ?1 that are still free.
    EXPIRE = "\
UPDATE deliveries
SET state = 'dead', reason = ?3, due_at = NULL, ended_at = ?2
WHERE seq IN (SELECT value FROM json_each(?1)) AND state = 'pending' AND lease_owner = 0 AND ends_at <= ?2";
}

/// What deliveries are planned for.
#[derive(Clone, Copy)]
pub(super) struct Origin {
    pub(super) tenant: i64,
    pub(super) event: i64,
    pub(super) replay: Option<i64>,
    /// 0 if they were planned as the event was kept, or by a delivery's replay.
    pub(super) pass: u32,
    /// The event's body.
    pub(super) body: i64,
}

/// A delivery's row.
pub(super) struct PlannedRow<'a> {
    seq: i64,
    origin: Origin,
    body: i64,
    new: &'a NewDelivery,
}

/// Makes sure that the store knows what the deliveries name: their destinations, and bodies among `bodies` of their pass.
pub(super) fn known(session: &Session, planned: &[NewDelivery], bodies: usize) -> Result<(), StoreError> {
    for new in planned {
        session.directory.destination(new.destination)?;
        match new.body {
            BodyRef::New(index) if index >= bodies => {
                return Err(StoreError::Unknown { noun: "body", id: format!("{index} of delivery {}", new.id) });
            }
            BodyRef::Event | BodyRef::New(_) => {}
        }
    }
    Ok(())
}

/// Numbers the deliveries of one event or pass; `made` are the rows of the bodies that the pass made and sends.
pub(super) fn number<'a>(
    session: &mut Session,
    origin: Origin,
    planned: &'a [NewDelivery],
    made: &[Option<i64>],
) -> impl Iterator<Item = PlannedRow<'a>> {
    planned.iter().map(move |new| {
        let body = match new.body {
            BodyRef::Event => origin.body,
            BodyRef::New(index) => made[index].expect("known() has found it, and what is sent is stored"),
        };
        PlannedRow { seq: session.numbers.delivery(), origin, body, new }
    })
}

/// Stores deliveries and counts them in the ledger.
pub(super) async fn insert(session: &mut Session, rows: &[PlannedRow<'_>]) -> Result<(), sqlx::Error> {
    for row in rows {
        let count = if row.origin.replay.is_some() { Count::ReplayDeliveries } else { Count::Deliveries };
        session.ledger.add(row.origin.tenant, row.new.planned_at, count, 1);
    }
    let directory = &session.directory;
    let bind = |values: &mut Values, row: &PlannedRow<'_>| {
        let PlannedRow { seq, origin, body, new } = row;
        values.int(*seq);
        values.blob(&bytes(&new.id));
        values.int(origin.tenant);
        values.int(origin.event);
        values.maybe_int(origin.replay);
        values.int(origin.pass.into());
        values.int(new.output.into());
        values.int(directory.destination(new.destination).expect("known() has found it"));
        values.int(*body);
        values.maybe_text((!new.request.is_plain()).then(|| json(&new.request)).as_deref());
        values.int(new.planned_at.as_ms());
        values.int(new.ends_at.as_ms());
        values.int(new.lease.map_or(new.due_at, |lease| lease.until).as_ms());
        values.int(new.lease.map_or(0, |lease| lease.owner));
    };
    INSERT.insert(&mut session.conn, rows, [&bind]).await
}

/// Where deliveries wait that nobody works on.
pub(super) async fn waiting(readers: &SqlitePool, start: i64, now: Timestamp) -> Result<Vec<Waiting>, StoreError> {
    let rows = sqlx::query(WAITING)
        .bind(start)
        .fetch_all(readers)
        .await
        .map_err(unavailable("find out where deliveries wait"))?;
    let mut waiting = Vec::with_capacity(rows.len());
    for row in &rows {
        let cells = Cells::new(row, "destinations", "id");
        let free = cells.maybe_int("free_due_at")?.map(Timestamp::from_ms);
        let void = cells.flag("has_void")?.then_some(now);
        // A lease of our own that has not ended is somebody's work, not a waiting row.
        let ended = cells.maybe_int("lease_ends_at")?.map(Timestamp::from_ms).filter(|ends_at| *ends_at <= now);
        if let Some(due_at) = [free, void, ended].into_iter().flatten().min() {
            waiting.push(Waiting { destination: cells.id("id")?, due_at });
        }
    }
    Ok(waiting)
}

/// The most destinations that one text of a claim asks for.
const WANTS_MAX: usize = 32;

const WANTS_SIZES: usize = WANTS_MAX.ilog2() as usize + 1;

/// The claim's text for 2^`size` destinations: the same statement again and again, in one hop.
fn claimable(size: usize) -> Arc<str> {
    static TEXTS: [OnceLock<Arc<str>>; WANTS_SIZES] = [const { OnceLock::new() }; WANTS_SIZES];
    TEXTS[size].get_or_init(|| vec![CLAIMABLE; 1 << size].join(";\n").into()).clone()
}

/// Claims deliveries; answers their rows in the order of the wants, oldest due first in each.
pub(super) async fn claim(
    session: &mut Session,
    ask: &ClaimDeliveries,
) -> Result<Result<Vec<i64>, StoreError>, sqlx::Error> {
    let mut rows: Vec<i64> = Vec::new();
    let merged = merged(&ask.wants);
    let mut wants = merged.as_slice();
    while !wants.is_empty() {
        let size = wants.len().min(WANTS_MAX).ilog2();
        let (part, rest) = wants.split_at(1 << size);
        let mut values = SqliteArguments::default();
        for want in part {
            match session.directory.destination(want.destination) {
                Ok(destination) => bind_want(&mut values, want, destination, session.start, ask.now),
                Err(unknown) => return Ok(Err(unknown)),
            }
        }
        let found =
            sqlx::query_with(AssertSqlSafe(claimable(size as usize)), values).fetch_all(&mut session.conn).await?;
        for row in found {
            rows.push(row.try_get("seq")?);
        }
        wants = rest;
    }
    if !rows.is_empty() {
        sqlx::query(LEASE)
            .bind(json(&rows))
            .bind(ask.lease.owner)
            .bind(ask.lease.until.as_ms())
            .execute(&mut session.conn)
            .await?;
    }
    Ok(Ok(rows))
}

/// One want for each destination: nothing is leased before all have been looked up, so a second would find the same rows.
fn merged(wants: &[Want]) -> Vec<Want> {
    let mut merged: Vec<Want> = Vec::with_capacity(wants.len());
    let mut places = HashMap::with_capacity(wants.len());
    for want in wants {
        match places.entry(want.destination) {
            Entry::Vacant(place) => {
                place.insert(merged.len());
                merged.push(*want);
            }
            Entry::Occupied(place) => {
                let count = &mut merged[*place.get()].count;
                *count = count.saturating_add(want.count);
            }
        }
    }
    merged
}

fn bind_want(values: &mut SqliteArguments, want: &Want, destination: i64, start: i64, now: Timestamp) {
    let (now, count) = (now.as_ms(), i64::from(want.count));
    let void = [destination, start, count];
    let ended = [destination, start, now, count];
    let free = [destination, now, count];
    for value in void.into_iter().chain(ended).chain(free).chain([count]) {
        values.add(value).expect("numbers always encode");
    }
}

/// Reads claimed deliveries. One that cannot be read is left out, and keeps its lease until that ends.
pub(super) async fn load(readers: &SqlitePool, rows: &[i64], lease: Lease) -> Result<Vec<DeliveryWork>, StoreError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(LOAD)
        .bind(json(rows))
        .bind(lease.owner)
        .bind(lease.until.as_ms())
        .fetch_all(readers)
        .await
        .map_err(unavailable("read claimed deliveries"))?;
    let works = rows.iter().map(|row| work(&Cells::new(row, "deliveries", "id"), lease));
    Ok(works.filter_map(|work| work.inspect_err(report).ok()).collect())
}

fn work(cells: &Cells<'_>, lease: Lease) -> Result<DeliveryWork, StoreError> {
    let request: RequestParts = cells.json("request")?;
    let event_type = request.event_type.clone().map_or_else(|| cells.text("type"), Ok)?;
    let content_type = request.content_type.clone().map_or_else(|| cells.text("content_type"), Ok)?;
    Ok(DeliveryWork {
        id: cells.id("id")?,
        event: cells.id("event")?,
        tenant: cells.id("tenant")?,
        destination: cells.id("destination")?,
        output: cells.number("output")?,
        event_type,
        content_type,
        request,
        body: cells.bytes("bytes")?,
        number: cells.number::<u32>("attempts")?.saturating_add(1),
        ends_at: cells.time("ends_at")?,
        lease,
    })
}

/// Says that a row was left out: a person must look, and the others go on.
pub(super) fn report(error: &StoreError) {
    tracing::error!(error = error as &dyn std::error::Error, "a claimed row cannot be read and is left out");
}

/// Gives deliveries back. They are due at once, before all that became due later than they were planned.
pub(super) async fn release(
    session: &mut Session,
    asks: &[&Vec<(DeliveryId, Lease)>],
) -> Result<Vec<Result<(), StoreError>>, sqlx::Error> {
    let held: Vec<_> = asks
        .iter()
        .flat_map(|ask| ask.iter())
        .map(|(id, lease)| (Hex(&bytes(id)).to_string(), lease.owner, lease.until.as_ms()))
        .collect();
    sqlx::query(RELEASE).bind(json(&held)).execute(&mut session.conn).await?;
    Ok(asks.iter().map(|_| Ok(())).collect())
}

/// Free deliveries whose lifetime is over.
pub(super) async fn expired(readers: &SqlitePool, limit: u32, now: Timestamp) -> Result<Vec<i64>, StoreError> {
    let failed = unavailable("find deliveries whose lifetime is over");
    let rows = sqlx::query(EXPIRED).bind(now.as_ms()).bind(limit).fetch_all(readers).await.map_err(failed)?;
    rows.iter().map(|row| Cells::new(row, "deliveries", "seq").int("seq")).collect()
}

/// Ends those of `rows` that are still free; answers how many.
pub(super) async fn expire(session: &mut Session, rows: &[i64], now: Timestamp) -> Result<u64, StoreError> {
    let done = sqlx::query(EXPIRE)
        .bind(json(rows))
        .bind(now.as_ms())
        .bind(DeadDelivery::Lifetime.as_str())
        .execute(&mut session.conn)
        .await
        .map_err(unavailable("end deliveries whose lifetime is over"))?;
    Ok(done.rows_affected())
}
