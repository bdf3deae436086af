//! The operations on what people declare and change: tenants, destinations, secrets, plugins. They are rare; what every
//! event needs stands in `store.rs`.

use bytes::Bytes;
use weft_core::destination::DestinationStatus;
use weft_core::digest::Digest;
use weft_core::id::{DestinationId, PluginId};
use weft_core::name::Name;
use weft_core::time::Timestamp;

use crate::Store;
use crate::catalog::{Catalog, Declaration};
use crate::error::StoreError;
use crate::plugin::{
    Activated, Activation, ActivationRecord, NewPlugin, NewRefusal, NewVersion, PluginFileRecord, PluginRecord,
    RolledBack, VersionRecord,
};

impl Store {
    /// Brings the catalog in line with what the configuration declares, in one transaction.
    ///
    /// What is missing from `declaration` becomes undeclared: its deliveries are held. What returns is as it was before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn declare(&self, declaration: Declaration, now: Timestamp) -> Result<Catalog, StoreError> {
        match self {
            Self::Sqlite(store) => store.declare(declaration, now).await,
            Self::Postgres(store) => store.declare(declaration, now).await,
        }
    }

    /// Every tenant, key and destination.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn catalog(&self) -> Result<Catalog, StoreError> {
        match self {
            Self::Sqlite(store) => store.catalog().await,
            Self::Postgres(store) => store.catalog().await,
        }
    }

    /// Enables or disables a destination; answers the status that it has then, nothing if there is no such destination.
    ///
    /// What is not declared stays `Undeclared` whatever is asked; what was asked holds once it is declared again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_destination_status(
        &self,
        id: DestinationId,
        status: DestinationStatus,
        now: Timestamp,
    ) -> Result<Option<DestinationStatus>, StoreError> {
        match self {
            Self::Sqlite(store) => store.set_destination_status(id, status, now).await,
            Self::Postgres(store) => store.set_destination_status(id, status, now).await,
        }
    }

    /// Keeps a secret of a destination, sealed by the caller; replaces one of the same name.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if there is no such destination.
    pub async fn put_sealed(
        &self,
        destination: DestinationId,
        name: Name,
        sealed: Bytes,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(store) => store.put_sealed(destination, name, sealed, now).await,
            Self::Postgres(store) => store.put_sealed(destination, name, sealed, now).await,
        }
    }

    /// The sealed secrets of a destination, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sealed(&self, destination: DestinationId) -> Result<Vec<(Name, Bytes)>, StoreError> {
        match self {
            Self::Sqlite(store) => store.sealed(destination).await,
            Self::Postgres(store) => store.sealed(destination).await,
        }
    }

    /// Finds a plugin by owner and name, or makes it, following and without an active version.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if there is no such tenant.
    pub async fn plugin(&self, plugin: NewPlugin, now: Timestamp) -> Result<PluginRecord, StoreError> {
        match self {
            Self::Sqlite(store) => store.plugin(plugin, now).await,
            Self::Postgres(store) => store.plugin(plugin, now).await,
        }
    }

    /// Every plugin, the operator's first, then in the order of their names.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn plugins(&self) -> Result<Vec<PluginRecord>, StoreError> {
        match self {
            Self::Sqlite(store) => store.plugins().await,
            Self::Postgres(store) => store.plugins().await,
        }
    }

    /// The versions of a plugin that were seen, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn versions(&self, plugin: PluginId) -> Result<Vec<VersionRecord>, StoreError> {
        match self {
            Self::Sqlite(store) => store.versions(plugin).await,
            Self::Postgres(store) => store.versions(plugin).await,
        }
    }

    /// The component with this digest, if one of its versions is ready.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn component(&self, digest: Digest) -> Result<Option<Bytes>, StoreError> {
        match self {
            Self::Sqlite(store) => store.component(digest).await,
            Self::Postgres(store) => store.component(digest).await,
        }
    }

    /// Keeps a version that can be activated; lifts an earlier refusal of it.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if there is no such plugin.
    pub async fn save_version(&self, version: NewVersion, now: Timestamp) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(store) => store.save_version(version, now).await,
            Self::Postgres(store) => store.save_version(version, now).await,
        }
    }

    /// Keeps why a version was refused; a version that is ready stays so.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if there is no such plugin.
    pub async fn save_refusal(&self, refusal: NewRefusal, now: Timestamp) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(store) => store.save_refusal(refusal, now).await,
            Self::Postgres(store) => store.save_refusal(refusal, now).await,
        }
    }

    /// Makes a version active, if nothing speaks against it.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if there is no such plugin.
    pub async fn activate(&self, activation: Activation, now: Timestamp) -> Result<Activated, StoreError> {
        match self {
            Self::Sqlite(store) => store.activate(activation, now).await,
            Self::Postgres(store) => store.activate(activation, now).await,
        }
    }

    /// Goes back to the version that was active before; the one that is left is marked, so that no file brings it back.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if there is no such plugin.
    pub async fn rollback(&self, plugin: PluginId, now: Timestamp) -> Result<RolledBack, StoreError> {
        match self {
            Self::Sqlite(store) => store.rollback(plugin, now).await,
            Self::Postgres(store) => store.rollback(plugin, now).await,
        }
    }

    /// How a plugin's active version changed, newest first, at most `limit` entries.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn activations(&self, plugin: PluginId, limit: u32) -> Result<Vec<ActivationRecord>, StoreError> {
        match self {
            Self::Sqlite(store) => store.activations(plugin, limit).await,
            Self::Postgres(store) => store.activations(plugin, limit).await,
        }
    }

    /// Every file that has activated a version.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn plugin_files(&self) -> Result<Vec<PluginFileRecord>, StoreError> {
        match self {
            Self::Sqlite(store) => store.plugin_files().await,
            Self::Postgres(store) => store.plugin_files().await,
        }
    }
}
