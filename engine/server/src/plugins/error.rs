//! Why a wish about a plugin was not fulfilled.

use weft_core::digest::Digest;
use weft_store::StoreError;

use super::active::PluginKey;

/// Why a wish about a plugin was not fulfilled; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// Nobody of this owner has a plugin of this name.
    #[error("there is no plugin {key}")]
    UnknownPlugin {
        /// Which was meant.
        key: PluginKey,
    },
    /// The plugin never had this version.
    #[error("plugin {key} has no version {digest}; `weft plugin list` shows those it has")]
    UnknownVersion {
        /// Of which plugin.
        key: PluginKey,
        /// Which was meant.
        digest: Digest,
    },
    /// The version is not good enough to run.
    #[error("version {digest} of plugin {key} is refused: {reason}")]
    Refused {
        /// Of which plugin.
        key: PluginKey,
        /// Which version.
        digest: Digest,
        /// Why, for a person.
        reason: String,
    },
    /// There is no room for another version.
    #[error(
        "there is no room for another version of {key}: its owner's plugins have {versions_max}, which is plugin_versions_max"
    )]
    TooManyVersions {
        /// Which plugin.
        key: PluginKey,
        /// The limit.
        versions_max: usize,
    },
    /// There is no version to go back to.
    #[error("plugin {key} has no earlier version to go back to")]
    NothingBefore {
        /// Which plugin.
        key: PluginKey,
    },
    /// The plugin has no active version, so there is nothing to pin or to follow from.
    #[error("plugin {key} has no active version yet")]
    NothingActive {
        /// Which plugin.
        key: PluginKey,
    },
    /// Somebody else changed the plugin at the same moment.
    #[error("plugin {key} was changed by another at the same moment: look again, then decide")]
    Overtaken {
        /// Which plugin.
        key: PluginKey,
    },
    /// The store could not do it.
    #[error("could not {doing}")]
    Store {
        /// What was being done.
        doing: &'static str,
        /// What the store said.
        #[source]
        source: StoreError,
    },
}

impl RegistryError {
    /// For `map_err` around a call of the store.
    pub(super) fn store(doing: &'static str) -> impl FnOnce(StoreError) -> Self {
        move |source| Self::Store { doing, source }
    }
}
