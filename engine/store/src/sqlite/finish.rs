//! The fan-out: what a pass made, whole or not at all.

use std::collections::HashSet;

use serde::Serialize;
use sqlx::Row;
use weft_core::plan::BodyRef;

use super::deliveries::{self, Origin};
use super::keep::{self, NO_DESTINATION};
use super::session::Session;
use super::statements::{Hex, InsertRows, Table, Values, bytes, json, statements};
use crate::error::StoreError;
use crate::history::PassResult;
use crate::work::{Finished, FinishedPass, NewDelivery, PassEnd};

pub(super) static INSERT: InsertRows<1> = InsertRows::new([Table {
    head: "INSERT INTO passes (event, replay, number, started_at, ended_at, result, planned, trace)",
    row: "(?, ?, ?, ?, ?, ?, ?, ?)",
    values: 8,
}]);

statements! {
    /// The events whose lease still holds. ?1: [place, event id, owner, until, passes before].
    HELD_EVENTS = "\
SELECT held.value ->> 0 AS place, events.seq AS event, 0 AS replay, events.body, events.tenant
FROM json_each(?1) AS held
CROSS JOIN events ON events.id = unhex(held.value ->> 1)
WHERE events.state = 'received'
    AND events.lease_owner = held.value ->> 2
    AND events.due_at = held.value ->> 3
    AND events.passes = held.value ->> 4";

    /// The replays whose lease still holds. ?1: [place, replay id, owner, until, passes before].
    HELD_REPLAYS = "\
SELECT held.value ->> 0 AS place, events.seq AS event, replays.seq AS replay, events.body, events.tenant
FROM json_each(?1) AS held
CROSS JOIN replays ON replays.id = unhex(held.value ->> 1)
CROSS JOIN events ON events.seq = replays.event
WHERE replays.state = 'received'
    AND replays.lease_owner = held.value ->> 2
    AND replays.due_at = held.value ->> 3
    AND replays.passes = held.value ->> 4";

    /// Ends events ?1 and replays ?2, or puts them in line for another pass. A replay that ends dead gives its event back
    /// to the dead letters. Both: [row, owner, until, state, passes, planned, due, ended, step, reason].
    FINISH = "\
WITH done AS MATERIALIZED (SELECT value FROM json_each(?1))
UPDATE events
SET state = done.value ->> 3, passes = done.value ->> 4, planned = done.value ->> 5, due_at = done.value ->> 6,
    lease_owner = 0, ended_at = done.value ->> 7, step = done.value ->> 8, reason = done.value ->> 9
FROM done
WHERE events.seq = done.value ->> 0
    AND events.state = 'received'
    AND events.lease_owner = done.value ->> 1
    AND events.due_at = done.value ->> 2;
WITH done AS MATERIALIZED (SELECT value FROM json_each(?2))
UPDATE replays
SET state = done.value ->> 3, passes = done.value ->> 4, planned = done.value ->> 5, due_at = done.value ->> 6,
    lease_owner = 0, ended_at = done.value ->> 7, step = done.value ->> 8, reason = done.value ->> 9
FROM done
WHERE replays.seq = done.value ->> 0
    AND replays.state = 'received'
    AND replays.lease_owner = done.value ->> 1
    AND replays.due_at = done.value ->> 2;
UPDATE events
SET replayed_by = NULL
WHERE seq IN (
    SELECT replays.event FROM json_each(?2) CROSS JOIN replays ON replays.seq = value ->> 0 WHERE replays.state = 'dead'
) AND replayed_by IN (SELECT value ->> 0 FROM json_each(?2))";
}

/// A pass whose lease still holds.
struct Held<'a> {
    pass: &'a FinishedPass,
    event: i64,
    /// 0 for the event's own pass.
    replay: i64,
    body: i64,
    tenant: i64,
}

/// Stores the passes of all asks; answers each in the order of its passes.
pub(super) async fn finish_passes(
    session: &mut Session,
    asks: &[&Vec<FinishedPass>],
) -> Result<Vec<Result<Vec<Finished>, StoreError>>, sqlx::Error> {
    let mut answers = Vec::with_capacity(asks.len());
    let mut passes = Vec::new();
    for (ask, input) in asks.iter().enumerate() {
        match input.iter().try_for_each(|pass| known(session, pass)) {
            Ok(()) => {
                passes.extend(input.iter().enumerate().map(|(place, pass)| (ask, place, pass)));
                answers.push(Ok(vec![Finished::LeaseLost; input.len()]));
            }
            Err(unknown) => answers.push(Err(unknown)),
        }
    }
    let mut held = Vec::new();
    for (place, row) in held_rows(session, passes.iter().map(|(_, _, pass)| *pass)).await? {
        let (ask, place, _) = passes[place];
        if let Ok(answer) = &mut answers[ask] {
            answer[place] = Finished::Done;
        }
        held.push(row);
    }
    store(session, &held).await?;
    Ok(answers)
}

fn known(session: &Session, pass: &FinishedPass) -> Result<(), StoreError> {
    match &pass.end {
        PassEnd::Routed { bodies, deliveries } => deliveries::known(session, deliveries, bodies.len()),
        PassEnd::Dropped { .. } | PassEnd::Dead { .. } | PassEnd::Retry { .. } => Ok(()),
    }
}

/// Finds the rows of those passes whose lease still holds, each with its place among `passes`.
async fn held_rows<'a>(
    session: &mut Session,
    passes: impl Iterator<Item = &'a FinishedPass> + Clone,
) -> Result<Vec<(usize, Held<'a>)>, sqlx::Error> {
    let mut seen = HashSet::new();
    let (mut events, mut replays) = (Vec::new(), Vec::new());
    for (place, pass) in passes.clone().enumerate() {
        // The second of two in one commit comes late.
        if !seen.insert(pass.key) {
            continue;
        }
        let id = pass.key.replay.map_or_else(|| bytes(&pass.key.event), |replay| bytes(&replay));
        let before = i64::from(pass.number) - 1;
        let row = (place, Hex(&id).to_string(), pass.lease.owner, pass.lease.until.as_ms(), before);
        if pass.key.replay.is_some() { replays.push(row) } else { events.push(row) }
    }
    let passes: Vec<_> = passes.collect();
    let mut held = Vec::with_capacity(passes.len());
    for (statement, rows) in [(HELD_EVENTS, events), (HELD_REPLAYS, replays)] {
        if rows.is_empty() {
            continue;
        }
        for row in sqlx::query(statement).bind(json(&rows)).fetch_all(&mut session.conn).await? {
            let place = usize::try_from(row.try_get::<i64, _>("place")?).unwrap_or(usize::MAX);
            let Some(pass) = passes.get(place) else { continue };
            let held_pass = Held {
                pass,
                event: row.try_get("event")?,
                replay: row.try_get("replay")?,
                body: row.try_get("body")?,
                tenant: row.try_get("tenant")?,
            };
            held.push((place, held_pass));
        }
    }
    Ok(held)
}

/// What an event or a replay becomes: a row of [`FINISH`].
#[derive(Serialize)]
struct Done<'a>(i64, i64, i64, &'static str, u32, usize, Option<i64>, Option<i64>, Option<&'a str>, Option<&'a str>);

impl<'a> Done<'a> {
    fn new(held: &Held<'a>) -> Self {
        let pass = held.pass;
        let seq = if held.replay == 0 { held.event } else { held.replay };
        let ended = Some(pass.ended_at.as_ms());
        let end = |state, planned, due, ended, step: Option<&'a str>, reason| {
            Done(seq, pass.lease.owner, pass.lease.until.as_ms(), state, pass.number, planned, due, ended, step, reason)
        };
        match &pass.end {
            PassEnd::Routed { deliveries, .. } if deliveries.is_empty() => {
                end("dropped", 0, None, ended, None, Some(NO_DESTINATION))
            }
            PassEnd::Routed { deliveries, .. } => end("routed", deliveries.len(), None, ended, None, None),
            PassEnd::Dropped { step, reason } => end("dropped", 0, None, ended, step.as_deref(), Some(reason)),
            PassEnd::Dead { step, reason } => end("dead", 0, None, ended, step.as_deref(), Some(reason)),
            PassEnd::Retry { at } => end("received", 0, Some(at.as_ms()), None, None, None),
        }
    }
}

async fn store(session: &mut Session, held: &[Held<'_>]) -> Result<(), sqlx::Error> {
    if held.is_empty() {
        return Ok(());
    }
    let (events, replays): (Vec<_>, Vec<_>) = held.iter().partition(|held| held.replay == 0);
    let done = |held: Vec<&Held<'_>>| json(&held.iter().map(|held| Done::new(held)).collect::<Vec<_>>());
    sqlx::query(FINISH).bind(done(events)).bind(done(replays)).execute(&mut session.conn).await?;
    INSERT.insert(&mut session.conn, held, [&bind_pass]).await?;
    let sent: Vec<_> = held.iter().map(|held| sent_bodies(held.pass)).collect();
    let bodies: Vec<_> = sent.iter().flatten().filter_map(|body| *body).collect();
    let mut stored = keep::insert_bodies(session, &bodies).await?.into_iter();
    let mut rows = Vec::new();
    for (held, sent) in held.iter().zip(&sent) {
        let made: Vec<_> = sent.iter().map(|body| body.and_then(|_| stored.next())).collect();
        let Held { pass, event, tenant, body, .. } = *held;
        let replay = (held.replay != 0).then_some(held.replay);
        let origin = Origin { tenant, event, replay, pass: pass.number, body };
        rows.extend(deliveries::number(session, origin, planned(pass), &made));
    }
    deliveries::insert(session, &rows).await
}

/// The deliveries that a pass planned.
fn planned(pass: &FinishedPass) -> &[NewDelivery] {
    match &pass.end {
        PassEnd::Routed { deliveries, .. } => deliveries,
        PassEnd::Dropped { .. } | PassEnd::Dead { .. } | PassEnd::Retry { .. } => &[],
    }
}

/// The bodies that a pass made, without those that no delivery sends: they would be nobody's.
fn sent_bodies(pass: &FinishedPass) -> Vec<Option<&bytes::Bytes>> {
    let PassEnd::Routed { bodies, deliveries } = &pass.end else { return Vec::new() };
    let sent: HashSet<usize> = deliveries
        .iter()
        .filter_map(|delivery| match delivery.body {
            BodyRef::New(index) => Some(index),
            BodyRef::Event => None,
        })
        .collect();
    bodies.iter().enumerate().map(|(index, body)| sent.contains(&index).then_some(body)).collect()
}

fn bind_pass(values: &mut Values, held: &Held<'_>) {
    let pass = held.pass;
    let planned = planned(pass).len();
    let result = match &pass.end {
        PassEnd::Routed { .. } if planned == 0 => PassResult::Dropped,
        PassEnd::Routed { .. } => PassResult::Routed,
        PassEnd::Dropped { .. } => PassResult::Dropped,
        PassEnd::Dead { .. } => PassResult::Dead,
        PassEnd::Retry { .. } => PassResult::Retry,
    };
    values.int(held.event);
    values.int(held.replay);
    values.int(pass.number.into());
    values.int(pass.started_at.as_ms());
    values.int(pass.ended_at.as_ms());
    values.text(result.as_str());
    values.int(i64::try_from(planned).unwrap_or(i64::MAX));
    values.text(&json(&pass.trace));
}
