//! Replays: rows of their own, which own what is made from something dead. The dead keeps its end and is marked.

use std::collections::HashMap;
use std::hash::Hash;

use sqlx::sqlite::SqliteRow;
use weft_core::id::{ReplayId, TenantId};
use weft_core::time::Timestamp;

use super::cells::Cells;
use super::ledger::Count;
use super::session::{Session, unavailable};
use super::statements::{Hex, bytes, json, statements};
use crate::error::StoreError;
use crate::replay::{NewDeliveryReplay, NewEventReplay, Replayed};

statements! {
    /// The deliveries that replays ask for. ?1: ids.
    FIND_DELIVERIES = "\
SELECT
    wanted.key AS place, deliveries.seq, deliveries.id, deliveries.tenant, tenants.id AS tenant_id, deliveries.event,
    deliveries.state, replays.id AS replayed_by
FROM json_each(?1) AS wanted
CROSS JOIN deliveries ON deliveries.id = unhex(wanted.value)
CROSS JOIN tenants ON tenants.seq = deliveries.tenant
LEFT JOIN replays ON replays.seq = deliveries.replayed_by";

    /// The events that replays ask for. ?1: ids.
    FIND_EVENTS = "\
SELECT
    wanted.key AS place, events.seq, events.id, events.tenant, tenants.id AS tenant_id, events.seq AS event,
    events.state, replays.id AS replayed_by
FROM json_each(?1) AS wanted
CROSS JOIN events ON events.id = unhex(wanted.value)
CROSS JOIN tenants ON tenants.seq = events.tenant
LEFT JOIN replays ON replays.seq = events.replayed_by";

    /// Makes replays, copies of the dead deliveries that belong to them, and marks the dead.
    /// ?1: [replay, replay id, tenant, event, dead delivery, planned, new delivery, new id, ends].
    REPLAY_DELIVERIES = "\
INSERT INTO replays (seq, id, tenant, event, delivery, created_at, state, planned, ended_at)
SELECT value ->> 0, unhex(value ->> 1), value ->> 2, value ->> 3, value ->> 4, value ->> 5, 'routed', 1, value ->> 5
FROM json_each(?1);
INSERT INTO deliveries (
    seq, id, tenant, event, replay, pass, output, destination, body, request, planned_at, ends_at, state, due_at
)
SELECT
    value ->> 6, unhex(value ->> 7), dead.tenant, dead.event, value ->> 0, 0, dead.output, dead.destination, dead.body,
    dead.request, value ->> 5, value ->> 8, 'pending', value ->> 5
FROM json_each(?1)
CROSS JOIN deliveries AS dead ON dead.seq = value ->> 4;
UPDATE deliveries
SET replayed_by = made.replay
FROM (SELECT value ->> 0 AS replay, value ->> 4 AS dead FROM json_each(?1)) AS made
WHERE deliveries.seq = made.dead AND deliveries.state = 'dead' AND deliveries.replayed_by IS NULL";

    /// Makes replays that wait for a pass, and marks the dead events. ?1: [replay, replay id, tenant, event, now].
    REPLAY_EVENTS = "\
INSERT INTO replays (seq, id, tenant, event, created_at, state, due_at)
SELECT value ->> 0, unhex(value ->> 1), value ->> 2, value ->> 3, value ->> 4, 'received', value ->> 4
FROM json_each(?1);
UPDATE events
SET replayed_by = made.replay
FROM (SELECT value ->> 0 AS replay, value ->> 3 AS dead FROM json_each(?1)) AS made
WHERE events.seq = made.dead AND events.state = 'dead' AND events.replayed_by IS NULL";
}

/// Something that a replay asks for.
struct Subject {
    seq: i64,
    tenant: i64,
    tenant_id: TenantId,
    event: i64,
    state: String,
    replayed_by: Option<ReplayId>,
}

/// Finds what replays ask for, by the place of the asking.
async fn find(
    session: &mut Session,
    statement: &'static str,
    table: &'static str,
    ids: &[String],
) -> Result<HashMap<usize, Subject>, StoreError> {
    let rows = sqlx::query(statement)
        .bind(json(ids))
        .fetch_all(&mut session.conn)
        .await
        .map_err(unavailable("find what is to be replayed"))?;
    let read = |row: &SqliteRow| {
        let cells = Cells::new(row, table, "id");
        let subject = Subject {
            seq: cells.int("seq")?,
            tenant: cells.int("tenant")?,
            tenant_id: cells.id("tenant_id")?,
            event: cells.int("event")?,
            state: cells.text("state")?,
            replayed_by: cells.maybe_id("replayed_by")?,
        };
        Ok((cells.number("place")?, subject))
    };
    rows.iter().map(read).collect()
}

/// Says why something cannot be replayed; nothing if it can, and then it is `replay`'s.
fn refusal<K: Eq + Hash>(
    subject: Option<&Subject>,
    tenant: Option<TenantId>,
    taken: &mut HashMap<K, ReplayId>,
    key: K,
    replay: ReplayId,
) -> Option<Replayed> {
    let Some(subject) = subject.filter(|subject| tenant.is_none_or(|tenant| tenant == subject.tenant_id)) else {
        return Some(Replayed::NotFound);
    };
    if subject.state != "dead" {
        return Some(Replayed::NotDead { state: subject.state.clone() });
    }
    if let Some(earlier) = subject.replayed_by.or_else(|| taken.get(&key).copied()) {
        return Some(Replayed::AlreadyReplayed(earlier));
    }
    taken.insert(key, replay);
    None
}

/// Makes a delivery of its own for each dead delivery.
pub(super) async fn deliveries(
    session: &mut Session,
    replays: &[NewDeliveryReplay],
) -> Result<Vec<Replayed>, StoreError> {
    let ids: Vec<_> = replays.iter().map(|replay| Hex(&bytes(&replay.delivery)).to_string()).collect();
    let subjects = find(session, FIND_DELIVERIES, "deliveries", &ids).await?;
    let mut taken = HashMap::new();
    let mut answers = Vec::with_capacity(replays.len());
    let mut rows = Vec::new();
    for (place, new) in replays.iter().enumerate() {
        let subject = subjects.get(&place);
        let refused = refusal(subject, new.tenant, &mut taken, new.delivery, new.replay);
        if let (None, Some(dead)) = (&refused, subject) {
            session.ledger.add(dead.tenant, new.planned_at, Count::Replays, 1);
            session.ledger.add(dead.tenant, new.planned_at, Count::ReplayDeliveries, 1);
            rows.push((
                session.numbers.replay(),
                Hex(&bytes(&new.replay)).to_string(),
                dead.tenant,
                dead.event,
                dead.seq,
                new.planned_at.as_ms(),
                session.numbers.delivery(),
                Hex(&bytes(&new.new_delivery)).to_string(),
                new.ends_at.as_ms(),
            ));
        }
        answers.push(refused.unwrap_or(Replayed::Started));
    }
    let failed = unavailable("replay deliveries");
    sqlx::query(REPLAY_DELIVERIES).bind(json(&rows)).execute(&mut session.conn).await.map_err(failed)?;
    Ok(answers)
}

/// Puts each dead event in line for another pass.
pub(super) async fn events(
    session: &mut Session,
    replays: &[NewEventReplay],
    now: Timestamp,
) -> Result<Vec<Replayed>, StoreError> {
    let ids: Vec<_> = replays.iter().map(|replay| Hex(&bytes(&replay.event)).to_string()).collect();
    let subjects = find(session, FIND_EVENTS, "events", &ids).await?;
    let mut taken = HashMap::new();
    let mut answers = Vec::with_capacity(replays.len());
    let mut rows = Vec::new();
    for (place, new) in replays.iter().enumerate() {
        let subject = subjects.get(&place);
        let refused = refusal(subject, new.tenant, &mut taken, new.event, new.replay);
        if let (None, Some(dead)) = (&refused, subject) {
            session.ledger.add(dead.tenant, now, Count::Replays, 1);
            let id = Hex(&bytes(&new.replay)).to_string();
            rows.push((session.numbers.replay(), id, dead.tenant, dead.seq, now.as_ms()));
        }
        answers.push(refused.unwrap_or(Replayed::Started));
    }
    let failed = unavailable("replay events");
    sqlx::query(REPLAY_EVENTS).bind(json(&rows)).execute(&mut session.conn).await.map_err(failed)?;
    Ok(answers)
}
