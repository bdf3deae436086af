//! A filter that reads a file, as an innocent program would: it imports `wasi:filesystem`, which no plugin is granted.

use exports::weft::plugin::filter::{Event, Failure, Guest, Verdict};

wit_bindgen::generate!({ path: "../../../wit", world: "filter-plugin" });

struct NeedsFiles;

impl Guest for NeedsFiles {
    fn decide(_event: Event) -> Result<Verdict, Failure> {
        match std::fs::read_to_string("/etc/weft/allowed-types") {
            Ok(text) => Ok(Verdict::Drop(text)),
            Err(error) => Err(Failure::Reject(error.to_string())),
        }
    }
}

export!(NeedsFiles);
