//! Events for native tests of plugins, and what is wrong with a plugin's `plugin.json`.

mod manifest;
mod schema;

use crate::{Event, Payload};

pub use manifest::{Manifest, findings};

/// An event of type `test.event` with this body, as JSON text.
pub fn event(body: impl Into<String>) -> Event {
    Event {
        id: "evt_00000000000000000000000001".to_owned(),
        output: 0,
        event_type: "test.event".to_owned(),
        source: "api".to_owned(),
        content_type: "application/json".to_owned(),
        received_at: "2026-01-01T00:00:00.000Z".to_owned(),
        ordering_key: None,
        headers: Vec::new(),
        attributes: Vec::new(),
        data: Payload::Text(body.into()),
    }
}

/// Says what is wrong with the `plugin.json` of the crate in which this stands, compared with its README and with the
/// plugin's type: `assert_eq!(manifest_findings!(MyPlugin), [""; 0])`.
#[macro_export]
macro_rules! manifest_findings {
    ($plugin:ty) => {
        $crate::testing::findings::<$plugin>(
            (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")),
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/plugin.json")),
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")),
        )
    };
}

/// Reads the `plugin.json` of the crate in which this stands.
#[macro_export]
macro_rules! manifest {
    () => {
        $crate::testing::Manifest::parse(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/plugin.json")))
            .expect("plugin.json")
    };
}
