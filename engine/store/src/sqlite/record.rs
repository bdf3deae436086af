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
    /// The row of a delivery.
    ROW = "SELECT seq FROM deliveries WHERE id = ?1";

    INSERT_ATTEMPT = "\
INSERT INTO attempts (delivery, number, started_at, took_us, outcome, status, retry_after_ms, detail)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

    INSERT_RESPONSE = "INSERT INTO responses (delivery, number, headers, body) VALUES (?1, ?2, ?3, ?4)";

    /// Moves the delivery on if its lease still holds. ?1: its row, ?2: its id, ?3: owner, ?4: until, ?5: attempts before this one.
    MOVE_ON = "\
UPDATE deliveries
SET state = ?6, attempts = ?7, due_at = ?8, lease_owner = 0, ended_at = ?9, reason = ?10
WHERE seq = ?1 AND id = ?2 AND state = 'pending' AND lease_owner = ?3 AND due_at = ?4 AND attempts = ?5";
}

/// Stores the attempts of all asks; answers each in the order of its attempts.
pub(super) fn record(
    desk: &mut Desk<'_>,
    asks: &[&Vec<FinishedAttempt>],
) -> rusqlite::Result<Vec<Result<Vec<Finished>, StoreError>>> {
    let mut attempts = Attempts::of(asks);
    let mut records = Records::prepare(desk)?;
    for (place, made) in attempts.standing().collect::<Vec<_>>() {
        if records.attempt(desk, made)? == Finished::LeaseLost {
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
    row: CachedStatement<'s>,
    attempt: CachedStatement<'s>,
    response: CachedStatement<'s>,
    move_on: CachedStatement<'s>,
}

impl<'s> Records<'s> {
    fn prepare(desk: &Desk<'s>) -> rusqlite::Result<Self> {
        Ok(Self {
            row: desk.direct.prepare_cached(ROW)?,
            attempt: desk.direct.prepare_cached(INSERT_ATTEMPT)?,
            response: desk.direct.prepare_cached(INSERT_RESPONSE)?,
            move_on: desk.direct.prepare_cached(MOVE_ON)?,
        })
    }

    /// Stores one attempt if its lease still holds.
    fn attempt(&mut self, desk: &mut Desk<'_>, made: &FinishedAttempt) -> rusqlite::Result<Finished> {
        let Some(row) = self.moved_on(desk, made)? else { return Ok(Finished::LeaseLost) };
        let attempt = &made.attempt;
        let outcome = OutcomeColumns::of(attempt);
        self.attempt.execute(params![
            row,
            attempt.number,
            attempt.started_at.as_ms(),
            outcome.took_us,
            outcome.outcome,
            outcome.status,
            outcome.retry_after_ms,
            outcome.detail,
        ])?;
        if let Some(sample) = sample(attempt) {
            self.response.execute(params![row, attempt.number, json(&sample.headers), &sample.body[..]])?;
        }
        Ok(Finished::Done)
    }

    /// Moves the delivery on if its lease still holds; answers its row.
    fn moved_on(&mut self, desk: &mut Desk<'_>, made: &FinishedAttempt) -> rusqlite::Result<Option<i64>> {
        if let Some(row) = desk.leased.take(made.delivery)
            && self.move_on(row, made)?
        {
            return Ok(Some(row));
        }
        let row = self.row.query_row(params![bytes(&made.delivery)], |row| row.get(0)).optional()?;
        match row {
            Some(row) if self.move_on(row, made)? => Ok(Some(row)),
            _ => Ok(None),
        }
    }

    fn move_on(&mut self, row: i64, made: &FinishedAttempt) -> rusqlite::Result<bool> {
        let moved = MovedOn::by(made);
        let changed = self.move_on.execute(params![
            row,
            bytes(&made.delivery),
            made.lease.owner,
            made.lease.until.as_ms(),
            i64::from(made.attempt.number) - 1,
            moved.state,
            made.attempt.number,
            moved.due_at.map(Timestamp::as_ms),
            moved.ended_at.map(Timestamp::as_ms),
            moved.reason,
        ])?;
        Ok(changed == 1)
    }
}
