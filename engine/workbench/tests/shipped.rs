//! Every plugin that is shipped, compiled from source, on the fixtures beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use weft_workbench::{Fixture, Stand, difference, pairs_in};

/// The plugins' folders.
fn plugins() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
    let folders = fs::read_dir(folder).expect("the plugins").flatten().map(|entry| entry.path());
    let mut plugins: Vec<_> = folders.filter(|folder| folder.join("plugin.json").exists()).collect();
    plugins.sort();
    plugins
}

/// The component of this name, as `cargo xtask components` builds it.
fn component(name: &str) -> Vec<u8> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/components");
    let folder = std::env::var_os("WEFT_COMPONENTS").map_or_else(default, PathBuf::from);
    let path = folder.join(format!("{name}.wasm"));
    fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}; build it with `cargo xtask components`", path.display()))
}

#[test]
fn promise_5_every_shipped_plugin_describes_itself_and_does_on_real_events_what_is_written_beside_it() {
    // A busy machine is no fault of theirs.
    let stand = Stand::new(Duration::from_secs(20)).expect("a stand");
    let mut wrong = Vec::new();
    let plugins = plugins();
    assert!(plugins.len() >= 9, "{plugins:?}");
    for folder in plugins {
        let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
        let version = stand.load(&component(&name)).expect("an engine takes it");
        assert_eq!(version.description().map(|it| it.name().as_str()), Some(&*name));
        let pairs = pairs_in(&folder.join("fixtures")).expect("fixtures");
        assert!(pairs.len() >= 2, "{name} has an event that goes well and one that does not");
        for pair in pairs {
            let read = |path: &Path| fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            let fixture = Fixture::parse(&read(&pair.input)).expect("a fixture");
            let expected = serde_json::from_str(&read(&pair.expected)).expect("JSON");
            let run = stand.run(&version, &fixture).unwrap_or_else(|e| panic!("{name}/{}: {e:#}", pair.name));
            if let Some(difference) = difference(&expected, &run.outcome) {
                wrong.push(format!("{name}/{}:\n{difference}", pair.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
