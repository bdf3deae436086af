//! The versions that run at this moment: one for each plugin, swapped whole.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use weft_core::id::TenantId;
use weft_core::name::{Name, PluginRef};
use weft_plugin_host::Version;

/// Whose plugin it is, and what it is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PluginKey {
    /// From the operator's folder; every tenant may bind it.
    Operator(Name),
    /// Pushed by a tenant; nobody else sees it.
    Tenant(TenantId, Name),
}

impl PluginKey {
    /// What `plugin` means in a pipeline of `tenant`.
    pub fn of(tenant: TenantId, plugin: &PluginRef) -> Self {
        match plugin {
            PluginRef::Operator(name) => Self::Operator(name.clone()),
            PluginRef::Own(name) => Self::Tenant(tenant, name.clone()),
        }
    }

    /// The plugin's name without its owner.
    pub fn name(&self) -> &Name {
        match self {
            Self::Operator(name) | Self::Tenant(_, name) => name,
        }
    }
}

/// As a pipeline of its owner calls it.
impl fmt::Display for PluginKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator(name) => write!(f, "operator/{name}"),
            Self::Tenant(_, name) => write!(f, "{name}"),
        }
    }
}

/// The active version of every plugin.
pub type Versions = HashMap<PluginKey, Version>;

/// The versions that are active at this moment; cheap to clone.
///
/// A pass takes one snapshot when it begins and ends on it (promise 6).
#[derive(Clone, Default)]
pub struct ActiveVersions(Arc<ArcSwap<Versions>>);

impl ActiveVersions {
    /// The versions that are active now; the snapshot stays as it is.
    pub fn snapshot(&self) -> Arc<Versions> {
        self.0.load_full()
    }

    /// Puts `version` in the place of whatever was active under `key`.
    pub fn swap_in(&self, key: &PluginKey, version: &Version) {
        self.0.rcu(|versions| {
            let mut versions = Versions::clone(versions);
            versions.insert(key.clone(), version.clone());
            versions
        });
    }
}
