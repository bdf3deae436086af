//! The list of what Weft has given up on, newest first.
//!
//! Events and deliveries, those taken over by a replay and those not, stand in four ranges of three indexes (everybody's, a
//! tenant's, a destination's). Each range is read from the cursor on and the four are merged, so that a page costs
//! about as much as it shows, unless a filter by reason passes over many.

use sqlx::sqlite::SqlitePool;
use sqlx::{Row, SqliteConnection};
use weft_core::time::Timestamp;

use super::statements::{bytes, statements};
use crate::dead_letter::{DeadLetterCursor, DeadLetterFilter, DeadLetterKind, DeadLetterPage};
use crate::error::{StoreError, unavailable};
use crate::rows::Cells;
use crate::rows::dead_letter::{self, Placed, Range, placed};

statements! {
    TENANT = "SELECT seq FROM tenants WHERE id = ?1";

    DESTINATION = "SELECT seq FROM destinations WHERE id = ?1";

    /// All dead events. Of all seven: ?1 replayed, ?2, ?3 the place to go on after, ?4 since, ?5 reason, ?6 how many.
    EVENTS = "\
SELECT events.id, tenants.id AS tenant, events.id AS event, events.type, events.step, events.reason, events.ended_at,
    replays.id AS replayed_by, NULL AS destination, NULL AS output, NULL AS attempts
FROM events
CROSS JOIN tenants ON tenants.seq = events.tenant
LEFT JOIN replays ON replays.seq = events.replayed_by
WHERE events.state = 'dead' AND (events.replayed_by IS NOT NULL) = ?1
    AND (events.ended_at, events.id) < (?2, ?3) AND events.ended_at >= ?4
    AND (?5 IS NULL OR events.reason = ?5)
ORDER BY events.ended_at DESC, events.id DESC
LIMIT ?6";

    /// A tenant's. ?7: the tenant.
    EVENTS_OF_TENANT = "\
SELECT events.id, tenants.id AS tenant, events.id AS event, events.type, events.step, events.reason, events.ended_at,
    replays.id AS replayed_by, NULL AS destination, NULL AS output, NULL AS attempts
FROM events
CROSS JOIN tenants ON tenants.seq = events.tenant
LEFT JOIN replays ON replays.seq = events.replayed_by
WHERE events.state = 'dead' AND events.tenant = ?7 AND (events.replayed_by IS NOT NULL) = ?1
    AND (events.ended_at, events.id) < (?2, ?3) AND events.ended_at >= ?4
    AND (?5 IS NULL OR events.reason = ?5)
ORDER BY events.ended_at DESC, events.id DESC
LIMIT ?6";

    DELIVERIES = "\
SELECT deliveries.id, tenants.id AS tenant, events.id AS event, events.type, NULL AS step, deliveries.reason,
    deliveries.ended_at, replays.id AS replayed_by, destinations.id AS destination, deliveries.output, deliveries.attempts
FROM deliveries
CROSS JOIN tenants ON tenants.seq = deliveries.tenant
CROSS JOIN events ON events.seq = deliveries.event
CROSS JOIN destinations ON destinations.seq = deliveries.destination
LEFT JOIN replays ON replays.seq = deliveries.replayed_by
WHERE deliveries.state = 'dead' AND (deliveries.replayed_by IS NOT NULL) = ?1
    AND (deliveries.ended_at, deliveries.id) < (?2, ?3) AND deliveries.ended_at >= ?4
    AND (?5 IS NULL OR deliveries.reason = ?5)
ORDER BY deliveries.ended_at DESC, deliveries.id DESC
LIMIT ?6";

    /// A tenant's. ?7: the tenant.
    DELIVERIES_OF_TENANT = "\
SELECT deliveries.id, tenants.id AS tenant, events.id AS event, events.type, NULL AS step, deliveries.reason,
    deliveries.ended_at, replays.id AS replayed_by, destinations.id AS destination, deliveries.output, deliveries.attempts
FROM deliveries
CROSS JOIN tenants ON tenants.seq = deliveries.tenant
CROSS JOIN events ON events.seq = deliveries.event
CROSS JOIN destinations ON destinations.seq = deliveries.destination
LEFT JOIN replays ON replays.seq = deliveries.replayed_by
WHERE deliveries.state = 'dead' AND deliveries.tenant = ?7 AND (deliveries.replayed_by IS NOT NULL) = ?1
    AND (deliveries.ended_at, deliveries.id) < (?2, ?3) AND deliveries.ended_at >= ?4
    AND (?5 IS NULL OR deliveries.reason = ?5)
ORDER BY deliveries.ended_at DESC, deliveries.id DESC
LIMIT ?6";

    /// A destination's. ?7: its tenant or null, ?8: the destination.
    DELIVERIES_OF_DESTINATION = "\
SELECT deliveries.id, tenants.id AS tenant, events.id AS event, events.type, NULL AS step, deliveries.reason,
    deliveries.ended_at, replays.id AS replayed_by, destinations.id AS destination, deliveries.output, deliveries.attempts
FROM deliveries
CROSS JOIN tenants ON tenants.seq = deliveries.tenant
CROSS JOIN events ON events.seq = deliveries.event
CROSS JOIN destinations ON destinations.seq = deliveries.destination
LEFT JOIN replays ON replays.seq = deliveries.replayed_by
WHERE deliveries.state = 'dead' AND deliveries.destination = ?8 AND (deliveries.replayed_by IS NOT NULL) = ?1
    AND (deliveries.ended_at, deliveries.id) < (?2, ?3) AND deliveries.ended_at >= ?4
    AND (?5 IS NULL OR deliveries.reason = ?5)
    AND (?7 IS NULL OR deliveries.tenant = ?7)
ORDER BY deliveries.ended_at DESC, deliveries.id DESC
LIMIT ?6";
}

/// The row numbers that a filter means.
struct Scope {
    tenant: Option<i64>,
    destination: Option<i64>,
}

/// Up to `limit` dead letters from `cursor` on.
pub(super) async fn page(
    readers: &SqlitePool,
    filter: &DeadLetterFilter,
    cursor: Option<DeadLetterCursor>,
    limit: u32,
) -> Result<DeadLetterPage, StoreError> {
    let mut moment = readers.begin().await.map_err(unavailable("list dead letters"))?;
    let Some(scope) = scope(&mut moment, filter).await? else { return Ok(DeadLetterPage::default()) };
    let mut letters = Vec::new();
    for range in Range::all(filter) {
        letters.extend(read(&mut moment, &scope, filter, range, cursor, limit).await?);
    }
    Ok(dead_letter::page(letters, limit))
}

/// The rows that a filter names; nothing if there is no such tenant or destination.
async fn scope(conn: &mut SqliteConnection, filter: &DeadLetterFilter) -> Result<Option<Scope>, StoreError> {
    let tenant = filter.tenant.map(|id| bytes(&id));
    let destination = filter.destination.map(|id| bytes(&id));
    let mut scope = Scope { tenant: None, destination: None };
    for (statement, id, seq) in
        [(TENANT, tenant, &mut scope.tenant), (DESTINATION, destination, &mut scope.destination)]
    {
        let Some(id) = id else { continue };
        let row = sqlx::query(statement).bind(&id[..]).fetch_optional(&mut *conn).await;
        match row.map_err(unavailable("list dead letters"))? {
            Some(row) => *seq = Some(row.get("seq")),
            None => return Ok(None),
        }
    }
    Ok(Some(scope))
}

async fn read(
    conn: &mut SqliteConnection,
    scope: &Scope,
    filter: &DeadLetterFilter,
    range: Range,
    cursor: Option<DeadLetterCursor>,
    limit: u32,
) -> Result<Vec<Placed>, StoreError> {
    let statement = match (range.kind, scope) {
        (DeadLetterKind::Event, Scope { tenant: None, .. }) => EVENTS,
        (DeadLetterKind::Event, Scope { tenant: Some(_), .. }) => EVENTS_OF_TENANT,
        (DeadLetterKind::Delivery, Scope { destination: Some(_), .. }) => DELIVERIES_OF_DESTINATION,
        (DeadLetterKind::Delivery, Scope { tenant: Some(_), .. }) => DELIVERIES_OF_TENANT,
        (DeadLetterKind::Delivery, Scope { .. }) => DELIVERIES,
    };
    let (at, id) = dead_letter::place(filter, cursor);
    let rows = sqlx::query(statement)
        .bind(range.replayed)
        .bind(at.as_ms())
        .bind(&id[..])
        .bind(filter.since.map_or(i64::MIN, Timestamp::as_ms))
        .bind(filter.reason.as_deref())
        .bind(limit.saturating_add(1))
        .bind(scope.tenant)
        .bind(scope.destination)
        .fetch_all(conn)
        .await
        .map_err(unavailable("list dead letters"))?;
    rows.iter().map(|row| placed(&Cells::new(row, range.table(), "id"), range.kind)).collect()
}
