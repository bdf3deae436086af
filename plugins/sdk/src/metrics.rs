//! Counters in the engine's metrics, for each tenant and plugin. The step must grant `metrics`.

/// Adds `delta` to the counter `name`, which is 1 to 64 of `a-z`, `0-9` and `_`. A pass that runs again counts again.
pub fn count(name: &str, delta: u32) {
    host::count(name, delta);
}

#[cfg(target_family = "wasm")]
mod host {
    pub(super) use crate::bindings::metrics::count;
}

/// Outside a host, as in native tests: [`crate::testing::Granted`].
#[cfg(not(target_family = "wasm"))]
mod host {
    use crate::testing::granted;

    pub(super) fn count(name: &str, delta: u32) {
        granted(|host| *host.counted.entry(name.to_owned()).or_default() += u64::from(delta));
    }
}
