//! Replays: rows of their own, which own what is made from something dead. The dead keeps its end and is marked.
//!
//! What is to be replayed is held until the commit: of two engines that replay the same at once, the second is told. Its event is held
//! against retention as well, which never removes what somebody holds.

use std::collections::HashMap;

use uuid::Uuid;
use weft_core::time::Timestamp;

use super::lanes::{self, LaneRow, Of};
use super::session::Session;
use super::statements::statements;
use crate::error::{StoreError, unavailable};
use crate::ledger::Count;
use crate::replay::{NewDeliveryReplay, NewEventReplay, Replayed};
use crate::rows::Cells;
use crate::rows::replay::{Subject, refusal};

statements! {
    /// The deliveries that replays ask for. $1: ids.
    FIND_DELIVERIES = "\
SELECT
    wanted.place, deliveries.id, deliveries.tenant, tenants.id AS tenant_id, deliveries.state, deliveries.replayed_by,
    deliveries.destination AS lane_owner, deliveries.ordering_key
FROM UNNEST($1::uuid[]) WITH ORDINALITY AS wanted (id, place)
JOIN deliveries ON deliveries.id = wanted.id
JOIN events ON events.id = deliveries.event
JOIN tenants ON tenants.seq = deliveries.tenant
ORDER BY deliveries.id
FOR NO KEY UPDATE OF deliveries
FOR KEY SHARE OF events";

    /// The events that replays ask for. $1: ids.
    FIND_EVENTS = "\
SELECT
    wanted.place, events.id, events.tenant, tenants.id AS tenant_id, events.state, events.replayed_by,
    events.tenant AS lane_owner, events.ordering_key
FROM UNNEST($1::uuid[]) WITH ORDINALITY AS wanted (id, place)
JOIN events ON events.id = wanted.id
JOIN tenants ON tenants.seq = events.tenant
ORDER BY events.id
FOR NO KEY UPDATE OF events";

    /// Makes replays, copies of the dead deliveries that belong to them (at the end of their lanes), and marks the dead. $1: replays,
    /// $2: dead deliveries, $3: new deliveries, $4: planned, $5: places.
    REPLAY_DELIVERIES = "\
WITH made AS (
    SELECT * FROM UNNEST($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::bigint[])
        AS made (replay, dead, delivery, planned_at, place)
),
replayed AS (
    INSERT INTO replays (id, tenant, event, delivery, created_at, state, planned, ended_at)
    SELECT made.replay, dead.tenant, dead.event, dead.id, made.planned_at, 'routed', 1, made.planned_at
    FROM made
    JOIN deliveries AS dead ON dead.id = made.dead
),
planned AS (
    INSERT INTO deliveries (
        id, tenant, event, replay, pass, output, destination, body, request, planned_at, ends_at, state, due_at,
        ordering_key, place, lease_owner
    )
    SELECT
        made.delivery, dead.tenant, dead.event, made.replay, 0, dead.output, dead.destination, dead.body, dead.request,
        made.planned_at, made.planned_at + dead.ends_at - dead.planned_at, 'pending', made.planned_at, dead.ordering_key,
        CASE WHEN dead.ordering_key IS NOT NULL THEN made.place END,
        CASE WHEN dead.ordering_key IS NOT NULL THEN -1 ELSE 0 END
    FROM made
    JOIN deliveries AS dead ON dead.id = made.dead
)
UPDATE deliveries
SET replayed_by = made.replay
FROM made
WHERE deliveries.id = made.dead AND deliveries.state = 'dead' AND deliveries.replayed_by IS NULL";

    /// Makes replays that wait for a pass (at the end of their lanes), and marks the dead events. $1: replays, $2: dead events, $3: now,
    /// $4: places.
    REPLAY_EVENTS = "\
WITH made AS (
    SELECT * FROM UNNEST($1::uuid[], $2::uuid[], $4::bigint[]) AS made (replay, dead, place)
),
waiting AS (
    INSERT INTO replays (id, tenant, event, created_at, state, due_at, ordering_key, place, lease_owner)
    SELECT
        made.replay, dead.tenant, dead.id, $3, 'received', $3, dead.ordering_key,
        CASE WHEN dead.ordering_key IS NOT NULL THEN made.place END,
        CASE WHEN dead.ordering_key IS NOT NULL THEN -1 ELSE 0 END
    FROM made
    JOIN events AS dead ON dead.id = made.dead
)
UPDATE events
SET replayed_by = made.replay
FROM made
WHERE events.id = made.dead AND events.state = 'dead' AND events.replayed_by IS NULL";
}

/// Something that a replay asks for, and the lane that it enters.
struct Found {
    subject: Subject,
    lane: Option<(i32, String)>,
}

/// Finds what replays ask for, by the place of the asking.
async fn find(
    session: &mut Session,
    statement: &'static str,
    table: &'static str,
    ids: &[Uuid],
) -> Result<HashMap<usize, Found>, StoreError> {
    let rows = sqlx::query(statement)
        .bind(ids)
        .fetch_all(&mut session.conn)
        .await
        .map_err(unavailable("find what is to be replayed"))?;
    let mut subjects = HashMap::with_capacity(rows.len());
    for row in &rows {
        let cells = Cells::new(row, table, "id");
        // The database counts places from 1.
        let lane = cells.maybe_text("ordering_key")?.map(|key| Ok::<_, StoreError>((cells.number("lane_owner")?, key)));
        let found = Found { subject: Subject::read(&cells)?, lane: lane.transpose()? };
        subjects.insert(cells.number::<usize>("place")? - 1, found);
    }
    Ok(subjects)
}

/// Makes a delivery of its own for each dead delivery.
pub(super) async fn deliveries(
    session: &mut Session,
    replays: &[NewDeliveryReplay],
) -> Result<Vec<Replayed>, StoreError> {
    let ids: Vec<_> = replays.iter().map(|replay| replay.delivery.uuid()).collect();
    let subjects = find(session, FIND_DELIVERIES, "deliveries", &ids).await?;
    let mut taken = HashMap::new();
    let mut answers = Vec::with_capacity(replays.len());
    let mut made = Vec::new();
    let mut lanes: Vec<LaneRow<'_>> = Vec::new();
    for (place, new) in replays.iter().enumerate() {
        let found = subjects.get(&place);
        let refused = refusal(found.map(|it| &it.subject), new.tenant, &mut taken, new.delivery, new.replay);
        if let (None, Some(Found { subject: dead, lane })) = (&refused, found) {
            lanes.extend(lane.as_ref().map(|(owner, key)| (*owner, key.as_str())));
            session.ledger.add(dead.tenant, new.planned_at, Count::Replays, 1);
            session.ledger.add(dead.tenant, new.planned_at, Count::ReplayDeliveries, 1);
            made.push(new);
        }
        answers.push(refused.unwrap_or(Replayed::Started));
    }
    session.leaves_work |= !made.is_empty();
    let failed = unavailable("replay deliveries");
    let places = lanes::places(&mut session.conn, made.len()).await.map_err(failed)?;
    sqlx::query(REPLAY_DELIVERIES)
        .bind(made.iter().map(|new| new.replay.uuid()).collect::<Vec<_>>())
        .bind(made.iter().map(|new| new.delivery.uuid()).collect::<Vec<_>>())
        .bind(made.iter().map(|new| new.new_delivery.uuid()).collect::<Vec<_>>())
        .bind(made.iter().map(|new| new.planned_at.as_ms()).collect::<Vec<_>>())
        .bind(places)
        .execute(&mut session.conn)
        .await
        .map_err(failed)?;
    lanes::open(&mut session.conn, Of::Deliveries, &lanes).await.map_err(failed)?;
    Ok(answers)
}

/// Puts each dead event in line for another pass.
pub(super) async fn events(
    session: &mut Session,
    replays: &[NewEventReplay],
    now: Timestamp,
) -> Result<Vec<Replayed>, StoreError> {
    let ids: Vec<_> = replays.iter().map(|replay| replay.event.uuid()).collect();
    let subjects = find(session, FIND_EVENTS, "events", &ids).await?;
    let mut taken = HashMap::new();
    let mut answers = Vec::with_capacity(replays.len());
    let mut made = Vec::new();
    let mut lanes: Vec<LaneRow<'_>> = Vec::new();
    for (place, new) in replays.iter().enumerate() {
        let found = subjects.get(&place);
        let refused = refusal(found.map(|it| &it.subject), new.tenant, &mut taken, new.event, new.replay);
        if let (None, Some(Found { subject: dead, lane })) = (&refused, found) {
            lanes.extend(lane.as_ref().map(|(owner, key)| (*owner, key.as_str())));
            session.ledger.add(dead.tenant, now, Count::Replays, 1);
            made.push(new);
        }
        answers.push(refused.unwrap_or(Replayed::Started));
    }
    session.leaves_work |= !made.is_empty();
    let failed = unavailable("replay events");
    let places = lanes::places(&mut session.conn, made.len()).await.map_err(failed)?;
    sqlx::query(REPLAY_EVENTS)
        .bind(made.iter().map(|new| new.replay.uuid()).collect::<Vec<_>>())
        .bind(made.iter().map(|new| new.event.uuid()).collect::<Vec<_>>())
        .bind(now.as_ms())
        .bind(places)
        .execute(&mut session.conn)
        .await
        .map_err(failed)?;
    lanes::open(&mut session.conn, Of::Passes, &lanes).await.map_err(failed)?;
    Ok(answers)
}
