//! Rust: cargo builds a component at once, for a target that rustup brings.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use super::tool::{find, in_sight, quietly};
use super::{Tools, read};
use crate::project::Project;

/// Whose modules are components.
const TARGET: &str = "wasm32-wasip2";

/// A line of cargo's that tells of a finished artifact.
#[derive(Deserialize)]
struct Artifact {
    manifest_path: PathBuf,
    filenames: Vec<PathBuf>,
}

pub(super) fn build(project: &Project, tools: Tools) -> Result<Vec<u8>> {
    let folder = project.folder();
    if find("cargo").is_none() {
        bail!("cargo is missing: get Rust from https://rustup.rs");
    }
    if !has_target(folder)? {
        if tools == Tools::Found || find("rustup").is_none() {
            bail!("Rust's target {TARGET} is missing: rustup target add {TARGET}, or this command with --install");
        }
        in_sight(Command::new("rustup").current_dir(folder).args(["target", "add", TARGET]))?;
    }
    let mut cargo = Command::new("cargo");
    cargo.current_dir(folder).args(["build", "--release", "--target", TARGET]);
    let told = in_sight(cargo.arg("--message-format=json-render-diagnostics"))?;
    let manifest = folder.join("Cargo.toml");
    read(&module(&told, &manifest).with_context(|| {
        format!("cargo built no component of {}: it takes `crate-type = [\"cdylib\", …]`", manifest.display())
    })?)
}

fn has_target(folder: &Path) -> Result<bool> {
    let sysroot = quietly(Command::new("rustc").current_dir(folder).args(["--print", "sysroot"]))?;
    Ok(Path::new(sysroot.trim()).join("lib/rustlib").join(TARGET).join("lib").is_dir())
}

/// The wasm file that cargo made of the package at `manifest`.
fn module(told: &str, manifest: &Path) -> Option<PathBuf> {
    let artifacts = told.lines().filter_map(|line| serde_json::from_str::<Artifact>(line).ok());
    let mut files =
        artifacts.filter(|artifact| artifact.manifest_path == manifest).flat_map(|artifact| artifact.filenames);
    files.rfind(|file| file.extension().is_some_and(|ending| ending == "wasm"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wasm_file_of_the_own_package_is_the_component() {
        let told = r#"{"reason":"compiler-artifact","manifest_path":"/p/sdk/Cargo.toml","filenames":["/t/sdk.wasm"]}
{"reason":"compiler-artifact","manifest_path":"/p/Cargo.toml","filenames":["/t/libp.rlib","/t/p.wasm"]}
{"reason":"build-finished","success":true}"#;
        assert_eq!(module(told, Path::new("/p/Cargo.toml")), Some("/t/p.wasm".into()));
        assert_eq!(module(told, Path::new("/q/Cargo.toml")), None);
    }
}
