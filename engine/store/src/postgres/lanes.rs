//! Lanes of ordering keys: their locks, entering them, and opening what is first when the one before it has ended.
//!
//! Several engines may write to one lane at the same moment. So whoever enters or leaves lanes holds their locks from the
//! beginning of the commit to its end: all of them at once and in one order, before anything else is held, so that nobody
//! waits in a circle. A place is taken under the lock, so that places follow the order of the commits.

use std::collections::{BTreeSet, HashMap};

use sqlx::postgres::{PgPool, PgRow};
use sqlx::{PgConnection, Row};
use uuid::Uuid;
use weft_core::id::{DestinationId, TenantId};
use weft_core::ordering_key::OrderingKey;
use weft_core::time::Timestamp;

use super::statements::statements;
use crate::error::{StoreError, unavailable};
use crate::lane::Lane;
use crate::rows::Cells;

/// The first key of the locks of lanes, which sets them apart from other locks.
const LANE_LOCK: i32 = 0x7765_666c;

/// How many locks there are for all lanes: a server has room for about 6000 with its defaults, and lanes that share one do
/// no more than wait for each other's commits.
const LANE_LOCKS: u32 = 512;

statements! {
    /// Holds the locks $2 of the kind $1 until the commit, in their order.
    HOLD = "SELECT pg_advisory_xact_lock($1, number) FROM UNNEST($2::integer[]) AS number";

    /// Whether a pass of each tenant $1 waits under each key $2, or is under way; and a new place for each.
    ENTER_PASSES = "\
SELECT
    asked.number, nextval('lane_places') AS place,
    EXISTS (
        SELECT 1 FROM events
        WHERE events.tenant = asked.tenant AND events.ordering_key = asked.key AND events.state = 'received'
    )
    OR EXISTS (
        SELECT 1 FROM replays
        WHERE replays.tenant = asked.tenant AND replays.ordering_key = asked.key AND replays.state = 'received'
    ) AS is_used
FROM UNNEST($1::integer[], $2::text[]) WITH ORDINALITY AS asked (tenant, key, number)";

    /// The same for deliveries for each destination $1.
    ENTER_DELIVERIES = "\
SELECT
    asked.number, nextval('lane_places') AS place,
    EXISTS (
        SELECT 1 FROM deliveries
        WHERE deliveries.destination = asked.destination AND deliveries.ordering_key = asked.key
            AND deliveries.state = 'pending'
    ) AS is_used
FROM UNNEST($1::integer[], $2::text[]) WITH ORDINALITY AS asked (destination, key, number)";

    /// As many new places as $1 says.
    PLACES = "SELECT nextval('lane_places') AS place FROM generate_series(1, $1)";

    /// Opens the first of the passes of each tenant $1 under each key $2, if it is not open; answers when it is due.
    OPEN_PASSES = "\
WITH first AS (
    SELECT lane.tenant, lane.key, waiting.id, waiting.is_replay
    FROM (SELECT DISTINCT * FROM UNNEST($1::integer[], $2::text[]) AS lane (tenant, key)) AS lane
    CROSS JOIN LATERAL (
        SELECT * FROM (
            (
                SELECT id, false AS is_replay, lease_owner, place FROM events
                WHERE events.tenant = lane.tenant AND events.ordering_key = lane.key AND events.state = 'received'
                ORDER BY place
                LIMIT 1
            )
            UNION ALL
            (
                SELECT id, true AS is_replay, lease_owner, place FROM replays
                WHERE replays.tenant = lane.tenant AND replays.ordering_key = lane.key AND replays.state = 'received'
                ORDER BY place
                LIMIT 1
            )
        ) AS either
        ORDER BY place
        LIMIT 1
    ) AS waiting
    WHERE waiting.lease_owner = -1
),
opened_events AS (
    UPDATE events
    SET lease_owner = 0
    FROM first
    WHERE NOT first.is_replay AND events.id = first.id AND events.state = 'received' AND events.lease_owner = -1
    RETURNING first.tenant, first.key, events.due_at
),
opened_replays AS (
    UPDATE replays
    SET lease_owner = 0
    FROM first
    WHERE first.is_replay AND replays.id = first.id AND replays.state = 'received' AND replays.lease_owner = -1
    RETURNING first.tenant, first.key, replays.due_at
)
SELECT tenant AS owner, key, due_at FROM opened_events
UNION ALL
SELECT tenant AS owner, key, due_at FROM opened_replays";

    /// The same for deliveries for each destination $1.
    OPEN_DELIVERIES = "\
UPDATE deliveries
SET lease_owner = 0
FROM (
    SELECT lane.destination, lane.key, waiting.id
    FROM (SELECT DISTINCT * FROM UNNEST($1::integer[], $2::text[]) AS lane (destination, key)) AS lane
    CROSS JOIN LATERAL (
        SELECT id, lease_owner FROM deliveries
        WHERE deliveries.destination = lane.destination AND deliveries.ordering_key = lane.key
            AND deliveries.state = 'pending'
        ORDER BY place
        LIMIT 1
    ) AS waiting
    WHERE waiting.lease_owner = -1
) AS first
WHERE deliveries.id = first.id AND deliveries.state = 'pending' AND deliveries.lease_owner = -1
RETURNING first.destination AS owner, first.key, deliveries.due_at";

    /// The lanes that deliveries $1 are or were in.
    LANES_OF_DELIVERIES = "\
SELECT destinations.id, deliveries.ordering_key
FROM deliveries
JOIN destinations ON destinations.seq = deliveries.destination
WHERE deliveries.id = ANY ($1) AND deliveries.ordering_key IS NOT NULL";

    /// The lanes that passes of events $1 are or were in.
    LANES_OF_EVENTS = "\
SELECT tenants.id, events.ordering_key
FROM events
JOIN tenants ON tenants.seq = events.tenant
WHERE events.id = ANY ($1) AND events.ordering_key IS NOT NULL";
}

/// A lane as its tables name it: the row of the tenant or destination, and the key.
pub(super) type LaneRow<'a> = (i32, &'a str);

/// What entering a lane has found.
pub(super) struct Entry {
    pub(super) place: i64,
    /// Whether something waits in it, or is under way.
    pub(super) is_used: bool,
}

/// What lanes are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Passes,
    Deliveries,
}

/// Holds the locks of `lanes` until the commit.
pub(super) async fn hold(conn: &mut PgConnection, lanes: &BTreeSet<Lane>) -> Result<(), StoreError> {
    let numbers: BTreeSet<i32> =
        lanes.iter().map(|lane| i32::try_from(lane.stripe(LANE_LOCKS)).unwrap_or_default()).collect();
    let numbers: Vec<i32> = numbers.into_iter().collect();
    let held = sqlx::query(HOLD).bind(LANE_LOCK).bind(numbers).execute(conn).await;
    held.map(drop).map_err(unavailable("hold lanes of ordering keys"))
}

/// Takes a place in each of `lanes`, in their order, and looks whether it was used before.
pub(super) async fn enter(conn: &mut PgConnection, of: Of, lanes: &[LaneRow<'_>]) -> Result<Vec<Entry>, sqlx::Error> {
    if lanes.is_empty() {
        return Ok(Vec::new());
    }
    let statement = match of {
        Of::Passes => ENTER_PASSES,
        Of::Deliveries => ENTER_DELIVERIES,
    };
    let (owners, keys): (Vec<i32>, Vec<&str>) = lanes.iter().copied().unzip();
    let mut found: Vec<(i64, bool)> = Vec::with_capacity(lanes.len());
    let mut places: Vec<i64> = Vec::with_capacity(lanes.len());
    for row in sqlx::query(statement).bind(owners).bind(keys).fetch_all(conn).await? {
        found.push((row.try_get("number")?, row.try_get("is_used")?));
        places.push(row.try_get("place")?);
    }
    // In whatever order the database has worked.
    found.sort_unstable();
    places.sort_unstable();
    Ok(found.into_iter().zip(places).map(|((_, is_used), place)| Entry { place, is_used }).collect())
}

/// New places at the end of whatever lanes, first to last.
pub(super) async fn places(conn: &mut PgConnection, count: usize) -> Result<Vec<i64>, sqlx::Error> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let rows = sqlx::query(PLACES).bind(count).fetch_all(conn).await?;
    let mut places = rows.iter().map(|row| row.try_get("place")).collect::<Result<Vec<i64>, _>>()?;
    places.sort_unstable();
    Ok(places)
}

/// Opens what is first in each of `lanes`, of which the first has ended or that something has just entered; answers where that
/// was not open, and when it is due.
pub(super) async fn open(
    conn: &mut PgConnection,
    of: Of,
    lanes: &[LaneRow<'_>],
) -> Result<HashMap<(i32, String), Timestamp>, sqlx::Error> {
    if lanes.is_empty() {
        return Ok(HashMap::new());
    }
    let statement = match of {
        Of::Passes => OPEN_PASSES,
        Of::Deliveries => OPEN_DELIVERIES,
    };
    let (owners, keys): (Vec<i32>, Vec<&str>) = lanes.iter().copied().unzip();
    let rows = sqlx::query(statement).bind(owners).bind(keys).fetch_all(conn).await?;
    let opened = |row: &PgRow| {
        let lane = (row.try_get("owner")?, row.try_get("key")?);
        Ok((lane, Timestamp::from_ms(row.try_get("due_at")?)))
    };
    rows.iter().map(opened).collect()
}

/// The lanes that deliveries are or were in: that never changes.
pub(super) async fn of_deliveries(readers: &PgPool, ids: &[Uuid]) -> Result<Vec<Lane>, StoreError> {
    let named = |cells: &Cells<'_>, key: &OrderingKey| {
        Ok(Lane::of_deliveries(DestinationId::from_uuid(cells.uuid("id")?), key))
    };
    lanes(readers, LANES_OF_DELIVERIES, ids, named).await
}

/// The lanes that passes of events are or were in: that never changes.
pub(super) async fn of_events(readers: &PgPool, ids: &[Uuid]) -> Result<Vec<Lane>, StoreError> {
    let named = |cells: &Cells<'_>, key: &OrderingKey| Ok(Lane::of_passes(TenantId::from_uuid(cells.uuid("id")?), key));
    lanes(readers, LANES_OF_EVENTS, ids, named).await
}

async fn lanes(
    readers: &PgPool,
    statement: &'static str,
    ids: &[Uuid],
    named: impl Fn(&Cells<'_>, &OrderingKey) -> Result<Lane, StoreError>,
) -> Result<Vec<Lane>, StoreError> {
    let rows = sqlx::query(statement).bind(ids).fetch_all(readers).await;
    let rows = rows.map_err(unavailable("find the lanes of ordering keys"))?;
    let lane = |row: &PgRow| {
        let cells = Cells::new(row, "deliveries", "id");
        named(&cells, &cells.parsed("ordering_key")?)
    };
    rows.iter().map(lane).collect()
}
