//! Tenants, keys and destinations, and what is sealed for them.

use bytes::Bytes;
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Row, SqliteConnection};
use weft_core::destination::{DestinationStatus, DisabledReason};
use weft_core::id::DestinationId;
use weft_core::name::Name;
use weft_core::time::Timestamp;

use super::cells::Cells;
use super::session::{Session, unavailable};
use super::statements::{Hex, bytes, json, statements};
use crate::catalog::{Catalog, Declaration, DeclaredKey, DestinationRecord, KeyRecord, TenantRecord};
use crate::error::StoreError;

statements! {
    /// ?1: [id, name], ?2: now.
    DECLARE_TENANTS = "\
INSERT INTO tenants (id, name, declared, created_at)
SELECT unhex(value ->> 0), value ->> 1, 1, ?2 FROM json_each(?1) WHERE true
ON CONFLICT (name) DO UPDATE SET declared = 1;
UPDATE tenants SET declared = 0
WHERE declared = 1 AND name NOT IN (SELECT value ->> 1 FROM json_each(?1))";

    /// ?1: [tenant's name, id, name], ?2: now.
    DECLARE_DESTINATIONS = "\
INSERT INTO destinations (id, tenant, name, declared, status_since, created_at)
SELECT unhex(value ->> 1), tenants.seq, value ->> 2, 1, ?2, ?2
FROM json_each(?1)
CROSS JOIN tenants ON tenants.name = value ->> 0
WHERE true
ON CONFLICT (tenant, name) DO UPDATE SET
    status_since = CASE declared WHEN 0 THEN excluded.status_since ELSE status_since END,
    declared = 1;
UPDATE destinations SET declared = 0, status_since = ?2
WHERE declared = 1
    AND (tenant, name) NOT IN (
        SELECT tenants.seq, value ->> 2 FROM json_each(?1) CROSS JOIN tenants ON tenants.name = value ->> 0
    )";

    /// ?1: [tenant's name or null for the operator, id, name, hash], ?2: now.
    DECLARE_KEYS = "\
INSERT INTO api_keys (id, tenant, name, hash, declared, created_at)
SELECT unhex(value ->> 1), tenants.seq, value ->> 2, unhex(value ->> 3), 1, ?2
FROM json_each(?1)
LEFT JOIN tenants ON tenants.name = value ->> 0
WHERE true
ON CONFLICT (coalesce(tenant, 0), name) DO UPDATE SET hash = excluded.hash, declared = 1;
UPDATE api_keys SET declared = 0
WHERE declared = 1
    AND (coalesce(tenant, 0), name) NOT IN (
        SELECT coalesce(tenants.seq, 0), value ->> 2
        FROM json_each(?1)
        LEFT JOIN tenants ON tenants.name = value ->> 0
    )";

    TENANTS = "SELECT seq, id, name, declared FROM tenants ORDER BY name";

    KEYS = "SELECT id, tenant, name, hash, declared FROM api_keys ORDER BY name";

    DESTINATIONS = "\
SELECT id, tenant, name, declared, disabled, status_since FROM destinations ORDER BY name";

    DESTINATION = "SELECT seq, declared, disabled FROM destinations WHERE id = ?1";

    /// ?1: row, ?2: declared, ?3: disabled, ?4: now.
    SET_STATUS = "\
UPDATE destinations SET declared = ?2, disabled = ?3, status_since = ?4
WHERE seq = ?1 AND (declared <> ?2 OR disabled IS NOT ?3)";

    /// ?1: destination, ?2: name, ?3: what is sealed, ?4: now.
    PUT_SEALED = "\
INSERT INTO sealed_secrets (destination, name, sealed, created_at) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (destination, name) DO UPDATE SET sealed = excluded.sealed, created_at = excluded.created_at";

    SEALED = "\
SELECT sealed_secrets.name, sealed_secrets.sealed
FROM destinations
JOIN sealed_secrets ON sealed_secrets.destination = destinations.seq
WHERE destinations.id = ?1
ORDER BY sealed_secrets.created_at DESC, sealed_secrets.seq DESC";
}

/// Brings the catalog in line with a declaration, and answers what it is then.
pub(super) async fn declare(
    session: &mut Session,
    declaration: &Declaration,
    now: Timestamp,
) -> Result<Catalog, StoreError> {
    let hex = |id: &[u8]| Hex(id).to_string();
    let tenants = declaration.tenants.iter().map(|tenant| (hex(&bytes(&tenant.fresh)), tenant.name.as_str()));
    let destinations = declaration.tenants.iter().flat_map(|tenant| {
        let row = |it: &crate::catalog::DeclaredDestination| {
            (tenant.name.to_string(), hex(&bytes(&it.fresh)), it.name.to_string())
        };
        tenant.destinations.iter().map(row).collect::<Vec<_>>()
    });
    let key = |owner: Option<&Name>, key: &DeclaredKey| {
        (owner.map(Name::to_string), hex(&bytes(&key.fresh)), key.name.to_string(), hex(&key.hash))
    };
    let mut keys: Vec<_> = declaration.operator_keys.iter().map(|it| key(None, it)).collect();
    for tenant in &declaration.tenants {
        keys.extend(tenant.keys.iter().map(|it| key(Some(&tenant.name), it)));
    }
    let failed = unavailable("declare the catalog");
    for (statement, rows) in [
        (DECLARE_TENANTS, json(&tenants.collect::<Vec<_>>())),
        (DECLARE_DESTINATIONS, json(&destinations.collect::<Vec<_>>())),
        (DECLARE_KEYS, json(&keys)),
    ] {
        sqlx::query(statement).bind(rows).bind(now.as_ms()).execute(&mut session.conn).await.map_err(failed)?;
    }
    session.directory.stale = true;
    read(&mut session.conn).await
}

/// Reads the catalog as it is at one moment.
pub(super) async fn catalog(readers: &SqlitePool) -> Result<Catalog, StoreError> {
    let mut moment = readers.begin().await.map_err(unavailable("read the catalog"))?;
    read(&mut moment).await
}

async fn read(conn: &mut SqliteConnection) -> Result<Catalog, StoreError> {
    let mut catalog = Catalog::default();
    let mut places = std::collections::HashMap::new();
    for row in rows(conn, TENANTS).await? {
        let cells = Cells::new(&row, "tenants", "id");
        places.insert(cells.int("seq")?, catalog.tenants.len());
        catalog.tenants.push(TenantRecord {
            id: cells.id("id")?,
            name: cells.parsed("name")?,
            declared: cells.flag("declared")?,
            keys: Vec::new(),
            destinations: Vec::new(),
        });
    }
    let place = |cells: &Cells<'_>, tenant: i64| {
        let unknown = || cells.corrupt("tenant", format!("there is no tenant {tenant}"));
        places.get(&tenant).copied().ok_or_else(unknown)
    };
    for row in rows(conn, KEYS).await? {
        let cells = Cells::new(&row, "api_keys", "id");
        let key = KeyRecord {
            id: cells.id("id")?,
            name: cells.parsed("name")?,
            hash: cells.array("hash")?,
            declared: cells.flag("declared")?,
        };
        match cells.maybe_int("tenant")? {
            None => catalog.operator_keys.push(key),
            Some(tenant) => catalog.tenants[place(&cells, tenant)?].keys.push(key),
        }
    }
    for row in rows(conn, DESTINATIONS).await? {
        let cells = Cells::new(&row, "destinations", "id");
        let tenant = place(&cells, cells.int("tenant")?)?;
        catalog.tenants[tenant].destinations.push(DestinationRecord {
            id: cells.id("id")?,
            name: cells.parsed("name")?,
            status: status(&cells)?,
            status_since: cells.time("status_since")?,
        });
    }
    Ok(catalog)
}

async fn rows(conn: &mut SqliteConnection, statement: &'static str) -> Result<Vec<SqliteRow>, StoreError> {
    sqlx::query(statement).fetch_all(conn).await.map_err(unavailable("read the catalog"))
}

/// Not being declared outweighs what else disables a destination.
fn status(cells: &Cells<'_>) -> Result<DestinationStatus, StoreError> {
    if !cells.flag("declared")? {
        return Ok(DestinationStatus::Disabled(DisabledReason::Undeclared));
    }
    match cells.maybe_text("disabled")? {
        None => Ok(DestinationStatus::Active),
        Some(_) => cells.word("disabled", DisabledReason::parse).map(DestinationStatus::Disabled),
    }
}

/// Enables or disables a destination; answers the status that it has then.
pub(super) async fn set_destination_status(
    session: &mut Session,
    id: DestinationId,
    wanted: DestinationStatus,
    now: Timestamp,
) -> Result<Option<DestinationStatus>, StoreError> {
    let failed = unavailable("set a destination's status");
    let id = bytes(&id);
    let find = || sqlx::query(DESTINATION).bind(&id[..]);
    let Some(row) = find().fetch_optional(&mut session.conn).await.map_err(failed)? else { return Ok(None) };
    let (seq, declared): (i64, i64) = (row.get("seq"), row.get("declared"));
    let disabled: Option<String> = row.get("disabled");
    let (declared, disabled) = match wanted {
        DestinationStatus::Active => (declared, None),
        DestinationStatus::Disabled(DisabledReason::Undeclared) => (0, disabled),
        DestinationStatus::Disabled(reason) => (declared, Some(reason.as_str().to_owned())),
    };
    let set = sqlx::query(SET_STATUS).bind(seq).bind(declared).bind(disabled).bind(now.as_ms());
    set.execute(&mut session.conn).await.map_err(failed)?;
    let row = find().fetch_one(&mut session.conn).await.map_err(failed)?;
    status(&Cells::new(&row, "destinations", "seq")).map(Some)
}

/// Keeps a sealed secret of a destination.
pub(super) async fn put_sealed(
    session: &mut Session,
    destination: DestinationId,
    name: Name,
    sealed: Bytes,
    now: Timestamp,
) -> Result<(), StoreError> {
    let destination = session.directory.destination(destination)?;
    let put = sqlx::query(PUT_SEALED).bind(destination).bind(name.as_str()).bind(&sealed[..]).bind(now.as_ms());
    put.execute(&mut session.conn).await.map_err(unavailable("keep a sealed secret"))?;
    Ok(())
}

/// The sealed secrets of a destination, newest first.
pub(super) async fn sealed(readers: &SqlitePool, destination: DestinationId) -> Result<Vec<(Name, Bytes)>, StoreError> {
    let failed = unavailable("read sealed secrets");
    let rows = sqlx::query(SEALED).bind(&bytes(&destination)[..]).fetch_all(readers).await.map_err(failed)?;
    let read = |row: &SqliteRow| {
        let cells = Cells::new(row, "sealed_secrets", "name");
        Ok((cells.parsed("name")?, cells.bytes("sealed")?))
    };
    rows.iter().map(read).collect()
}
