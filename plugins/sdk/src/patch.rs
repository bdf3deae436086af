//! Patches and overrides that change nothing, as the start of those that do.

use crate::{Header, Overrides, Patch, Recipients, Target};

impl Default for Patch {
    /// A patch that changes nothing.
    fn default() -> Self {
        Self {
            event_type: None,
            content_type: None,
            ordering_key: None,
            data: None,
            set_headers: Vec::new(),
            remove_headers: Vec::new(),
            set_attributes: Vec::new(),
        }
    }
}

impl Default for Overrides {
    /// Overrides that change nothing.
    fn default() -> Self {
        Self { method: None, path: None, query: None, delay_ms: None }
    }
}

impl Target {
    /// A target whose recipients get the output as it is.
    pub fn to(recipients: Recipients) -> Self {
        Self { to: recipients, change: Patch::default(), request: Overrides::default() }
    }
}

impl Header {
    /// A header, an attribute or a label.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}
