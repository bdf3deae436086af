//! The walls of the house: which crate may know what, and which folder of the server.

use std::path::Path;

use anyhow::Result;

use super::{Finding, SourceFile};
use crate::project::{Metadata, Package};

/// A heavy crate (its name, or `prefix-…`) and the engine's crates that may depend on it.
struct Wall {
    library: &'static str,
    rooms: &'static [&'static str],
}

/// Each heavy dependency lives in one crate; the server's own rooms are in [`FOLDERS`].
const WALLS: [Wall; 7] = [
    Wall { library: "sqlx", rooms: &["weft-store"] },
    Wall { library: "rusqlite", rooms: &["weft-store"] },
    Wall { library: "wasmtime", rooms: &["weft-plugin-host"] },
    Wall { library: "wasmtime-wasi", rooms: &["weft-plugin-host"] },
    Wall { library: "reqwest", rooms: &["weft-outbound", "weft-client"] },
    Wall { library: "axum", rooms: &["weft-server"] },
    Wall { library: "notify", rooms: &["weft-server"] },
];

/// A library of the server and the places below `engine/server/src` that may name it.
struct Room {
    library: &'static str,
    places: &'static [&'static str],
}

const FOLDERS: [Room; 2] = [
    Room { library: "axum", places: &["api/", "api.rs", "app/", "app.rs"] },
    Room { library: "notify", places: &["plugins/watch/", "plugins/watch.rs", "watch/", "watch.rs"] },
];

/// What may never be linked into the core: it has no IO, no async, no database, no wasm, no watcher.
const NOT_IN_CORE: [&str; 18] = [
    "async-std",
    "axum",
    "futures",
    "futures-util",
    "hyper",
    "hyper-util",
    "libsqlite3-sys",
    "mio",
    "notify",
    "reqwest",
    "rusqlite",
    "rustls",
    "smol",
    "sqlx",
    "tokio",
    "tower",
    "wasmparser",
    "wasmtime",
];

const SERVER_SOURCE: &str = "engine/server/src/";

pub(super) fn check(files: &[SourceFile], metadata: &Metadata) -> Result<Vec<Finding>> {
    let mut findings: Vec<_> =
        metadata.packages.iter().filter(|package| is_engine(package)).flat_map(broken_walls).collect();
    findings.extend(files.iter().flat_map(out_of_its_room));
    findings.extend(impure_core(metadata)?);
    Ok(findings)
}

fn is_engine(package: &Package) -> bool {
    let folder = package.manifest_path.parent().and_then(Path::parent);
    package.name.starts_with("weft-") && folder.is_some_and(|folder| folder.ends_with("engine"))
}

fn broken_walls(package: &Package) -> Vec<Finding> {
    let broken = WALLS.iter().filter(|wall| {
        let depends = package.dependencies.iter().any(|dependency| dependency.name == wall.library);
        depends && !wall.rooms.contains(&package.name.as_str())
    });
    let finding = |wall: &Wall| {
        let (library, rooms) = (wall.library, wall.rooms.join(" and "));
        Finding::of_file(&package.name, format!("depends on `{library}`, which lives in {rooms} only"))
    };
    broken.map(finding).collect()
}

fn out_of_its_room(file: &SourceFile) -> Vec<Finding> {
    let Some(place) = file.path.strip_prefix(SERVER_SOURCE).filter(|place| place.ends_with(".rs")) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for room in FOLDERS.iter().filter(|room| !room.places.iter().any(|allowed| place.starts_with(allowed))) {
        let lines = (1..).zip(file.text.lines());
        let named = lines.filter(|(_, line)| names_crate(line, room.library));
        let (library, places) = (room.library, room.places.join(", "));
        findings.extend(named.map(|(number, _)| {
            Finding::at(&file.path, number, format!("`{library}` stays in {SERVER_SOURCE}{{{places}}}"))
        }));
    }
    findings
}

/// Whether a line of code, not of comment, takes something from the crate `library`.
fn names_crate(line: &str, library: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    let path = format!("{library}::");
    code.match_indices(&path).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    }) || code.trim() == format!("use {library};")
}

fn impure_core(metadata: &Metadata) -> Result<Vec<Finding>> {
    let linked = metadata.linked_into("weft-core")?;
    let impure = NOT_IN_CORE.into_iter().filter(|library| linked.contains(library));
    Ok(impure.map(|library| Finding::of_file("weft-core", format!("links `{library}`: the core is pure"))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two crates of the engine; `core` links what `core_links` names, `server` depends on what `server_needs` names.
    fn metadata(core_links: &str, server_needs: &str) -> Metadata {
        serde_json::from_value(serde_json::json!({
            "packages": [
                {"id": "core", "name": "weft-core", "manifest_path": "/weft/engine/core/Cargo.toml"},
                {"id": "server", "name": "weft-server", "manifest_path": "/weft/engine/server/Cargo.toml",
                 "dependencies": [{"name": server_needs}]},
                {"id": "between", "name": "between", "manifest_path": "/elsewhere/Cargo.toml"},
                {"id": "far", "name": core_links, "manifest_path": "/elsewhere/Cargo.toml"},
            ],
            "resolve": {"nodes": [
                {"id": "core", "deps": [{"pkg": "between", "dep_kinds": [{"kind": null}]}]},
                {"id": "between", "deps": [{"pkg": "far", "dep_kinds": [{"kind": null}]}]},
                {"id": "far", "deps": []},
                {"id": "server", "deps": []},
            ]},
        }))
        .expect("metadata")
    }

    fn findings(path: &str, text: &str, metadata: &Metadata) -> Vec<String> {
        let file = SourceFile { path: path.to_owned(), text: text.to_owned() };
        check(&[file], metadata).expect("checked").iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_in_its_place_is_no_finding() {
        let metadata = metadata("sha2", "axum");
        assert_eq!(findings("engine/server/src/api/events.rs", "use axum::Router;\n", &metadata), [""; 0]);
        assert_eq!(findings("engine/server/src/clock.rs", "// axum::Router is elsewhere\n", &metadata), [""; 0]);
    }

    #[test]
    fn a_heavy_crate_outside_its_wall_is_found() {
        let found = findings("README.md", "", &metadata("sha2", "sqlx"));
        assert_eq!(found, ["weft-server: depends on `sqlx`, which lives in weft-store only"]);
    }

    #[test]
    fn a_library_outside_its_folder_of_the_server_is_found() {
        let found =
            findings("engine/server/src/workers/send.rs", "//! Sends.\nuse axum::Router;\n", &metadata("sha2", "axum"));
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("engine/server/src/workers/send.rs:2: `axum` stays in"), "{found:?}");
    }

    #[test]
    fn what_the_core_links_through_others_is_found() {
        let found = findings("README.md", "", &metadata("tokio", "axum"));
        assert_eq!(found, ["weft-core: links `tokio`: the core is pure"]);
    }
}
