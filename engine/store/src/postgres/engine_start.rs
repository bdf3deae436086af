//! A start of an engine: it is alive while its heartbeat says so, and over when it ends or its node starts again.

use sqlx::PgConnection;
use weft_core::name::Name;
use weft_core::time::Timestamp;

use super::connect::NODE_LOCK;
use super::statements::statements;
use crate::store::ALIVE_FOR;

statements! {
    /// Ends earlier starts of node $1: the lock of the node says that none of them is connected.
    END_EARLIER = "UPDATE engine_starts SET alive_until = 0 WHERE node = $1 AND alive_until <> 0";

    /// Counts a start of node $1 at $2, alive until $3.
    START = "INSERT INTO engine_starts (node, started_at, alive_until) VALUES ($1, $2, $3) RETURNING number";

    /// Whether start $1 is the last of its node.
    IS_LAST = "\
SELECT NOT EXISTS (
    SELECT 1 FROM engine_starts AS mine
    JOIN engine_starts AS later ON later.node = mine.node AND later.number > mine.number
    WHERE mine.number = $1
)";

    /// Start $1 has been heard of: it is alive until $2, if no later start of its node has ended it.
    KEEP_ALIVE = "\
UPDATE engine_starts SET alive_until = $2
WHERE number = $1
    AND NOT EXISTS (
        SELECT 1 FROM engine_starts AS later
        WHERE later.node = engine_starts.node AND later.number > engine_starts.number
    )";

    /// Lays those starts to rest that ended a day before $1 and that lease nothing any more: nobody needs to look for their
    /// rows. One that is connected, and so holds the lock of its node under the key $2, may only have been silent, and lease some.
    LAY_TO_REST = "\
UPDATE engine_starts SET alive_until = -1
WHERE alive_until >= 0 AND alive_until <= $1 - 86400000
    AND NOT EXISTS (
        SELECT 1 FROM pg_locks
        WHERE locktype = 'advisory' AND objsubid = 2 AND classid = $2::bigint::oid
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND objid = (hashtext(engine_starts.node)::bigint & 4294967295)::oid
    )
    AND NOT EXISTS (SELECT 1 FROM events WHERE state = 'received' AND lease_owner <> 0 AND lease_owner = number)
    AND NOT EXISTS (SELECT 1 FROM replays WHERE state = 'received' AND lease_owner <> 0 AND lease_owner = number)
    AND NOT EXISTS (SELECT 1 FROM deliveries WHERE state = 'pending' AND lease_owner <> 0 AND lease_owner = number)";

    /// Start $1 may lease rows again, if it was laid to rest while it was not connected.
    RISE = "UPDATE engine_starts SET alive_until = 0 WHERE number = $1 AND alive_until < 0";

    END = "UPDATE engine_starts SET alive_until = 0 WHERE number = $1";
}

/// Counts a start of `node` and answers its number; earlier ones end.
pub(super) async fn begin(conn: &mut PgConnection, node: &Name, now: Timestamp) -> Result<i64, sqlx::Error> {
    sqlx::query(END_EARLIER).bind(node.as_str()).execute(&mut *conn).await?;
    let start = sqlx::query_scalar(START).bind(node.as_str()).bind(now.as_ms()).bind(now.plus(ALIVE_FOR).as_ms());
    start.fetch_one(conn).await
}

/// Whether no later start of the node has ended this one.
pub(super) async fn is_last(conn: &mut PgConnection, start: i64) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(IS_LAST).bind(start).fetch_one(conn).await
}

/// Says that a start is alive, and lays others to rest that are long over.
pub(super) async fn keep_alive(conn: &mut PgConnection, start: i64, now: Timestamp) -> Result<(), sqlx::Error> {
    let until = now.plus(ALIVE_FOR).as_ms();
    let alive = sqlx::query(KEEP_ALIVE).bind(start).bind(until).execute(&mut *conn).await?;
    if alive.rows_affected() == 0 {
        return Err(ended_by_another(start));
    }
    sqlx::query(LAY_TO_REST).bind(now.as_ms()).bind(i64::from(NODE_LOCK)).execute(conn).await.map(drop)
}

/// Lets others look for the rows of a start that comes back after its connection was lost.
pub(super) async fn rise(conn: &mut PgConnection, start: i64) -> Result<(), sqlx::Error> {
    sqlx::query(RISE).bind(start).execute(conn).await.map(drop)
}

/// Ends a start in order.
pub(super) async fn end(conn: &mut PgConnection, start: i64) -> Result<(), sqlx::Error> {
    sqlx::query(END).bind(start).execute(conn).await.map(drop)
}

/// Another engine took this one's name while its connection was lost; its lock keeps this one from coming back.
pub(super) fn ended_by_another(start: i64) -> sqlx::Error {
    sqlx::Error::Protocol(format!("engine start {start} was ended by another"))
}
