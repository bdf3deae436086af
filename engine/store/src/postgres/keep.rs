//! Storing what a source accepted, once.

use std::collections::HashSet;

use sqlx::Row;
use uuid::Uuid;
use weft_core::id::EventId;
use weft_core::ordering_key::OrderingKey;
use weft_core::time::Timestamp;

use super::deliveries::{self, Origin, insert_text};
use super::lanes::{self, LaneRow, Of};
use super::ledger::{self, add_text};
use super::session::Session;
use super::statements::{statements, text};
use crate::error::StoreError;
use crate::keep::{Candidate, Candidates, FirstState, KeyAsked, Keys, Remembered};
use crate::ledger::Count;
use crate::work::{Behind, FirstWay, Ingested};
use crate::writer::Keep;

statements! {
    /// Remembers the keys that are free, in one order on all engines, so that two never wait for each other in a circle.
    /// $1, $2, $3: tenants, sources and keys, $4: digests, $5: events, $6: expiries.
    REMEMBER = "\
INSERT INTO dedupe (tenant, source, key, body_digest, event_id, expires_at)
SELECT * FROM UNNEST($1::integer[], $2::text[], $3::text[], $4::bytea[], $5::uuid[], $6::bigint[])
    AS asked (tenant, source, key, body_digest, event_id, expires_at)
ORDER BY tenant, source, key
ON CONFLICT DO NOTHING";

    /// Forgets those of the keys that have expired by $4.
    FORGET_EXPIRED = "\
DELETE FROM dedupe
USING UNNEST($1::integer[], $2::text[], $3::text[]) AS asked (tenant, source, key)
WHERE dedupe.tenant = asked.tenant AND dedupe.source = asked.source AND dedupe.key = asked.key
    AND dedupe.expires_at <= $4";

    /// What is remembered under each of the keys.
    REMEMBERED = "\
SELECT asked.place, dedupe.event_id, dedupe.body_digest
FROM UNNEST($1::integer[], $2::text[], $3::text[]) WITH ORDINALITY AS asked (tenant, source, key, place)
JOIN dedupe ON dedupe.tenant = asked.tenant AND dedupe.source = asked.source AND dedupe.key = asked.key";

    /// Stores events, what is planned for them, and what both add to the ledger, in one statement, which can be a commit by itself. $1 to
    /// $15: the events, then the deliveries and the ledger.
    KEEP = concat!(
        "\
WITH kept AS (
    INSERT INTO events (
        id, tenant, source, external_id, type, content_type, headers, body, received_at, state, planned, due_at,
        lease_owner, ended_at, reason
    )
    SELECT * FROM UNNEST(
        $1::uuid[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bytea[],
        $9::bigint[], $10::text[], $11::integer[], $12::bigint[], $13::bigint[], $14::bigint[], $15::text[]
    )
),
planned AS (",
        insert_text!(
            "$16::uuid[]", "$17::integer[]", "$18::uuid[]", "$19::uuid[]", "$20::integer[]", "$21::integer[]",
            "$22::integer[]", "$23::uuid[]", "$24::text[]", "$25::bigint[]", "$26::bigint[]", "$27::bigint[]",
            "$28::bigint[]"
        ),
        ")\n",
        add_text!(
            "$29", "$30", "$31", "$32", "$33", "$34", "$35", "$36", "$37", "$38", "$39", "$40", "$41", "$42", "$43", "$44"
        )
    );

    /// Stores events of which at least one has an ordering key, or has planned a delivery with one.
    INSERT_IN_LANES = "\
INSERT INTO events (
    id, tenant, source, external_id, type, content_type, headers, body, received_at, state, planned, due_at,
    lease_owner, ended_at, reason, ordering_key, place
)
SELECT * FROM UNNEST(
    $1::uuid[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bytea[], $9::bigint[],
    $10::text[], $11::integer[], $12::bigint[], $13::bigint[], $14::bigint[], $15::text[], $16::text[], $17::bigint[]
)";
}

/// Stores the events of all asks; answers each in the order of its events.
pub(super) async fn keep(
    session: &mut Session,
    asks: &[&Keep],
) -> Result<Vec<Result<Vec<Ingested>, StoreError>>, sqlx::Error> {
    let mut candidates = Candidates::of(&session.directory, asks);
    if candidates.any_unknown() {
        session.learn().await?;
        candidates = Candidates::of(&session.directory, asks);
    }
    let keys = Keys::of(&candidates.all);
    let remembered = remember(session, &keys).await?;
    let mut verdicts = keys.verdicts(candidates.all.len(), &remembered);
    let (fresh, verdicts_of_fresh): (Vec<_>, Vec<_>) =
        candidates.all.iter().zip(&mut verdicts).filter(|(_, verdict)| **verdict == Ingested::New).unzip();
    let behind = insert(session, &fresh).await?;
    for (verdict, behind) in verdicts_of_fresh.into_iter().zip(behind) {
        if let Some(behind) = behind {
            *verdict = Ingested::Behind(behind);
        }
    }
    Ok(candidates.answers(verdicts))
}

/// Remembers the keys that are free, and says what is remembered under each.
async fn remember(session: &mut Session, keys: &Keys<'_>) -> Result<Vec<Remembered>, sqlx::Error> {
    let mut remembered: Vec<_> = keys.asked.iter().map(KeyAsked::remembered).collect();
    let Some(now) = keys.asked.iter().map(|asked| asked.now).max() else { return Ok(remembered) };
    session.use_transaction().await?;
    let tenants: Vec<i32> = keys.asked.iter().map(|asked| deliveries::short(asked.tenant)).collect();
    let sources: Vec<&str> = keys.asked.iter().map(|asked| asked.source).collect();
    let texts: Vec<_> = keys.asked.iter().map(|asked| text(&asked.key.key)).collect();
    let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
    let digests: Vec<&[u8]> = keys.asked.iter().map(|asked| &asked.key.body_digest[..]).collect();
    let events: Vec<Uuid> = keys.asked.iter().map(|asked| asked.event.uuid()).collect();
    let expiries: Vec<i64> = keys.asked.iter().map(|asked| asked.now.plus(session.dedupe_for()).as_ms()).collect();
    for again in [false, true] {
        if again {
            let forget = sqlx::query(FORGET_EXPIRED).bind(&tenants).bind(&sources).bind(&texts).bind(now.as_ms());
            forget.execute(&mut session.conn).await?;
        }
        let remember = sqlx::query(REMEMBER).bind(&tenants).bind(&sources).bind(&texts);
        let remember = remember.bind(&digests).bind(&events).bind(&expiries);
        let stored = remember.execute(&mut session.conn).await?.rows_affected();
        if !again && stored == keys.asked.len() as u64 {
            return Ok(remembered);
        }
    }
    let known = sqlx::query(REMEMBERED).bind(&tenants).bind(&sources).bind(&texts);
    for row in known.fetch_all(&mut session.conn).await? {
        let place = usize::try_from(row.try_get::<i64, _>("place")? - 1).unwrap_or(usize::MAX);
        let digest: &[u8] = row.try_get("body_digest")?;
        let body_digest = digest.try_into().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        if let Some(remembered) = remembered.get_mut(place) {
            *remembered = Remembered { event: EventId::from_uuid(row.try_get("event_id")?), body_digest };
        }
    }
    Ok(remembered)
}

/// The place of an event with an ordering key among those that wait for passes, and whether it waits behind others.
#[derive(Clone, Copy, Default)]
struct PassPlace {
    place: Option<i64>,
    is_behind: bool,
}

/// The lane of passes that an event may enter.
fn lane_of<'a>(candidate: &Candidate<'a>) -> Option<LaneRow<'a>> {
    Some((deliveries::short(candidate.tenant), candidate.keep.new.event.ordering_key.as_ref()?.as_str()))
}

/// Finds the places of events in the lanes of their keys; empty if none has one.
async fn pass_places(session: &mut Session, candidates: &[&Candidate<'_>]) -> Result<Vec<PassPlace>, sqlx::Error> {
    let lanes: Vec<LaneRow<'_>> = candidates.iter().filter_map(|candidate| lane_of(candidate)).collect();
    if lanes.is_empty() {
        return Ok(Vec::new());
    }
    let mut entries = lanes::enter(&mut session.conn, Of::Passes, &lanes).await?.into_iter();
    let mut entered = HashSet::new();
    let mut places = vec![PassPlace::default(); candidates.len()];
    for (candidate, place) in candidates.iter().zip(&mut places) {
        let Some(lane) = lane_of(candidate) else { continue };
        let Some(entry) = entries.next() else { break };
        let is_behind = entry.is_used || entered.contains(&lane);
        if is_behind || matches!(candidate.keep.way, FirstWay::Pass { .. }) {
            entered.insert(lane);
        }
        *place = PassPlace { place: Some(entry.place), is_behind };
    }
    Ok(places)
}

/// Stores events; answers for each what of it waits behind others, or nothing at all if nothing has an ordering key.
async fn insert(session: &mut Session, candidates: &[&Candidate<'_>]) -> Result<Vec<Option<Behind>>, sqlx::Error> {
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    let places = pass_places(session, candidates).await?;
    let is_behind = |at: usize| places.get(at).is_some_and(|place| place.is_behind);
    let mut planned = Vec::new();
    for (at, candidate) in candidates.iter().enumerate() {
        let event = &candidate.keep.new.event;
        session.ledger.add(candidate.tenant, event.received_at, Count::Events, 1);
        let origin = Origin { tenant: candidate.tenant, event: event.id.uuid(), replay: None, pass: 0 };
        let made = if is_behind(at) { &[] } else { candidate.deliveries() };
        planned.extend(deliveries::rows(origin, made, &[]));
    }
    let events: Vec<_> = candidates.iter().map(|candidate| &*candidate.keep.new.event).collect();
    let firsts: Vec<_> = candidates.iter().enumerate().map(|(at, it)| FirstState::of(it, is_behind(at))).collect();
    let leaves_work = firsts.iter().any(|first| first.due_at.is_some() && first.lease_owner == 0);
    let is_keyed = !places.is_empty() || deliveries::have_keys(&planned);
    let ids: Vec<Uuid> = events.iter().map(|event| event.id.uuid()).collect();
    let tenants: Vec<i32> = candidates.iter().map(|candidate| deliveries::short(candidate.tenant)).collect();
    let external: Vec<_> = events.iter().map(|event| event.external_id.as_deref().map(text)).collect();
    let headers: Vec<Option<String>> =
        events.iter().map(|event| (!event.headers.is_empty()).then(|| deliveries::json(&event.headers))).collect();
    let keep = sqlx::query(if is_keyed { INSERT_IN_LANES } else { KEEP })
        .bind(ids)
        .bind(tenants)
        .bind(events.iter().map(|event| event.source.as_str()).collect::<Vec<_>>())
        .bind(external.iter().map(Option::as_deref).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.event_type.as_str()).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.content_type.as_str()).collect::<Vec<_>>())
        .bind(headers)
        .bind(events.iter().map(|event| &event.body[..]).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.received_at.as_ms()).collect::<Vec<_>>())
        .bind(firsts.iter().map(|first| first.state).collect::<Vec<_>>())
        .bind(firsts.iter().map(|first| i32::try_from(first.planned).unwrap_or(i32::MAX)).collect::<Vec<_>>())
        .bind(firsts.iter().map(|first| first.due_at.map(Timestamp::as_ms)).collect::<Vec<_>>())
        .bind(firsts.iter().map(|first| first.lease_owner).collect::<Vec<_>>())
        .bind(firsts.iter().map(|first| first.ended_at.map(Timestamp::as_ms)).collect::<Vec<_>>())
        .bind(firsts.iter().map(|first| first.reason).collect::<Vec<_>>());
    if !is_keyed {
        deliveries::count(session, &planned);
        if leaves_work || deliveries::leave_work(&planned) {
            session.leaves_work = true;
            session.use_transaction().await?;
        }
        let changes = session.ledger.take();
        let keep = deliveries::bind(keep, session, &planned, &HashSet::new());
        session.write(ledger::bind(keep, session.shard(), &changes)).await?;
        return Ok(Vec::new());
    }
    // Its lanes are held, so this is a transaction.
    session.leaves_work |= leaves_work;
    let keys = events.iter().map(|event| event.ordering_key.as_ref().map(OrderingKey::as_str));
    let places_of_all: Vec<_> = (0..candidates.len()).map(|at| places.get(at).and_then(|place| place.place)).collect();
    keep.bind(keys.collect::<Vec<_>>()).bind(places_of_all).execute(&mut session.conn).await?;
    let late = deliveries::insert(session, &planned).await?;
    let behind = |(at, candidate): (usize, &&Candidate<'_>)| {
        if is_behind(at) {
            return Some(Behind::Pass);
        }
        let behind: Vec<_> = candidate.deliveries().iter().map(|new| new.id).filter(|id| late.contains(id)).collect();
        (!behind.is_empty()).then_some(Behind::Deliveries(behind))
    };
    Ok(candidates.iter().enumerate().map(behind).collect())
}
