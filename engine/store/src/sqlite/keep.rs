//! Storing what a source accepted, once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use sqlx::Row;
use weft_core::event::DedupeKey;
use weft_core::id::EventId;
use weft_core::time::Timestamp;

use super::deliveries::{self, Origin};
use super::ledger::Count;
use super::session::Session;
use super::statements::{Hex, InsertRows, Table, Values, bytes, json, statements};
use super::writer::Keep;
use crate::error::StoreError;
use crate::work::{FirstWay, Ingested, KeepEvent, NewDelivery};

/// The reason of an event that nobody wanted.
pub(super) const NO_DESTINATION: &str = "no-destination";

const BODIES: Table = Table { head: "INSERT INTO bodies (seq, bytes)", row: "(?, ?)", values: 2 };

const EVENTS: Table = Table {
    head: "\
INSERT INTO events (
    seq, id, tenant, source, external_id, type, content_type, headers, body, received_at,
    state, planned, due_at, lease_owner, ended_at, reason
)",
    row: "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    values: 16,
};

/// Bodies by themselves, as a pass makes them.
pub(super) static INSERT_BODIES: InsertRows<1> = InsertRows::new([BODIES]);

/// Events with their bodies.
pub(super) static INSERT_EVENTS: InsertRows<2> = InsertRows::new([BODIES, EVENTS]);

statements! {
    /// Remembers the keys that are free. ?1: [tenant, source, key, body digest, event id, expiry].
    REMEMBER = "\
INSERT INTO dedupe (tenant, source, key, body_digest, event_id, expires_at)
SELECT value ->> 0, value ->> 1, value ->> 2, unhex(value ->> 3), unhex(value ->> 4), value ->> 5
FROM json_each(?1)
WHERE true
ON CONFLICT DO NOTHING";

    /// Forgets those of the keys that have expired by ?2.
    FORGET_EXPIRED = "\
DELETE FROM dedupe
WHERE seq IN (
    SELECT d.seq
    FROM json_each(?1) AS j
    CROSS JOIN dedupe AS d ON d.tenant = j.value ->> 0 AND d.source = j.value ->> 1 AND d.key = j.value ->> 2
    WHERE d.expires_at <= ?2
)";

    /// What is remembered under each of the keys.
    REMEMBERED = "\
SELECT j.key AS place, d.event_id, d.body_digest
FROM json_each(?1) AS j
CROSS JOIN dedupe AS d ON d.tenant = j.value ->> 0 AND d.source = j.value ->> 1 AND d.key = j.value ->> 2";
}

/// An event of a batch whose tenant and destinations are known.
struct Candidate<'a> {
    /// Which ask it came with.
    ask: usize,
    keep: &'a KeepEvent,
    tenant: i64,
    now: Timestamp,
}

/// Stores the events of all asks; answers each in the order of its events.
pub(super) async fn keep(
    session: &mut Session,
    asks: &[&Keep],
) -> Result<Vec<Result<Vec<Ingested>, StoreError>>, sqlx::Error> {
    let mut answers = Vec::with_capacity(asks.len());
    let mut candidates = Vec::new();
    for (ask, input) in asks.iter().enumerate() {
        match known(session, ask, input) {
            Ok(found) => {
                answers.push(Ok(Vec::with_capacity(found.len())));
                candidates.extend(found);
            }
            Err(unknown) => answers.push(Err(unknown)),
        }
    }
    let verdicts = dedupe(session, &candidates).await?;
    let fresh: Vec<_> =
        candidates.iter().zip(&verdicts).filter(|(_, v)| **v == Ingested::New).map(|(c, _)| c).collect();
    insert(session, &fresh).await?;
    for (candidate, verdict) in candidates.iter().zip(verdicts) {
        if let Ok(answer) = &mut answers[candidate.ask] {
            answer.push(verdict);
        }
    }
    Ok(answers)
}

/// The events of an ask, if the store knows everything that they name.
fn known<'a>(session: &Session, ask: usize, input: &'a Keep) -> Result<Vec<Candidate<'a>>, StoreError> {
    let candidate = |keep: &'a KeepEvent| {
        if let FirstWay::Routed(planned) = &keep.way {
            deliveries::known(session, planned, 0)?;
        }
        Ok(Candidate { ask, keep, tenant: session.directory.tenant(keep.new.event.tenant)?, now: input.now })
    };
    input.events.iter().map(candidate).collect()
}

/// What is remembered, or has just been remembered, under a key.
#[derive(Clone, Copy)]
struct Remembered {
    event: EventId,
    body_digest: [u8; 32],
}

impl Remembered {
    /// What an event that comes with the same key is told.
    fn verdict(&self, key: &DedupeKey) -> Ingested {
        if self.body_digest == key.body_digest {
            Ingested::Duplicate(self.event)
        } else {
            Ingested::Conflict(self.event)
        }
    }
}

/// Finds out which events are the first with their key, and remembers those keys.
async fn dedupe(session: &mut Session, candidates: &[Candidate<'_>]) -> Result<Vec<Ingested>, sqlx::Error> {
    let mut verdicts = vec![Ingested::New; candidates.len()];
    // The first event with each key asks the table; the others of this commit ask the first.
    let mut firsts: Vec<usize> = Vec::new();
    let mut places = HashMap::new();
    let mut others = Vec::new();
    for (index, candidate) in candidates.iter().enumerate() {
        let Some(dedupe) = &candidate.keep.new.dedupe else { continue };
        match places.entry((candidate.tenant, candidate.keep.new.event.source.as_str(), dedupe.key.as_str())) {
            Entry::Vacant(place) => {
                place.insert(firsts.len());
                firsts.push(index);
            }
            Entry::Occupied(place) => others.push((index, *place.get())),
        }
    }
    if firsts.is_empty() {
        return Ok(verdicts);
    }
    let remembered = remember(session, candidates, &firsts).await?;
    for (&index, remembered) in firsts.iter().zip(&remembered) {
        let new = &candidates[index].keep.new;
        if let Some(key) = new.dedupe.as_ref().filter(|_| remembered.event != new.event.id) {
            verdicts[index] = remembered.verdict(key);
        }
    }
    for (index, place) in others {
        if let Some(key) = &candidates[index].keep.new.dedupe {
            verdicts[index] = remembered[place].verdict(key);
        }
    }
    Ok(verdicts)
}

/// Remembers the keys of `firsts` where they are free, and says what is remembered under each.
async fn remember(
    session: &mut Session,
    candidates: &[Candidate<'_>],
    firsts: &[usize],
) -> Result<Vec<Remembered>, sqlx::Error> {
    let mut rows = Vec::with_capacity(firsts.len());
    let mut remembered = Vec::with_capacity(firsts.len());
    let mut now = Timestamp::from_ms(i64::MIN);
    for &index in firsts {
        let Candidate { keep, tenant, now: asked_at, .. } = &candidates[index];
        let Some(dedupe) = &keep.new.dedupe else { continue };
        let event = &keep.new.event;
        let expires_at = asked_at.plus(session.dedupe_for).as_ms();
        let id = event.id.uuid().into_bytes();
        rows.push((
            *tenant,
            &event.source,
            &dedupe.key,
            Hex(&dedupe.body_digest).to_string(),
            Hex(&id).to_string(),
            expires_at,
        ));
        remembered.push(Remembered { event: event.id, body_digest: dedupe.body_digest });
        now = now.max(*asked_at);
    }
    let keys = json(&rows);
    let stored = sqlx::query(REMEMBER).bind(&keys).execute(&mut session.conn).await?.rows_affected();
    if stored == rows.len() as u64 {
        return Ok(remembered);
    }
    sqlx::query(FORGET_EXPIRED).bind(&keys).bind(now.as_ms()).execute(&mut session.conn).await?;
    sqlx::query(REMEMBER).bind(&keys).execute(&mut session.conn).await?;
    for row in sqlx::query(REMEMBERED).bind(&keys).fetch_all(&mut session.conn).await? {
        let place = usize::try_from(row.try_get::<i64, _>("place")?).map_err(decode)?;
        let event: &[u8] = row.try_get("event_id")?;
        let digest: &[u8] = row.try_get("body_digest")?;
        remembered[place] = Remembered {
            event: EventId::from_uuid(uuid::Uuid::from_slice(event).map_err(decode)?),
            body_digest: digest.try_into().map_err(decode)?,
        };
    }
    Ok(remembered)
}

fn decode(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

/// An event's row, with what `way` says about it.
struct EventRow<'a> {
    seq: i64,
    body: i64,
    tenant: i64,
    keep: &'a KeepEvent,
    state: &'static str,
    planned: usize,
    due_at: Option<Timestamp>,
    lease_owner: i64,
    ended_at: Option<Timestamp>,
    reason: Option<&'static str>,
}

impl<'a> EventRow<'a> {
    fn new(session: &mut Session, candidate: &Candidate<'a>) -> Self {
        let keep = candidate.keep;
        let row = Self {
            seq: session.numbers.event(),
            body: session.numbers.body(),
            tenant: candidate.tenant,
            keep,
            state: "received",
            planned: 0,
            due_at: None,
            lease_owner: 0,
            ended_at: None,
            reason: None,
        };
        match &keep.way {
            FirstWay::Pass { lease: Some(lease) } => {
                Self { due_at: Some(lease.until), lease_owner: lease.owner, ..row }
            }
            FirstWay::Pass { lease: None } => Self { due_at: Some(keep.new.event.received_at), ..row },
            FirstWay::Routed(planned) if !planned.is_empty() => {
                Self { state: "routed", planned: planned.len(), ended_at: Some(candidate.now), ..row }
            }
            FirstWay::Routed(_) | FirstWay::NoDestination => {
                Self { state: "dropped", ended_at: Some(candidate.now), reason: Some(NO_DESTINATION), ..row }
            }
        }
    }

    fn deliveries(&self) -> &'a [NewDelivery] {
        match &self.keep.way {
            FirstWay::Routed(planned) => planned,
            FirstWay::Pass { .. } | FirstWay::NoDestination => &[],
        }
    }
}

async fn insert(session: &mut Session, candidates: &[&Candidate<'_>]) -> Result<(), sqlx::Error> {
    let rows: Vec<_> = candidates.iter().map(|candidate| EventRow::new(session, candidate)).collect();
    let mut planned = Vec::new();
    for row in &rows {
        session.ledger.add(row.tenant, row.keep.new.event.received_at, Count::Events, 1);
        let origin = Origin { tenant: row.tenant, event: row.seq, replay: None, pass: 0, body: row.body };
        planned.extend(deliveries::number(session, origin, row.deliveries(), &[]));
    }
    INSERT_EVENTS.insert(&mut session.conn, &rows, [&bind_body, &bind_event]).await?;
    deliveries::insert(session, &planned).await
}

fn bind_body(values: &mut Values, row: &EventRow<'_>) {
    values.int(row.body);
    values.blob(&row.keep.new.event.body);
}

fn bind_event(values: &mut Values, row: &EventRow<'_>) {
    let event = &row.keep.new.event;
    values.int(row.seq);
    values.blob(&bytes(&event.id));
    values.int(row.tenant);
    values.text(&event.source);
    values.maybe_text(event.external_id.as_deref());
    values.text(event.event_type.as_str());
    values.text(&event.content_type);
    values.maybe_text((!event.headers.is_empty()).then(|| json(&event.headers)).as_deref());
    values.int(row.body);
    values.int(event.received_at.as_ms());
    values.text(row.state);
    values.int(i64::try_from(row.planned).unwrap_or(i64::MAX));
    values.maybe_int(row.due_at.map(Timestamp::as_ms));
    values.int(row.lease_owner);
    values.maybe_int(row.ended_at.map(Timestamp::as_ms));
    values.maybe_text(row.reason);
}

/// Stores bodies that a pass made; answers their row numbers in the same order.
pub(super) async fn insert_bodies(session: &mut Session, bodies: &[&bytes::Bytes]) -> Result<Vec<i64>, sqlx::Error> {
    let rows: Vec<_> = bodies.iter().map(|body| (session.numbers.body(), *body)).collect();
    let bind = |values: &mut Values, (seq, body): &(i64, &bytes::Bytes)| {
        values.int(*seq);
        values.blob(body);
    };
    INSERT_BODIES.insert(&mut session.conn, &rows, [&bind]).await?;
    Ok(rows.into_iter().map(|(seq, _)| seq).collect())
}
