//! The plugins of an engine that starts: the host that runs them and the registry that knows them.

use std::sync::Arc;

use tokio::sync::Semaphore;
use weft_plugin_host::{CompiledCode, HostConfig, PluginHost};

use super::Shared;
use crate::config::{Config, Limits};
use crate::dry_run::DryRuns;
use crate::pipelines;
use crate::plugins::{PluginRegistry, PluginSettings, RegistryParts};
use crate::secrets::SealKey;
use crate::start_error::StartError;

/// Instances beside those of the plugin threads: for probes, and for the one dry run that there may be.
const SPARE_INSTANCES: u32 = 4;

/// Below the data folder: compiled code, which may be removed at any time.
const COMPILED_FOLDER: &str = "compiled";

/// Loads what the store calls active, and looks at the folder.
///
/// # Errors
/// [`StartError`].
pub(super) async fn start_registry(
    config: &Config,
    shared: &Shared,
    seal: &SealKey,
) -> Result<PluginRegistry, StartError> {
    let threads = u32::try_from(plugin_threads(&config.limits)).unwrap_or(u32::MAX);
    let host_config = HostConfig {
        instances_max: threads.saturating_add(SPARE_INSTANCES),
        component_bytes_max: config.limits.component_bytes,
        memory_bytes_max: config.limits.guest_memory_bytes,
    };
    let code = CompiledCode::in_folder(config.data.join(COMPILED_FOLDER), seal.derive(COMPILED_FOLDER));
    let host = PluginHost::remembering(&host_config, code)?;
    let (catalog, versions) = (shared.catalog.clone(), shared.versions.clone());
    let parts = RegistryParts {
        store: shared.store.clone(),
        host,
        clock: shared.clock.clone(),
        metrics: shared.metrics.clone(),
        active: shared.versions.clone(),
        check: Arc::new(move |key, version| {
            pipelines::check_with(&catalog.snapshot(), &versions.snapshot(), key, version)
        }),
    };
    let settings = PluginSettings {
        folder: config.plugins.folder.clone(),
        limits: config.limits.call_limits(),
        component_bytes_max: config.limits.component_bytes,
        versions_max: config.limits.plugin_versions,
    };
    Ok(PluginRegistry::start(parts, settings).await?)
}

/// What tries versions of `registry` on what is stored.
pub(super) fn dry_runs(shared: &Shared, registry: &PluginRegistry) -> DryRuns {
    DryRuns {
        store: shared.store.clone(),
        plugins: registry.clone(),
        versions: shared.versions.clone(),
        clock: shared.clock.clone(),
        limits: shared.limits.call_limits(),
        deliveries_max: shared.limits.deliveries,
        turn: Arc::new(Semaphore::new(1)),
    }
}

/// 0 in the configuration stands for one less than the cores, at least two.
pub(super) fn plugin_threads(limits: &Limits) -> usize {
    match limits.plugin_threads {
        0 => std::thread::available_parallelism().map_or(2, |cores| cores.get().saturating_sub(1).max(2)),
        count => count,
    }
}
