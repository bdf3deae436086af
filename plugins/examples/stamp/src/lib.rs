//! Leaves its version on every event: two versions of one plugin, for replacing it while events flow.
//!
//! They differ in the value of one attribute and in nothing else, so that no count depends on the moment of the change.

use serde::Deserialize;
use weft_plugin::{Event, Failure, Header, Outputs, Patch, Transform};

/// The attribute that tells which version an event met.
pub const ATTRIBUTE: &str = "stamp-version";

/// What this build writes into [`ATTRIBUTE`].
pub const VERSION: &str = if cfg!(feature = "v2") { "2" } else { "1" };

/// The plugin; it has no configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stamp {}

impl Transform for Stamp {
    fn transform(&self, _event: &Event) -> Result<Outputs, Failure> {
        let stamp = Header::new(ATTRIBUTE, VERSION);
        Ok(Outputs::Events(vec![Patch { set_attributes: vec![stamp], ..Patch::default() }]))
    }
}

weft_plugin::export!(Stamp: transform);
