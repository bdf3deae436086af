//! Events and grants for native tests of plugins.

#[cfg(not(target_family = "wasm"))]
mod granted;

use crate::{Event, Payload};

#[cfg(not(target_family = "wasm"))]
pub use granted::{Granted, granted};

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
