//! Reading back everything that happened to one event.

use std::collections::HashMap;

use sqlx::PgConnection;
use sqlx::postgres::{PgPool, PgRow};
use uuid::Uuid;
use weft_core::attempt::Attempt;
use weft_core::event::Event;
use weft_core::id::{DeliveryId, EventId, TenantId};

use super::session::moment;
use super::statements::statements;
use crate::error::{StoreError, unavailable};
use crate::history::EventRecord;
use crate::rows::Cells;
use crate::rows::history::{attempt, delivery_record, event_record, pass_record, replay_record};
use crate::rows::work::accepted;

statements! {
    EVENT = "\
SELECT
    events.id, tenants.id AS tenant, tenants.name AS tenant_name, events.source, events.external_id,
    events.ordering_key, events.type, events.content_type, events.headers, length(events.body) AS body_bytes, events.received_at, events.state,
    events.passes, events.planned, events.due_at, events.lease_owner, events.ended_at, events.step, events.reason,
    events.replayed_by
FROM events
JOIN tenants ON tenants.seq = events.tenant
WHERE events.id = $1";

    /// The event's own passes have the zero id, which comes first.
    PASSES = "\
SELECT
    event, nullif(replay, '00000000-0000-0000-0000-000000000000') AS replay, number, started_at, ended_at, result, trace
FROM passes
WHERE event = $1
ORDER BY passes.replay, number";

    REPLAYS = "\
SELECT
    id, delivery, created_at, state, passes, planned, due_at, lease_owner, ended_at, step, reason,
    NULL::uuid AS replayed_by
FROM replays
WHERE event = $1
ORDER BY created_at, id";

    DELIVERIES = "\
SELECT
    deliveries.id, deliveries.replay, deliveries.pass, deliveries.output, destinations.id AS destination,
    destinations.name AS destination_name, deliveries.request, deliveries.ordering_key,
    length(CASE WHEN deliveries.body IS NULL THEN events.body ELSE bodies.bytes END) AS body_bytes,
    deliveries.planned_at, deliveries.ends_at, deliveries.state, deliveries.due_at, deliveries.lease_owner,
    deliveries.ended_at, deliveries.reason, deliveries.replayed_by
FROM deliveries
JOIN destinations ON destinations.seq = deliveries.destination
JOIN events ON events.id = deliveries.event
LEFT JOIN bodies ON bodies.id = deliveries.body
WHERE deliveries.event = $1
ORDER BY deliveries.planned_at, deliveries.id";

    ATTEMPTS = "\
SELECT
    attempts.delivery, attempts.number, attempts.started_at, attempts.took_us, attempts.outcome, attempts.status,
    attempts.retry_after_ms, attempts.detail, responses.headers, responses.body
FROM deliveries
JOIN attempts ON attempts.delivery = deliveries.id
LEFT JOIN responses ON responses.delivery = attempts.delivery AND responses.number = attempts.number
WHERE deliveries.event = $1
ORDER BY attempts.delivery, attempts.number";

    /// Events of tenant $1 before event $2, newest first, at most $3.
    EVENTS_BEFORE = "\
SELECT
    events.id, tenants.id AS tenant, events.source, events.external_id, events.ordering_key, events.type,
    events.content_type, events.headers, events.body AS bytes, events.received_at
FROM events
JOIN tenants ON tenants.seq = events.tenant
WHERE tenants.id = $1 AND events.id < $2
ORDER BY events.id DESC
LIMIT $3";

    EVENT_OF_DELIVERY = "\
SELECT deliveries.event AS id, tenants.id AS tenant
FROM deliveries
JOIN tenants ON tenants.seq = deliveries.tenant
WHERE deliveries.id = $1";
}

/// Reads an event with all that was done for it, as it is at one moment.
pub(super) async fn event(
    readers: &PgPool,
    tenant: Option<TenantId>,
    id: EventId,
) -> Result<Option<EventRecord>, StoreError> {
    let mut moment = moment(readers, "read an event").await?;
    let conn = &mut *moment;
    let id = id.uuid();
    let Some(row) = rows(conn, EVENT, id).await?.into_iter().next() else { return Ok(None) };
    let mut record = event_record(&Cells::new(&row, "events", "id"))?;
    if tenant.is_some_and(|tenant| tenant != record.tenant) {
        return Ok(None);
    }
    let mut attempts = attempts(conn, id).await?;
    for row in rows(conn, PASSES, id).await? {
        record.passes.push(pass_record(&Cells::new(&row, "passes", "event"))?);
    }
    for row in rows(conn, REPLAYS, id).await? {
        record.replays.push(replay_record(&Cells::new(&row, "replays", "id"))?);
    }
    for row in rows(conn, DELIVERIES, id).await? {
        let cells = Cells::new(&row, "deliveries", "id");
        let mut delivery = delivery_record(&cells)?;
        delivery.attempts = attempts.remove(&delivery.id).unwrap_or_default();
        record.deliveries.push(delivery);
    }
    Ok(Some(record))
}

async fn rows(conn: &mut PgConnection, statement: &'static str, event: Uuid) -> Result<Vec<PgRow>, StoreError> {
    sqlx::query(statement).bind(event).fetch_all(conn).await.map_err(unavailable("read an event"))
}

async fn attempts(conn: &mut PgConnection, event: Uuid) -> Result<HashMap<DeliveryId, Vec<Attempt>>, StoreError> {
    let mut attempts: HashMap<DeliveryId, Vec<Attempt>> = HashMap::new();
    for row in rows(conn, ATTEMPTS, event).await? {
        let cells = Cells::new(&row, "attempts", "delivery");
        attempts.entry(cells.id("delivery")?).or_default().push(attempt(&cells)?);
    }
    Ok(attempts)
}

/// A tenant's events as they were accepted, before `before`, newest first.
pub(super) async fn events_before(
    readers: &PgPool,
    tenant: TenantId,
    before: EventId,
    limit: u32,
) -> Result<Vec<Event>, StoreError> {
    let query = sqlx::query(EVENTS_BEFORE).bind(tenant.uuid()).bind(before.uuid()).bind(i64::from(limit));
    let rows = query.fetch_all(readers).await.map_err(unavailable("read events"))?;
    rows.iter().map(|row| accepted(&Cells::new(row, "events", "id"))).collect()
}

/// The event that a delivery came from.
pub(super) async fn event_of_delivery(
    readers: &PgPool,
    tenant: Option<TenantId>,
    id: DeliveryId,
) -> Result<Option<EventId>, StoreError> {
    let failed = unavailable("read a delivery");
    let row = sqlx::query(EVENT_OF_DELIVERY).bind(id.uuid()).fetch_optional(readers).await.map_err(failed)?;
    let Some(row) = row else { return Ok(None) };
    let cells = Cells::new(&row, "deliveries", "id");
    let owner: TenantId = cells.id("tenant")?;
    if tenant.is_some_and(|tenant| tenant != owner) { Ok(None) } else { cells.id("id").map(Some) }
}
