//! Reading back everything that happened to one event.

use std::collections::HashMap;

use sqlx::SqliteConnection;
use sqlx::sqlite::{SqlitePool, SqliteRow};
use weft_core::attempt::Attempt;
use weft_core::event::Event;
use weft_core::id::{DeliveryId, EventId, TenantId};

use super::statements::{bytes, statements};
use crate::error::{StoreError, unavailable};
use crate::history::EventRecord;
use crate::rows::Cells;
use crate::rows::history::{attempt, delivery_record, event_record, pass_record, replay_record};
use crate::rows::work::accepted;

statements! {
    EVENT = "\
SELECT
    events.seq, events.id, tenants.id AS tenant, tenants.name AS tenant_name, events.source, events.external_id,
    events.ordering_key, events.type, events.content_type, events.headers, length(bodies.bytes) AS body_bytes, events.received_at,
    events.state, events.passes, events.planned, events.due_at, events.lease_owner, events.ended_at, events.step,
    events.reason, replays.id AS replayed_by
FROM events
JOIN tenants ON tenants.seq = events.tenant
JOIN bodies ON bodies.seq = events.body
LEFT JOIN replays ON replays.seq = events.replayed_by
WHERE events.id = ?1";

    PASSES = "\
SELECT
    passes.event, replays.id AS replay, passes.number, passes.started_at, passes.ended_at, passes.result, passes.trace
FROM passes
LEFT JOIN replays ON replays.seq = passes.replay
WHERE passes.event = ?1
ORDER BY passes.replay, passes.number";

    REPLAYS = "\
SELECT
    replays.id, deliveries.id AS delivery, replays.created_at, replays.state, replays.passes, replays.planned,
    replays.due_at, replays.lease_owner, replays.ended_at, replays.step, replays.reason, NULL AS replayed_by
FROM replays
LEFT JOIN deliveries ON deliveries.seq = replays.delivery
WHERE replays.event = ?1
ORDER BY replays.seq";

    DELIVERIES = "\
SELECT
    deliveries.seq, deliveries.id, replays.id AS replay, deliveries.pass, deliveries.output,
    destinations.id AS destination, destinations.name AS destination_name, deliveries.request, deliveries.ordering_key,
    length(bodies.bytes) AS body_bytes, deliveries.planned_at, deliveries.ends_at, deliveries.state,
    deliveries.due_at, deliveries.lease_owner, deliveries.ended_at, deliveries.reason, later.id AS replayed_by
FROM deliveries
JOIN destinations ON destinations.seq = deliveries.destination
JOIN bodies ON bodies.seq = deliveries.body
LEFT JOIN replays ON replays.seq = deliveries.replay
LEFT JOIN replays AS later ON later.seq = deliveries.replayed_by
WHERE deliveries.event = ?1
ORDER BY deliveries.seq";

    ATTEMPTS = "\
SELECT
    attempts.delivery, attempts.number, attempts.started_at, attempts.took_us, attempts.outcome, attempts.status,
    attempts.retry_after_ms, attempts.detail, responses.headers, responses.body
FROM deliveries
JOIN attempts ON attempts.delivery = deliveries.seq
LEFT JOIN responses ON responses.delivery = attempts.delivery AND responses.number = attempts.number
WHERE deliveries.event = ?1
ORDER BY attempts.delivery, attempts.number";

    /// Events of tenant ?1 before event ?2, newest first, at most ?3.
    EVENTS_BEFORE = "\
SELECT
    events.id, tenants.id AS tenant, events.source, events.external_id, events.ordering_key, events.type,
    events.content_type, events.headers, bodies.bytes, events.received_at
FROM events
JOIN tenants ON tenants.seq = events.tenant
JOIN bodies ON bodies.seq = events.body
WHERE tenants.id = ?1 AND events.id < ?2
ORDER BY events.id DESC
LIMIT ?3";

    EVENT_OF_DELIVERY = "\
SELECT events.id, tenants.id AS tenant
FROM deliveries
JOIN events ON events.seq = deliveries.event
JOIN tenants ON tenants.seq = deliveries.tenant
WHERE deliveries.id = ?1";
}

/// Reads an event with all that was done for it, as it is at one moment.
pub(super) async fn event(
    readers: &SqlitePool,
    tenant: Option<TenantId>,
    id: EventId,
) -> Result<Option<EventRecord>, StoreError> {
    let failed = unavailable("read an event");
    let mut moment = readers.begin().await.map_err(failed)?;
    let conn = &mut *moment;
    let Some(row) = sqlx::query(EVENT).bind(&bytes(&id)[..]).fetch_optional(&mut *conn).await.map_err(failed)? else {
        return Ok(None);
    };
    let cells = Cells::new(&row, "events", "id");
    let mut record = event_record(&cells)?;
    if tenant.is_some_and(|tenant| tenant != record.tenant) {
        return Ok(None);
    }
    let seq = cells.int("seq")?;
    let mut attempts = attempts(conn, seq).await?;
    for row in rows(conn, PASSES, seq).await? {
        record.passes.push(pass_record(&Cells::new(&row, "passes", "event"))?);
    }
    for row in rows(conn, REPLAYS, seq).await? {
        record.replays.push(replay_record(&Cells::new(&row, "replays", "id"))?);
    }
    for row in rows(conn, DELIVERIES, seq).await? {
        let cells = Cells::new(&row, "deliveries", "id");
        let mut delivery = delivery_record(&cells)?;
        delivery.attempts = attempts.remove(&cells.int("seq")?).unwrap_or_default();
        record.deliveries.push(delivery);
    }
    Ok(Some(record))
}

async fn rows(conn: &mut SqliteConnection, statement: &'static str, event: i64) -> Result<Vec<SqliteRow>, StoreError> {
    sqlx::query(statement).bind(event).fetch_all(conn).await.map_err(unavailable("read an event"))
}

async fn attempts(conn: &mut SqliteConnection, event: i64) -> Result<HashMap<i64, Vec<Attempt>>, StoreError> {
    let mut attempts: HashMap<i64, Vec<Attempt>> = HashMap::new();
    for row in rows(conn, ATTEMPTS, event).await? {
        let cells = Cells::new(&row, "attempts", "delivery");
        attempts.entry(cells.int("delivery")?).or_default().push(attempt(&cells)?);
    }
    Ok(attempts)
}

/// A tenant's events as they were accepted, before `before`, newest first.
pub(super) async fn events_before(
    readers: &SqlitePool,
    tenant: TenantId,
    before: EventId,
    limit: u32,
) -> Result<Vec<Event>, StoreError> {
    let query = sqlx::query(EVENTS_BEFORE).bind(bytes(&tenant).to_vec()).bind(bytes(&before).to_vec()).bind(limit);
    let rows = query.fetch_all(readers).await.map_err(unavailable("read events"))?;
    rows.iter().map(|row| accepted(&Cells::new(row, "events", "id"))).collect()
}

/// The event that a delivery came from.
pub(super) async fn event_of_delivery(
    readers: &SqlitePool,
    tenant: Option<TenantId>,
    id: DeliveryId,
) -> Result<Option<EventId>, StoreError> {
    let failed = unavailable("read a delivery");
    let row = sqlx::query(EVENT_OF_DELIVERY).bind(&bytes(&id)[..]).fetch_optional(readers).await.map_err(failed)?;
    let Some(row) = row else { return Ok(None) };
    let cells = Cells::new(&row, "deliveries", "id");
    let owner: TenantId = cells.id("tenant")?;
    if tenant.is_some_and(|tenant| tenant != owner) { Ok(None) } else { cells.id("id").map(Some) }
}
