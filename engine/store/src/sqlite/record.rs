//! Attempts, each together with the state of its delivery.

use std::collections::HashSet;

use serde::Serialize;
use sqlx::Row;
use weft_core::attempt::{Attempt, AttemptOutcome, ResponseSample, Waiting};
use weft_core::decide::NextStep;

use super::session::Session;
use super::statements::{Hex, InsertRows, Table, Values, bytes, json, statements};
use crate::error::StoreError;
use crate::work::{Finished, FinishedAttempt};

pub(super) static INSERT_RESPONSES: InsertRows<1> = InsertRows::new([Table {
    head: "INSERT INTO responses (delivery, number, headers, body)",
    row: "((SELECT seq FROM deliveries WHERE id = ?), ?, ?, ?)",
    values: 4,
}]);

statements! {
    /// Stores the attempts whose lease still holds. ?1, here and below: [place, delivery id, owner, until, number, started,
    /// took, outcome, status, retry after, detail, state, due, ended, reason].
    RECORD = "\
WITH made AS MATERIALIZED (SELECT value FROM json_each(?1))
INSERT INTO attempts (delivery, number, started_at, took_us, outcome, status, retry_after_ms, detail)
SELECT
    deliveries.seq, made.value ->> 4, made.value ->> 5, made.value ->> 6, made.value ->> 7, made.value ->> 8,
    made.value ->> 9, made.value ->> 10
FROM made
CROSS JOIN deliveries ON deliveries.id = unhex(made.value ->> 1)
WHERE deliveries.state = 'pending'
    AND deliveries.lease_owner = made.value ->> 2
    AND deliveries.due_at = made.value ->> 3
    AND deliveries.attempts = (made.value ->> 4) - 1";

    /// The attempts that came too late.
    LATE = "\
SELECT made.value ->> 0 AS place
FROM json_each(?1) AS made
WHERE NOT EXISTS (
    SELECT 1 FROM deliveries
    WHERE id = unhex(made.value ->> 1)
        AND state = 'pending'
        AND lease_owner = made.value ->> 2
        AND due_at = made.value ->> 3
        AND attempts = (made.value ->> 4) - 1
)";

    /// Moves the deliveries of the attempts on.
    MOVE_ON = "\
WITH made AS MATERIALIZED (SELECT value FROM json_each(?1))
UPDATE deliveries
SET state = made.value ->> 11, attempts = made.value ->> 4, due_at = made.value ->> 12, lease_owner = 0,
    ended_at = made.value ->> 13, reason = made.value ->> 14
FROM made
WHERE deliveries.id = unhex(made.value ->> 1)
    AND deliveries.state = 'pending'
    AND deliveries.lease_owner = made.value ->> 2
    AND deliveries.due_at = made.value ->> 3
    AND deliveries.attempts = (made.value ->> 4) - 1";
}

/// An attempt and what comes next: a row of [`RECORD`].
#[derive(Serialize)]
struct Made<'a>(
    usize,
    String,
    i64,
    i64,
    u32,
    i64,
    u64,
    &'static str,
    Option<u16>,
    Option<u64>,
    Option<&'a str>,
    &'static str,
    Option<i64>,
    Option<i64>,
    Option<&'static str>,
);

impl<'a> Made<'a> {
    fn new(place: usize, finished: &'a FinishedAttempt) -> Self {
        let FinishedAttempt { delivery, lease, attempt, next } = finished;
        let (retry_after, detail) = details(&attempt.outcome);
        let ended = Some(attempt.started_at.plus(attempt.took).as_ms());
        let (state, due, ended, reason) = match next {
            NextStep::Delivered => ("delivered", None, ended, None),
            NextStep::Retry(at) => ("pending", Some(at.as_ms()), None, None),
            NextStep::Dead(why) => ("dead", None, ended, Some(why.as_str())),
        };
        Self(
            place,
            Hex(&bytes(delivery)).to_string(),
            lease.owner,
            lease.until.as_ms(),
            attempt.number,
            attempt.started_at.as_ms(),
            u64::try_from(attempt.took.as_micros()).unwrap_or(u64::MAX >> 1),
            attempt.outcome.as_str(),
            attempt.outcome.status(),
            retry_after,
            detail,
            state,
            due,
            ended,
            reason,
        )
    }
}

/// The words for what an attempt was waiting for when its time passed.
pub(super) const fn waiting_word(waiting: Waiting) -> &'static str {
    match waiting {
        Waiting::Connection => "connection",
        Waiting::Response => "response",
    }
}

/// What an outcome has beside its word and its status: the wish in milliseconds, and a text.
fn details(outcome: &AttemptOutcome) -> (Option<u64>, Option<&str>) {
    match outcome {
        AttemptOutcome::Accepted { .. } => (None, None),
        AttemptOutcome::Rejected { retry_after, .. } => {
            (retry_after.map(|wish| u64::try_from(wish.as_millis()).unwrap_or(u64::MAX >> 1)), None)
        }
        AttemptOutcome::TimedOut { waiting_for } => (None, Some(waiting_word(*waiting_for))),
        AttemptOutcome::Unreachable { reason } | AttemptOutcome::Forbidden { reason } => (None, Some(reason)),
    }
}

/// What came back, where it is kept: for failures only.
fn sample(attempt: &Attempt) -> Option<&ResponseSample> {
    attempt.response.as_ref().filter(|_| !matches!(attempt.outcome, AttemptOutcome::Accepted { .. }))
}

/// Stores the attempts of all asks; answers each in the order of its attempts.
pub(super) async fn record(
    session: &mut Session,
    asks: &[&Vec<FinishedAttempt>],
) -> Result<Vec<Result<Vec<Finished>, StoreError>>, sqlx::Error> {
    let all: Vec<&FinishedAttempt> = asks.iter().flat_map(|ask| ask.iter()).collect();
    let mut finished = vec![Finished::Done; all.len()];
    let mut seen = HashSet::with_capacity(all.len());
    let mut rows = Vec::with_capacity(all.len());
    for (place, attempt) in all.iter().enumerate() {
        // The second of two in one commit comes late.
        if seen.insert(attempt.delivery) {
            rows.push(Made::new(place, attempt));
        } else {
            finished[place] = Finished::LeaseLost;
        }
    }
    let made = json(&rows);
    let stored = sqlx::query(RECORD).bind(&made).execute(&mut session.conn).await?.rows_affected();
    if stored != rows.len() as u64 {
        for late in sqlx::query(LATE).bind(&made).fetch_all(&mut session.conn).await? {
            let place = usize::try_from(late.try_get::<i64, _>("place")?).unwrap_or(usize::MAX);
            if let Some(finished) = finished.get_mut(place) {
                *finished = Finished::LeaseLost;
            }
        }
    }
    sqlx::query(MOVE_ON).bind(&made).execute(&mut session.conn).await?;
    let samples: Vec<_> = all
        .iter()
        .zip(&finished)
        .filter(|(_, finished)| **finished == Finished::Done)
        .filter_map(|(made, _)| sample(&made.attempt).map(|sample| (made, sample)))
        .collect();
    let bind = |values: &mut Values, (made, sample): &(&&FinishedAttempt, &ResponseSample)| {
        values.blob(&bytes(&made.delivery));
        values.int(made.attempt.number.into());
        values.text(&json(&sample.headers));
        values.blob(&sample.body);
    };
    INSERT_RESPONSES.insert(&mut session.conn, &samples, [&bind]).await?;
    let mut finished = finished.into_iter();
    Ok(asks.iter().map(|ask| Ok(finished.by_ref().take(ask.len()).collect())).collect())
}
