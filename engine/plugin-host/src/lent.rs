//! What one instance has been lent, and how much of it was used: the contract's bounds are kept here.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use weft_core::contract::Capability;
use weft_core::kv::KEY_BYTES_MAX;
use weft_core::limits::CallLimits;
use weft_core::time::Timestamp;

use crate::ports::{PortFailed, Ports, Revealed};

/// Random bytes of one request: seeds and keys are shorter than a hundred.
const RANDOM_BYTES_MAX: u32 = 4096;
/// Counters of one instance.
const COUNTERS_MAX: usize = 16;
/// Characters of a counter's name.
const COUNTER_NAME_MAX: usize = 64;

/// The host's side of what a plugin was lent.
pub(crate) struct Lent {
    ports: Box<dyn Ports>,
    kv_calls_max: usize,
    kv_value_bytes_max: usize,
    kv_calls: usize,
    counters: BTreeMap<String, u32>,
}

/// Why a plugin's request ends its call.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    /// The plugin breaks the contract.
    #[error("{0}")]
    Breach(String),
    /// The engine cannot answer.
    #[error(transparent)]
    Failed(#[from] PortFailed),
}

/// Why nothing was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotKept {
    Key,
    Value,
    Full,
}

impl Lent {
    pub(crate) fn new(ports: Box<dyn Ports>, limits: &CallLimits) -> Self {
        Self {
            ports,
            kv_calls_max: limits.kv_calls,
            kv_value_bytes_max: limits.kv_value_bytes,
            kv_calls: 0,
            counters: BTreeMap::new(),
        }
    }

    pub(crate) fn grants(&self, capability: Capability) -> bool {
        self.ports.grants(capability)
    }

    pub(crate) fn get(&mut self, key: &str) -> Result<Option<Bytes>, Ended> {
        self.kv_called()?;
        if !is_key(key) {
            return Ok(None);
        }
        Ok(self.ports.kv_get(key)?)
    }

    pub(crate) fn set(
        &mut self,
        key: &str,
        value: Bytes,
        ttl_seconds: Option<u32>,
    ) -> Result<Result<(), NotKept>, Ended> {
        self.kv_called()?;
        if !is_key(key) {
            return Ok(Err(NotKept::Key));
        }
        if value.len() > self.kv_value_bytes_max {
            return Ok(Err(NotKept::Value));
        }
        let ttl = ttl_seconds.map(|seconds| Duration::from_secs(seconds.into()));
        Ok(if self.ports.kv_set(key, value, ttl)? { Ok(()) } else { Err(NotKept::Full) })
    }

    pub(crate) fn delete(&mut self, key: &str) -> Result<(), Ended> {
        self.kv_called()?;
        if is_key(key) {
            self.ports.kv_delete(key);
        }
        Ok(())
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.ports.now()
    }

    pub(crate) fn random(&self, count: u32) -> Result<Vec<u8>, Ended> {
        if count > RANDOM_BYTES_MAX {
            let message = format!("{count} random bytes asked for at once; the most is {RANDOM_BYTES_MAX}");
            return Err(Ended::Breach(message));
        }
        let mut bytes = vec![0; usize::try_from(count).unwrap_or_default()];
        self.ports.random(&mut bytes)?;
        Ok(bytes)
    }

    pub(crate) fn count(&mut self, name: &str, delta: u32) -> Result<(), Ended> {
        let is_name = (1..=COUNTER_NAME_MAX).contains(&name.len())
            && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        if !is_name {
            let message = format!("a counter's name must be 1 to {COUNTER_NAME_MAX} of a-z, 0-9 and _");
            return Err(Ended::Breach(message));
        }
        if let Some(count) = self.counters.get_mut(name) {
            *count = count.saturating_add(delta);
        } else if self.counters.len() < COUNTERS_MAX {
            self.counters.insert(name.to_owned(), delta);
        } else {
            return Err(Ended::Breach(format!("over {COUNTERS_MAX} counters in one call")));
        }
        Ok(())
    }

    pub(crate) fn hmac_sha256(&self, name: &str, data: &[u8]) -> Option<[u8; 32]> {
        self.ports.hmac_sha256(name, data)
    }

    pub(crate) fn reveal(&self, name: &str) -> Revealed {
        self.ports.reveal(name)
    }

    fn kv_called(&mut self) -> Result<(), Ended> {
        self.kv_calls += 1;
        if self.kv_calls <= self.kv_calls_max {
            return Ok(());
        }
        Err(Ended::Breach(format!("more calls of kv than the limit kv_calls_max, {}", self.kv_calls_max)))
    }
}

/// What was counted counts however the instance ends.
impl Drop for Lent {
    fn drop(&mut self) {
        for (name, delta) in &self.counters {
            self.ports.count(name, *delta);
        }
    }
}

/// Whether there can be a value under `key`.
fn is_key(key: &str) -> bool {
    (1..=KEY_BYTES_MAX).contains(&key.len())
}
