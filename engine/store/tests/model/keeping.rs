//! What plugins keep, as plainly as it can be written down: a list of entries, of which passes find some and leave others.

use std::time::Duration;

use bytes::Bytes;
use weft_core::id::TenantId;
use weft_core::kv::{Found, KvTouch, KvUsage, Left};
use weft_core::name::PluginRef;
use weft_core::time::Timestamp;
use weft_store::kv::KvRead;
use weft_store::work::{FinishedPass, PassEnd};

use crate::ground::Ground;
use crate::model::Model;
use crate::scenery::{KEYS, PLUGINS, TENANTS, plugin, tenant};
use crate::walk::{HeldPass, Walk};

/// An entry, expired or not.
#[derive(Debug)]
pub(crate) struct ModelEntry {
    tenant: TenantId,
    plugin: PluginRef,
    key: String,
    value: Bytes,
    expires_at: Option<Timestamp>,
}

impl Model {
    /// What is kept under a key as of `at`, and how much in all: what has expired counts until it is removed.
    fn kept(&self, tenant: TenantId, plugin: &PluginRef, key: &str, at: Timestamp) -> KvRead {
        let mut read = KvRead::default();
        for it in self.entries.iter().filter(|it| it.tenant == tenant && it.plugin == *plugin) {
            let KvUsage { entries, bytes } = &mut read.usage;
            (*entries, *bytes) = (*entries + 1, *bytes + it.key.len() as u64 + it.value.len() as u64);
            if it.key == key && it.expires_at.is_none_or(|expires_at| expires_at > at) {
                read.value = Some(it.value.clone());
            }
        }
        read
    }

    /// Whether a pass would find today what it has found. One that runs again anyway will look again.
    pub(crate) fn reading_holds(&self, pass: &FinishedPass) -> bool {
        let runs_again = matches!(pass.end, PassEnd::Retry { .. });
        runs_again
            || pass.kv.iter().all(|touch| {
                let today = self.kept(pass.tenant, &touch.plugin, &touch.key, pass.started_at).value;
                match &touch.found {
                    Found::Unread => true,
                    Found::Nothing => today.is_none(),
                    Found::Value(value) => today.as_ref() == Some(value),
                }
            })
    }

    /// Keeps what a pass has left. One that gives up, or that runs again, leaves nothing.
    pub(crate) fn leave(&mut self, pass: &FinishedPass) {
        if matches!(pass.end, PassEnd::Dead { .. } | PassEnd::Retry { .. }) {
            return;
        }
        for KvTouch { plugin, key, left, .. } in &pass.kv {
            let Some(left) = left else { continue };
            self.entries.retain(|it| !(it.tenant == pass.tenant && it.plugin == *plugin && it.key == *key));
            if let Left::Value { value, expires_at } = left.clone() {
                let (plugin, key) = (plugin.clone(), key.clone());
                self.entries.push(ModelEntry { tenant: pass.tenant, plugin, key, value, expires_at });
            }
        }
    }

    /// Removes what has expired, at most `limit` entries, those that expired first; answers how many.
    pub(crate) fn forget(&mut self, now: Timestamp, limit: u32) -> u64 {
        let mut expired: Vec<_> = self.entries.iter().filter_map(|it| it.expires_at).filter(|at| *at <= now).collect();
        expired.sort_unstable();
        expired.truncate(limit as usize);
        self.entries.retain(|it| it.expires_at.is_none_or(|at| !expired.contains(&at)));
        expired.len() as u64
    }
}

impl<G: Ground> Walk<G> {
    /// Passes look at keys while they run, and remember what they found.
    pub(crate) async fn look_at_keys(&mut self) {
        self.note("look at keys");
        for _ in 0..self.dice.between(2, 8) {
            if self.passes.is_empty() {
                return;
            }
            // Of those that began last most still hold their lease.
            let place = self.passes.len() - 1 - self.dice.place(self.passes.len().min(8));
            let (plugin, key) = self.some_key();
            let HeldPass { tenant, began, ref kv, .. } = self.passes[place];
            if !has(kv, &plugin, &key) {
                let found = self.find(tenant, &plugin, &key, began).await;
                self.passes[place].kv.push(KvTouch { plugin, key, found, left: None });
            }
        }
    }

    /// What a pass that is handed in has found, earlier or just now, and what it leaves.
    pub(crate) async fn touched_keys(&mut self, held: &HeldPass) -> Vec<KvTouch> {
        let mut kv = held.kv.clone();
        for _ in 0..self.dice.below(4) {
            let (plugin, key) = self.some_key();
            if has(&kv, &plugin, &key) {
                continue;
            }
            let looks = self.dice.chance(50);
            let found = if looks { self.find(held.tenant, &plugin, &key, held.began).await } else { Found::Unread };
            kv.push(KvTouch { plugin, key, found, left: None });
        }
        for touch in &mut kv {
            if touch.found == Found::Unread || self.dice.chance(60) {
                touch.left = Some(self.left());
            }
        }
        kv
    }

    /// Reads a key as of `at`; the model must find the same.
    async fn find(&self, tenant: TenantId, plugin: &PluginRef, key: &str, at: Timestamp) -> Found {
        let read = self.store.kv_get(tenant, plugin, key, at).await.expect("read");
        assert_eq!(read, self.model.kept(tenant, plugin, key, at), "{key:?} of {plugin} for {tenant} as of {at}");
        read.value.map_or(Found::Nothing, Found::Value)
    }

    /// Mostly the same one, so that passes are in each other's way.
    fn some_key(&mut self) -> (PluginRef, String) {
        if self.dice.chance(75) {
            return (plugin(0), KEYS[0].to_owned());
        }
        (plugin(self.dice.place(PLUGINS.len())), KEYS[self.dice.place(KEYS.len())].to_owned())
    }

    fn left(&mut self) -> Left {
        // Few different values, so that one may come back under whoever has found it; now and then none, or a large one.
        let value = match self.dice.below(12) {
            0..3 => return Left::Nothing,
            3 => Bytes::new(),
            4 => Bytes::from(vec![0; usize::try_from(self.dice.between(1, 20_000)).expect("small")]),
            n => Bytes::from(n.to_string()),
        };
        let expires_at = self.dice.chance(50).then(|| self.expiry());
        Left::Value { value, expires_at }
    }

    /// At times before the pass is stored. No two are the same, so that it is known which entry expires first.
    fn expiry(&mut self) -> Timestamp {
        let longest = [2, 60_000, 3_600_000][self.dice.place(3)];
        let mut expires_at = self.now.plus(Duration::from_millis(self.dice.below(longest)));
        while !self.expiries.insert(expires_at) {
            expires_at = expires_at.plus(Duration::from_millis(1));
        }
        expires_at
    }

    /// Compares what is kept under one key.
    pub(crate) async fn compare_a_key(&mut self) {
        let owner = tenant(u128::from(self.dice.between(1, TENANTS)));
        let (plugin, key) = self.some_key();
        self.find(owner, &plugin, &key, self.now).await;
    }

    /// Compares what is kept under every key, now and, with what has expired and is still there, as of before the walk.
    pub(crate) async fn compare_keys(&self) {
        for owner in 1..=TENANTS {
            for at in [self.now, Timestamp::from_ms(0)] {
                for (place, key) in (0..PLUGINS.len()).flat_map(|place| KEYS.map(|key| (place, key))) {
                    self.find(tenant(u128::from(owner)), &plugin(place), key, at).await;
                }
            }
        }
    }
}

fn has(kv: &[KvTouch], plugin: &PluginRef, key: &str) -> bool {
    kv.iter().any(|touch| touch.plugin == *plugin && touch.key == key)
}
