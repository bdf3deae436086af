//! What plugins keep: read by a pass that runs, looked at again and changed by the commit that stores it.
//!
//! A commit with passes that have read or left something holds the usage rows of their plugins first, in one order: so whoever else
//! changes what one of these plugins keeps, on whichever engine, comes before or after it. Then it reads what is there, all at
//! once, and goes through its passes in their order.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use bytes::Bytes;
use sqlx::postgres::PgPool;
use sqlx::{PgConnection, Row};
use uuid::Uuid;
use weft_core::id::TenantId;
use weft_core::kv::{KvTouch, KvUsage, Left};
use weft_core::time::Timestamp;

use super::deliveries::short;
use super::passes;
use super::session::Session;
use super::statements::statements;
use crate::error::{StoreError, unavailable};
use crate::kv::{self, KvRead};
use crate::rows::Cells;
use crate::work::FinishedPass;

statements! {
    /// $1: tenant, $2: plugin, $3: key, $4: the time.
    GET = "\
SELECT
    kv.value, coalesce(kv_usage.entries, 0) AS entries, coalesce(kv_usage.bytes, 0) AS bytes
FROM tenants
LEFT JOIN kv_usage ON kv_usage.tenant = tenants.seq AND kv_usage.plugin = $2
LEFT JOIN kv
    ON kv.tenant = tenants.seq AND kv.plugin = $2 AND kv.key = $3 AND (kv.expires_at IS NULL OR kv.expires_at > $4)
WHERE tenants.id = $1";

    /// Which passes of events hold their lease, and go on holding it until the commit. $1: places, $2: ids, $3: owners, $4: ends of
    /// leases, $5: numbers.
    HELD_EVENTS = "\
SELECT held.place
FROM UNNEST($1::integer[], $2::uuid[], $3::bigint[], $4::bigint[], $5::integer[]) AS held (place, id, owner, until, number)
JOIN events ON events.id = held.id
WHERE events.state = 'received'
    AND events.lease_owner = held.owner
    AND events.due_at = held.until
    AND events.passes = held.number - 1
FOR UPDATE OF events";

    /// The same of replays.
    HELD_REPLAYS = "\
SELECT held.place
FROM UNNEST($1::integer[], $2::uuid[], $3::bigint[], $4::bigint[], $5::integer[]) AS held (place, id, owner, until, number)
JOIN replays ON replays.id = held.id
WHERE replays.state = 'received'
    AND replays.lease_owner = held.owner
    AND replays.due_at = held.until
    AND replays.passes = held.number - 1
FOR UPDATE OF replays";

    /// Holds the usage rows of plugins, made where there are none. $1: tenants, $2: plugins, in their order.
    HOLD = "\
INSERT INTO kv_usage (tenant, plugin, entries, bytes)
SELECT tenant, plugin, 0, 0
FROM UNNEST($1::integer[], $2::text[]) WITH ORDINALITY AS held (tenant, plugin, place)
ORDER BY place
ON CONFLICT (tenant, plugin) DO UPDATE SET entries = kv_usage.entries";

    /// What is there. $1: tenants, $2: plugins, $3: keys.
    THERE = "\
SELECT kv.tenant, kv.plugin, kv.key, kv.value, kv.expires_at
FROM UNNEST($1::integer[], $2::text[], $3::bytea[]) AS named (tenant, plugin, key)
JOIN kv ON kv.tenant = named.tenant AND kv.plugin = named.plugin AND kv.key = named.key";

    PUT = "\
INSERT INTO kv (tenant, plugin, key, value, expires_at)
SELECT * FROM UNNEST($1::integer[], $2::text[], $3::bytea[], $4::bytea[], $5::bigint[])
ON CONFLICT (tenant, plugin, key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at";

    REMOVE = "\
DELETE FROM kv
USING UNNEST($1::integer[], $2::text[], $3::bytea[]) AS named (tenant, plugin, key)
WHERE kv.tenant = named.tenant AND kv.plugin = named.plugin AND kv.key = named.key";

    /// $1: tenants, $2: plugins, $3: entries more, $4: bytes more.
    COUNT = "\
UPDATE kv_usage
SET entries = kv_usage.entries + more.entries, bytes = kv_usage.bytes + more.bytes
FROM UNNEST($1::integer[], $2::text[], $3::bigint[], $4::bigint[]) AS more (tenant, plugin, entries, bytes)
WHERE kv_usage.tenant = more.tenant AND kv_usage.plugin = more.plugin";

    /// Holds the usage rows of plugins of which something has expired. $1: now, $2: how many entries are looked at.
    HOLD_EXPIRED = "\
SELECT tenant, plugin FROM kv_usage
WHERE (tenant, plugin) IN (
    SELECT tenant, plugin FROM kv WHERE expires_at <= $1 ORDER BY expires_at, seq LIMIT $2
)
ORDER BY tenant, plugin
FOR UPDATE";

    /// Removes expired entries of the held plugins. $1: now, $2: how many, $3: tenants, $4: plugins.
    FORGET = "\
WITH gone AS (
    DELETE FROM kv
    WHERE seq = ANY (ARRAY (
            SELECT seq FROM kv WHERE expires_at <= $1 ORDER BY expires_at, seq LIMIT $2
        ))
        AND (tenant, plugin) IN (SELECT * FROM UNNEST($3::integer[], $4::text[]))
    RETURNING tenant, plugin, octet_length(key) + octet_length(value) AS weight
),
counted AS (
    UPDATE kv_usage
    SET entries = kv_usage.entries - less.entries, bytes = kv_usage.bytes - less.bytes
    FROM (SELECT tenant, plugin, count(*) AS entries, sum(weight) AS bytes FROM gone GROUP BY tenant, plugin) AS less
    WHERE kv_usage.tenant = less.tenant AND kv_usage.plugin = less.plugin
)
SELECT count(*) AS rows FROM gone";
}

/// What is there for a tenant; `None` if there is no such tenant.
pub(super) async fn get(
    readers: &PgPool,
    tenant: TenantId,
    plugin: &str,
    key: &str,
    at: Timestamp,
) -> Result<Option<KvRead>, StoreError> {
    let get = sqlx::query(GET).bind(tenant.uuid()).bind(plugin).bind(key.as_bytes()).bind(at.as_ms());
    let row = get.fetch_optional(readers).await.map_err(unavailable("read what a plugin keeps"))?;
    row.map(|row| kv_read(&Cells::new(&row, "kv", "entries"))).transpose()
}

fn kv_read(cells: &Cells<'_>) -> Result<KvRead, StoreError> {
    let count = |column| Ok::<_, StoreError>(u64::try_from(cells.int(column)?).unwrap_or(0));
    let usage = KvUsage { entries: count("entries")?, bytes: count("bytes")? };
    let value = cells.is_there("value").then(|| cells.bytes("value")).transpose()?;
    Ok(KvRead { value, usage })
}

/// A plugin of a tenant, by its row.
type Keeper = (i32, String);
type Address = (Keeper, Vec<u8>);

/// An entry, expired or not.
#[derive(Clone, PartialEq, Eq)]
struct Entry {
    value: Bytes,
    expires_at: Option<Timestamp>,
}

/// What is there, and what the passes of this commit make of it.
#[derive(Default)]
struct Shelf {
    entries: HashMap<Address, Entry>,
    before: HashMap<Address, Entry>,
    changed: BTreeSet<Address>,
}

impl Shelf {
    /// Whether all that `pass` has read is still so.
    fn holds(&self, tenant: i32, pass: &FinishedPass) -> bool {
        kv::read(pass).all(|touch| {
            let entry = self.entries.get(&address(tenant, touch));
            let there = entry.filter(|it| it.expires_at.is_none_or(|expires| expires > pass.started_at));
            kv::still_holds(&touch.found, there.map(|entry| &entry.value[..]))
        })
    }

    /// Puts in what `pass` leaves.
    fn leave(&mut self, tenant: i32, pass: &FinishedPass) {
        for touch in kv::left(pass) {
            let address = address(tenant, touch);
            match &touch.left {
                Some(Left::Value { value, expires_at }) => {
                    let entry = Entry { value: value.clone(), expires_at: *expires_at };
                    self.entries.insert(address.clone(), entry);
                }
                Some(Left::Nothing) | None => {
                    self.entries.remove(&address);
                }
            }
            self.changed.insert(address);
        }
    }

    /// How the usage of each plugin changes.
    fn usage(&self) -> BTreeMap<&Keeper, (i64, i64)> {
        let mut usage: BTreeMap<_, (i64, i64)> = BTreeMap::new();
        for address in &self.changed {
            let weight =
                |entries: &HashMap<Address, Entry>| entries.get(address).map(|it| kv::weight(&address.1, &it.value));
            let (before, after) = (weight(&self.before), weight(&self.entries));
            let more = usage.entry(&address.0).or_default();
            more.0 += i64::from(after.is_some()) - i64::from(before.is_some());
            more.1 += after.unwrap_or(0) - before.unwrap_or(0);
        }
        usage
    }
}

fn address(tenant: i32, touch: &KvTouch) -> Address {
    ((tenant, touch.plugin.to_string()), touch.key.clone().into_bytes())
}

/// Judges the passes that have read or left something, and stores what those leave that go on. Answers the places of those that do
/// not: they are free to be run again.
pub(super) async fn settle(
    session: &mut Session,
    standing: &[(usize, &FinishedPass)],
) -> Result<HashSet<usize>, sqlx::Error> {
    let touches = |pass: &FinishedPass| kv::read(pass).next().is_some() || kv::left(pass).next().is_some();
    let with_kv: Vec<_> = standing.iter().copied().filter(|(_, pass)| touches(pass)).collect();
    if with_kv.is_empty() {
        return Ok(HashSet::new());
    }
    let held = held(&mut session.conn, &with_kv).await?;
    // `Passes` has looked all tenants up.
    let tenant = |pass: &FinishedPass| session.directory.tenant(pass.tenant).map(short).unwrap_or_default();
    let held: Vec<_> = with_kv
        .into_iter()
        .filter(|(place, _)| held.contains(place))
        .map(|(place, pass)| (place, tenant(pass), pass))
        .collect();
    let mut shelf = read(&mut session.conn, &held).await?;
    let (mut conflicts, mut back) = (HashSet::new(), Vec::new());
    for (place, tenant, pass) in held {
        if shelf.holds(tenant, pass) {
            shelf.leave(tenant, pass);
        } else {
            conflicts.insert(place);
            back.push((pass.key, pass.lease));
        }
    }
    if !back.is_empty() {
        passes::release(session, &[&back]).await?;
    }
    write(&mut session.conn, &shelf).await?;
    Ok(conflicts)
}

/// The places of those passes whose lease holds.
async fn held(conn: &mut PgConnection, passes: &[(usize, &FinishedPass)]) -> Result<HashSet<usize>, sqlx::Error> {
    let mut held = HashSet::new();
    let (replays, events): (Vec<_>, Vec<_>) = passes.iter().partition(|(_, pass)| pass.key.replay.is_some());
    for (statement, passes) in [(HELD_EVENTS, events), (HELD_REPLAYS, replays)] {
        if passes.is_empty() {
            continue;
        }
        let made = || passes.iter().map(|(_, pass)| pass);
        let rows = sqlx::query(statement)
            .bind(passes.iter().map(|(place, _)| i32::try_from(*place).unwrap_or(i32::MAX)).collect::<Vec<_>>())
            .bind(made().map(|it| it.key.replay.map_or(it.key.event.uuid(), |id| id.uuid())).collect::<Vec<Uuid>>())
            .bind(made().map(|pass| pass.lease.owner).collect::<Vec<_>>())
            .bind(made().map(|pass| pass.lease.until.as_ms()).collect::<Vec<_>>())
            .bind(made().map(|pass| i32::try_from(pass.number).unwrap_or(i32::MAX)).collect::<Vec<_>>())
            .fetch_all(&mut *conn)
            .await?;
        for row in rows {
            held.extend(usize::try_from(row.try_get::<i32, _>(0)?));
        }
    }
    Ok(held)
}

/// Holds the plugins of these passes and reads what is there of what they have touched.
async fn read(conn: &mut PgConnection, held: &[(usize, i32, &FinishedPass)]) -> Result<Shelf, sqlx::Error> {
    let touched: BTreeSet<Address> =
        held.iter().flat_map(|(_, tenant, pass)| pass.kv.iter().map(move |touch| address(*tenant, touch))).collect();
    let keepers: BTreeSet<_> = touched.iter().map(|(keeper, _)| keeper).collect();
    sqlx::query(HOLD)
        .bind(keepers.iter().map(|(tenant, _)| *tenant).collect::<Vec<_>>())
        .bind(keepers.iter().map(|(_, plugin)| plugin.as_str()).collect::<Vec<_>>())
        .execute(&mut *conn)
        .await?;
    let rows = sqlx::query(THERE)
        .bind(touched.iter().map(|((tenant, _), _)| *tenant).collect::<Vec<_>>())
        .bind(touched.iter().map(|((_, plugin), _)| plugin.as_str()).collect::<Vec<_>>())
        .bind(touched.iter().map(|(_, key)| key.as_slice()).collect::<Vec<_>>())
        .fetch_all(conn)
        .await?;
    let mut entries = HashMap::with_capacity(rows.len());
    for row in rows {
        let expires_at: Option<i64> = row.try_get("expires_at")?;
        let value: Vec<u8> = row.try_get("value")?;
        let entry = Entry { value: value.into(), expires_at: expires_at.map(Timestamp::from_ms) };
        entries.insert(((row.try_get("tenant")?, row.try_get("plugin")?), row.try_get("key")?), entry);
    }
    Ok(Shelf { before: entries.clone(), entries, changed: BTreeSet::new() })
}

/// Stores what has changed.
async fn write(conn: &mut PgConnection, shelf: &Shelf) -> Result<(), sqlx::Error> {
    let (put, gone): (Vec<_>, Vec<_>) = shelf.changed.iter().partition(|address| shelf.entries.contains_key(*address));
    let tenants = |of: &[&Address]| of.iter().map(|((tenant, _), _)| *tenant).collect::<Vec<_>>();
    let plugins = |of: &[&Address]| of.iter().map(|((_, plugin), _)| plugin.clone()).collect::<Vec<_>>();
    let keys = |of: &[&Address]| of.iter().map(|(_, key)| key.clone()).collect::<Vec<_>>();
    if !put.is_empty() {
        let entries: Vec<_> = put.iter().map(|address| &shelf.entries[*address]).collect();
        sqlx::query(PUT)
            .bind(tenants(&put))
            .bind(plugins(&put))
            .bind(keys(&put))
            .bind(entries.iter().map(|entry| &entry.value[..]).collect::<Vec<_>>())
            .bind(entries.iter().map(|entry| entry.expires_at.map(Timestamp::as_ms)).collect::<Vec<_>>())
            .execute(&mut *conn)
            .await?;
    }
    if !gone.is_empty() {
        let remove = sqlx::query(REMOVE).bind(tenants(&gone)).bind(plugins(&gone)).bind(keys(&gone));
        remove.execute(&mut *conn).await?;
    }
    let usage = shelf.usage();
    if !usage.is_empty() {
        sqlx::query(COUNT)
            .bind(usage.keys().map(|(tenant, _)| *tenant).collect::<Vec<_>>())
            .bind(usage.keys().map(|(_, plugin)| plugin.as_str()).collect::<Vec<_>>())
            .bind(usage.values().map(|(entries, _)| *entries).collect::<Vec<_>>())
            .bind(usage.values().map(|(_, bytes)| *bytes).collect::<Vec<_>>())
            .execute(conn)
            .await?;
    }
    Ok(())
}

/// Removes up to `limit` entries that have expired; answers how many.
pub(super) async fn forget(conn: &mut PgConnection, now: Timestamp, limit: u32) -> Result<u64, sqlx::Error> {
    let hold = sqlx::query(HOLD_EXPIRED).bind(now.as_ms()).bind(i64::from(limit));
    let (mut tenants, mut plugins) = (Vec::<i32>::new(), Vec::<String>::new());
    for row in hold.fetch_all(&mut *conn).await? {
        tenants.push(row.try_get("tenant")?);
        plugins.push(row.try_get("plugin")?);
    }
    if tenants.is_empty() {
        return Ok(0);
    }
    let forget = sqlx::query(FORGET).bind(now.as_ms()).bind(i64::from(limit)).bind(tenants).bind(plugins);
    let rows: i64 = forget.fetch_one(conn).await?.try_get("rows")?;
    Ok(u64::try_from(rows).unwrap_or(0))
}
