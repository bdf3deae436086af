//! The versions of plugins that were seen, ready or refused.

use bytes::Bytes;
use sqlx::postgres::PgPool;
use weft_core::digest::Digest;
use weft_core::id::PluginId;
use weft_core::time::Timestamp;

use super::plugins;
use super::session::Session;
use super::statements::{statements, text};
use crate::error::{StoreError, unavailable};
use crate::plugin::{NewRefusal, NewVersion, VersionRecord};
use crate::rows::Cells;
use crate::rows::plugin::{role_words, version_record};

statements! {
    VERSIONS = "\
SELECT
    plugin_versions.seq, plugin_versions.digest, plugin_versions.component_bytes, plugin_versions.roles,
    plugin_versions.refusal, plugin_versions.rolled_back_at, plugin_versions.first_seen_at, plugin_versions.state
FROM plugins
JOIN plugin_versions ON plugin_versions.plugin = plugins.seq
WHERE plugins.id = $1
ORDER BY plugin_versions.seq DESC";

    COMPONENT = "SELECT digest, bytes FROM components WHERE digest = $1";

    KEEP_COMPONENT = "INSERT INTO components (digest, bytes) VALUES ($1, $2) ON CONFLICT DO NOTHING";

    /// $1: plugin, $2: digest, $3: length, $4: roles, $5: now.
    SAVE_VERSION = "\
INSERT INTO plugin_versions (plugin, digest, component_bytes, roles, first_seen_at, state)
VALUES ($1, $2, $3, $4, $5, 'ready')
ON CONFLICT (plugin, digest) DO UPDATE SET state = 'ready', roles = excluded.roles, refusal = NULL";

    /// $1: plugin, $2: digest, $3: length, $4: reason, $5: now.
    SAVE_REFUSAL = "\
INSERT INTO plugin_versions (plugin, digest, component_bytes, refusal, first_seen_at, state)
VALUES ($1, $2, $3, $4, $5, 'refused')
ON CONFLICT (plugin, digest) DO UPDATE SET refusal = excluded.refusal WHERE plugin_versions.state = 'refused'";
}

/// The versions of a plugin, newest first.
pub(super) async fn versions(readers: &PgPool, plugin: PluginId) -> Result<Vec<VersionRecord>, StoreError> {
    let failed = unavailable("read the versions of a plugin");
    let rows = sqlx::query(VERSIONS).bind(plugin.uuid()).fetch_all(readers).await.map_err(failed)?;
    rows.iter().map(|row| version_record(&Cells::new(row, "plugin_versions", "seq"))).collect()
}

/// The component with this digest.
pub(super) async fn component(readers: &PgPool, digest: Digest) -> Result<Option<Bytes>, StoreError> {
    let failed = unavailable("read a component");
    let row = sqlx::query(COMPONENT).bind(&digest.as_bytes()[..]).fetch_optional(readers).await.map_err(failed)?;
    row.map(|row| Cells::new(&row, "components", "digest").bytes("bytes")).transpose()
}

/// Keeps a version that can be activated.
pub(super) async fn save_version(session: &mut Session, version: NewVersion, now: Timestamp) -> Result<(), StoreError> {
    let failed = unavailable("keep a version of a plugin");
    let plugin = plugins::find(session, version.plugin).await?;
    let digest = &version.digest.as_bytes()[..];
    let keep = sqlx::query(KEEP_COMPONENT).bind(digest).bind(&version.component[..]);
    keep.execute(&mut session.conn).await.map_err(failed)?;
    let save = sqlx::query(SAVE_VERSION)
        .bind(plugin.seq)
        .bind(digest)
        .bind(i64::try_from(version.component.len()).unwrap_or(i64::MAX))
        .bind(role_words(&version.roles))
        .bind(now.as_ms());
    save.execute(&mut session.conn).await.map_err(failed)?;
    Ok(())
}

/// Keeps why a version was refused.
pub(super) async fn save_refusal(session: &mut Session, refusal: NewRefusal, now: Timestamp) -> Result<(), StoreError> {
    let plugin = plugins::find(session, refusal.plugin).await?;
    let save = sqlx::query(SAVE_REFUSAL)
        .bind(plugin.seq)
        .bind(&refusal.digest.as_bytes()[..])
        .bind(i64::try_from(refusal.component_bytes).unwrap_or(i64::MAX))
        .bind(text(&refusal.reason))
        .bind(now.as_ms());
    save.execute(&mut session.conn).await.map_err(unavailable("keep why a version was refused"))?;
    Ok(())
}
