//! Attempts, each together with the state of its delivery.

use std::collections::HashSet;

use sqlx::Row;
use uuid::Uuid;
use weft_core::time::Timestamp;

use super::deliveries::{json, short};
use super::lanes::{self, LaneRow, Of};
use super::session::Session;
use super::statements::{statements, text};
use crate::error::StoreError;
use crate::record::{Attempts, MovedOn, OutcomeColumns, sample};
use crate::work::{Finished, FinishedAttempt};

statements! {
    /// Moves deliveries on whose lease still holds, and stores their attempts; answers which, in one row. $1: ids, $2: owners, $3: ends of
    /// leases, $4: numbers, $5 to $10: the attempts, $11 to $14: what the deliveries become.
    RECORD = "\
WITH moved AS (
    UPDATE deliveries
    SET state = made.state, attempts = made.number, due_at = made.due_at, lease_owner = 0, ended_at = made.ended_at,
        reason = made.reason
    FROM UNNEST(
        $1::uuid[], $2::bigint[], $3::bigint[], $4::integer[], $5::bigint[], $6::bigint[], $7::text[], $8::integer[],
        $9::bigint[], $10::text[], $11::text[], $12::bigint[], $13::bigint[], $14::text[]
    ) AS made (
        delivery, owner, until, number, started_at, took_us, outcome, status, retry_after_ms, detail, state, due_at,
        ended_at, reason
    )
    WHERE deliveries.id = made.delivery
        AND deliveries.state = 'pending'
        AND deliveries.lease_owner = made.owner
        AND deliveries.due_at = made.until
        AND deliveries.attempts = made.number - 1
    RETURNING
        made.delivery, made.number, made.started_at, made.took_us, made.outcome, made.status, made.retry_after_ms,
        made.detail
),
stored AS (
    INSERT INTO attempts (delivery, number, started_at, took_us, outcome, status, retry_after_ms, detail)
    SELECT * FROM moved
    RETURNING delivery
)
SELECT coalesce(array_agg(delivery), '{}') FROM stored";

    INSERT_RESPONSES = "\
INSERT INTO responses (delivery, number, headers, body)
SELECT * FROM UNNEST($1::uuid[], $2::integer[], $3::text[], $4::bytea[])";
}

/// Stores the attempts of all asks; answers each in the order of its attempts.
pub(super) async fn record(
    session: &mut Session,
    asks: &[&Vec<FinishedAttempt>],
) -> Result<Vec<Result<Vec<Finished>, StoreError>>, sqlx::Error> {
    let mut attempts = Attempts::of(asks);
    let made: Vec<_> = attempts.standing().collect();
    if made.is_empty() {
        return Ok(attempts.answers(asks));
    }
    if made.iter().any(|(_, made)| sample(&made.attempt).is_some()) {
        session.use_transaction().await?;
    }
    let stored = store(session, &made).await?;
    for (place, attempt) in made {
        if !stored.contains(&attempt.delivery.uuid()) {
            attempts.late(place);
        }
    }
    open_next(session, &mut attempts).await?;
    let samples: Vec<_> =
        attempts.standing().filter_map(|(_, made)| sample(&made.attempt).map(|sample| (made, sample))).collect();
    if !samples.is_empty() {
        sqlx::query(INSERT_RESPONSES)
            .bind(samples.iter().map(|(made, _)| made.delivery.uuid()).collect::<Vec<_>>())
            .bind(samples.iter().map(|(made, _)| number(made)).collect::<Vec<_>>())
            .bind(samples.iter().map(|(_, sample)| json(&sample.headers)).collect::<Vec<_>>())
            .bind(samples.iter().map(|(_, sample)| &sample.body[..]).collect::<Vec<_>>())
            .execute(&mut session.conn)
            .await?;
    }
    Ok(attempts.answers(asks))
}

/// Opens what follows under the ordering keys of deliveries that have ended.
async fn open_next(session: &mut Session, attempts: &mut Attempts<'_>) -> Result<(), sqlx::Error> {
    let is_left = |made: &FinishedAttempt| made.ordering_key.is_some() && MovedOn::by(made).ended_at.is_some();
    let left: Vec<_> = attempts.standing().filter(|(_, made)| is_left(made)).collect();
    if left.iter().any(|(_, made)| session.directory.destination(made.destination).is_err()) {
        session.learn().await?;
    }
    let lane = |made: &FinishedAttempt| {
        let destination = session.directory.destination(made.destination).ok()?;
        Some((short(destination), made.ordering_key.clone()?))
    };
    let left: Vec<_> = left.iter().filter_map(|(place, made)| Some((*place, lane(made)?))).collect();
    let lanes: Vec<LaneRow<'_>> = left.iter().map(|(_, (destination, key))| (*destination, key.as_str())).collect();
    let mut opened = lanes::open(&mut session.conn, Of::Deliveries, &lanes).await?;
    for (place, (destination, key)) in &left {
        if let Some(due_at) = opened.remove(&(*destination, key.to_string())) {
            attempts.opened(*place, due_at);
        }
    }
    Ok(())
}

fn number(made: &FinishedAttempt) -> i32 {
    i32::try_from(made.attempt.number).unwrap_or(i32::MAX)
}

/// Stores what still may be stored; answers which deliveries that were.
async fn store(session: &mut Session, made: &[(usize, &FinishedAttempt)]) -> Result<HashSet<Uuid>, sqlx::Error> {
    let made = || made.iter().map(|(_, made)| *made);
    let columns: Vec<_> = made().map(|made| OutcomeColumns::of(&made.attempt)).collect();
    let moved: Vec<_> = made().map(MovedOn::by).collect();
    let details: Vec<_> = columns.iter().map(|it| it.detail.map(text)).collect();
    let record = sqlx::query(RECORD)
        .bind(made().map(|made| made.delivery.uuid()).collect::<Vec<_>>())
        .bind(made().map(|made| made.lease.owner).collect::<Vec<_>>())
        .bind(made().map(|made| made.lease.until.as_ms()).collect::<Vec<_>>())
        .bind(made().map(number).collect::<Vec<_>>())
        .bind(made().map(|made| made.attempt.started_at.as_ms()).collect::<Vec<_>>())
        .bind(columns.iter().map(|it| it.took_us).collect::<Vec<_>>())
        .bind(columns.iter().map(|it| it.outcome).collect::<Vec<_>>())
        .bind(columns.iter().map(|it| it.status.map(i32::from)).collect::<Vec<_>>())
        .bind(columns.iter().map(|it| it.retry_after_ms).collect::<Vec<_>>())
        .bind(details.iter().map(Option::as_deref).collect::<Vec<_>>())
        .bind(moved.iter().map(|it| it.state).collect::<Vec<_>>())
        .bind(moved.iter().map(|it| it.due_at.map(Timestamp::as_ms)).collect::<Vec<_>>())
        .bind(moved.iter().map(|it| it.ended_at.map(Timestamp::as_ms)).collect::<Vec<_>>())
        .bind(moved.iter().map(|it| it.reason).collect::<Vec<_>>());
    let row = session.write_and_read(record).await?;
    Ok(row.try_get::<Vec<Uuid>, _>(0)?.into_iter().collect())
}
