//! The fan-out: what a pass made, whole or not at all.

use std::collections::{HashMap, HashSet};

use sqlx::Row;
use uuid::Uuid;
use weft_core::id::DeliveryId;
use weft_core::time::Timestamp;

use super::deliveries::{self, Origin, json};
use super::kv;
use super::lanes::{self, LaneRow, Of};
use super::session::Session;
use super::statements::{statements, text};
use crate::error::StoreError;
use crate::finish::{PassedState, Passes, planned, result, sent_bodies};
use crate::work::{Finished, FinishedPass, LaneNews};

statements! {
    /// Ends events whose lease still holds, or puts them in line for another pass; answers which. $1: places, $2: ids, $3: owners, $4:
    /// ends of leases, $5: numbers, then what they become.
    FINISH_EVENTS = "\
UPDATE events
SET state = done.state, passes = done.number, planned = done.planned, due_at = done.due_at, lease_owner = 0,
    ended_at = done.ended_at, step = done.step, reason = done.reason
FROM UNNEST(
    $1::integer[], $2::uuid[], $3::bigint[], $4::bigint[], $5::integer[], $6::text[], $7::integer[], $8::bigint[],
    $9::bigint[], $10::text[], $11::text[]
) AS done (place, id, owner, until, number, state, planned, due_at, ended_at, step, reason)
WHERE events.id = done.id
    AND events.state = 'received'
    AND events.lease_owner = done.owner
    AND events.due_at = done.until
    AND events.passes = done.number - 1
RETURNING done.place, events.id AS event, NULL::uuid AS replay, events.tenant";

    /// The same for replays. One that ends dead gives its event back to the dead letters.
    FINISH_REPLAYS = "\
WITH finished AS (
    UPDATE replays
    SET state = done.state, passes = done.number, planned = done.planned, due_at = done.due_at, lease_owner = 0,
        ended_at = done.ended_at, step = done.step, reason = done.reason
    FROM UNNEST(
        $1::integer[], $2::uuid[], $3::bigint[], $4::bigint[], $5::integer[], $6::text[], $7::integer[], $8::bigint[],
        $9::bigint[], $10::text[], $11::text[]
    ) AS done (place, id, owner, until, number, state, planned, due_at, ended_at, step, reason)
    WHERE replays.id = done.id
        AND replays.state = 'received'
        AND replays.lease_owner = done.owner
        AND replays.due_at = done.until
        AND replays.passes = done.number - 1
    RETURNING done.place, replays.event, replays.id AS replay, replays.tenant, replays.state
),
given_back AS (
    UPDATE events SET replayed_by = NULL
    FROM finished
    WHERE finished.state = 'dead' AND events.id = finished.event AND events.replayed_by = finished.replay
)
SELECT place, event, replay, tenant FROM finished";

    INSERT_PASSES = "\
INSERT INTO passes (event, replay, number, started_at, ended_at, result, planned, trace)
SELECT * FROM UNNEST(
    $1::uuid[], $2::uuid[], $3::integer[], $4::bigint[], $5::bigint[], $6::text[], $7::integer[], $8::text[]
)";

    INSERT_BODIES = "INSERT INTO bodies (id, bytes) SELECT * FROM UNNEST($1::uuid[], $2::bytea[])";
}

/// A pass whose lease still held.
struct Held<'a> {
    place: usize,
    pass: &'a FinishedPass,
    event: Uuid,
    replay: Option<Uuid>,
    tenant: i64,
}

/// Stores the passes of all asks; answers each in the order of its passes.
pub(super) async fn finish_passes(
    session: &mut Session,
    asks: &[&Vec<FinishedPass>],
) -> Result<Vec<Result<Vec<Finished>, StoreError>>, sqlx::Error> {
    let mut passes = Passes::of(&session.directory, asks);
    if passes.any_unknown() {
        session.learn().await?;
        passes = Passes::of(&session.directory, asks);
    }
    let mut standing: Vec<_> = passes.standing().collect();
    let conflicts = kv::settle(session, &standing).await?;
    standing.retain(|(place, _)| !conflicts.contains(place));
    conflicts.into_iter().for_each(|place| passes.conflict(place));
    let (replays, events): (Vec<_>, Vec<_>) = standing.into_iter().partition(|(_, pass)| pass.key.replay.is_some());
    let mut held = finish(session, &mut passes, FINISH_EVENTS, &events).await?;
    held.extend(finish(session, &mut passes, FINISH_REPLAYS, &replays).await?);
    // Deliveries of one lane stand in it in this order.
    held.sort_unstable_by_key(|held| held.place);
    if !held.is_empty() {
        let mut opened = open_next(session, &held).await?;
        let late = store(session, &held).await?;
        if !opened.is_empty() || !late.is_empty() {
            for Held { place, pass, tenant, .. } in held {
                let behind = planned(pass).iter().map(|new| new.id).filter(|id| late.contains(id)).collect();
                let opened = lane_of(pass, tenant).and_then(|(tenant, key)| opened.remove(&(tenant, key.to_owned())));
                passes.news(place, LaneNews { opened, behind });
            }
        }
    }
    Ok(passes.answers())
}

/// Changes the rows of those passes whose lease still holds, and says so to `passes`.
async fn finish<'a>(
    session: &mut Session,
    passes: &mut Passes<'a>,
    statement: &'static str,
    done: &[(usize, &'a FinishedPass)],
) -> Result<Vec<Held<'a>>, sqlx::Error> {
    if done.is_empty() {
        return Ok(Vec::new());
    }
    let made = || done.iter().map(|(_, pass)| *pass);
    let states: Vec<_> = made().map(PassedState::of).collect();
    let steps: Vec<_> = states.iter().map(|it| it.step.map(text)).collect();
    let reasons: Vec<_> = states.iter().map(|it| it.reason.map(text)).collect();
    let rows = sqlx::query(statement)
        .bind(done.iter().map(|(place, _)| i32::try_from(*place).unwrap_or(i32::MAX)).collect::<Vec<_>>())
        .bind(made().map(|it| it.key.replay.map_or(it.key.event.uuid(), |id| id.uuid())).collect::<Vec<_>>())
        .bind(made().map(|pass| pass.lease.owner).collect::<Vec<_>>())
        .bind(made().map(|pass| pass.lease.until.as_ms()).collect::<Vec<_>>())
        .bind(made().map(number).collect::<Vec<_>>())
        .bind(states.iter().map(|it| it.state).collect::<Vec<_>>())
        .bind(made().map(planned_count).collect::<Vec<_>>())
        .bind(states.iter().map(|it| it.due_at.map(Timestamp::as_ms)).collect::<Vec<_>>())
        .bind(states.iter().map(|it| it.ended_at.map(Timestamp::as_ms)).collect::<Vec<_>>())
        .bind(steps.iter().map(Option::as_deref).collect::<Vec<_>>())
        .bind(reasons.iter().map(Option::as_deref).collect::<Vec<_>>())
        .fetch_all(&mut session.conn)
        .await?;
    let mut held = Vec::with_capacity(rows.len());
    for row in rows {
        let place = usize::try_from(row.try_get::<i32, _>("place")?).unwrap_or(usize::MAX);
        let Some(pass) = passes.done(place) else { continue };
        let tenant = row.try_get::<i32, _>("tenant")?.into();
        held.push(Held { place, pass, event: row.try_get("event")?, replay: row.try_get("replay")?, tenant });
    }
    Ok(held)
}

fn number(pass: &FinishedPass) -> i32 {
    i32::try_from(pass.number).unwrap_or(i32::MAX)
}

fn planned_count(pass: &FinishedPass) -> i32 {
    i32::try_from(planned(pass).len()).unwrap_or(i32::MAX)
}

/// The lane that a pass has left, if it had an ordering key and has ended.
fn lane_of(pass: &FinishedPass, tenant: i64) -> Option<LaneRow<'_>> {
    let key = pass.ordering_key.as_ref().filter(|_| PassedState::of(pass).ended_at.is_some())?;
    Some((deliveries::short(tenant), key.as_str()))
}

/// Opens what follows under the ordering keys of passes that have ended.
async fn open_next(session: &mut Session, held: &[Held<'_>]) -> Result<HashMap<(i32, String), Timestamp>, sqlx::Error> {
    let left: Vec<_> = held.iter().filter_map(|held| lane_of(held.pass, held.tenant)).collect();
    lanes::open(&mut session.conn, Of::Passes, &left).await
}

/// Stores what passes made; answers the deliveries that wait behind others of their lanes.
async fn store(session: &mut Session, held: &[Held<'_>]) -> Result<HashSet<DeliveryId>, sqlx::Error> {
    let passes = || held.iter().map(|held| held.pass);
    sqlx::query(INSERT_PASSES)
        .bind(held.iter().map(|held| held.event).collect::<Vec<_>>())
        .bind(held.iter().map(|held| held.replay.unwrap_or_default()).collect::<Vec<_>>())
        .bind(passes().map(number).collect::<Vec<_>>())
        .bind(passes().map(|pass| pass.started_at.as_ms()).collect::<Vec<_>>())
        .bind(passes().map(|pass| pass.ended_at.as_ms()).collect::<Vec<_>>())
        .bind(passes().map(|pass| result(pass).as_str()).collect::<Vec<_>>())
        .bind(passes().map(planned_count).collect::<Vec<_>>())
        .bind(passes().map(|pass| json(&pass.trace)).collect::<Vec<_>>())
        .execute(&mut session.conn)
        .await?;
    let sent: Vec<_> = passes().map(sent_bodies).collect();
    let (names, bodies): (Vec<Uuid>, Vec<&[u8]>) =
        sent.iter().flatten().flatten().map(|(body, first)| (first.id.uuid(), &body[..])).unzip();
    if !names.is_empty() {
        sqlx::query(INSERT_BODIES).bind(names).bind(bodies).execute(&mut session.conn).await?;
    }
    let mut rows = Vec::new();
    for (held, sent) in held.iter().zip(&sent) {
        let made: Vec<_> = sent.iter().map(|body| body.map(|(_, first)| first.id.uuid())).collect();
        let Held { pass, event, replay, tenant, .. } = *held;
        rows.extend(deliveries::rows(Origin { tenant, event, replay, pass: pass.number }, planned(pass), &made));
    }
    deliveries::insert(session, &rows).await
}
