//! What plugins keep from event to event, as passes see it.
//!
//! A pass reads what is stored, with what passes before it have finished and not yet stored on top: so passes that count on one key do not
//! have to wait for each other's commits. Whether what it has read still holds is judged by the store when the pass is stored; if it does
//! not, the pass runs again.

mod loan;
mod pass;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::runtime::Handle;
use weft_core::id::TenantId;
use weft_core::kv::{Found, KvTouch, KvUsage, Left};
use weft_core::name::PluginRef;
use weft_core::time::Timestamp;
use weft_store::{Store, StoreError};

pub use loan::{Lender, StepLoan, Used};
pub use pass::PassKv;

/// What plugins keep. Clones share it.
#[derive(Clone)]
pub struct KvShelf {
    below: Below,
    ahead: Arc<Mutex<Ahead>>,
}

/// What is kept where nobody has written anything since.
#[derive(Clone)]
enum Below {
    /// What is stored; read on threads that are not the runtime's.
    Stored(Store, Handle),
    /// Nothing.
    Nothing,
}

/// Where a value lies.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Address {
    tenant: TenantId,
    plugin: PluginRef,
    key: String,
}

/// What finished passes have left and the store does not have yet.
#[derive(Default)]
struct Ahead {
    left: HashMap<Address, Written>,
    // Tells what was forgotten and written anew from what was there before.
    stamp: u64,
    // How much each plugin has left; counted where nothing is ever stored.
    kept: HashMap<(TenantId, PluginRef), KvUsage>,
}

struct Written {
    left: Left,
    /// Passes that have written here and are not stored.
    passes: usize,
    stamp: u64,
}

impl Ahead {
    /// Counts what is about to be left at `address`.
    fn count(&mut self, address: &Address, left: &Left) {
        let weight = |left: &Left| match left {
            Left::Value { value, .. } => Some((address.key.len() + value.len()) as u64),
            Left::Nothing => None,
        };
        let before = self.left.get(address).and_then(|written| weight(&written.left));
        let usage = self.kept.entry((address.tenant, address.plugin.clone())).or_default();
        usage.entries = usage.entries + u64::from(weight(left).is_some()) - u64::from(before.is_some());
        usage.bytes = usage.bytes + weight(left).unwrap_or(0) - before.unwrap_or(0);
    }
}

/// What is under a key, and how much there is in all.
pub(super) struct Read {
    pub(super) found: Found,
    /// As stored; `None` if nobody knows.
    pub(super) usage: Option<KvUsage>,
}

impl KvShelf {
    /// What `store` has. Reads wait for it on `runtime`, whose threads must not ask.
    pub fn stored(store: Store, runtime: Handle) -> Self {
        Self { below: Below::Stored(store, runtime), ahead: Arc::default() }
    }

    /// An empty one of its own, for passes without effect.
    pub fn empty() -> Self {
        Self { below: Below::Nothing, ahead: Arc::default() }
    }

    fn read(&self, tenant: TenantId, plugin: &PluginRef, key: &str, at: Timestamp) -> Result<Read, StoreError> {
        let address = Address { tenant, plugin: plugin.clone(), key: key.to_owned() };
        if let Some(written) = self.ahead().left.get(&address) {
            return Ok(Read { found: found(&written.left, at), usage: None });
        }
        match &self.below {
            Below::Nothing => Ok(Read { found: Found::Nothing, usage: None }),
            Below::Stored(store, runtime) => {
                let read = runtime.block_on(store.kv_get(tenant, plugin, key, at))?;
                Ok(Read { found: read.value.map_or(Found::Nothing, Found::Value), usage: Some(read.usage) })
            }
        }
    }

    /// How much is stored for a plugin.
    fn usage(&self, tenant: TenantId, plugin: &PluginRef, at: Timestamp) -> Result<KvUsage, StoreError> {
        match &self.below {
            Below::Nothing => Ok(self.ahead().kept.get(&(tenant, plugin.clone())).copied().unwrap_or_default()),
            Below::Stored(store, runtime) => Ok(runtime.block_on(store.kv_get(tenant, plugin, "", at))?.usage),
        }
    }

    /// Lets passes that begin from now on see what a finished one has left, before it is stored.
    pub fn announce(&self, tenant: TenantId, touches: &[KvTouch]) -> Announced {
        let mut announced = Announced { ahead: Arc::clone(&self.ahead), written: Vec::new(), read: Vec::new() };
        if touches.is_empty() {
            return announced;
        }
        let mut ahead = self.ahead();
        for KvTouch { plugin, key, left, found: _ } in touches {
            let address = Address { tenant, plugin: plugin.clone(), key: key.clone() };
            let Some(left) = left else {
                announced.read.push(address);
                continue;
            };
            if matches!(self.below, Below::Nothing) {
                ahead.count(&address, left);
            }
            ahead.stamp += 1;
            let fresh = Written { left: left.clone(), passes: 0, stamp: ahead.stamp };
            let written = ahead.left.entry(address.clone()).or_insert(fresh);
            written.left = left.clone();
            written.passes += 1;
            announced.written.push((address, written.stamp));
        }
        announced
    }

    fn ahead(&self) -> MutexGuard<'_, Ahead> {
        lock(&self.ahead)
    }
}

/// What a panic could leave half done in there is seen by the store.
fn lock(ahead: &Mutex<Ahead>) -> MutexGuard<'_, Ahead> {
    ahead.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for KvShelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KvShelf({} ahead)", self.ahead().left.len())
    }
}

/// What a value that was left is for a pass that begins at `at`.
fn found(left: &Left, at: Timestamp) -> Found {
    match left {
        Left::Value { value, expires_at } if expires_at.is_none_or(|expires| expires > at) => {
            Found::Value(Bytes::clone(value))
        }
        Left::Value { .. } | Left::Nothing => Found::Nothing,
    }
}

/// What a finished pass has left, until it is known whether that is stored. Dropped, it is not.
pub struct Announced {
    ahead: Arc<Mutex<Ahead>>,
    written: Vec<(Address, u64)>,
    read: Vec<Address>,
}

impl Announced {
    /// The pass is stored: from now on the store says what it has left.
    pub fn stored(mut self) {
        let written = std::mem::take(&mut self.written);
        self.read.clear();
        if written.is_empty() {
            return;
        }
        let mut ahead = lock(&self.ahead);
        for (address, stamp) in written {
            let Some(entry) = ahead.left.get_mut(&address).filter(|entry| entry.stamp == stamp) else { continue };
            entry.passes -= 1;
            if entry.passes == 0 {
                ahead.left.remove(&address);
            }
        }
    }

    /// Nothing will ever be stored: what was left is what later passes see.
    pub fn kept(mut self) {
        self.read.clear();
        let written = std::mem::take(&mut self.written);
        let mut ahead = lock(&self.ahead);
        for (address, _) in written {
            // Nothing below shows through where nothing is left.
            if ahead.left.get(&address).is_some_and(|written| written.left == Left::Nothing) {
                ahead.left.remove(&address);
            }
        }
    }
}

/// Something of what the pass saw or left is not so: whoever comes next asks the store.
impl Drop for Announced {
    fn drop(&mut self) {
        if self.written.is_empty() && self.read.is_empty() {
            return;
        }
        let mut ahead = lock(&self.ahead);
        for address in self.written.iter().map(|(address, _)| address).chain(&self.read) {
            ahead.left.remove(address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant() -> TenantId {
        TenantId::from_uuid(uuid::Uuid::nil())
    }

    fn plugin() -> PluginRef {
        "operator/dedupe".parse().expect("a plugin")
    }

    fn set(value: &'static str, expires_at: Option<i64>) -> KvTouch {
        let (value, expires_at) = (Bytes::from_static(value.as_bytes()), expires_at.map(Timestamp::from_ms));
        let left = Some(Left::Value { value, expires_at });
        KvTouch { plugin: plugin(), key: "k".to_owned(), found: Found::Nothing, left }
    }

    fn read(shelf: &KvShelf, at: i64) -> Found {
        shelf.read(tenant(), &plugin(), "k", Timestamp::from_ms(at)).expect("no store").found
    }

    fn value(value: &'static str) -> Found {
        Found::Value(Bytes::from_static(value.as_bytes()))
    }

    #[test]
    fn a_pass_sees_what_those_before_it_are_about_to_store() {
        let shelf = KvShelf::empty();
        let first = shelf.announce(tenant(), &[set("1", None)]);
        assert_eq!(read(&shelf, 0), value("1"));
        let second = shelf.announce(tenant(), &[set("2", Some(10))]);
        assert_eq!((read(&shelf, 9), read(&shelf, 10)), (value("2"), Found::Nothing), "it expires");
        first.stored();
        assert_eq!(read(&shelf, 0), value("2"), "the second is not stored yet");
        second.stored();
        assert_eq!(read(&shelf, 0), Found::Nothing, "the store would say it");
    }

    #[test]
    fn promise_5_what_passes_without_effect_leave_is_counted() {
        let shelf = KvShelf::empty();
        let usage = || shelf.usage(tenant(), &plugin(), Timestamp::from_ms(0)).expect("no store");
        shelf.announce(tenant(), &[set("123", None)]).kept();
        shelf.announce(tenant(), &[set("1", None)]).kept();
        assert_eq!(usage(), KvUsage { entries: 1, bytes: 2 });
        let gone = KvTouch { left: Some(Left::Nothing), ..set("", None) };
        shelf.announce(tenant(), &[gone]).kept();
        assert_eq!((usage(), shelf.ahead().left.len()), (KvUsage::default(), 0));
    }

    #[test]
    fn what_is_not_stored_is_not_seen_any_more() {
        let shelf = KvShelf::empty();
        let first = shelf.announce(tenant(), &[set("1", None)]);
        let second = shelf.announce(tenant(), &[set("2", None)]);
        drop(first);
        assert_eq!(read(&shelf, 0), Found::Nothing, "the second had read what is not so");
        let third = shelf.announce(tenant(), &[set("3", None)]);
        second.stored();
        assert_eq!(read(&shelf, 0), value("3"), "an older one's commit takes nothing away");
        third.stored();
        assert_eq!(shelf.ahead().left.len(), 0);
    }
}
