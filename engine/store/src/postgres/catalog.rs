//! Tenants, keys and destinations, and what is sealed for them.

use bytes::Bytes;
use sqlx::PgConnection;
use sqlx::postgres::{PgPool, PgRow};
use uuid::Uuid;
use weft_core::destination::{DestinationStatus, DisabledReason};
use weft_core::id::DestinationId;
use weft_core::name::Name;
use weft_core::time::Timestamp;

use super::session::{Session, moment};
use super::statements::statements;
use crate::catalog::{Catalog, Declaration, DeclaredDestination, DeclaredKey};
use crate::error::{StoreError, unavailable};
use crate::rows::Cells;
use crate::rows::catalog::{CatalogRows, StatusColumns};

statements! {
    /// Held until the commit: two engines that declare at once would wait for each other's rows in a circle.
    ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtext('weft catalog'))";

    /// $1: ids, $2: names, $3: now. What is declared already is left alone, so that it takes no number.
    DECLARE_TENANTS = "\
INSERT INTO tenants (id, name, declared, created_at)
SELECT wanted.id, wanted.name, true, $3
FROM UNNEST($1::uuid[], $2::text[]) AS wanted (id, name)
WHERE NOT EXISTS (SELECT 1 FROM tenants WHERE tenants.name = wanted.name AND tenants.declared)
ON CONFLICT (name) DO UPDATE SET declared = true";

    /// $1: the names that are declared.
    UNDECLARE_TENANTS = "UPDATE tenants SET declared = false WHERE declared AND name <> ALL ($1::text[])";

    /// $1: names of tenants, $2: ids, $3: names, $4: now.
    DECLARE_DESTINATIONS = "\
INSERT INTO destinations (id, tenant, name, declared, status_since, created_at)
SELECT wanted.id, tenants.seq, wanted.name, true, $4, $4
FROM UNNEST($1::text[], $2::uuid[], $3::text[]) AS wanted (tenant, id, name)
JOIN tenants ON tenants.name = wanted.tenant
WHERE NOT EXISTS (
    SELECT 1 FROM destinations
    WHERE destinations.tenant = tenants.seq AND destinations.name = wanted.name AND destinations.declared
)
ON CONFLICT (tenant, name) DO UPDATE SET status_since = excluded.status_since, declared = true";

    /// $1: names of tenants, $2: names of what is declared, $3: now.
    UNDECLARE_DESTINATIONS = "\
UPDATE destinations SET declared = false, status_since = $3
WHERE declared
    AND (tenant, name) NOT IN (
        SELECT tenants.seq, wanted.name
        FROM UNNEST($1::text[], $2::text[]) AS wanted (tenant, name)
        JOIN tenants ON tenants.name = wanted.tenant
    )";

    /// $1: names of tenants, null for the operator, $2: ids, $3: names, $4: hashes, $5: now.
    DECLARE_KEYS = "\
INSERT INTO api_keys (id, tenant, name, hash, declared, created_at)
SELECT wanted.id, tenants.seq, wanted.name, wanted.hash, true, $5
FROM UNNEST($1::text[], $2::uuid[], $3::text[], $4::bytea[]) AS wanted (tenant, id, name, hash)
LEFT JOIN tenants ON tenants.name = wanted.tenant
WHERE NOT EXISTS (
    SELECT 1 FROM api_keys
    WHERE coalesce(api_keys.tenant, 0) = coalesce(tenants.seq, 0) AND api_keys.name = wanted.name
        AND api_keys.declared AND api_keys.hash = wanted.hash
)
ON CONFLICT (coalesce(tenant, 0), name) DO UPDATE SET hash = excluded.hash, declared = true";

    /// $1: names of tenants, null for the operator, $2: names of what is declared.
    UNDECLARE_KEYS = "\
UPDATE api_keys SET declared = false
WHERE declared
    AND (coalesce(tenant, 0), name) NOT IN (
        SELECT coalesce(tenants.seq, 0), wanted.name
        FROM UNNEST($1::text[], $2::text[]) AS wanted (tenant, name)
        LEFT JOIN tenants ON tenants.name = wanted.tenant
    )";

    TENANTS = "SELECT seq, id, name, declared FROM tenants ORDER BY name COLLATE \"C\"";

    KEYS = "SELECT id, tenant, name, hash, declared FROM api_keys ORDER BY name COLLATE \"C\", seq";

    DESTINATIONS = "\
SELECT id, tenant, name, declared, disabled, paused, status_since FROM destinations ORDER BY name COLLATE \"C\", seq";

    DESTINATION = "SELECT seq, id, declared, disabled, paused FROM destinations WHERE id = $1 FOR UPDATE";

    /// $1: row, $2: declared, $3: disabled, $4: paused, $5: now.
    SET_STATUS = "\
UPDATE destinations SET declared = $2, disabled = $3, paused = $4, status_since = $5
WHERE seq = $1 AND (declared <> $2 OR disabled IS DISTINCT FROM $3 OR paused <> $4)";

    /// $1: destination, $2: name, $3: what is sealed, $4: now.
    PUT_SEALED = "\
INSERT INTO sealed_secrets (destination, name, sealed, created_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (destination, name) DO UPDATE SET sealed = excluded.sealed, created_at = excluded.created_at";

    SEALED = "\
SELECT sealed_secrets.name, sealed_secrets.sealed
FROM destinations
JOIN sealed_secrets ON sealed_secrets.destination = destinations.seq
WHERE destinations.id = $1
ORDER BY sealed_secrets.created_at DESC, sealed_secrets.seq DESC";
}

/// Brings the catalog in line with a declaration, and answers what it is then.
pub(super) async fn declare(
    session: &mut Session,
    declaration: &Declaration,
    now: Timestamp,
) -> Result<Catalog, StoreError> {
    let failed = unavailable("declare the catalog");
    sqlx::query(ONE_AT_A_TIME).execute(&mut session.conn).await.map_err(failed)?;
    declare_tenants(&mut session.conn, declaration, now).await.map_err(failed)?;
    declare_destinations(&mut session.conn, declaration, now).await.map_err(failed)?;
    declare_keys(&mut session.conn, declaration, now).await.map_err(failed)?;
    session.directory.stale = true;
    read(&mut session.conn).await
}

async fn declare_tenants(
    conn: &mut PgConnection,
    declaration: &Declaration,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = declaration.tenants.iter().map(|tenant| tenant.fresh.uuid()).collect();
    let names: Vec<&str> = declaration.tenants.iter().map(|tenant| tenant.name.as_str()).collect();
    sqlx::query(DECLARE_TENANTS).bind(&ids).bind(&names).bind(now.as_ms()).execute(&mut *conn).await?;
    sqlx::query(UNDECLARE_TENANTS).bind(&names).execute(conn).await?;
    Ok(())
}

async fn declare_destinations(
    conn: &mut PgConnection,
    declaration: &Declaration,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let declared: Vec<(&Name, &DeclaredDestination)> = declaration
        .tenants
        .iter()
        .flat_map(|tenant| tenant.destinations.iter().map(|destination| (&tenant.name, destination)))
        .collect();
    let tenants: Vec<&str> = declared.iter().map(|(tenant, _)| tenant.as_str()).collect();
    let ids: Vec<Uuid> = declared.iter().map(|(_, destination)| destination.fresh.uuid()).collect();
    let names: Vec<&str> = declared.iter().map(|(_, destination)| destination.name.as_str()).collect();
    let declare = sqlx::query(DECLARE_DESTINATIONS).bind(&tenants).bind(&ids).bind(&names).bind(now.as_ms());
    declare.execute(&mut *conn).await?;
    sqlx::query(UNDECLARE_DESTINATIONS).bind(&tenants).bind(&names).bind(now.as_ms()).execute(conn).await?;
    Ok(())
}

async fn declare_keys(conn: &mut PgConnection, declaration: &Declaration, now: Timestamp) -> Result<(), sqlx::Error> {
    let operators = declaration.operator_keys.iter().map(|key| (None, key));
    let of_tenants =
        declaration.tenants.iter().flat_map(|tenant| tenant.keys.iter().map(|key| (Some(tenant.name.as_str()), key)));
    let declared: Vec<(Option<&str>, &DeclaredKey)> = operators.chain(of_tenants).collect();
    let tenants: Vec<Option<&str>> = declared.iter().map(|(tenant, _)| *tenant).collect();
    let ids: Vec<Uuid> = declared.iter().map(|(_, key)| key.fresh.uuid()).collect();
    let names: Vec<&str> = declared.iter().map(|(_, key)| key.name.as_str()).collect();
    let hashes: Vec<&[u8]> = declared.iter().map(|(_, key)| &key.hash[..]).collect();
    let declare = sqlx::query(DECLARE_KEYS).bind(&tenants).bind(&ids).bind(&names).bind(&hashes).bind(now.as_ms());
    declare.execute(&mut *conn).await?;
    sqlx::query(UNDECLARE_KEYS).bind(&tenants).bind(&names).execute(conn).await?;
    Ok(())
}

/// Reads the catalog as it is at one moment.
pub(super) async fn catalog(readers: &PgPool) -> Result<Catalog, StoreError> {
    read(&mut *moment(readers, "read the catalog").await?).await
}

async fn read(conn: &mut PgConnection) -> Result<Catalog, StoreError> {
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

async fn rows(conn: &mut PgConnection, statement: &'static str) -> Result<Vec<PgRow>, StoreError> {
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
    let find = || sqlx::query(DESTINATION).bind(id.uuid());
    let Some(row) = find().fetch_optional(&mut session.conn).await.map_err(failed)? else { return Ok(None) };
    let cells = Cells::new(&row, "destinations", "id");
    let StatusColumns { declared, disabled, paused } = StatusColumns::read(&cells)?.with(wanted);
    let disabled = disabled.map(DisabledReason::as_str);
    let set = sqlx::query(SET_STATUS).bind(cells.int("seq")?).bind(declared).bind(disabled).bind(paused);
    set.bind(now.as_ms()).execute(&mut session.conn).await.map_err(failed)?;
    let row = find().fetch_one(&mut session.conn).await.map_err(failed)?;
    Ok(Some(StatusColumns::read(&Cells::new(&row, "destinations", "id"))?.status()))
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
pub(super) async fn sealed(readers: &PgPool, destination: DestinationId) -> Result<Vec<(Name, Bytes)>, StoreError> {
    let failed = unavailable("read sealed secrets");
    let rows = sqlx::query(SEALED).bind(destination.uuid()).fetch_all(readers).await.map_err(failed)?;
    let read = |row: &PgRow| {
        let cells = Cells::new(row, "sealed_secrets", "name");
        Ok((cells.parsed("name")?, cells.bytes("sealed")?))
    };
    rows.iter().map(read).collect()
}
