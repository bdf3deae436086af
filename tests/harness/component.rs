//! Components, and putting them where an engine finds them.

use std::fs;

use bytes::Bytes;
use weft_core::digest::Digest;

use crate::{Site, programs};

/// The bytes of a component that `cargo xtask components` makes.
///
/// # Panics
/// If it has not been made.
pub fn component(name: &str) -> Bytes {
    fs::read(programs::component(name)).expect("a component that can be read").into()
}

/// What the engine calls a version with these bytes.
pub fn version_of(component: &[u8]) -> String {
    Digest::of(component).to_string()
}

impl Site {
    /// Lets a call of a plugin take a second, and a lease outlast it: on a busy machine a good plugin may be kept from
    /// running for longer than the 50 ms that a call may take by default.
    #[must_use]
    pub fn with_patience_for_plugins(self) -> Self {
        self.limit("call_ms_max", 1_000).limit("lease_ms", 200_000)
    }

    /// Puts a file in the place of a plugin's component, as careful people do: written aside, then renamed.
    pub fn put_plugin(&self, name: &str, content: &[u8]) {
        let folder = self.path().join("plugins");
        fs::create_dir_all(&folder).expect("the site's folder");
        let aside = folder.join(format!(".{name}.new"));
        fs::write(&aside, content).expect("the site's folder");
        fs::rename(aside, folder.join(format!("{name}.wasm"))).expect("the site's folder");
    }

    /// Takes a plugin's file away.
    pub fn take_plugin_away(&self, name: &str) {
        fs::remove_file(self.path().join("plugins").join(format!("{name}.wasm"))).expect("a file that was put there");
    }
}
