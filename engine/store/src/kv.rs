//! What plugins keep from event to event.

use bytes::Bytes;
use weft_core::id::TenantId;
use weft_core::kv::{Found, KvTouch, KvUsage};
use weft_core::name::PluginRef;
use weft_core::time::Timestamp;

use crate::error::StoreError;
use crate::store::Store;
use crate::work::{FinishedPass, PassEnd};

/// What a plugin keeps under a key, and how much in all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KvRead {
    /// The value, if there is one that has not expired.
    pub value: Option<Bytes>,
    /// How much there is in all.
    pub usage: KvUsage,
}

impl Store {
    /// What `plugin` keeps for `tenant` under `key`, as of `at`.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Unknown`] if there is no such tenant.
    pub async fn kv_get(
        &self,
        tenant: TenantId,
        plugin: &PluginRef,
        key: &str,
        at: Timestamp,
    ) -> Result<KvRead, StoreError> {
        let plugin = plugin.to_string();
        let read = match self {
            Self::Sqlite(store) => store.kv_get(tenant, &plugin, key, at).await?,
            Self::Postgres(store) => store.kv_get(tenant, &plugin, key, at).await?,
        };
        read.ok_or_else(|| StoreError::Unknown { noun: "tenant", id: tenant.to_string() })
    }
}

/// What a pass has read of its plugins' keys: it is stored only where that still holds. A pass that runs again anyway has read nothing.
pub(crate) fn read(pass: &FinishedPass) -> impl Iterator<Item = &KvTouch> {
    let runs_again = matches!(pass.end, PassEnd::Retry { .. });
    pass.kv.iter().filter(move |touch| !runs_again && touch.found != Found::Unread)
}

/// What a pass leaves: only one that ends its event, routed or dropped, leaves anything.
pub(crate) fn left(pass: &FinishedPass) -> impl Iterator<Item = &KvTouch> {
    let leaves = matches!(pass.end, PassEnd::Routed { .. } | PassEnd::Dropped { .. });
    pass.kv.iter().filter(move |touch| leaves && touch.left.is_some())
}

/// Whether what was found is what is there.
pub(crate) fn still_holds(found: &Found, there: Option<&[u8]>) -> bool {
    match found {
        Found::Unread => true,
        Found::Nothing => there.is_none(),
        Found::Value(value) => there == Some(&value[..]),
    }
}

/// What an entry counts for in the usage.
pub(crate) fn weight(key: &[u8], value: &[u8]) -> i64 {
    i64::try_from(key.len() + value.len()).unwrap_or(i64::MAX)
}
