//! What plugins keep: read by a pass that runs, looked at again and changed by the commit that stores it.

use rusqlite::{OptionalExtension, params};
use sqlx::sqlite::SqlitePool;
use weft_core::id::TenantId;
use weft_core::kv::{KvUsage, Left};
use weft_core::time::Timestamp;

use super::session::Desk;
use super::statements::{bytes, statements};
use crate::error::{StoreError, unavailable};
use crate::kv::{self, KvRead};
use crate::rows::Cells;
use crate::work::FinishedPass;

statements! {
    /// ?1: tenant, ?2: plugin, ?3: key, ?4: the time.
    GET = "\
SELECT
    kv.value, coalesce(kv_usage.entries, 0) AS entries, coalesce(kv_usage.bytes, 0) AS bytes
FROM tenants
LEFT JOIN kv_usage ON kv_usage.tenant = tenants.seq AND kv_usage.plugin = ?2
LEFT JOIN kv ON kv.tenant = tenants.seq AND kv.plugin = ?2 AND kv.key = ?3 AND coalesce(kv.expires_at > ?4, 1)
WHERE tenants.id = ?1";

    /// The value of a row's tenant. ?1: tenant, ?2: plugin, ?3: key, ?4: the time.
    THERE = "\
SELECT value FROM kv WHERE tenant = ?1 AND plugin = ?2 AND key = ?3 AND coalesce(expires_at > ?4, 1)";

    /// What an entry counts for, expired or not.
    WEIGHT = "SELECT length(key) + length(value) FROM kv WHERE tenant = ?1 AND plugin = ?2 AND key = ?3";

    PUT = "\
INSERT INTO kv (tenant, plugin, key, value, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (tenant, plugin, key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at";

    REMOVE = "DELETE FROM kv WHERE tenant = ?1 AND plugin = ?2 AND key = ?3";

    /// ?1: tenant, ?2: plugin, ?3: entries more, ?4: bytes more.
    COUNT = "\
INSERT INTO kv_usage (tenant, plugin, entries, bytes) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (tenant, plugin) DO UPDATE
SET entries = kv_usage.entries + excluded.entries, bytes = kv_usage.bytes + excluded.bytes";

    /// Takes out of the usage what [`FORGET`] removes. ?1: now, ?2: how many.
    UNCOUNT_EXPIRED = "\
UPDATE kv_usage
SET entries = kv_usage.entries - gone.entries, bytes = kv_usage.bytes - gone.bytes
FROM (
    SELECT tenant, plugin, count(*) AS entries, sum(weight) AS bytes FROM (
        SELECT tenant, plugin, length(key) + length(value) AS weight FROM kv
        WHERE expires_at <= ?1 ORDER BY expires_at, seq LIMIT ?2
    )
    GROUP BY tenant, plugin
) AS gone
WHERE kv_usage.tenant = gone.tenant AND kv_usage.plugin = gone.plugin";

    /// ?1: now, ?2: how many.
    FORGET = "\
DELETE FROM kv
WHERE seq IN (SELECT seq FROM kv WHERE expires_at <= ?1 ORDER BY expires_at, seq LIMIT ?2)";
}

/// What is there for a tenant; `None` if there is no such tenant.
pub(super) async fn get(
    readers: &SqlitePool,
    tenant: TenantId,
    plugin: &str,
    key: &str,
    at: Timestamp,
) -> Result<Option<KvRead>, StoreError> {
    let get = sqlx::query(GET).bind(&bytes(&tenant)[..]).bind(plugin).bind(key.as_bytes()).bind(at.as_ms());
    let row = get.fetch_optional(readers).await.map_err(unavailable("read what a plugin keeps"))?;
    let read = |cells: Cells<'_>| {
        let count = |column| Ok::<_, StoreError>(u64::try_from(cells.int(column)?).unwrap_or(0));
        let usage = KvUsage { entries: count("entries")?, bytes: count("bytes")? };
        let value = cells.is_there("value").then(|| cells.bytes("value")).transpose()?;
        Ok(KvRead { value, usage })
    };
    row.map(|row| read(Cells::new(&row, "kv", "entries"))).transpose()
}

/// Whether all that a pass has read is still so.
pub(super) fn holds(desk: &Desk<'_>, tenant: i64, pass: &FinishedPass) -> rusqlite::Result<bool> {
    for touch in kv::read(pass) {
        let place = params![tenant, touch.plugin.to_string(), touch.key.as_bytes(), pass.started_at.as_ms()];
        let there: Option<Vec<u8>> =
            desk.direct.prepare_cached(THERE)?.query_row(place, |row| row.get(0)).optional()?;
        if !kv::still_holds(&touch.found, there.as_deref()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Stores what a pass leaves.
pub(super) fn leave(desk: &Desk<'_>, tenant: i64, pass: &FinishedPass) -> rusqlite::Result<()> {
    for touch in kv::left(pass) {
        let (plugin, key) = (touch.plugin.to_string(), touch.key.as_bytes());
        let place = params![tenant, plugin, key];
        let before: Option<i64> = desk.direct.prepare_cached(WEIGHT)?.query_row(place, |row| row.get(0)).optional()?;
        let after = match &touch.left {
            Some(Left::Value { value, expires_at }) => {
                let expires_at = expires_at.map(Timestamp::as_ms);
                desk.direct.prepare_cached(PUT)?.execute(params![tenant, plugin, key, &value[..], expires_at])?;
                Some(kv::weight(key, value))
            }
            Some(Left::Nothing) | None => {
                desk.direct.prepare_cached(REMOVE)?.execute(place)?;
                None
            }
        };
        let entries = i64::from(after.is_some()) - i64::from(before.is_some());
        let bytes = after.unwrap_or(0) - before.unwrap_or(0);
        if entries != 0 || bytes != 0 {
            desk.direct.prepare_cached(COUNT)?.execute(params![tenant, plugin, entries, bytes])?;
        }
    }
    Ok(())
}

/// Removes up to `limit` entries that have expired; answers how many.
pub(super) fn forget(direct: &rusqlite::Connection, now: Timestamp, limit: u32) -> rusqlite::Result<u64> {
    let which = params![now.as_ms(), limit];
    direct.prepare_cached(UNCOUNT_EXPIRED)?.execute(which)?;
    Ok(direct.prepare_cached(FORGET)?.execute(which)? as u64)
}
