//! Deliveries that wait: storing them, claiming them and giving them back.
//!
//! A waiting row's `due_at` says when somebody may next take it: a leased one's is the end of its lease. The index of waiting
//! rows is (destination, lease_owner, due_at), so that for each destination there are three ranges to look at and
//! nothing to search: the free rows (owner 0) up to now, those leased by earlier starts of the engine (void, whatever
//! their time), and those of this start whose lease has ended. Leased rows are in the index as well: that is what makes a crash
//! cost nothing but a start, without a write and without a scan.

use std::sync::{Arc, OnceLock};

use rusqlite::{CachedStatement, params};
use sqlx::sqlite::{SqliteArguments, SqlitePool};
use sqlx::{Arguments, AssertSqlSafe, Row};
use weft_core::delivery::DeadDelivery;
use weft_core::id::DeliveryId;
use weft_core::ordering_key::OrderingKey;
use weft_core::time::Timestamp;

use super::lanes;
use super::session::{Desk, Session};
use super::statements::{Hex, bytes, json, statements};
use crate::error::{StoreError, unavailable};
use crate::lane::BEHIND;
use crate::ledger::Count;
use crate::rows::Cells;
use crate::rows::work::{delivery_work, report};
use crate::want::merged;
use crate::work::{DeliveryWork, Lease, NewDelivery, Want};
use crate::writer::ClaimDeliveries;

statements! {
    INSERT = "\
INSERT INTO deliveries (
    seq, id, tenant, event, replay, pass, output, destination, body, request, planned_at, ends_at,
    due_at, lease_owner, ordering_key, place, state
)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, 'pending')";

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
    events.type, events.content_type, deliveries.request, deliveries.ordering_key, bodies.bytes, deliveries.attempts, deliveries.ends_at
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

    /// Rows that nobody works on, also those behind others of their lanes, whose lifetime is over. ?1: now, ?2: how many.
    EXPIRED = "\
SELECT seq FROM deliveries
WHERE state = 'pending' AND lease_owner <= 0 AND ends_at <= ?1
ORDER BY ends_at
LIMIT ?2";

    /// Ends those of the rows ?1 that still nobody works on.
    EXPIRE = "\
UPDATE deliveries
SET state = 'dead', reason = ?3, due_at = NULL, lease_owner = 0, ended_at = ?2
WHERE seq IN (SELECT value FROM json_each(?1)) AND state = 'pending' AND lease_owner <= 0 AND ends_at <= ?2";
}

/// What deliveries are planned for.
#[derive(Clone, Copy)]
pub(super) struct Origin {
    pub(super) tenant: i64,
    pub(super) event: i64,
    pub(super) replay: Option<i64>,
    /// 0 if they were planned as the event was kept, or by a delivery's replay.
    pub(super) pass: u32,
}

/// The statement that stores a delivery.
pub(super) struct Insert<'s>(CachedStatement<'s>);

impl<'s> Insert<'s> {
    pub(super) fn prepare(desk: &Desk<'s>) -> rusqlite::Result<Self> {
        desk.direct.prepare_cached(INSERT).map(Self)
    }

    /// Stores a delivery that `keep::known` has looked at, with the row of its body, and counts it in the ledger. Answers whether it waits
    /// behind others of its lane.
    pub(super) fn delivery(
        &mut self,
        desk: &mut Desk<'_>,
        origin: Origin,
        new: &NewDelivery,
        body: i64,
    ) -> rusqlite::Result<bool> {
        let count = if origin.replay.is_some() { Count::ReplayDeliveries } else { Count::Deliveries };
        desk.ledger.add(origin.tenant, new.planned_at, count, 1);
        let destination = desk.directory.destination(new.destination).expect("known() has found it");
        let key = new.ordering_key.as_ref();
        let is_behind = key.map(|key| lanes::has_delivery(desk, destination, key)).transpose()?.unwrap_or(false);
        let (due_at, owner) = match new.lease {
            _ if is_behind => (new.due_at, BEHIND),
            Some(lease) => (lease.until, lease.owner),
            None => (new.due_at, 0),
        };
        let seq = desk.numbers.delivery();
        if owner > 0 {
            desk.leased.put(new.id, seq);
        }
        self.0.execute(params![
            seq,
            bytes(&new.id),
            origin.tenant,
            origin.event,
            origin.replay,
            origin.pass,
            new.output,
            destination,
            body,
            (!new.request.is_plain()).then(|| json(&new.request)),
            new.planned_at.as_ms(),
            new.ends_at.as_ms(),
            due_at.as_ms(),
            owner,
            key.map(OrderingKey::as_str),
            key.map(|_| desk.numbers.place()),
        ])?;
        Ok(is_behind)
    }
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
    let works = rows.iter().map(|row| delivery_work(&Cells::new(row, "deliveries", "id"), lease));
    Ok(works.filter_map(|work| work.inspect_err(report).ok()).collect())
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

/// Deliveries that nobody works on whose lifetime is over.
pub(super) async fn expired(readers: &SqlitePool, limit: u32, now: Timestamp) -> Result<Vec<i64>, StoreError> {
    let failed = unavailable("find deliveries whose lifetime is over");
    let rows = sqlx::query(EXPIRED).bind(now.as_ms()).bind(limit).fetch_all(readers).await.map_err(failed)?;
    rows.iter().map(|row| Cells::new(row, "deliveries", "seq").int("seq")).collect()
}

/// Ends those of `rows` that still nobody works on, and opens what is first in their lanes; answers how many.
pub(super) async fn expire(session: &mut Session, rows: &[i64], now: Timestamp) -> Result<u64, StoreError> {
    let failed = unavailable("end deliveries whose lifetime is over");
    let done = sqlx::query(EXPIRE)
        .bind(json(rows))
        .bind(now.as_ms())
        .bind(DeadDelivery::Lifetime.as_str())
        .execute(&mut session.conn)
        .await
        .map_err(failed)?;
    lanes::open_deliveries_of(&mut session.conn, rows).await.map_err(failed)?;
    Ok(done.rows_affected())
}
