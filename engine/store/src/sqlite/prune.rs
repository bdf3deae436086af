//! Retention: removes what ended long ago, in small batches, and moves its counts to the ledger.
//!
//! Events are numbered in the order in which they came, so their table is walked from its beginning, a stretch each
//! time, and no index by age is needed. A stretch ends at the first event that is young; then the walk begins anew. An event that
//! is kept by a delivery that still waits is passed over until the next walk.
//!
//! New rows take the pages that old ones have left. Only where a walk leaves much of the file free is that given back, a few pages
//! each time: every page given back is one from the end of the file that moves.

use rusqlite::params;
use weft_core::time::Timestamp;

use super::kv;
use super::session::{Session, refused};
use super::statements::statements;
use crate::error::StoreError;
use crate::ledger::{Count, LedgerChanges};
use crate::rows::prune::{Gone, LOOKED_AT, delivery_count, event_count};
use crate::upkeep::Pruned;

/// The part of the file, as a divisor, that may be free for good: what retention frees is taken again by what comes in, and a file
/// that shrinks only to grow again has moved its pages for nothing.
const FREE_PART: i64 = 8;

/// Gives pages back to the file system: as many as move in about a millisecond.
const GIVE_BACK: &str = "PRAGMA incremental_vacuum(64)";

statements! {
    /// A stretch of events, and whether each has ended with everything that hangs on it. ?1: first, ?2: before, ?3: how many.
    STRETCH = "\
SELECT
    events.seq, events.received_at,
    coalesce(events.ended_at < ?2, 0)
    AND NOT EXISTS (
        SELECT 1 FROM deliveries WHERE deliveries.event = events.seq AND coalesce(deliveries.ended_at >= ?2, 1)
    )
    AND NOT EXISTS (
        SELECT 1 FROM replays WHERE replays.event = events.seq AND coalesce(replays.ended_at >= ?2, 1)
    ) AS is_over
FROM events
WHERE events.seq >= ?1
ORDER BY events.seq
LIMIT ?3";

    /// What the ledger is told about the events from ?1 to ?2.
    COUNT_EVENTS = "\
SELECT tenant, received_at / 86400000 AS day, count(*) AS rows, state
FROM events
WHERE seq BETWEEN ?1 AND ?2
GROUP BY tenant, day, state";

    COUNT_DELIVERIES = "\
SELECT tenant, planned_at / 86400000 AS day, count(*) AS rows, state, replay IS NOT NULL AS is_replay
FROM deliveries
WHERE event BETWEEN ?1 AND ?2
GROUP BY tenant, day, state, is_replay";

    COUNT_REPLAYS = "\
SELECT tenant, created_at / 86400000 AS day, count(*) AS rows
FROM replays
WHERE event BETWEEN ?1 AND ?2
GROUP BY tenant, day";

    REMOVE_RESPONSES = "\
DELETE FROM responses WHERE delivery IN (SELECT seq FROM deliveries WHERE event BETWEEN ?1 AND ?2)";

    REMOVE_ATTEMPTS = "\
DELETE FROM attempts WHERE delivery IN (SELECT seq FROM deliveries WHERE event BETWEEN ?1 AND ?2)";

    /// No body is shared between events.
    REMOVE_BODIES_OF_DELIVERIES = "\
DELETE FROM bodies WHERE seq IN (SELECT body FROM deliveries WHERE event BETWEEN ?1 AND ?2)";

    REMOVE_BODIES = "DELETE FROM bodies WHERE seq IN (SELECT body FROM events WHERE seq BETWEEN ?1 AND ?2)";

    REMOVE_DELIVERIES = "DELETE FROM deliveries WHERE event BETWEEN ?1 AND ?2";

    REMOVE_PASSES = "DELETE FROM passes WHERE event BETWEEN ?1 AND ?2";

    REMOVE_REPLAYS = "DELETE FROM replays WHERE event BETWEEN ?1 AND ?2";

    REMOVE_EVENTS = "DELETE FROM events WHERE seq BETWEEN ?1 AND ?2";

    /// Forgets idempotency keys, which lie in the order of their expiry. ?1: now, ?2: how many to look at.
    FORGET_KEYS = "\
DELETE FROM dedupe
WHERE seq IN (SELECT seq FROM dedupe WHERE seq > 0 ORDER BY seq LIMIT ?2) AND expires_at <= ?1";
}

/// Removes the events from ?1 to ?2 with everything that hangs on them, what hangs first.
const REMOVE: [&str; 8] = [
    REMOVE_RESPONSES,
    REMOVE_ATTEMPTS,
    REMOVE_BODIES_OF_DELIVERIES,
    REMOVE_BODIES,
    REMOVE_DELIVERIES,
    REMOVE_PASSES,
    REMOVE_REPLAYS,
    REMOVE_EVENTS,
];

/// Where retention is between two rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retention {
    /// It looks at the event of this number next.
    Walks(i64),
    /// It gives back what its last walk has left free.
    GivesBack,
}

impl Retention {
    /// The beginning of a walk.
    pub(super) const START: Self = Self::Walks(0);
}

/// Removes up to `limit` events that ended before `before`, or gives back some of what that has left free.
pub(super) fn prune(
    session: &mut Session,
    before: Timestamp,
    limit: u32,
    now: Timestamp,
) -> Result<Pruned, StoreError> {
    match session.retention {
        Retention::Walks(from) => walk(session, from, before, limit, now),
        Retention::GivesBack => {
            let more = give_back(&session.direct).map_err(refused("give space back"))?;
            if !more {
                session.retention = Retention::START;
            }
            Ok(Pruned { more, ..Pruned::default() })
        }
    }
}

fn walk(session: &mut Session, from: i64, before: Timestamp, limit: u32, now: Timestamp) -> Result<Pruned, StoreError> {
    let failed = refused("prune");
    let direct = &session.direct;
    let stretch = Stretch::read(direct, from, before, limit).map_err(refused("look for events to prune"))?;
    let mut pruned = Pruned::default();
    for run in stretch.runs() {
        count(direct, &mut session.ledger, run, &mut pruned)?;
        for statement in REMOVE {
            direct.prepare_cached(statement).and_then(|mut remove| remove.execute(run)).map_err(failed)?;
        }
    }
    let forget = |mut keys: rusqlite::CachedStatement<'_>| keys.execute(params![now.as_ms(), limit]);
    pruned.dedupe = direct.prepare_cached(FORGET_KEYS).and_then(forget).map_err(failed)? as u64;
    pruned.kv = kv::forget(direct, now, limit).map_err(failed)?;
    let forgets_on = limit > 0 && (pruned.dedupe == u64::from(limit) || pruned.kv == u64::from(limit));
    session.retention = match stretch.next {
        Some(next) => Retention::Walks(next),
        None if forgets_on => Retention::START,
        None if much_is_free(direct).map_err(failed)? => Retention::GivesBack,
        None => {
            session.retention = Retention::START;
            return Ok(pruned);
        }
    };
    pruned.more = true;
    Ok(pruned)
}

/// A stretch of the walk.
struct Stretch {
    /// Those of its events that can be removed.
    over: Vec<i64>,
    /// Where the walk goes on, if it does.
    next: Option<i64>,
}

impl Stretch {
    fn read(direct: &rusqlite::Connection, from: i64, before: Timestamp, limit: u32) -> rusqlite::Result<Self> {
        let looked_at = limit.saturating_mul(LOOKED_AT);
        let mut stretch = direct.prepare_cached(STRETCH)?;
        let mut rows = stretch.query(params![from, before.as_ms(), looked_at])?;
        let (mut over, mut seen, mut last) = (Vec::new(), 0, from);
        while let Some(row) = rows.next()? {
            let (seq, received_at, is_over): (i64, i64, bool) = row.try_into()?;
            if over.len() == limit as usize {
                return Ok(Self { over, next: Some(seq) });
            }
            if received_at >= before.as_ms() {
                return Ok(Self { over, next: None });
            }
            if is_over {
                over.push(seq);
            }
            (seen, last) = (seen + 1, seq);
        }
        let goes_on = seen == looked_at && limit > 0;
        Ok(Self { over, next: goes_on.then_some(last + 1) })
    }

    /// What can be removed, as first and last of what stands together.
    fn runs(&self) -> impl Iterator<Item = [i64; 2]> {
        self.over.chunk_by(|one, next| one + 1 == *next).filter_map(|run| Some([*run.first()?, *run.last()?]))
    }
}

/// Tells the ledger about the events of a run.
fn count(
    direct: &rusqlite::Connection,
    ledger: &mut LedgerChanges,
    run: [i64; 2],
    pruned: &mut Pruned,
) -> Result<(), StoreError> {
    let failed = refused("count what is pruned");
    for (gone, state) in grouped(direct, COUNT_EVENTS, run, |row| row.get::<_, String>(3)).map_err(failed)? {
        let count = event_count(&state).ok_or_else(|| strange("events", run, &state))?;
        pruned.events += gone.tell(ledger, count);
    }
    let of_delivery = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(3)?, row.get(4)?));
    for (gone, (state, is_replay)) in grouped(direct, COUNT_DELIVERIES, run, of_delivery).map_err(failed)? {
        let count = delivery_count(&state, is_replay).ok_or_else(|| strange("deliveries", run, &state))?;
        pruned.deliveries += gone.tell(ledger, count);
    }
    for (gone, ()) in grouped(direct, COUNT_REPLAYS, run, |_| Ok(())).map_err(failed)? {
        gone.tell(ledger, Count::ReplaysPruned);
    }
    Ok(())
}

/// The rows of a run by tenant and day, and by whatever else `read` takes from them.
fn grouped<T>(
    direct: &rusqlite::Connection,
    statement: &'static str,
    run: [i64; 2],
    read: impl Fn(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<(Gone, T)>> {
    let mut statement = direct.prepare_cached(statement)?;
    let group =
        |row: &rusqlite::Row<'_>| Ok((Gone { tenant: row.get(0)?, day: row.get(1)?, rows: row.get(2)? }, read(row)?));
    statement.query_map(run, group)?.collect()
}

/// A row of `run` is in a state that no ended row is in.
fn strange(table: &'static str, [first, last]: [i64; 2], state: &str) -> StoreError {
    let (id, reason) =
        (format!("of events {first} to {last}"), format!("{state:?} is not the state of what has ended"));
    StoreError::Corrupt { table, column: "state", id, reason }
}

/// Whether so much of the file is free that it is worth giving back.
fn much_is_free(direct: &rusqlite::Connection) -> rusqlite::Result<bool> {
    let pages = |pragma: &str| direct.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    Ok(pages("freelist_count")? > pages("page_count")? / FREE_PART)
}

/// Gives some pages back; answers whether still much is free.
fn give_back(direct: &rusqlite::Connection) -> rusqlite::Result<bool> {
    let mut give_back = direct.prepare_cached(GIVE_BACK)?;
    let mut rows = give_back.query(())?;
    while rows.next()?.is_some() {}
    much_is_free(direct)
}
