//! Storing what a source accepted, once.

use rusqlite::{CachedStatement, params};
use weft_core::id::EventId;
use weft_core::ordering_key::OrderingKey;
use weft_core::time::Timestamp;

use super::deliveries::{self, Origin};
use super::lanes;
use super::session::Desk;
use super::statements::{bytes, json, statements};
use crate::error::StoreError;
use crate::keep::{Candidate, Candidates, FirstState, KeyAsked, Keys, Remembered};
use crate::ledger::Count;
use crate::work::{Behind, Ingested};
use crate::writer::Keep;

statements! {
    INSERT_BODY = "INSERT INTO bodies (seq, bytes) VALUES (?1, ?2)";

    INSERT_EVENT = "\
INSERT INTO events (
    seq, id, tenant, source, external_id, type, content_type, headers, body, received_at,
    state, planned, due_at, lease_owner, ended_at, reason, ordering_key, place
)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)";

    /// Remembers a key if it is free.
    REMEMBER = "\
INSERT INTO dedupe (tenant, source, key, body_digest, event_id, expires_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT DO NOTHING";

    /// Forgets a key that has expired by ?4.
    FORGET_EXPIRED = "DELETE FROM dedupe WHERE tenant = ?1 AND source = ?2 AND key = ?3 AND expires_at <= ?4";

    /// What is remembered under a key.
    REMEMBERED = "SELECT event_id, body_digest FROM dedupe WHERE tenant = ?1 AND source = ?2 AND key = ?3";
}

/// Stores the events of all asks; answers each in the order of its events.
pub(super) fn keep(desk: &mut Desk<'_>, asks: &[&Keep]) -> rusqlite::Result<Vec<Result<Vec<Ingested>, StoreError>>> {
    let candidates = Candidates::of(desk.directory, asks);
    let keys = Keys::of(&candidates.all);
    let remembered = keys.asked.iter().map(|asked| remember(desk, asked)).collect::<Result<Vec<_>, _>>()?;
    let mut verdicts = keys.verdicts(candidates.all.len(), &remembered);
    let mut inserts = Inserts::prepare(desk)?;
    for (candidate, verdict) in candidates.all.iter().zip(&mut verdicts).filter(|(_, it)| **it == Ingested::New) {
        if let Some(behind) = inserts.event(desk, candidate)? {
            *verdict = Ingested::Behind(behind);
        }
    }
    Ok(candidates.answers(verdicts))
}

/// Remembers a key if it is free, and says what is remembered under it.
fn remember(desk: &Desk<'_>, asked: &KeyAsked<'_>) -> rusqlite::Result<Remembered> {
    let KeyAsked { tenant, source, key, event, now } = asked;
    let expires_at = now.plus(desk.dedupe_for).as_ms();
    let mut remember = desk.direct.prepare_cached(REMEMBER)?;
    let mut is_free = || remember.execute(params![tenant, source, key.key, key.body_digest, bytes(event), expires_at]);
    if is_free()? == 1 {
        return Ok(asked.remembered());
    }
    let mut forget = desk.direct.prepare_cached(FORGET_EXPIRED)?;
    if forget.execute(params![tenant, source, key.key, now.as_ms()])? == 1 && is_free()? == 1 {
        return Ok(asked.remembered());
    }
    let mut remembered = desk.direct.prepare_cached(REMEMBERED)?;
    remembered.query_row(params![tenant, source, key.key], |row| {
        let event = EventId::from_uuid(uuid::Uuid::from_bytes(row.get(0)?));
        Ok(Remembered { event, body_digest: row.get(1)? })
    })
}

/// The statements that store an event with all that belongs to it.
struct Inserts<'s> {
    bodies: BodyInsert<'s>,
    event: CachedStatement<'s>,
    deliveries: deliveries::Insert<'s>,
}

impl<'s> Inserts<'s> {
    fn prepare(desk: &Desk<'s>) -> rusqlite::Result<Self> {
        Ok(Self {
            bodies: BodyInsert::prepare(desk)?,
            event: desk.direct.prepare_cached(INSERT_EVENT)?,
            deliveries: deliveries::Insert::prepare(desk)?,
        })
    }

    /// Stores an event; answers what of it waits behind others.
    fn event(&mut self, desk: &mut Desk<'_>, candidate: &Candidate<'_>) -> rusqlite::Result<Option<Behind>> {
        let (tenant, event) = (candidate.tenant, &candidate.keep.new.event);
        let key = event.ordering_key.as_ref();
        let is_behind = key.map(|key| lanes::has_pass(desk, tenant, key)).transpose()?.unwrap_or(false);
        let first = FirstState::of(candidate, is_behind);
        let seq = desk.numbers.event();
        let body = self.bodies.body(desk, &event.body)?;
        self.event.execute(params![
            seq,
            bytes(&event.id),
            tenant,
            event.source,
            event.external_id,
            event.event_type.as_str(),
            event.content_type,
            (!event.headers.is_empty()).then(|| json(&event.headers)),
            body,
            event.received_at.as_ms(),
            first.state,
            i64::try_from(first.planned).unwrap_or(i64::MAX),
            first.due_at.map(Timestamp::as_ms),
            first.lease_owner,
            first.ended_at.map(Timestamp::as_ms),
            first.reason,
            key.map(OrderingKey::as_str),
            key.map(|_| desk.numbers.place()),
        ])?;
        desk.ledger.add(tenant, event.received_at, Count::Events, 1);
        if is_behind {
            return Ok(Some(Behind::Pass));
        }
        let origin = Origin { tenant, event: seq, replay: None, pass: 0 };
        let mut behind = Vec::new();
        for new in candidate.deliveries() {
            if self.deliveries.delivery(desk, origin, new, body)? {
                behind.push(new.id);
            }
        }
        Ok((!behind.is_empty()).then_some(Behind::Deliveries(behind)))
    }
}

/// The statement that stores a body.
pub(super) struct BodyInsert<'s>(CachedStatement<'s>);

impl<'s> BodyInsert<'s> {
    pub(super) fn prepare(desk: &Desk<'s>) -> rusqlite::Result<Self> {
        desk.direct.prepare_cached(INSERT_BODY).map(Self)
    }

    /// Stores a body; answers its row.
    pub(super) fn body(&mut self, desk: &mut Desk<'_>, body: &[u8]) -> rusqlite::Result<i64> {
        let seq = desk.numbers.body();
        self.0.execute(params![seq, body])?;
        Ok(seq)
    }
}
