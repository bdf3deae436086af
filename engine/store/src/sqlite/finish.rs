//! The fan-out: what a pass made, whole or not at all.

use rusqlite::{CachedStatement, OptionalExtension, Row, params};
use weft_core::plan::BodyRef;
use weft_core::time::Timestamp;

use super::deliveries::{self, Origin};
use super::keep::BodyInsert;
use super::session::Desk;
use super::statements::{bytes, json, statements};
use super::{kv, lanes};
use crate::error::StoreError;
use crate::finish::{PassedState, Passes, planned, result, sent_bodies};
use crate::work::{Finished, FinishedPass, LaneNews};

statements! {
    /// An event whose lease still holds. ?1: its id, ?2: owner, ?3: until, ?4: passes before this one.
    HELD_EVENT = "\
SELECT seq AS event, 0 AS replay, body, tenant FROM events
WHERE id = ?1 AND state = 'received' AND lease_owner = ?2 AND due_at = ?3 AND passes = ?4";

    /// The same for a replay.
    HELD_REPLAY = "\
SELECT events.seq AS event, replays.seq AS replay, events.body, events.tenant
FROM replays
CROSS JOIN events ON events.seq = replays.event
WHERE replays.id = ?1 AND replays.state = 'received'
    AND replays.lease_owner = ?2 AND replays.due_at = ?3 AND replays.passes = ?4";

    INSERT_PASS = "\
INSERT INTO passes (event, replay, number, started_at, ended_at, result, planned, trace)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

    /// Ends an event, or puts it in line for another pass. ?1: its row, ?2: owner, ?3: until.
    FINISH_EVENT = "\
UPDATE events
SET state = ?4, passes = ?5, planned = ?6, due_at = ?7, lease_owner = 0, ended_at = ?8, step = ?9, reason = ?10
WHERE seq = ?1 AND state = 'received' AND lease_owner = ?2 AND due_at = ?3";

    /// The same for a replay.
    FINISH_REPLAY = "\
UPDATE replays
SET state = ?4, passes = ?5, planned = ?6, due_at = ?7, lease_owner = 0, ended_at = ?8, step = ?9, reason = ?10
WHERE seq = ?1 AND state = 'received' AND lease_owner = ?2 AND due_at = ?3";

    /// Frees an event whose lease still holds. ?1: its row, ?2: owner, ?3: until.
    PUT_EVENT_BACK = "\
UPDATE events SET lease_owner = 0, due_at = received_at
WHERE seq = ?1 AND state = 'received' AND lease_owner = ?2 AND due_at = ?3";

    /// The same for a replay.
    PUT_REPLAY_BACK = "\
UPDATE replays SET lease_owner = 0, due_at = created_at
WHERE seq = ?1 AND state = 'received' AND lease_owner = ?2 AND due_at = ?3";

    /// Gives event ?1 back to the dead letters, since its replay ?2 has ended dead.
    GIVE_BACK = "UPDATE events SET replayed_by = NULL WHERE seq = ?1 AND replayed_by = ?2";
}

/// A pass whose lease still holds.
struct Held {
    event: i64,
    /// 0 for the event's own pass.
    replay: i64,
    body: i64,
    tenant: i64,
}

impl Held {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { event: row.get(0)?, replay: row.get(1)?, body: row.get(2)?, tenant: row.get(3)? })
    }
}

/// Stores the passes of all asks; answers each in the order of its passes.
pub(super) fn finish_passes(
    desk: &mut Desk<'_>,
    asks: &[&Vec<FinishedPass>],
) -> rusqlite::Result<Vec<Result<Vec<Finished>, StoreError>>> {
    let mut passes = Passes::of(desk.directory, asks);
    let mut finishes = Finishes::prepare(desk)?;
    for (place, pass) in passes.standing().collect::<Vec<_>>() {
        let Some(held) = held(desk, pass)? else { continue };
        if !kv::holds(desk, held.tenant, pass)? {
            put_back(desk, pass, &held)?;
            passes.conflict(place);
            continue;
        }
        let news = finishes.pass(desk, pass, &held)?;
        kv::leave(desk, held.tenant, pass)?;
        passes.done(place);
        passes.news(place, news);
    }
    Ok(passes.answers())
}

/// The statements that store a pass and what it made.
struct Finishes<'s> {
    pass: CachedStatement<'s>,
    bodies: BodyInsert<'s>,
    deliveries: deliveries::Insert<'s>,
}

impl<'s> Finishes<'s> {
    fn prepare(desk: &Desk<'s>) -> rusqlite::Result<Self> {
        Ok(Self {
            pass: desk.direct.prepare_cached(INSERT_PASS)?,
            bodies: BodyInsert::prepare(desk)?,
            deliveries: deliveries::Insert::prepare(desk)?,
        })
    }

    /// Stores one pass, whose lease holds; answers what that has done to lanes.
    fn pass(&mut self, desk: &mut Desk<'_>, pass: &FinishedPass, held: &Held) -> rusqlite::Result<LaneNews> {
        let mut news = LaneNews { opened: end(desk, pass, held)?, behind: Vec::new() };
        let planned = planned(pass);
        self.pass.execute(params![
            held.event,
            held.replay,
            pass.number,
            pass.started_at.as_ms(),
            pass.ended_at.as_ms(),
            result(pass).as_str(),
            i64::try_from(planned.len()).unwrap_or(i64::MAX),
            json(&pass.trace),
        ])?;
        let mut bodies = Vec::new();
        for sent in sent_bodies(pass) {
            bodies.push(sent.map(|(body, _)| self.bodies.body(desk, body)).transpose()?);
        }
        let replay = (held.replay != 0).then_some(held.replay);
        let origin = Origin { tenant: held.tenant, event: held.event, replay, pass: pass.number };
        for new in planned {
            let body = match new.body {
                BodyRef::Event => held.body,
                BodyRef::New(index) => bodies[index].expect("known() has found it, and what is sent is stored"),
            };
            if self.deliveries.delivery(desk, origin, new, body)? {
                news.behind.push(new.id);
            }
        }
        Ok(news)
    }
}

/// The rows of a pass, if its lease still holds.
fn held(desk: &Desk<'_>, pass: &FinishedPass) -> rusqlite::Result<Option<Held>> {
    let (statement, id) = match pass.key.replay {
        None => (HELD_EVENT, bytes(&pass.key.event)),
        Some(replay) => (HELD_REPLAY, bytes(&replay)),
    };
    let row = params![id, pass.lease.owner, pass.lease.until.as_ms(), i64::from(pass.number) - 1];
    desk.direct.prepare_cached(statement)?.query_row(row, Held::read).optional()
}

/// Puts what a pass worked for back in line, as if the pass had not been.
fn put_back(desk: &Desk<'_>, pass: &FinishedPass, held: &Held) -> rusqlite::Result<()> {
    let (statement, seq) = if held.replay == 0 { (PUT_EVENT_BACK, held.event) } else { (PUT_REPLAY_BACK, held.replay) };
    let row = params![seq, pass.lease.owner, pass.lease.until.as_ms()];
    desk.direct.prepare_cached(statement)?.execute(row)?;
    Ok(())
}

/// Ends the event or the replay that a pass worked for, or puts it in line for another. Answers when the next of its lane is due, if
/// that is open now.
fn end(desk: &Desk<'_>, pass: &FinishedPass, held: &Held) -> rusqlite::Result<Option<Timestamp>> {
    let passed = PassedState::of(pass);
    let (statement, seq) = if held.replay == 0 { (FINISH_EVENT, held.event) } else { (FINISH_REPLAY, held.replay) };
    desk.direct.prepare_cached(statement)?.execute(params![
        seq,
        pass.lease.owner,
        pass.lease.until.as_ms(),
        passed.state,
        pass.number,
        i64::try_from(planned(pass).len()).unwrap_or(i64::MAX),
        passed.due_at.map(Timestamp::as_ms),
        passed.ended_at.map(Timestamp::as_ms),
        passed.step,
        passed.reason,
    ])?;
    if held.replay != 0 && passed.state == "dead" {
        desk.direct.prepare_cached(GIVE_BACK)?.execute(params![held.event, held.replay])?;
    }
    match &pass.ordering_key {
        Some(key) if passed.ended_at.is_some() => lanes::open_pass(desk, held.tenant, key),
        _ => Ok(None),
    }
}
