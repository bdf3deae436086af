//! What one pass has read and written of what its plugins keep.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use bytes::Bytes;
use weft_core::id::TenantId;
use weft_core::kv::{Found, KvTouch, KvUsage, Left};
use weft_core::limits::CallLimits;
use weft_core::name::PluginRef;
use weft_core::time::Timestamp;
use weft_store::StoreError;

use super::{KvShelf, Read, found};

/// The pass's own view: its writes over what it found.
pub struct PassKv {
    shelf: KvShelf,
    tenant: TenantId,
    /// When the pass began: what has expired then is not there.
    at: Timestamp,
    entries_max: u64,
    bytes_max: u64,
    touches: BTreeMap<(PluginRef, String), Touch>,
    usage: BTreeMap<PluginRef, KvUsage>,
    /// Whether the store could not be read.
    failed: bool,
}

struct Touch {
    found: Found,
    left: Option<Left>,
}

impl PassKv {
    /// A pass of `tenant` that begins at `at`.
    pub fn new(shelf: &KvShelf, tenant: TenantId, at: Timestamp, limits: &CallLimits) -> Self {
        Self {
            shelf: shelf.clone(),
            tenant,
            at,
            entries_max: limits.kv_entries,
            bytes_max: limits.kv_bytes,
            touches: BTreeMap::new(),
            usage: BTreeMap::new(),
            failed: false,
        }
    }

    /// Whether the store could not be read: then whatever became of the pass says nothing about its plugins.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// The value under `key`.
    pub(super) fn get(&mut self, plugin: &PluginRef, key: &str) -> Result<Option<Bytes>, StoreError> {
        let place = (plugin.clone(), key.to_owned());
        let seen = match self.touches.get(&place) {
            Some(Touch { left: Some(left), .. }) => found(left, self.at),
            Some(Touch { found: found @ (Found::Nothing | Found::Value(_)), left: None }) => found.clone(),
            Some(Touch { found: Found::Unread, left: None }) | None => {
                let found = self.look(plugin, key)?;
                self.touches.insert(place, Touch { found: found.clone(), left: None });
                found
            }
        };
        Ok(match seen {
            Found::Value(value) => Some(value),
            Found::Nothing | Found::Unread => None,
        })
    }

    /// Puts `value` under `key`; `false` if the plugin keeps too much already.
    pub(super) fn set(
        &mut self,
        plugin: &PluginRef,
        key: &str,
        value: Bytes,
        ttl: Option<Duration>,
    ) -> Result<bool, StoreError> {
        if !self.has_room(plugin, key, value.len())? {
            return Ok(false);
        }
        let expires_at = ttl.map(|ttl| self.at.plus(ttl));
        self.leave(plugin, key, Left::Value { value, expires_at });
        Ok(true)
    }

    /// Keeps nothing under `key`.
    pub(super) fn delete(&mut self, plugin: &PluginRef, key: &str) {
        if let (true, Some(usage)) = (self.is_there(plugin, key), self.usage.get_mut(plugin)) {
            usage.entries = usage.entries.saturating_sub(1);
        }
        self.leave(plugin, key, Left::Nothing);
    }

    /// What the pass has found, and what it leaves if `leaves`.
    pub fn into_touches(self, leaves: bool) -> Vec<KvTouch> {
        let touches = self.touches.into_iter().map(|((plugin, key), Touch { found, left })| KvTouch {
            plugin,
            key,
            found,
            left: left.filter(|_| leaves),
        });
        touches.filter(|touch| touch.found != Found::Unread || touch.left.is_some()).collect()
    }

    fn leave(&mut self, plugin: &PluginRef, key: &str, left: Left) {
        let touch = self.touches.entry((plugin.clone(), key.to_owned()));
        touch.or_insert(Touch { found: Found::Unread, left: None }).left = Some(left);
    }

    fn look(&mut self, plugin: &PluginRef, key: &str) -> Result<Found, StoreError> {
        let read = self.shelf.read(self.tenant, plugin, key, self.at);
        self.failed |= read.is_err();
        let Read { found, usage } = read?;
        if let Some(usage) = usage {
            self.usage.insert(plugin.clone(), usage);
        }
        Ok(found)
    }

    /// Whether the pass knows of a value under `key`.
    fn is_there(&self, plugin: &PluginRef, key: &str) -> bool {
        let place = (plugin.clone(), key.to_owned());
        self.touches.get(&place).is_some_and(|touch| match (&touch.left, &touch.found) {
            (Some(Left::Value { .. }), _) | (None, Found::Value(_)) => true,
            (Some(Left::Nothing), _) | (None, Found::Nothing | Found::Unread) => false,
        })
    }

    /// Whether a value of so many bytes may be put under `key`: by what is stored and what this pass has added to it. What others
    /// are about to store is not in it, so the limits may be passed by what is under way.
    fn has_room(&mut self, plugin: &PluginRef, key: &str, bytes: usize) -> Result<bool, StoreError> {
        let replaces = self.is_there(plugin, key);
        let usage = match self.usage.entry(plugin.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let usage = self.shelf.usage(self.tenant, plugin, self.at);
                self.failed |= usage.is_err();
                unknown.insert(usage?)
            }
        };
        let bytes = u64::try_from(key.len() + bytes).unwrap_or(u64::MAX);
        if (!replaces && usage.entries >= self.entries_max) || usage.bytes.saturating_add(bytes) > self.bytes_max {
            return Ok(false);
        }
        if !replaces {
            usage.entries += 1;
        }
        usage.bytes += bytes;
        Ok(true)
    }
}
