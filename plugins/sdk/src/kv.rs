//! What the plugin keeps from event to event, for this tenant alone: values under keys. The step must grant `kv`.
//!
//! A pass reads its own writes; they are stored when the event ends routed or dropped, and not at all if the pass runs again or ends
//! dead. Every event counts once.

use std::fmt;
use std::time::Duration;

/// Bytes of a key at most.
pub const KEY_BYTES_MAX: usize = 256;

/// Why nothing was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The key is empty or over [`KEY_BYTES_MAX`].
    Key,
    /// The value is over `kv_value_bytes_max`, 64 KiB unless the engine is configured otherwise.
    Value,
    /// The plugin keeps as much as it may for this tenant: `kv_entries_max`, `kv_bytes_max`.
    Full,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "the key is empty or too long to be kept",
            Self::Value => "the value is too large to be kept",
            Self::Full => "the plugin keeps as much as it may (kv_entries_max, kv_bytes_max)",
        })
    }
}

impl std::error::Error for Refusal {}

/// The value under `key`, if there is one that has not expired.
pub fn get(key: &str) -> Option<Vec<u8>> {
    host::get(key)
}

/// Keeps `value` under `key`, in place of what is there: for `ttl`, in whole seconds from the beginning of the pass, else for ever.
///
/// # Errors
/// [`Refusal`]: nothing has changed.
pub fn set(key: &str, value: &[u8], ttl: Option<Duration>) -> Result<(), Refusal> {
    host::set(key, value, ttl.map(|ttl| u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX)))
}

/// Keeps nothing under `key`.
pub fn delete(key: &str) {
    host::delete(key);
}

/// Adds `more` to the number under `key`, 0 if there is none, and answers the sum. Numbers are kept as text in decimal digits.
///
/// # Errors
/// [`Refusal`]: nothing has changed.
pub fn add(key: &str, more: i64, ttl: Option<Duration>) -> Result<i64, Refusal> {
    let text = get(key).and_then(|value| String::from_utf8(value).ok());
    let sum = text.and_then(|text| text.parse().ok()).unwrap_or(0_i64).saturating_add(more);
    set(key, sum.to_string().as_bytes(), ttl).map(|()| sum)
}

#[cfg(target_family = "wasm")]
mod host {
    use super::Refusal;
    use crate::bindings::kv;

    pub(super) use kv::{delete, get};

    pub(super) fn set(key: &str, value: &[u8], ttl_seconds: Option<u32>) -> Result<(), Refusal> {
        kv::set(key, value, ttl_seconds).map_err(|why| match why {
            kv::Refusal::Key => Refusal::Key,
            kv::Refusal::Value => Refusal::Value,
            kv::Refusal::Full => Refusal::Full,
        })
    }
}

/// Outside a host, as in native tests: [`crate::testing::Granted`].
#[cfg(not(target_family = "wasm"))]
mod host {
    use super::Refusal;
    use crate::testing::granted;

    pub(super) fn get(key: &str) -> Option<Vec<u8>> {
        granted(|host| host.kv.get(key).map(|(value, _)| value.clone()))
    }

    pub(super) fn set(key: &str, value: &[u8], ttl_seconds: Option<u32>) -> Result<(), Refusal> {
        granted(|host| {
            if key.is_empty() || key.len() > super::KEY_BYTES_MAX {
                return Err(Refusal::Key);
            }
            if !host.kv.contains_key(key) && host.kv.len() >= host.kv_entries_max {
                return Err(Refusal::Full);
            }
            host.kv.insert(key.to_owned(), (value.to_vec(), ttl_seconds));
            Ok(())
        })
    }

    pub(super) fn delete(key: &str) {
        granted(|host| host.kv.remove(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::granted;

    #[test]
    fn what_was_set_is_there_until_it_is_deleted() {
        assert_eq!(get("a"), None);
        assert_eq!(set("a", b"1", Some(Duration::from_millis(1_999))), Ok(()));
        assert_eq!((get("a"), granted(|host| host.kv["a"].1)), (Some(b"1".to_vec()), Some(1)));
        delete("a");
        assert_eq!(get("a"), None);
        assert_eq!(set("", b"1", None), Err(Refusal::Key));
    }

    #[test]
    fn a_number_is_added_to_what_is_there() {
        assert_eq!((add("n", 2, None), add("n", -3, None), get("n")), (Ok(2), Ok(-1), Some(b"-1".to_vec())));
        granted(|host| host.kv_entries_max = 1);
        assert_eq!((add("n", 1, None), add("other", 1, None)), (Ok(0), Err(Refusal::Full)));
    }
}
