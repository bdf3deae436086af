//! Which version of a plugin is active, who changed it, and the way back.
//!
//! Whoever changes a plugin holds its row until the commit, so of two engines that change it at once the second sees
//! what the first did.

use sqlx::postgres::PgPool;
use weft_core::digest::Digest;
use weft_core::id::PluginId;
use weft_core::time::Timestamp;

use super::session::Session;
use super::statements::{statements, text};
use crate::error::{StoreError, unavailable};
use crate::plugin::{
    Activated, ActivatedBy, Activation, ActivationRecord, NewPlugin, PluginFileRecord, PluginMode, PluginRecord,
    RolledBack,
};
use crate::rows::Cells;
use crate::rows::plugin::{Found, Seen, activation_record, activator, file_record, mode_word, plugin_record, refusal};

statements! {
    /// $1: id, $2: tenant or null, $3: name, $4: now.
    MAKE = "\
INSERT INTO plugins (id, tenant, name, mode, created_at) VALUES ($1, $2, $3, 'following', $4)
ON CONFLICT (coalesce(tenant, 0), name) DO NOTHING";

    BY_NAME = "\
SELECT plugins.id, tenants.id AS tenant, plugins.name, plugins.mode, plugins.active
FROM plugins
LEFT JOIN tenants ON tenants.seq = plugins.tenant
WHERE coalesce(plugins.tenant, 0) = coalesce($1::integer, 0) AND plugins.name = $2";

    ALL = "\
SELECT plugins.id, tenants.id AS tenant, plugins.name, plugins.mode, plugins.active
FROM plugins
LEFT JOIN tenants ON tenants.seq = plugins.tenant
ORDER BY plugins.tenant IS NOT NULL, plugins.name COLLATE \"C\", plugins.seq";

    BY_ID = "SELECT seq, id, mode, active FROM plugins WHERE id = $1 FOR UPDATE";

    /// What is known of version $2 of plugin $1, and what file $4 in folder $3 was activated with last.
    SEEN = "\
SELECT state, rolled_back_at, (SELECT activated FROM plugin_files WHERE folder = $3 AND name = $4) AS of_file
FROM plugin_versions
WHERE plugin = $1 AND digest = $2";

    REMEMBER_FILE = "\
INSERT INTO plugin_files (folder, name, plugin, activated) VALUES ($1, $2, $3, $4)
ON CONFLICT (folder, name) DO UPDATE SET plugin = excluded.plugin, activated = excluded.activated";

    /// $1: plugin, $2: the version that must be active, $3: the one to activate, $4: the mode.
    SET_ACTIVE = "UPDATE plugins SET active = $3, mode = $4 WHERE seq = $1 AND active IS NOT DISTINCT FROM $2";

    /// $1: plugin, $2: digest, $3: the one before, $4: who, $5: folder, $6: file, $7: now.
    NOTE = "\
INSERT INTO plugin_activations (plugin, digest, previous, by, folder, file, at) VALUES ($1, $2, $3, $4, $5, $6, $7)";

    LIFT_ROLLBACK = "UPDATE plugin_versions SET rolled_back_at = NULL WHERE plugin = $1 AND digest = $2";

    MARK_ROLLED_BACK = "UPDATE plugin_versions SET rolled_back_at = $3 WHERE plugin = $1 AND digest = $2";

    /// The last active version that is neither the present one nor one that was left by going back.
    BEFORE = "\
SELECT plugin_activations.seq, plugin_activations.digest
FROM plugin_activations
JOIN plugin_versions
    ON plugin_versions.plugin = plugin_activations.plugin AND plugin_versions.digest = plugin_activations.digest
WHERE plugin_activations.plugin = $1
    AND plugin_activations.digest <> $2
    AND plugin_versions.rolled_back_at IS NULL
    AND plugin_versions.state = 'ready'
ORDER BY plugin_activations.seq DESC
LIMIT 1";

    ACTIVATIONS = "\
SELECT
    plugin_activations.seq, plugin_activations.digest, plugin_activations.previous, plugin_activations.by,
    plugin_activations.folder, plugin_activations.file, plugin_activations.at
FROM plugins
JOIN plugin_activations ON plugin_activations.plugin = plugins.seq
WHERE plugins.id = $1
ORDER BY plugin_activations.seq DESC
LIMIT $2";

    FILES = "\
SELECT plugin_files.folder, plugin_files.name, plugins.id AS plugin, plugin_files.activated
FROM plugin_files
JOIN plugins ON plugins.seq = plugin_files.plugin
ORDER BY plugin_files.folder COLLATE \"C\", plugin_files.name COLLATE \"C\"";
}

/// Finds a plugin that must be there, and holds it.
pub(super) async fn find(session: &mut Session, id: PluginId) -> Result<Found, StoreError> {
    let failed = unavailable("find a plugin");
    let row = sqlx::query(BY_ID).bind(id.uuid()).fetch_optional(&mut session.conn).await.map_err(failed)?;
    let row = row.ok_or_else(|| StoreError::Unknown { noun: "plugin", id: id.to_string() })?;
    Found::read(&Cells::new(&row, "plugins", "id"))
}

/// Finds a plugin by owner and name, or makes it.
pub(super) async fn plugin(session: &mut Session, new: NewPlugin, now: Timestamp) -> Result<PluginRecord, StoreError> {
    let failed = unavailable("make a plugin");
    let tenant = new.tenant.map(|tenant| session.directory.tenant(tenant)).transpose()?;
    let make = sqlx::query(MAKE).bind(new.fresh.uuid()).bind(tenant).bind(new.name.as_str()).bind(now.as_ms());
    make.execute(&mut session.conn).await.map_err(failed)?;
    let by_name = sqlx::query(BY_NAME).bind(tenant).bind(new.name.as_str());
    let row = by_name.fetch_one(&mut session.conn).await.map_err(failed)?;
    plugin_record(&Cells::new(&row, "plugins", "id"))
}

/// Every plugin.
pub(super) async fn plugins(readers: &PgPool) -> Result<Vec<PluginRecord>, StoreError> {
    let rows = sqlx::query(ALL).fetch_all(readers).await.map_err(unavailable("read the plugins"))?;
    rows.iter().map(|row| plugin_record(&Cells::new(row, "plugins", "id"))).collect()
}

/// Makes a version active, if nothing speaks against it.
pub(super) async fn activate(
    session: &mut Session,
    activation: Activation,
    now: Timestamp,
) -> Result<Activated, StoreError> {
    let found = find(session, activation.plugin).await?;
    let seen = seen(session, &found, &activation).await?;
    if let Some(refused) = refusal(&found, &activation, seen) {
        return Ok(refused);
    }
    let digest = activation.digest;
    let mode = activation.mode.unwrap_or(found.mode);
    if let ActivatedBy::File { folder, name } = &activation.by {
        let digest = &digest.as_bytes()[..];
        let remember = sqlx::query(REMEMBER_FILE).bind(text(folder)).bind(text(name)).bind(found.seq).bind(digest);
        remember.execute(&mut session.conn).await.map_err(unavailable("remember a plugin file"))?;
    }
    if activation.by == ActivatedBy::Person {
        let lift = sqlx::query(LIFT_ROLLBACK).bind(found.seq).bind(&digest.as_bytes()[..]);
        lift.execute(&mut session.conn).await.map_err(unavailable("lift a rollback"))?;
    }
    set_active(session, &found, digest, mode).await?;
    if found.active == Some(digest) {
        return Ok(Activated::Unchanged);
    }
    note(session, &found, digest, &activation.by, now).await?;
    Ok(Activated::Done { previous: found.active })
}

/// What the store knows of the version that is to be activated.
async fn seen(session: &mut Session, found: &Found, activation: &Activation) -> Result<Option<Seen>, StoreError> {
    let (_, folder, file) = activator(&activation.by);
    let row = sqlx::query(SEEN)
        .bind(found.seq)
        .bind(&activation.digest.as_bytes()[..])
        .bind(folder.map(text))
        .bind(file.map(text))
        .fetch_optional(&mut session.conn)
        .await
        .map_err(unavailable("look at a version of a plugin"))?;
    row.map(|row| Seen::read(&Cells::new(&row, "plugin_versions", "state"))).transpose()
}

async fn set_active(session: &mut Session, found: &Found, digest: Digest, mode: PluginMode) -> Result<(), StoreError> {
    let before = found.active.map(|active| active.as_bytes().to_vec());
    let set = sqlx::query(SET_ACTIVE).bind(found.seq).bind(before).bind(&digest.as_bytes()[..]).bind(mode_word(mode));
    set.execute(&mut session.conn).await.map_err(unavailable("activate a version"))?;
    Ok(())
}

/// Writes a change of the active version into its history.
async fn note(
    session: &mut Session,
    found: &Found,
    digest: Digest,
    by: &ActivatedBy,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (word, folder, file) = activator(by);
    let note = sqlx::query(NOTE)
        .bind(found.seq)
        .bind(&digest.as_bytes()[..])
        .bind(found.active.map(|active| active.as_bytes().to_vec()))
        .bind(word)
        .bind(folder.map(text))
        .bind(file.map(text))
        .bind(now.as_ms());
    note.execute(&mut session.conn).await.map_err(unavailable("note an activation"))?;
    Ok(())
}

/// Goes back to the version that was active before.
pub(super) async fn rollback(
    session: &mut Session,
    plugin: PluginId,
    now: Timestamp,
) -> Result<RolledBack, StoreError> {
    let failed = unavailable("roll a plugin back");
    let found = find(session, plugin).await?;
    let Some(from) = found.active else { return Ok(RolledBack::NothingBefore) };
    let before = sqlx::query(BEFORE).bind(found.seq).bind(&from.as_bytes()[..]);
    let Some(row) = before.fetch_optional(&mut session.conn).await.map_err(failed)? else {
        return Ok(RolledBack::NothingBefore);
    };
    let to = Digest::from_bytes(Cells::new(&row, "plugin_activations", "seq").array("digest")?);
    let mark = sqlx::query(MARK_ROLLED_BACK).bind(found.seq).bind(&from.as_bytes()[..]).bind(now.as_ms());
    mark.execute(&mut session.conn).await.map_err(failed)?;
    set_active(session, &found, to, found.mode).await?;
    note(session, &found, to, &ActivatedBy::Rollback, now).await?;
    Ok(RolledBack::Done { from, to })
}

/// How a plugin's active version changed, newest first.
pub(super) async fn activations(
    readers: &PgPool,
    plugin: PluginId,
    limit: u32,
) -> Result<Vec<ActivationRecord>, StoreError> {
    let failed = unavailable("read the history of a plugin");
    let rows = sqlx::query(ACTIVATIONS).bind(plugin.uuid()).bind(i64::from(limit)).fetch_all(readers).await;
    let rows = rows.map_err(failed)?;
    rows.iter().map(|row| activation_record(&Cells::new(row, "plugin_activations", "seq"))).collect()
}

/// Every file that has activated a version.
pub(super) async fn plugin_files(readers: &PgPool) -> Result<Vec<PluginFileRecord>, StoreError> {
    let rows = sqlx::query(FILES).fetch_all(readers).await.map_err(unavailable("read the plugin files"))?;
    rows.iter().map(|row| file_record(&Cells::new(row, "plugin_files", "name"))).collect()
}
