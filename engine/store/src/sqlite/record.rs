//! Attempts, each together with the state of its delivery.

use rusqlite::{CachedStatement, OptionalExtension, params};
use weft_core::time::Timestamp;

use super::lanes;
use super::session::Desk;
use super::statements::{bytes, json, statements};
use crate::error::StoreError;
use crate::record::{Attempts, MovedOn, OutcomeColumns, sample};
use crate::work::{Finished, FinishedAttempt};

statements! {
    /// The row of a delivery whose lease still holds. ?1: its id, ?2: owner, ?3: until, ?4: attempts before this one.
    HELD = "\
SELECT seq FROM deliveries
WHERE id = ?1 AND state = 'pending' AND lease_owner = ?2 AND due_at = ?3 AND attempts = ?4";

    INSERT_ATTEMPT = "\
INSERT INTO attempts (delivery, number, started_at, took_us, outcome, status, retry_after_ms, detail)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

    INSERT_RESPONSE = "INSERT INTO responses (delivery, number, headers, body) VALUES (?1, ?2, ?3, ?4)";

    /// Moves the delivery on. ?1: its row, ?2: owner, ?3: until.
    MOVE_ON = "\
UPDATE deliveries
SET state = ?4, attempts = ?5, due_at = ?6, lease_owner = 0, ended_at = ?7, reason = ?8
WHERE seq = ?1 AND state = 'pending' AND lease_owner = ?2 AND due_at = ?3";
}

/// Stores the attempts of all asks; answers each in the order of its attempts.
pub(super) fn record(
    desk: &Desk<'_>,
    asks: &[&Vec<FinishedAttempt>],
) -> rusqlite::Result<Vec<Result<Vec<Finished>, StoreError>>> {
    let mut attempts = Attempts::of(asks);
    let mut records = Records::prepare(desk)?;
    for (place, made) in attempts.standing().collect::<Vec<_>>() {
        if records.attempt(made)? == Finished::LeaseLost {
            attempts.late(place);
        } else if let Some(due_at) = opened(desk, made)? {
            attempts.opened(place, due_at);
        }
    }
    Ok(attempts.answers(asks))
}

/// Opens the next of the lane of a delivery, if the attempt has ended it; answers when that is due.
fn opened(desk: &Desk<'_>, made: &FinishedAttempt) -> rusqlite::Result<Option<Timestamp>> {
    match (&made.ordering_key, desk.directory.destination(made.destination)) {
        (Some(key), Ok(destination)) if MovedOn::by(made).ended_at.is_some() => {
            lanes::open_delivery(desk, destination, key)
        }
        _ => Ok(None),
    }
}

/// The statements that store an attempt and what it changes.
struct Records<'s> {
    held: CachedStatement<'s>,
    attempt: CachedStatement<'s>,
    response: CachedStatement<'s>,
    move_on: CachedStatement<'s>,
}

impl<'s> Records<'s> {
    fn prepare(desk: &Desk<'s>) -> rusqlite::Result<Self> {
        Ok(Self {
            held: desk.direct.prepare_cached(HELD)?,
            attempt: desk.direct.prepare_cached(INSERT_ATTEMPT)?,
            response: desk.direct.prepare_cached(INSERT_RESPONSE)?,
            move_on: desk.direct.prepare_cached(MOVE_ON)?,
        })
    }

    /// Stores one attempt if its lease still holds.
    fn attempt(&mut self, made: &FinishedAttempt) -> rusqlite::Result<Finished> {
        let FinishedAttempt { delivery, lease, attempt, .. } = made;
        let until = lease.until.as_ms();
        let held = params![bytes(delivery), lease.owner, until, i64::from(attempt.number) - 1];
        let Some(seq) = self.held.query_row(held, |row| row.get::<_, i64>(0)).optional()? else {
            return Ok(Finished::LeaseLost);
        };
        let outcome = OutcomeColumns::of(attempt);
        self.attempt.execute(params![
            seq,
            attempt.number,
            attempt.started_at.as_ms(),
            outcome.took_us,
            outcome.outcome,
            outcome.status,
            outcome.retry_after_ms,
            outcome.detail,
        ])?;
        if let Some(sample) = sample(attempt) {
            self.response.execute(params![seq, attempt.number, json(&sample.headers), &sample.body[..]])?;
        }
        let moved = MovedOn::by(made);
        let (due, ended) = (moved.due_at.map(Timestamp::as_ms), moved.ended_at.map(Timestamp::as_ms));
        self.move_on.execute(params![
            seq,
            lease.owner,
            until,
            moved.state,
            attempt.number,
            due,
            ended,
            moved.reason
        ])?;
        Ok(Finished::Done)
    }
}
