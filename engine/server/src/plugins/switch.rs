//! The one place where a version becomes active: first in the store, which holds the truth, then in memory by one swap.
//!
//! One change at a time, each to its end: what the store was told is never forgotten on the way to memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tracing::warn;
use weft_core::digest::Digest;
use weft_core::id::PluginId;
use weft_plugin_host::Version;
use weft_store::Store;
use weft_store::plugin::{
    Activated, ActivatedBy, Activation, ActivationRecord, PluginMode, PluginRecord, RolledBack, VersionRecord,
    VersionState,
};

use super::active::{ActiveVersions, PluginKey};
use super::error::RegistryError;
use super::loader::Loader;
use super::task;

/// How far back the version is sought that a rollback leads to, in changes of the active version.
const HISTORY_MAX: u32 = 256;

/// Says why no pipeline could run this version of this plugin, naming the tenant and the step.
///
/// It is asked before a version becomes active, never while one does. Plugins that do not run yet, because the start
/// has not come to them, are no reason to refuse.
pub type PipelineCheck = Arc<dyn Fn(&PluginKey, &Version) -> Result<(), String> + Send + Sync>;

/// Changes what runs.
pub(super) struct Switch {
    store: Store,
    active: ActiveVersions,
    loader: Loader,
    check: PipelineCheck,
    // Held from the question to the store until memory has the answer.
    turn: tokio::sync::Mutex<()>,
    // Why an active version does not run.
    problems: Mutex<HashMap<PluginKey, (Digest, String)>>,
}

/// A wish to make a version active.
pub(super) struct Wish {
    pub(super) plugin: PluginId,
    pub(super) key: PluginKey,
    pub(super) by: ActivatedBy,
    pub(super) mode: Option<PluginMode>,
}

/// Whose plugin a record is of, and what it is called.
pub(super) fn key_of(record: &PluginRecord) -> PluginKey {
    match record.tenant {
        None => PluginKey::Operator(record.name.clone()),
        Some(tenant) => PluginKey::Tenant(tenant, record.name.clone()),
    }
}

impl Switch {
    pub(super) fn new(store: Store, active: ActiveVersions, loader: Loader, check: PipelineCheck) -> Self {
        Self { store, active, loader, check, turn: tokio::sync::Mutex::default(), problems: Mutex::default() }
    }

    /// The version that runs under `key`, if it is the one of this digest.
    pub(super) fn running(&self, key: &PluginKey, digest: Digest) -> Option<Version> {
        self.active.snapshot().get(key).filter(|version| version.digest() == digest).cloned()
    }

    /// Why the active version of `key` does not run, if it does not.
    pub(super) fn problem(&self, key: &PluginKey, active: Digest) -> Option<String> {
        if self.running(key, active).is_some() {
            return None;
        }
        let problem =
            self.problems().get(key).filter(|(digest, _)| *digest == active).map(|(_, reason)| reason.clone());
        Some(problem.unwrap_or_else(|| "it is being loaded".to_owned()))
    }

    /// Compiles, checks and probes `component`, and asks whether the pipelines could run it.
    ///
    /// # Errors
    /// Why it was refused, for a person.
    pub(super) async fn admit(&self, key: &PluginKey, component: Bytes) -> Result<Version, String> {
        let version = self.loader.load(component).await?;
        (self.check)(key, &version)?;
        Ok(version)
    }

    /// Admits a version from the store's copy of its component; one that runs is taken as it is.
    ///
    /// # Errors
    /// [`RegistryError::Refused`], [`RegistryError::Store`].
    pub(super) async fn admit_stored(&self, key: &PluginKey, digest: Digest) -> Result<Version, RegistryError> {
        if let Some(running) = self.running(key, digest) {
            return Ok(running);
        }
        let refused = |reason| RegistryError::Refused { key: key.clone(), digest, reason };
        let component = self.component(digest).await?.map_err(refused)?;
        self.admit(key, component).await.map_err(refused)
    }

    /// Makes `version` active if the store has nothing against it.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub(super) async fn activate(self: &Arc<Self>, wish: Wish, version: Version) -> Result<Activated, RegistryError> {
        let this = Arc::clone(self);
        task::to_the_end(async move {
            let _turn = this.turn.lock().await;
            let expected = this.recorded(wish.plugin).await?.and_then(|record| record.active);
            let digest = version.digest();
            let activation = Activation { plugin: wish.plugin, digest, by: wish.by, expected, mode: wish.mode };
            let now = this.loader.clock().now();
            let doing = "make a version active";
            let activated = this.store.activate(activation, now).await.map_err(RegistryError::store(doing))?;
            if matches!(activated, Activated::Done { .. } | Activated::Unchanged) {
                this.swap_in(&wish.key, &version);
            }
            Ok(activated)
        })
        .await
    }

    /// Goes back to the version that was active before; it is loaded first, so that nothing changes if it cannot run.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub(super) async fn rollback(
        self: &Arc<Self>,
        key: PluginKey,
        plugin: PluginId,
    ) -> Result<RolledBack, RegistryError> {
        let this = Arc::clone(self);
        task::to_the_end(async move {
            let _turn = this.turn.lock().await;
            let mut loaded = match this.before(plugin).await? {
                Some(digest) => Some(this.admit_stored(&key, digest).await?),
                None => None,
            };
            let now = this.loader.clock().now();
            let rolled = this.store.rollback(plugin, now).await.map_err(RegistryError::store("roll back"))?;
            if let RolledBack::Done { to, .. } = rolled {
                loaded = loaded.filter(|version| version.digest() == to);
                match loaded {
                    Some(version) => this.swap_in(&key, &version),
                    // The store went further back than this looked; memory follows it.
                    None => this.follow_store(&key, to).await?,
                }
            }
            Ok(rolled)
        })
        .await
    }

    /// Loads every active version that does not run: all of them at the start, afterwards those that could not be loaded.
    ///
    /// # Errors
    /// [`RegistryError::Store`]; a version that cannot be loaded is logged and shown by [`problem`](Self::problem).
    pub(super) async fn restore(self: &Arc<Self>) -> Result<(), RegistryError> {
        for record in self.plugins().await? {
            let key = key_of(&record);
            let Some(active) = record.active.filter(|active| self.running(&key, *active).is_none()) else { continue };
            let this = Arc::clone(self);
            task::to_the_end(async move {
                let _turn = this.turn.lock().await;
                let still = this.recorded(record.id).await?.and_then(|record| record.active) == Some(active);
                if still { this.follow_store(&key, active).await } else { Ok(()) }
            })
            .await?;
        }
        Ok(())
    }

    /// Every plugin.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub(super) async fn plugins(&self) -> Result<Vec<PluginRecord>, RegistryError> {
        self.store.plugins().await.map_err(RegistryError::store("read the plugins"))
    }

    async fn recorded(&self, plugin: PluginId) -> Result<Option<PluginRecord>, RegistryError> {
        Ok(self.plugins().await?.into_iter().find(|record| record.id == plugin))
    }

    /// Runs what the store calls active. The pipelines are not asked: the store's word stands, whatever they bind.
    async fn follow_store(&self, key: &PluginKey, active: Digest) -> Result<(), RegistryError> {
        let loaded = match self.component(active).await? {
            Ok(component) => self.loader.load(component).await,
            Err(reason) => Err(reason),
        };
        match loaded {
            Ok(version) => self.swap_in(key, &version),
            Err(reason) => {
                let problem = (active, reason);
                if self.problems().get(key) != Some(&problem) {
                    warn!(plugin = %key, version = %active, "plugin {key} does not run: {}", problem.1);
                }
                self.problems().insert(key.clone(), problem);
            }
        }
        Ok(())
    }

    async fn component(&self, digest: Digest) -> Result<Result<Bytes, String>, RegistryError> {
        let component = self.store.component(digest).await.map_err(RegistryError::store("read a component"))?;
        Ok(component.ok_or_else(|| "the store does not hold its component".to_owned()))
    }

    async fn before(&self, plugin: PluginId) -> Result<Option<Digest>, RegistryError> {
        let reading = || RegistryError::store("read a plugin's history");
        let active = self.recorded(plugin).await?.and_then(|record| record.active);
        let history = self.store.activations(plugin, HISTORY_MAX).await.map_err(reading())?;
        let versions = self.store.versions(plugin).await.map_err(reading())?;
        Ok(version_before(active, &history, &versions))
    }

    fn swap_in(&self, key: &PluginKey, version: &Version) {
        self.problems().remove(key);
        self.active.swap_in(key, version);
    }

    fn problems(&self) -> MutexGuard<'_, HashMap<PluginKey, (Digest, String)>> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The last version that was active before `active` and was not itself left by a rollback; `history` is newest first.
fn version_before(active: Option<Digest>, history: &[ActivationRecord], versions: &[VersionRecord]) -> Option<Digest> {
    let is_good = |digest: &Digest| {
        let version = versions.iter().find(|version| version.digest == *digest);
        version.is_some_and(|version| !version.rolled_back && matches!(version.state, VersionState::Ready { .. }))
    };
    history.iter().map(|change| change.digest).find(|digest| Some(*digest) != active && is_good(digest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use weft_core::time::Timestamp;

    fn digest(name: u8) -> Digest {
        Digest::of(&[name])
    }

    fn change(to: u8, from: Option<u8>) -> ActivationRecord {
        let at = Timestamp::from_ms(0);
        ActivationRecord { digest: digest(to), previous: from.map(digest), by: ActivatedBy::Person, at }
    }

    fn version(name: u8, state: VersionState, rolled_back: bool) -> VersionRecord {
        let first_seen_at = Timestamp::from_ms(0);
        VersionRecord { digest: digest(name), component_bytes: 1, first_seen_at, state, rolled_back }
    }

    #[test]
    fn a_rollback_passes_over_versions_that_were_left_or_refused() {
        let ready = || VersionState::Ready { roles: Vec::new() };
        let refused = VersionState::Refused { reason: "too old".to_owned() };
        let versions = [
            version(4, ready(), true),
            version(3, ready(), false),
            version(2, refused, false),
            version(1, ready(), false),
        ];
        let history = [change(3, Some(4)), change(4, Some(3)), change(3, Some(2)), change(2, Some(1)), change(1, None)];
        assert_eq!(version_before(Some(digest(3)), &history, &versions), Some(digest(1)));
        assert_eq!(version_before(Some(digest(1)), &history[4..], &versions), None);
    }
}
