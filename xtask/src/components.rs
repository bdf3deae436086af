//! `cargo xtask components`: compiles every guest of the repository into `target/components/<crate-name>.wasm`.
//!
//! Guests are found, not listed: every `cdylib` of the guest workspaces is one, and `[package.metadata.weft]` may name
//! features that make another version of it. Files are replaced whole and only when their bytes differ, since an engine
//! may be watching the folder.

mod toolchain;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Deserialize;
use wasm_encoder::{ComponentSection as _, CustomSection};

use crate::command;
use crate::project::{PLUGINS, Package, Project, TEST_GUESTS};
use toolchain::Toolchain;
pub(crate) use toolchain::{WASI_TARGET, wasi_target_present};

/// The custom section in which a component describes itself; `weft-plugin-host` reads it.
const DESCRIPTION: &str = "weft:plugin";

#[derive(Args)]
pub(crate) struct Options {
    /// Installs Debian packages where rustup cannot fetch the wasm target
    #[arg(long)]
    pub(crate) install: bool,
}

/// One component to be built.
#[derive(Debug, PartialEq, Eq)]
struct Guest {
    package: String,
    manifest_path: PathBuf,
    /// The feature that makes this version, if it is not the plain one.
    variant: Option<String>,
}

impl Guest {
    /// The file's name: the crate's with dashes, then the variant's.
    fn file_name(&self) -> String {
        let name = self.package.replace('_', "-");
        match &self.variant {
            Some(variant) => format!("{name}-{variant}.wasm"),
            None => format!("{name}.wasm"),
        }
    }
}

/// Builds all components and returns their paths.
///
/// # Errors
/// When no way to compile for wasm is at hand, or a guest does not build.
pub(crate) fn build(project: &Project, options: &Options) -> Result<Vec<PathBuf>> {
    let toolchain = Toolchain::ready(project, options.install)?;
    let folder = project.components();
    fs::create_dir_all(&folder).with_context(|| format!("could not create {}", folder.display()))?;

    let mut built = Vec::new();
    for workspace in [PLUGINS, TEST_GUESTS] {
        let guests = guests_in(&project.metadata(workspace)?.packages)?;
        let (plain, variants): (Vec<_>, Vec<_>) = guests.into_iter().partition(|guest| guest.variant.is_none());
        built.extend(compile(project, &toolchain, workspace, &plain, None)?);
        for guest in variants {
            let feature = guest.variant.clone();
            built.extend(compile(project, &toolchain, workspace, &[guest], feature.as_deref())?);
        }
    }
    println!("{} components in {}", built.len(), folder.display());
    Ok(built)
}

/// Lists the guests among `packages`: every `cdylib`, and once more for each of its variants.
fn guests_in(packages: &[Package]) -> Result<Vec<Guest>> {
    let mut guests = Vec::new();
    for package in packages.iter().filter(|package| is_cdylib(package)) {
        let variants = package.metadata.as_ref().map(|metadata| metadata.weft.variants.as_slice()).unwrap_or_default();
        if let Some(unknown) = variants.iter().find(|variant| !package.features.contains_key(*variant)) {
            let manifest = package.manifest_path.display();
            bail!("{manifest}: `package.metadata.weft.variants` names `{unknown}`, which is no feature of the crate");
        }
        let versions = std::iter::once(None).chain(variants.iter().cloned().map(Some));
        guests.extend(versions.map(|variant| Guest {
            package: package.name.clone(),
            manifest_path: package.manifest_path.clone(),
            variant,
        }));
    }
    Ok(guests)
}

fn is_cdylib(package: &Package) -> bool {
    package.targets.iter().any(|target| target.crate_types.iter().any(|kind| kind == "cdylib"))
}

/// Compiles guests of one workspace with one set of features and puts their components in place.
fn compile(
    project: &Project,
    toolchain: &Toolchain,
    workspace: &str,
    guests: &[Guest],
    feature: Option<&str>,
) -> Result<Vec<PathBuf>> {
    if guests.is_empty() {
        return Ok(Vec::new());
    }
    let mut cargo = toolchain.build(project, workspace);
    let target_folder = target_folder(project, feature)?;
    cargo.args(["--message-format=json-render-diagnostics", "--target-dir"]).arg(target_folder);
    cargo.args(guests.iter().flat_map(|guest| ["--package", &guest.package]));
    cargo.args(feature.iter().flat_map(|feature| ["--features", feature])).stdin(Stdio::null());

    let mut modules = Vec::new();
    let good = command::watch(&mut cargo, |line| {
        modules.extend(module_of(line));
        Ok(())
    })?;
    if !good {
        bail!("the guests in `{workspace}` do not build");
    }
    let place = |guest: &Guest| {
        let (_, module) = modules
            .iter()
            .find(|(manifest_path, _)| *manifest_path == guest.manifest_path)
            .with_context(|| format!("cargo built no wasm file for `{}`", guest.package))?;
        let component = described(toolchain.component(module)?, &guest.manifest_path)?;
        let target = project.components().join(guest.file_name());
        put(&component, &target)?;
        Ok(target)
    };
    guests.iter().map(place).collect()
}

/// `component` with what the plugin says about itself, if a `plugin.json` stands beside its manifest.
fn described(mut component: Vec<u8>, manifest_path: &Path) -> Result<Vec<u8>> {
    let path = manifest_path.with_file_name("plugin.json");
    if path.exists() {
        let description = fs::read(&path).with_context(|| format!("could not read {}", path.display()))?;
        let section = CustomSection { name: DESCRIPTION.into(), data: description.into() };
        section.append_to_component(&mut component);
    }
    Ok(component)
}

/// Where guests are built with `feature`.
///
/// Each variant has a folder of its own: a cdylib's file carries no hash of its features, so that in one folder two
/// variants would be taken for each other. It begins as a copy of the plain one, which spares compiling the same
/// dependencies once more.
fn target_folder(project: &Project, feature: Option<&str>) -> Result<PathBuf> {
    let plain = project.path("target/guests/plain");
    let Some(feature) = feature else { return Ok(plain) };
    let own = project.path("target/guests").join(feature);
    if plain.is_dir() && !own.exists() {
        let partial = own.with_extension("partial");
        command::run(Command::new("cp").arg("-a").args([&plain, &partial]))?;
        fs::rename(&partial, &own).with_context(|| format!("could not put {} in place", own.display()))?;
    }
    Ok(own)
}

/// A line of `cargo build --message-format=json` that tells of files.
#[derive(Deserialize)]
struct Artifact {
    manifest_path: PathBuf,
    filenames: Vec<PathBuf>,
    target: ArtifactTarget,
}

#[derive(Deserialize)]
struct ArtifactTarget {
    crate_types: Vec<String>,
}

/// Reads manifest and file from a line of cargo's that tells of a finished wasm module, or nothing from all others.
fn module_of(line: &str) -> Option<(PathBuf, PathBuf)> {
    let artifact: Artifact = serde_json::from_str(line).ok()?;
    artifact.target.crate_types.iter().find(|kind| *kind == "cdylib")?;
    let file = artifact.filenames.into_iter().find(|file| file.extension().is_some_and(|end| end == "wasm"))?;
    Some((artifact.manifest_path, file))
}

/// Puts a file in place as a whole, unless the same bytes are there already.
fn put(bytes: &[u8], target: &Path) -> Result<()> {
    if fs::read(target).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    let partial = target.with_extension("wasm.partial");
    fs::write(&partial, bytes).with_context(|| format!("could not write {}", partial.display()))?;
    fs::rename(&partial, target).with_context(|| format!("could not put {} in place", target.display()))?;
    println!("  {} ({} KB)", target.display(), bytes.len() / 1000);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages(json: &str) -> Vec<Package> {
        serde_json::from_str(json).expect("packages")
    }

    #[test]
    fn every_cdylib_is_a_guest_and_once_more_for_each_variant() {
        let found = guests_in(&packages(
            r#"[
                {"id": "a", "name": "weft-plugin", "manifest_path": "/p/sdk/Cargo.toml", "targets": [{"crate_types": ["lib"]}]},
                {"id": "b", "name": "json_filter", "manifest_path": "/p/f/Cargo.toml", "metadata": null,
                 "targets": [{"crate_types": ["cdylib", "rlib"]}]},
                {"id": "c", "name": "stamp", "manifest_path": "/p/s/Cargo.toml", "features": {"v2": []},
                 "metadata": {"weft": {"variants": ["v2"]}}, "targets": [{"crate_types": ["cdylib"]}]}
            ]"#,
        ));
        let files: Vec<_> = found.expect("variants are features").iter().map(Guest::file_name).collect();
        assert_eq!(files, ["json-filter.wasm", "stamp.wasm", "stamp-v2.wasm"]);
    }

    #[test]
    fn a_variant_that_is_no_feature_is_refused_by_name() {
        let stamp = packages(
            r#"[{"id": "c", "name": "stamp", "manifest_path": "/p/s/Cargo.toml",
                 "metadata": {"weft": {"variants": ["v3"]}}, "targets": [{"crate_types": ["cdylib"]}]}]"#,
        );
        let error = guests_in(&stamp).expect_err("there is no such feature");
        assert!(error.to_string().contains("`v3`"), "{error}");
    }

    #[test]
    fn only_the_line_of_a_wasm_cdylib_names_a_module() {
        let line = r#"{"reason":"compiler-artifact","manifest_path":"/p/f/Cargo.toml","target":{"crate_types":["cdylib","rlib"]},
                       "filenames":["/t/libjson_filter.rlib","/t/json_filter.wasm"]}"#;
        assert_eq!(module_of(line), Some(("/p/f/Cargo.toml".into(), "/t/json_filter.wasm".into())));
        assert_eq!(module_of(r#"{"reason":"build-finished","success":true}"#), None);
        assert_eq!(module_of("   Compiling json_filter"), None);
    }

    #[test]
    fn a_component_with_the_same_bytes_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("stamp.wasm");
        put(b"one", &target).expect("written");
        let written = fs::metadata(&target).and_then(|file| file.modified()).expect("its time");
        put(b"one", &target).expect("left alone");
        assert_eq!(fs::metadata(&target).and_then(|file| file.modified()).expect("its time"), written);
        put(b"two", &target).expect("replaced");
        assert_eq!(fs::read(&target).expect("read"), b"two");
        assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 1);
    }
}
