//! The door to the plugins: what runs, what is known, and what a person can change.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tracing::info;
use weft_core::digest::Digest;
use weft_core::id::TenantId;
use weft_core::limits::CallLimits;
use weft_plugin_host::{PluginHost, Version};
use weft_store::Store;
use weft_store::plugin::{
    Activated, ActivatedBy, NewPlugin, NewRefusal, NewVersion, PluginMode, PluginRecord, RolledBack, VersionRecord,
    VersionState,
};

use super::active::{ActiveVersions, PluginKey};
use super::error::RegistryError;
use super::loader::Loader;
use super::report::{Change, FolderReport, PluginListing, PluginReport, Pushed};
use super::scan::{Look, Scanner};
use super::switch::{PipelineCheck, Switch, Wish, key_of};
use super::task;
use crate::clock::Clock;
use crate::telemetry::Metrics;

/// What a registry is made of.
pub struct RegistryParts {
    /// Holds the truth about what is active, and every component that is good.
    pub store: Store,
    /// Compiles and checks.
    pub host: PluginHost,
    /// Dates changes and drives the watching.
    pub clock: Clock,
    /// Counts failures of the store while the folder is watched.
    pub metrics: Arc<Metrics>,
    /// Where active versions appear; empty, and changed by nobody else.
    pub active: ActiveVersions,
    /// Whether the tenants' pipelines could run a version.
    pub check: PipelineCheck,
}

/// How plugins are found and probed.
#[derive(Clone, Debug)]
pub struct PluginSettings {
    /// The operator's folder; it need not exist yet.
    pub folder: PathBuf,
    /// Around a probe, as around every call.
    pub limits: CallLimits,
    /// Largest file that is read; see [`weft_core::limits::COMPONENT_BYTES`].
    pub component_bytes_max: usize,
    /// Versions that are kept of what one owner pushed; see [`weft_core::limits::PLUGIN_VERSIONS`].
    pub versions_max: usize,
}

/// The plugins of this engine. Clones are cheap and share everything.
#[derive(Clone)]
pub struct PluginRegistry {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    clock: Clock,
    metrics: Arc<Metrics>,
    switch: Arc<Switch>,
    scanner: Scanner,
    versions_max: usize,
}

impl PluginRegistry {
    /// Loads what the store calls active, then looks at the folder: when this returns, everything that can run does.
    ///
    /// An active version that this engine cannot load is logged, and shown by [`list`](Self::list) as its plugin's
    /// `problem`; it does not keep the engine from starting.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn start(parts: RegistryParts, settings: PluginSettings) -> Result<Self, RegistryError> {
        let RegistryParts { store, host, clock, metrics, active, check } = parts;
        let loader = Loader::new(host, settings.limits, clock.clone());
        let switch = Arc::new(Switch::new(store.clone(), active.clone(), loader, check));
        let (folder, bytes_max) = (&settings.folder, settings.component_bytes_max);
        let scanner = Scanner::new(folder, bytes_max, store.clone(), clock.clone(), Arc::clone(&switch));
        let registry = Self {
            inner: Arc::new(Inner { store, clock, metrics, switch, scanner, versions_max: settings.versions_max }),
        };
        registry.reload().await?;
        info!("{} plugins run; their folder is {}", active.snapshot().len(), registry.folder().display());
        Ok(registry)
    }

    /// Looks at the folder once: one round of the watching. A file that changed is read when two looks found it the same.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn scan(&self) -> Result<FolderReport, RegistryError> {
        self.inner.scanner.look(Look::Hinted).await
    }

    /// Reads every file at once, tries again what was refused, and answers what became of each.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn reload(&self) -> Result<FolderReport, RegistryError> {
        let this = self.clone();
        task::to_the_end(async move {
            this.inner.switch.restore().await?;
            this.inner.scanner.look(Look::Demanded).await
        })
        .await
    }

    /// Every plugin with its versions, and the folder as it was last looked at.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn list(&self) -> Result<PluginListing, RegistryError> {
        let folder = self.inner.scanner.latest();
        let mut plugins = Vec::new();
        for record in self.inner.switch.plugins().await? {
            plugins.push(self.describe(record, &folder).await?);
        }
        Ok(PluginListing { folder, plugins })
    }

    /// Makes a version active because a person says so, even one that was rolled back.
    ///
    /// With no `mode`, the newest good version leaves the plugin as it is, following or pinned; an older one pins it, so
    /// that the next changed file does not undo what was chosen.
    ///
    /// # Errors
    /// [`RegistryError`]; [`RegistryError::Refused`] also if a pipeline could not run that version.
    pub async fn activate(
        &self,
        key: &PluginKey,
        digest: Digest,
        mode: Option<PluginMode>,
    ) -> Result<Change, RegistryError> {
        let version = self.version(key, digest).await?;
        self.make_active(key, version, mode).await
    }

    /// Makes a version that can run active because a person says so.
    async fn make_active(
        &self,
        key: &PluginKey,
        version: Version,
        mode: Option<PluginMode>,
    ) -> Result<Change, RegistryError> {
        let digest = version.digest();
        let record = self.find(key).await?;
        let versions = self.versions(&record).await?;
        let mode = mode.or_else(|| (newest_good(&versions) != Some(digest)).then_some(PluginMode::Pinned));
        let wish = Wish { plugin: record.id, key: key.clone(), by: ActivatedBy::Person, mode };
        let from = match self.inner.switch.activate(wish, version).await? {
            Activated::Done { previous } => previous,
            Activated::Unchanged => Some(digest),
            Activated::NotReady => return Err(RegistryError::UnknownVersion { key: key.clone(), digest }),
            Activated::Changed { .. } | Activated::Pinned | Activated::RolledBack | Activated::FileUnchanged => {
                return Err(RegistryError::Overtaken { key: key.clone() });
            }
        };
        Ok(changed(Change { key: key.clone(), from, to: digest, mode: mode.unwrap_or(record.mode) }))
    }

    /// Takes a version that a person brings, and makes it active if that is wished. One that is known as good is taken at its word.
    ///
    /// # Errors
    /// [`RegistryError`]; [`RegistryError::Refused`] with what is wrong with the component, which is then remembered.
    pub async fn push(&self, key: &PluginKey, component: Bytes, activate: bool) -> Result<Pushed, RegistryError> {
        let this = self.clone();
        let key = key.clone();
        task::to_the_end(async move {
            let digest = Digest::of(&component);
            let admitted = this.keep(&key, digest, component).await?;
            if !activate {
                return Ok(Pushed { digest, change: None });
            }
            let version = match admitted {
                Some(version) => version,
                None => this.version(&key, digest).await?,
            };
            Ok(Pushed { digest, change: Some(this.make_active(&key, version, None).await?) })
        })
        .await
    }

    /// Checks a component and keeps it as a version of its plugin, which is made if it is the first. Answers the version, unless it was
    /// kept before.
    async fn keep(&self, key: &PluginKey, digest: Digest, component: Bytes) -> Result<Option<Version>, RegistryError> {
        let Inner { store, clock, switch, versions_max, .. } = &*self.inner;
        let tenant = match key {
            PluginKey::Operator(_) => None,
            PluginKey::Tenant(tenant, _) => Some(*tenant),
        };
        let new = NewPlugin { fresh: clock.fresh(), tenant, name: key.name().clone() };
        let record = store.plugin(new, clock.now()).await.map_err(RegistryError::store("make a plugin"))?;
        let versions = self.versions(&record).await?;
        let known = versions.iter().find(|version| version.digest == digest);
        if known.is_some_and(|version| matches!(version.state, VersionState::Ready { .. })) {
            return Ok(None);
        }
        if known.is_none() && self.versions_of(tenant).await? >= *versions_max {
            return Err(RegistryError::TooManyVersions { key: key.clone(), versions_max: *versions_max });
        }
        let plugin = record.id;
        match switch.admit(key, component.clone()).await {
            Ok(version) => {
                let new = NewVersion { plugin, digest, component, roles: version.roles().to_vec() };
                store.save_version(new, clock.now()).await.map_err(RegistryError::store("keep a version"))?;
                Ok(Some(version))
            }
            Err(reason) => {
                let component_bytes = component.len() as u64;
                let refusal = NewRefusal { plugin, digest, component_bytes, reason: reason.clone() };
                store.save_refusal(refusal, clock.now()).await.map_err(RegistryError::store("keep a refusal"))?;
                Err(RegistryError::Refused { key: key.clone(), digest, reason })
            }
        }
    }

    /// How many versions all plugins of an owner have together.
    async fn versions_of(&self, owner: Option<TenantId>) -> Result<usize, RegistryError> {
        let mut count = 0;
        for record in self.inner.switch.plugins().await?.iter().filter(|record| record.tenant == owner) {
            count += self.versions(record).await?.len();
        }
        Ok(count)
    }

    /// A version of a plugin, ready to run, whether it is active or not.
    ///
    /// # Errors
    /// [`RegistryError`]; [`RegistryError::Refused`] also if a pipeline could not run it.
    pub async fn version(&self, key: &PluginKey, digest: Digest) -> Result<Version, RegistryError> {
        let record = self.find(key).await?;
        match self.versions(&record).await?.into_iter().find(|version| version.digest == digest) {
            Some(VersionRecord { state: VersionState::Ready { .. }, .. }) => {
                self.inner.switch.admit_stored(key, digest).await
            }
            Some(VersionRecord { state: VersionState::Refused { reason }, .. }) => {
                Err(RegistryError::Refused { key: key.clone(), digest, reason })
            }
            None => Err(RegistryError::UnknownVersion { key: key.clone(), digest }),
        }
    }

    /// Goes back to the version that was active before the present one. No file brings the one that is left back; a
    /// changed file is activated as ever, unless the plugin is pinned.
    ///
    /// # Errors
    /// [`RegistryError`]; nothing is changed if the earlier version cannot be loaded or a pipeline could not run it.
    pub async fn rollback(&self, key: &PluginKey) -> Result<Change, RegistryError> {
        let record = self.find(key).await?;
        match self.inner.switch.rollback(key.clone(), record.id).await? {
            RolledBack::Done { from, to } => {
                Ok(changed(Change { key: key.clone(), from: Some(from), to, mode: record.mode }))
            }
            RolledBack::NothingBefore => Err(RegistryError::NothingBefore { key: key.clone() }),
        }
    }

    /// Pins a plugin to its active version, or lets it follow its file again: what the file proposes is then looked at at once.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub async fn set_mode(&self, key: &PluginKey, mode: PluginMode) -> Result<Change, RegistryError> {
        let active = self.find(key).await?.active.ok_or_else(|| RegistryError::NothingActive { key: key.clone() })?;
        let change = self.activate(key, active, Some(mode)).await?;
        match mode {
            PluginMode::Pinned => Ok(change),
            PluginMode::Following => {
                self.reload().await?;
                let to = self.find(key).await?.active.unwrap_or(active);
                Ok(Change { to, ..change })
            }
        }
    }

    /// The folder as it was last looked at.
    pub fn latest(&self) -> FolderReport {
        self.inner.scanner.latest()
    }

    /// The folder that is watched, absolute.
    pub(super) fn folder(&self) -> &Path {
        self.inner.scanner.folder()
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    async fn find(&self, key: &PluginKey) -> Result<PluginRecord, RegistryError> {
        let found = self.inner.switch.plugins().await?.into_iter().find(|record| key_of(record) == *key);
        found.ok_or_else(|| RegistryError::UnknownPlugin { key: key.clone() })
    }

    async fn versions(&self, record: &PluginRecord) -> Result<Vec<VersionRecord>, RegistryError> {
        self.inner.store.versions(record.id).await.map_err(RegistryError::store("read a plugin's versions"))
    }

    async fn describe(&self, record: PluginRecord, folder: &FolderReport) -> Result<PluginReport, RegistryError> {
        let key = key_of(&record);
        let versions = self.versions(&record).await?;
        let last = self.inner.store.activations(record.id, 1).await;
        let last = last.map_err(RegistryError::store("read a plugin's history"))?.pop();
        let active = versions.iter().find(|version| Some(version.digest) == record.active);
        let roles = match active.map(|version| &version.state) {
            Some(VersionState::Ready { roles }) => roles.clone(),
            Some(VersionState::Refused { .. }) | None => Vec::new(),
        };
        let proposes = |plugin: &_| matches!(&key, PluginKey::Operator(name) if name == plugin);
        let file = folder.files.iter().find(|file| file.plugin.as_ref().is_some_and(proposes)).cloned();
        let problem = record.active.and_then(|active| self.inner.switch.problem(&key, active));
        let running = record.active.and_then(|active| self.inner.switch.running(&key, active));
        let description = running.as_ref().and_then(Version::description).map(|it| it.text().to_owned());
        Ok(PluginReport {
            id: record.id,
            key,
            mode: record.mode,
            active: record.active,
            active_since: last.as_ref().map(|change| change.at),
            active_by: last.map(|change| change.by),
            roles,
            wants: running.as_ref().map(|version| version.wants().to_vec()).unwrap_or_default(),
            is_pure: running.as_ref().map(Version::is_pure),
            description,
            problem,
            versions,
            file,
        })
    }
}

/// The newest version that can be activated; `versions` are newest first.
fn newest_good(versions: &[VersionRecord]) -> Option<Digest> {
    let good = |version: &&VersionRecord| matches!(version.state, VersionState::Ready { .. });
    versions.iter().find(good).map(|version| version.digest)
}

fn changed(change: Change) -> Change {
    let Change { key, to, .. } = &change;
    info!(plugin = %key, version = %to, "plugin {key}: version {} is active because a person says so", to.short());
    change
}
