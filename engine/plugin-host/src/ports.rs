//! What a step lends its plugin beyond log and configuration, as a trait: the engine fills it, this crate knows no store and no clock.

use std::time::Duration;

use bytes::Bytes;
use weft_core::contract::Capability;
use weft_core::time::Timestamp;

/// What one run of one step lends its plugin. Everything here blocks.
///
/// What the contract says of keys, sizes, names and numbers of calls is checked before anything of it is asked.
pub trait Ports {
    /// Whether the step grants this. A plugin that wants what its step does not grant gets no instance.
    fn grants(&self, capability: Capability) -> bool;

    /// The time.
    fn now(&self) -> Timestamp;

    /// Fills `bytes` with what nobody can foresee.
    ///
    /// # Errors
    /// [`PortFailed`] ends the call.
    fn random(&self, bytes: &mut [u8]) -> Result<(), PortFailed>;

    /// The value that the plugin keeps under `key`, if any.
    ///
    /// # Errors
    /// [`PortFailed`] ends the call.
    fn kv_get(&self, key: &str) -> Result<Option<Bytes>, PortFailed>;

    /// Keeps `value` under `key`, for `ttl` from the pass's beginning or for ever; `false` if there is no room for it.
    ///
    /// # Errors
    /// [`PortFailed`] ends the call.
    fn kv_set(&self, key: &str, value: Bytes, ttl: Option<Duration>) -> Result<bool, PortFailed>;

    /// Keeps nothing under `key`.
    fn kv_delete(&self, key: &str);

    /// Adds `delta` to a counter.
    fn count(&self, name: &str, delta: u32);

    /// HMAC-SHA256 of `data` under the secret `name`; `None` if the step names no such secret.
    fn hmac_sha256(&self, name: &str, data: &[u8]) -> Option<[u8; 32]>;

    /// The text of the secret `name`.
    fn reveal(&self, name: &str) -> Revealed;
}

/// What a plugin may know of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revealed {
    /// The step names no such secret.
    Unknown,
    /// The step lets it be used, and not be read.
    Hidden,
    /// Its text.
    Text(String),
}

/// Something of the engine's own does not work at present: the plugin is not to blame.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct PortFailed(pub String);

/// Lends everything and has nothing: for a probe, which shows whether an instance can be made.
pub(crate) struct Probing;

impl Ports for Probing {
    fn grants(&self, _: Capability) -> bool {
        true
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_ms(0)
    }

    fn random(&self, _: &mut [u8]) -> Result<(), PortFailed> {
        Ok(())
    }

    fn kv_get(&self, _: &str) -> Result<Option<Bytes>, PortFailed> {
        Ok(None)
    }

    fn kv_set(&self, _: &str, _: Bytes, _: Option<Duration>) -> Result<bool, PortFailed> {
        Ok(true)
    }

    fn kv_delete(&self, _: &str) {}

    fn count(&self, _: &str, _: u32) {}

    fn hmac_sha256(&self, _: &str, _: &[u8]) -> Option<[u8; 32]> {
        None
    }

    fn reveal(&self, _: &str) -> Revealed {
        Revealed::Unknown
    }
}
