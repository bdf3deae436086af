//! Replays: rows of their own, which own what is made from something dead. The dead keeps its end and is marked.

use std::collections::HashMap;

use sqlx::sqlite::SqliteRow;
use weft_core::time::Timestamp;

use super::lanes;
use super::session::Session;
use super::statements::{Hex, bytes, json, statements};
use crate::error::{StoreError, unavailable};
use crate::ledger::Count;
use crate::replay::{NewDeliveryReplay, NewEventReplay, Replayed};
use crate::rows::Cells;
use crate::rows::replay::{Subject, refusal};

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

    /// Makes replays, copies of the dead deliveries that belong to them (at the end of their lanes), and marks the dead.
    /// ?1: [replay, replay id, tenant, event, dead delivery, planned, new delivery, new id, place].
    REPLAY_DELIVERIES = "\
INSERT INTO replays (seq, id, tenant, event, delivery, created_at, state, planned, ended_at)
SELECT value ->> 0, unhex(value ->> 1), value ->> 2, value ->> 3, value ->> 4, value ->> 5, 'routed', 1, value ->> 5
FROM json_each(?1);
INSERT INTO deliveries (
    seq, id, tenant, event, replay, pass, output, destination, body, request, planned_at, ends_at, state, due_at,
    ordering_key, place, lease_owner
)
SELECT
    value ->> 6, unhex(value ->> 7), dead.tenant, dead.event, value ->> 0, 0, dead.output, dead.destination, dead.body,
    dead.request, value ->> 5, value ->> 5 + dead.ends_at - dead.planned_at, 'pending', value ->> 5, dead.ordering_key,
    CASE WHEN dead.ordering_key IS NOT NULL THEN value ->> 8 END,
    CASE WHEN dead.ordering_key IS NOT NULL THEN -1 ELSE 0 END
FROM json_each(?1)
CROSS JOIN deliveries AS dead ON dead.seq = value ->> 4;
UPDATE deliveries
SET replayed_by = made.replay
FROM (SELECT value ->> 0 AS replay, value ->> 4 AS dead FROM json_each(?1)) AS made
WHERE deliveries.seq = made.dead AND deliveries.state = 'dead' AND deliveries.replayed_by IS NULL";

    /// Makes replays that wait for a pass (at the end of their lanes), and marks the dead events.
    /// ?1: [replay, replay id, tenant, event, now, place].
    REPLAY_EVENTS = "\
INSERT INTO replays (seq, id, tenant, event, created_at, state, due_at, ordering_key, place, lease_owner)
SELECT
    value ->> 0, unhex(value ->> 1), value ->> 2, value ->> 3, value ->> 4, 'received', value ->> 4, dead.ordering_key,
    CASE WHEN dead.ordering_key IS NOT NULL THEN value ->> 5 END,
    CASE WHEN dead.ordering_key IS NOT NULL THEN -1 ELSE 0 END
FROM json_each(?1)
CROSS JOIN events AS dead ON dead.seq = value ->> 3;
UPDATE events
SET replayed_by = made.replay
FROM (SELECT value ->> 0 AS replay, value ->> 3 AS dead FROM json_each(?1)) AS made
WHERE events.seq = made.dead AND events.state = 'dead' AND events.replayed_by IS NULL";
}

/// Something that a replay asks for, with its row and its event's.
struct Found {
    seq: i64,
    event: i64,
    subject: Subject,
}

/// Finds what replays ask for, by the place of the asking.
async fn find(
    session: &mut Session,
    statement: &'static str,
    table: &'static str,
    ids: &[String],
) -> Result<HashMap<usize, Found>, StoreError> {
    let rows = sqlx::query(statement)
        .bind(json(ids))
        .fetch_all(&mut session.conn)
        .await
        .map_err(unavailable("find what is to be replayed"))?;
    let read = |row: &SqliteRow| {
        let cells = Cells::new(row, table, "id");
        let found = Found { seq: cells.int("seq")?, event: cells.int("event")?, subject: Subject::read(&cells)? };
        Ok((cells.number("place")?, found))
    };
    rows.iter().map(read).collect()
}

/// Makes a delivery of its own for each dead delivery.
pub(super) async fn deliveries(
    session: &mut Session,
    replays: &[NewDeliveryReplay],
) -> Result<Vec<Replayed>, StoreError> {
    let ids: Vec<_> = replays.iter().map(|replay| Hex(&bytes(&replay.delivery)).to_string()).collect();
    let found = find(session, FIND_DELIVERIES, "deliveries", &ids).await?;
    let mut taken = HashMap::new();
    let mut answers = Vec::with_capacity(replays.len());
    let mut rows = Vec::new();
    for (place, new) in replays.iter().enumerate() {
        let found = found.get(&place);
        let refused = refusal(found.map(|it| &it.subject), new.tenant, &mut taken, new.delivery, new.replay);
        if let (None, Some(dead)) = (&refused, found) {
            session.ledger.add(dead.subject.tenant, new.planned_at, Count::Replays, 1);
            session.ledger.add(dead.subject.tenant, new.planned_at, Count::ReplayDeliveries, 1);
            rows.push((
                session.numbers.replay(),
                Hex(&bytes(&new.replay)).to_string(),
                dead.subject.tenant,
                dead.event,
                dead.seq,
                new.planned_at.as_ms(),
                session.numbers.delivery(),
                Hex(&bytes(&new.new_delivery)).to_string(),
                session.numbers.place(),
            ));
        }
        answers.push(refused.unwrap_or(Replayed::Started));
    }
    let failed = unavailable("replay deliveries");
    sqlx::query(REPLAY_DELIVERIES).bind(json(&rows)).execute(&mut session.conn).await.map_err(failed)?;
    let made: Vec<_> = rows.iter().map(|row| row.6).collect();
    lanes::open_deliveries_of(&mut session.conn, &made).await.map_err(failed)?;
    Ok(answers)
}

/// Puts each dead event in line for another pass.
pub(super) async fn events(
    session: &mut Session,
    replays: &[NewEventReplay],
    now: Timestamp,
) -> Result<Vec<Replayed>, StoreError> {
    let ids: Vec<_> = replays.iter().map(|replay| Hex(&bytes(&replay.event)).to_string()).collect();
    let found = find(session, FIND_EVENTS, "events", &ids).await?;
    let mut taken = HashMap::new();
    let mut answers = Vec::with_capacity(replays.len());
    let mut rows = Vec::new();
    for (place, new) in replays.iter().enumerate() {
        let found = found.get(&place);
        let refused = refusal(found.map(|it| &it.subject), new.tenant, &mut taken, new.event, new.replay);
        if let (None, Some(dead)) = (&refused, found) {
            session.ledger.add(dead.subject.tenant, now, Count::Replays, 1);
            let id = Hex(&bytes(&new.replay)).to_string();
            let place = session.numbers.place();
            rows.push((session.numbers.replay(), id, dead.subject.tenant, dead.seq, now.as_ms(), place));
        }
        answers.push(refused.unwrap_or(Replayed::Started));
    }
    let failed = unavailable("replay events");
    sqlx::query(REPLAY_EVENTS).bind(json(&rows)).execute(&mut session.conn).await.map_err(failed)?;
    let made: Vec<_> = rows.iter().map(|row| row.0).collect();
    lanes::open_passes_of(&mut session.conn, &made).await.map_err(failed)?;
    Ok(answers)
}
