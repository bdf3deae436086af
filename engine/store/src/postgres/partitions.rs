//! Partitions of the tables that grow with traffic, a week to each.
//!
//! They are made ahead of time, so that no row meets a week without one; what does (a clock far off, an id from elsewhere) lies in the
//! default partition. A partition whose week is over and that has become empty is dropped, and its space is free at once.

use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;
use weft_core::time::Timestamp;

use super::connect::LAYOUT_LOCK;
use super::session::Session;
use crate::error::{StoreError, unavailable};

/// The tables, each partitioned by the time in an id.
const TABLES: [&str; 6] = ["events", "passes", "bodies", "deliveries", "attempts", "responses"];

/// Milliseconds of a week.
const WEEK_MS: i64 = 7 * 24 * 60 * 60 * 1_000;

/// How long before a week begins its partitions are made: a day, in which a server may be away.
const AHEAD_MS: i64 = 24 * 60 * 60 * 1_000;

/// The number of a week, counted from the epoch (weeks begin on Thursdays).
const fn week_of(at: Timestamp) -> i64 {
    at.as_ms().div_euclid(WEEK_MS)
}

/// The first id of a week: its milliseconds are in the 48 highest bits.
fn first_id(week: i64) -> Uuid {
    let ms = u128::try_from(week.saturating_mul(WEEK_MS)).unwrap_or_default() & 0xffff_ffff_ffff;
    Uuid::from_u128(ms << 80)
}

/// Makes the partitions of the present week and of what comes soon; answers until when there are some.
pub(super) async fn make(conn: &mut PgConnection, now: Timestamp) -> Result<Timestamp, sqlx::Error> {
    let last = week_of(Timestamp::from_ms(now.as_ms() + AHEAD_MS));
    // Two engines that make the same table at the same time would both fail.
    sqlx::query("SELECT pg_advisory_lock($1)").bind(LAYOUT_LOCK).execute(&mut *conn).await?;
    let mut made = Ok(());
    for week in week_of(now)..=last {
        for table in TABLES {
            if made.is_ok() {
                made = make_one(conn, table, week).await;
            }
        }
    }
    sqlx::query("SELECT pg_advisory_unlock($1)").bind(LAYOUT_LOCK).execute(&mut *conn).await?;
    made.map(|()| Timestamp::from_ms((last + 1) * WEEK_MS))
}

/// Makes one partition. A week of which the default partition holds rows already stays there.
async fn make_one(conn: &mut PgConnection, table: &str, week: i64) -> Result<(), sqlx::Error> {
    let name = format!("{table}_w{week}");
    let known: bool =
        sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL").bind(&name).fetch_one(&mut *conn).await?;
    if known {
        return Ok(());
    }
    let key = match table {
        "passes" => "event",
        "attempts" | "responses" => "delivery",
        _ => "id",
    };
    let (from, to) = (first_id(week), first_id(week + 1));
    let strays = format!("SELECT EXISTS (SELECT 1 FROM {table}_default WHERE {key} >= '{from}' AND {key} < '{to}')");
    if sqlx::query_scalar(AssertSqlSafe(strays)).fetch_one(&mut *conn).await? {
        return Ok(());
    }
    let make = format!("CREATE TABLE {name} PARTITION OF {table} FOR VALUES FROM ('{from}') TO ('{to}')");
    sqlx::query(AssertSqlSafe(make)).execute(&mut *conn).await.map(drop)
}

/// Makes the partitions of what comes soon, if there is something to make.
pub(super) async fn make_ahead(session: &mut Session, now: Timestamp) -> Result<(), StoreError> {
    if now.as_ms() + AHEAD_MS < session.partitioned_until.as_ms() {
        return Ok(());
    }
    let made = make(&mut session.conn, now).await;
    session.partitioned_until = made.map_err(unavailable("make the partitions of the next week"))?;
    Ok(())
}

/// Drops the partitions of weeks that ended before `before` and that hold nothing any more; answers how many.
pub(super) async fn drop_empty(session: &mut Session, before: Timestamp) -> Result<u64, StoreError> {
    let failed = unavailable("drop empty partitions");
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT child.relname::text FROM pg_inherits \
         JOIN pg_class AS child ON child.oid = pg_inherits.inhrelid \
         JOIN pg_class AS parent ON parent.oid = pg_inherits.inhparent \
         WHERE parent.relname = ANY ($1) AND child.relkind = 'r' AND child.relname ~ '_w[0-9]+$' \
             AND parent.relnamespace = 'public'::regnamespace ORDER BY child.relname",
    )
    .bind(&TABLES[..])
    .fetch_all(&mut session.conn)
    .await
    .map_err(failed)?;
    let mut dropped = 0;
    for name in names {
        let week = name.rsplit_once("_w").and_then(|(_, week)| week.parse::<i64>().ok());
        if week.is_none_or(|week| (week + 1).saturating_mul(WEEK_MS) > before.as_ms()) {
            continue;
        }
        if is_empty(&mut session.conn, &name).await.map_err(failed)? {
            // Another engine may have put a row into it since: looked at again when nobody can.
            let lock = format!("LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE");
            sqlx::query(AssertSqlSafe(lock)).execute(&mut session.conn).await.map_err(failed)?;
            if is_empty(&mut session.conn, &name).await.map_err(failed)? {
                let drop_it = format!("DROP TABLE {name}");
                sqlx::query(AssertSqlSafe(drop_it)).execute(&mut session.conn).await.map_err(failed)?;
                dropped += 1;
            }
        }
    }
    Ok(dropped)
}

async fn is_empty(conn: &mut PgConnection, name: &str) -> Result<bool, sqlx::Error> {
    let look = format!("SELECT NOT EXISTS (SELECT 1 FROM {name})");
    sqlx::query_scalar(AssertSqlSafe(look)).fetch_one(conn).await
}
