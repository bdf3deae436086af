//! The time. The step must grant `clock`; without it a plugin has the event's `received_at`, and the same event gives the same answer.

/// Now: RFC 3339 in UTC with milliseconds, like an event's `received_at`.
pub fn now() -> String {
    host::now()
}

/// Now: milliseconds since the beginning of 1970.
pub fn unix_ms() -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "the host answers whole numbers")]
    let ms = host::unix_ms() as i64;
    ms
}

#[cfg(target_family = "wasm")]
mod host {
    pub(super) use crate::bindings::clock::{now, unix_ms};
}

/// Outside a host, as in native tests: [`crate::testing::Granted`].
#[cfg(not(target_family = "wasm"))]
mod host {
    use crate::testing::granted;

    pub(super) fn now() -> String {
        granted(|host| host.now.clone())
    }

    pub(super) fn unix_ms() -> f64 {
        let ms = crate::time::unix_ms(&now()).expect("a time like an event's received_at");
        #[expect(clippy::cast_precision_loss, reason = "as the host does")]
        let ms = ms as f64;
        ms
    }
}
