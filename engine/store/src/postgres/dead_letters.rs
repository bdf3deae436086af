//! The list of what Weft has given up on, newest first.
//!
//! Events and deliveries, those taken over by a replay and those not, stand in four ranges of three indexes (everybody's, a
//! tenant's, a destination's). Each range is read from the cursor on and the four are merged, so that a page costs
//! about as much as it shows, unless a filter by reason passes over many. The page is cut before anything is joined: the
//! order of the joins is then of no account.

use sqlx::PgConnection;
use sqlx::postgres::PgPool;
use uuid::Uuid;
use weft_core::time::Timestamp;

use super::session::moment;
use super::statements::{statements, text};
use crate::dead_letter::{DeadLetterCursor, DeadLetterFilter, DeadLetterKind, DeadLetterPage};
use crate::error::{StoreError, unavailable};
use crate::rows::Cells;
use crate::rows::dead_letter::{self, Placed, Range, placed};

statements! {
    TENANT = "SELECT seq FROM tenants WHERE id = $1";

    DESTINATION = "SELECT seq FROM destinations WHERE id = $1";

    /// All dead events. Of all five: $1 replayed, $2, $3 the place to go on after, $4 since, $5 reason, $6 how many.
    EVENTS = "\
SELECT letters.id, tenants.id AS tenant, letters.id AS event, letters.type, letters.step, letters.reason,
    letters.ended_at, letters.replayed_by
FROM (
    SELECT id, tenant, type, step, reason, ended_at, replayed_by
    FROM events
    WHERE state = 'dead' AND (replayed_by IS NOT NULL)::integer = $1::integer
        AND (ended_at, id) < ($2, $3) AND ended_at >= $4
        AND ($5::text IS NULL OR reason = $5)
    ORDER BY ended_at DESC, id DESC
    LIMIT $6
) AS letters
JOIN tenants ON tenants.seq = letters.tenant";

    /// A tenant's. $7: the tenant.
    EVENTS_OF_TENANT = "\
SELECT letters.id, tenants.id AS tenant, letters.id AS event, letters.type, letters.step, letters.reason,
    letters.ended_at, letters.replayed_by
FROM (
    SELECT id, tenant, type, step, reason, ended_at, replayed_by
    FROM events
    WHERE state = 'dead' AND tenant = $7 AND (replayed_by IS NOT NULL)::integer = $1::integer
        AND (ended_at, id) < ($2, $3) AND ended_at >= $4
        AND ($5::text IS NULL OR reason = $5)
    ORDER BY ended_at DESC, id DESC
    LIMIT $6
) AS letters
JOIN tenants ON tenants.seq = letters.tenant";

    DELIVERIES = "\
SELECT letters.id, tenants.id AS tenant, letters.event, events.type, NULL::text AS step, letters.reason,
    letters.ended_at, letters.replayed_by, destinations.id AS destination, letters.output, letters.attempts
FROM (
    SELECT id, tenant, event, destination, output, attempts, reason, ended_at, replayed_by
    FROM deliveries
    WHERE state = 'dead' AND (replayed_by IS NOT NULL)::integer = $1::integer
        AND (ended_at, id) < ($2, $3) AND ended_at >= $4
        AND ($5::text IS NULL OR reason = $5)
    ORDER BY ended_at DESC, id DESC
    LIMIT $6
) AS letters
JOIN tenants ON tenants.seq = letters.tenant
JOIN destinations ON destinations.seq = letters.destination
JOIN events ON events.id = letters.event";

    /// A tenant's. $7: the tenant.
    DELIVERIES_OF_TENANT = "\
SELECT letters.id, tenants.id AS tenant, letters.event, events.type, NULL::text AS step, letters.reason,
    letters.ended_at, letters.replayed_by, destinations.id AS destination, letters.output, letters.attempts
FROM (
    SELECT id, tenant, event, destination, output, attempts, reason, ended_at, replayed_by
    FROM deliveries
    WHERE state = 'dead' AND tenant = $7 AND (replayed_by IS NOT NULL)::integer = $1::integer
        AND (ended_at, id) < ($2, $3) AND ended_at >= $4
        AND ($5::text IS NULL OR reason = $5)
    ORDER BY ended_at DESC, id DESC
    LIMIT $6
) AS letters
JOIN tenants ON tenants.seq = letters.tenant
JOIN destinations ON destinations.seq = letters.destination
JOIN events ON events.id = letters.event";

    /// A destination's. $7: its tenant or null, $8: the destination.
    DELIVERIES_OF_DESTINATION = "\
SELECT letters.id, tenants.id AS tenant, letters.event, events.type, NULL::text AS step, letters.reason,
    letters.ended_at, letters.replayed_by, destinations.id AS destination, letters.output, letters.attempts
FROM (
    SELECT id, tenant, event, destination, output, attempts, reason, ended_at, replayed_by
    FROM deliveries
    WHERE state = 'dead' AND destination = $8 AND (replayed_by IS NOT NULL)::integer = $1::integer
        AND (ended_at, id) < ($2, $3) AND ended_at >= $4
        AND ($5::text IS NULL OR reason = $5)
        AND ($7::integer IS NULL OR tenant = $7)
    ORDER BY ended_at DESC, id DESC
    LIMIT $6
) AS letters
JOIN tenants ON tenants.seq = letters.tenant
JOIN destinations ON destinations.seq = letters.destination
JOIN events ON events.id = letters.event";
}

/// The row numbers that a filter means.
#[derive(Default)]
struct Scope {
    tenant: Option<i64>,
    destination: Option<i64>,
}

/// Up to `limit` dead letters from `cursor` on.
pub(super) async fn page(
    readers: &PgPool,
    filter: &DeadLetterFilter,
    cursor: Option<DeadLetterCursor>,
    limit: u32,
) -> Result<DeadLetterPage, StoreError> {
    let mut moment = moment(readers, "list dead letters").await?;
    let Some(scope) = scope(&mut moment, filter).await? else { return Ok(DeadLetterPage::default()) };
    let mut letters = Vec::new();
    for range in Range::all(filter) {
        letters.extend(read(&mut moment, &scope, filter, range, cursor, limit).await?);
    }
    Ok(dead_letter::page(letters, limit))
}

/// The rows that a filter names; nothing if there is no such tenant or destination.
async fn scope(conn: &mut PgConnection, filter: &DeadLetterFilter) -> Result<Option<Scope>, StoreError> {
    let mut scope = Scope::default();
    if let Some(tenant) = filter.tenant {
        scope.tenant = seq(conn, TENANT, tenant.uuid()).await?;
        if scope.tenant.is_none() {
            return Ok(None);
        }
    }
    if let Some(destination) = filter.destination {
        scope.destination = seq(conn, DESTINATION, destination.uuid()).await?;
        if scope.destination.is_none() {
            return Ok(None);
        }
    }
    Ok(Some(scope))
}

async fn seq(conn: &mut PgConnection, statement: &'static str, id: Uuid) -> Result<Option<i64>, StoreError> {
    let row = sqlx::query(statement).bind(id).fetch_optional(conn).await.map_err(unavailable("list dead letters"))?;
    row.map(|row| Cells::new(&row, "tenants", "seq").int("seq")).transpose()
}

async fn read(
    conn: &mut PgConnection,
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
    let ask = sqlx::query(statement)
        .bind(range.replayed)
        .bind(at.as_ms())
        .bind(Uuid::from_bytes(id))
        .bind(filter.since.map_or(i64::MIN, Timestamp::as_ms))
        .bind(filter.reason.as_deref().map(text))
        .bind(i64::from(limit) + 1);
    let ask = match range.kind {
        DeadLetterKind::Event if scope.tenant.is_none() => ask,
        DeadLetterKind::Event => ask.bind(scope.tenant),
        DeadLetterKind::Delivery if scope.destination.is_some() => ask.bind(scope.tenant).bind(scope.destination),
        DeadLetterKind::Delivery if scope.tenant.is_some() => ask.bind(scope.tenant),
        DeadLetterKind::Delivery => ask,
    };
    let rows = ask.fetch_all(conn).await.map_err(unavailable("list dead letters"))?;
    rows.iter().map(|row| placed(&Cells::new(row, range.table(), "id"), range.kind)).collect()
}
