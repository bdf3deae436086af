//! Tenants, keys and destinations, and what is sealed for them.

use bytes::Bytes;
use sqlx::SqliteConnection;
use sqlx::sqlite::{SqlitePool, SqliteRow};
use weft_core::destination::{DestinationStatus, DisabledReason};
use weft_core::id::DestinationId;
use weft_core::name::Name;
use weft_core::time::Timestamp;

use super::session::Session;
use super::statements::{Hex, bytes, json, statements};
use crate::catalog::{Catalog, Declaration, DeclaredKey};
use crate::error::{StoreError, unavailable};
use crate::rows::Cells;
use crate::rows::catalog::{CatalogRows, StatusColumns};

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
SELECT id, tenant, name, declared, disabled, paused, status_since FROM destinations ORDER BY name";

    DESTINATION = "SELECT seq, declared, disabled, paused FROM destinations WHERE id = ?1";

    /// ?1: row, ?2: declared, ?3: disabled, ?4: paused, ?5: now.
    SET_STATUS = "\
UPDATE destinations SET declared = ?2, disabled = ?3, paused = ?4, status_since = ?5
WHERE seq = ?1 AND (declared <> ?2 OR disabled IS NOT ?3 OR paused <> ?4)";

    /// Frees what starts before ?1 had leased for destinations that take nothing: no claim comes by that would, and nobody's
    /// lease outlives its lifetime.
    FREE_VOID = "\
UPDATE deliveries SET lease_owner = 0, due_at = planned_at
WHERE state = 'pending' AND lease_owner > 0 AND lease_owner < ?1
    AND destination IN (SELECT seq FROM destinations WHERE declared = 0 OR disabled IS NOT NULL OR paused <> 0)";

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
    free_void(session).await?;
    session.directory.stale = true;
    read(&mut session.conn).await
}

async fn free_void(session: &mut Session) -> Result<(), StoreError> {
    let freed = sqlx::query(FREE_VOID).bind(session.start).execute(&mut session.conn).await;
    freed.map(drop).map_err(unavailable("free what an earlier start had leased"))
}

/// Reads the catalog as it is at one moment.
pub(super) async fn catalog(readers: &SqlitePool) -> Result<Catalog, StoreError> {
    let mut moment = readers.begin().await.map_err(unavailable("read the catalog"))?;
    read(&mut moment).await
}

async fn read(conn: &mut SqliteConnection) -> Result<Catalog, StoreError> {
    let mut catalog = CatalogRows::default();
    for row in rows(conn, TENANTS).await? {
        catalog.tenant(&Cells::new(&row, "tenants", "id"))?;
    }
    for row in rows(conn, KEYS).await? {
        catalog.key(&Cells::new(&row, "api_keys", "id"))?;
    }
    for row in rows(conn, DESTINATIONS).await? {
        catalog.destination(&Cells::new(&row, "destinations", "id"))?;
    }
    Ok(catalog.read())
}

async fn rows(conn: &mut SqliteConnection, statement: &'static str) -> Result<Vec<SqliteRow>, StoreError> {
    sqlx::query(statement).fetch_all(conn).await.map_err(unavailable("read the catalog"))
}

/// Enables, pauses or disables a destination; answers the status that it has then.
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
    let cells = Cells::new(&row, "destinations", "seq");
    let StatusColumns { declared, disabled, paused } = StatusColumns::read(&cells)?.with(wanted);
    let disabled = disabled.map(DisabledReason::as_str);
    let set = sqlx::query(SET_STATUS).bind(cells.int("seq")?).bind(declared).bind(disabled).bind(paused);
    set.bind(now.as_ms()).execute(&mut session.conn).await.map_err(failed)?;
    free_void(session).await?;
    let row = find().fetch_one(&mut session.conn).await.map_err(failed)?;
    Ok(Some(StatusColumns::read(&Cells::new(&row, "destinations", "seq"))?.status()))
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
