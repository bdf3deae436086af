//! The life of a version, with a real store, real components and a real folder. No test waits: each look is asked for.

mod files;
mod people;
mod restarts;
mod watching;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use weft_core::contract::Role;
use weft_core::digest::Digest;
use weft_core::limits::CallLimits;
use weft_core::time::Timestamp;
use weft_plugin_host::{HostConfig, PluginHost};
use weft_store::plugin::ActivationRecord;
use weft_store::{Store, StoreOptions};

use super::*;
use crate::clock::Clock;
use crate::telemetry::Metrics;

const COMPONENT_BYTES_MAX: usize = 4 << 20;

static HOST: LazyLock<PluginHost> = LazyLock::new(|| host(COMPONENT_BYTES_MAX));

fn host(component_bytes_max: usize) -> PluginHost {
    let config = HostConfig { instances_max: 32, component_bytes_max, memory_bytes_max: 64 << 20 };
    PluginHost::new(&config).expect("a host on this machine")
}

/// The component of this name, as `cargo xtask components` builds it.
fn component(name: &str) -> Vec<u8> {
    let default = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/components");
    let folder = std::env::var_os("WEFT_COMPONENTS").map_or_else(default, PathBuf::from);
    let path = folder.join(format!("{name}.wasm"));
    fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}; build it with `cargo xtask components`", path.display()))
}

/// Another version of the same plugin: `component` with a custom section, which means nothing.
fn variant(component: &[u8], mark: u8) -> Vec<u8> {
    [component, &[0, 2, 1, mark]].concat()
}

/// What the tenants' pipelines say about roles; can be changed while the engine runs.
#[derive(Default)]
struct Pipelines {
    needed: Mutex<Option<Role>>,
    asked: AtomicUsize,
}

impl Pipelines {
    fn need(&self, role: Option<Role>) {
        *self.needed.lock().unwrap() = role;
    }

    /// How often a version came so far that it was compiled and probed.
    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn check(&self, key: &PluginKey, roles: &[Role]) -> Result<(), String> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        match *self.needed.lock().unwrap() {
            Some(role) if !roles.contains(&role) => Err(format!("tenant shop, step tag needs {role} of {key}")),
            _ => Ok(()),
        }
    }
}

/// An engine's plugins: a store and a plugin folder in a folder of their own.
struct Bench {
    root: TempDir,
    store: Store,
    clock: Clock,
    active: ActiveVersions,
    pipelines: Arc<Pipelines>,
    registry: PluginRegistry,
}

impl Bench {
    /// Starts with these files in the folder.
    async fn with(files: &[(&str, &[u8])]) -> Self {
        let root = tempfile::tempdir().expect("a folder");
        fs::create_dir(root.path().join("plugins")).expect("a plugin folder");
        for (file, bytes) in files {
            fs::write(root.path().join("plugins").join(file), bytes).expect("written");
        }
        Self::start(root, HOST.clone()).await
    }

    async fn start(root: TempDir, host: PluginHost) -> Self {
        // A busy machine is no fault of the plugin.
        let limits = CallLimits { call: Duration::from_secs(20), ..CallLimits::default() };
        Self::start_within(root, host, limits).await
    }

    async fn start_within(root: TempDir, host: PluginHost, limits: CallLimits) -> Self {
        let clock = Clock::manual(Timestamp::from_ms(1_700_000_000_000));
        let store = Store::open(&StoreOptions::new(root.path().join("weft.db"), clock.now())).await.expect("a store");
        let pipelines = Arc::new(Pipelines::default());
        let active = ActiveVersions::default();
        let parts = RegistryParts {
            store: store.clone(),
            host,
            clock: clock.clone(),
            metrics: Arc::new(Metrics::default()),
            active: active.clone(),
            check: Arc::new({
                let pipelines = Arc::clone(&pipelines);
                move |key, version| pipelines.check(key, version.roles())
            }),
        };
        let settings = PluginSettings {
            folder: root.path().join("plugins"),
            limits,
            component_bytes_max: COMPONENT_BYTES_MAX,
            versions_max: 3,
        };
        let registry = PluginRegistry::start(parts, settings).await.expect("a start");
        Self { root, store, clock, active, pipelines, registry }
    }

    async fn restart(self) -> Self {
        self.restart_with(HOST.clone()).await
    }

    async fn restart_with(self, host: PluginHost) -> Self {
        self.store.close().await;
        Self::start(self.root, host).await
    }

    fn folder(&self) -> PathBuf {
        self.root.path().join("plugins")
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder().join(file)
    }

    /// Writes a file in place.
    fn put(&self, file: &str, bytes: &[u8]) {
        fs::write(self.path(file), bytes).expect("written");
    }

    /// Looks twice: a file that has changed is taken at the second look.
    async fn settle(&self) -> FolderReport {
        self.registry.scan().await.expect("a look");
        self.registry.scan().await.expect("a look")
    }

    async fn reload(&self) -> FolderReport {
        self.registry.reload().await.expect("a reload")
    }

    /// What runs under this name.
    fn runs(&self, name: &str) -> Option<Digest> {
        self.active.snapshot().get(&operators(name)).map(weft_plugin_host::Version::digest)
    }

    async fn report(&self, name: &str) -> PluginReport {
        let listing = self.registry.list().await.expect("a list");
        listing.plugins.into_iter().find(|plugin| plugin.key == operators(name)).expect("the plugin is listed")
    }

    async fn history(&self, name: &str) -> Vec<ActivationRecord> {
        self.store.activations(self.report(name).await.id, 100).await.expect("its history")
    }
}

fn operators(name: &str) -> PluginKey {
    PluginKey::Operator(name.parse().expect("a name"))
}

/// What became of `file`.
fn outcome(report: &FolderReport, file: &str) -> FileOutcome {
    report.file(file).unwrap_or_else(|| panic!("{file} is reported: {report:?}")).outcome.clone()
}

/// Why `file` was refused.
fn refusal(report: &FolderReport, file: &str) -> String {
    let outcome = outcome(report, file);
    if let FileOutcome::Refused { reason } = outcome { reason } else { panic!("{file} is refused, not {outcome:?}") }
}

/// Puts a file in the place of another in one step.
fn rename(from: &Path, to: &Path) {
    fs::rename(from, to).expect("renamed");
}
