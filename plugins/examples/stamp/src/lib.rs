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

#[cfg(test)]
mod tests {
    use super::*;
    use weft_plugin::{Payload, config, testing};

    #[test]
    fn every_event_goes_on_with_the_version_and_nothing_else_changed() {
        let stamp: Stamp = config::parse("").expect("no configuration");
        for data in [Payload::Text("{}".to_owned()), Payload::Text("no json".to_owned()), Payload::Binary(vec![0xff])] {
            let event = Event { data, ..testing::event("") };
            let Ok(Outputs::Events(patches)) = stamp.transform(&event) else { panic!("an output") };
            let [patch] = patches.as_slice() else { panic!("one output") };
            assert!(patch.data.is_none() && patch.event_type.is_none() && patch.set_headers.is_empty());
            let [attribute] = patch.set_attributes.as_slice() else { panic!("one attribute") };
            assert_eq!((attribute.name.as_str(), attribute.value.as_str()), (ATTRIBUTE, VERSION));
        }
    }

    #[test]
    fn plugin_json_and_readme_agree_with_the_plugin() {
        assert_eq!(weft_plugin_manifest::manifest_findings!(Stamp), [""; 0]);
    }
}
