//! Where the programs and components under test are.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The engine `weft`: where `WEFT_BIN` says, as `cargo xtask test` does; else built here, so that no stale one is tested.
///
/// # Panics
/// If it is not there, or cannot be built.
pub(crate) fn weft() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    match env::var_os("WEFT_BIN") {
        Some(path) => existing(PathBuf::from(path), "WEFT_BIN names it; cargo build --package weft-cli makes it"),
        None => BUILT.get_or_init(build).clone(),
    }
}

/// The engine that can be told to abort at a named point.
///
/// # Panics
/// If `WEFT_FAILPOINTS_BIN` does not name it.
pub(crate) fn weft_with_failpoints() -> PathBuf {
    let path =
        env::var_os("WEFT_FAILPOINTS_BIN").expect("WEFT_FAILPOINTS_BIN is not set: run cargo xtask test failpoints");
    existing(path.into(), "cargo xtask test binaries makes it")
}

/// The component `name`.wasm: in `WEFT_COMPONENTS`, else in `target/components`.
///
/// # Panics
/// If it is not there.
pub(crate) fn component(name: &str) -> PathBuf {
    let folder = env::var_os("WEFT_COMPONENTS").map_or_else(|| target().join("components"), PathBuf::from);
    existing(folder.join(format!("{name}.wasm")), "cargo xtask components makes it")
}

fn existing(path: PathBuf, way_out: &str) -> PathBuf {
    assert!(path.is_file(), "{} is not there: {way_out}", path.display());
    path
}

fn build() -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root()).args(["build", "--quiet", "--package", "weft-cli", "--bin", "weft"]);
    let built = cargo.status().expect("cargo can be started");
    assert!(built.success(), "weft does not build");
    existing(target().join("debug/weft"), "cargo has just built it; set WEFT_BIN if it lies elsewhere")
}

fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package lies in the project")
}
