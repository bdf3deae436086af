//! From a project to its component: by the language's own tools, which are found or named.

mod javascript;
mod python;
mod rust;
mod tool;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use weft_plugin_host::{CONTRACT, describe};

use crate::project::{Language, Project};

/// The contract as it is released with this binary.
pub(crate) const WIT: &str = include_str!("../../../wit/weft.wit");
/// The world that is made for the roles of a plugin.
const WORLD: &str = "built";

/// Whether missing tools may be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tools {
    /// What is missing is named.
    Found,
    /// What is missing is fetched, into the project's own folder where the language has such a place.
    Installed,
}

/// Builds a project's component, with its description, and answers where it is.
///
/// # Errors
/// When a tool is missing, with what to type; when the source does not build.
pub fn build(project: &Project, tools: Tools) -> Result<PathBuf> {
    let component = match project.language() {
        Language::Rust => rust::build(project, tools)?,
        Language::JavaScript | Language::TypeScript => javascript::build(project, tools)?,
        Language::Python => python::build(project, tools)?,
    };
    let component = describe(component, project.description().text()).context("could not add the description")?;
    let place = project.component();
    put(&place, &component)?;
    Ok(place)
}

/// Puts a file in place as a whole: an engine may be watching the folder.
fn put(place: &Path, bytes: &[u8]) -> Result<()> {
    let partial = place.with_extension("wasm.partial");
    write(&partial, bytes)?;
    fs::rename(&partial, place).with_context(|| format!("could not put {} in place", place.display()))
}

fn write(place: &Path, bytes: impl AsRef<[u8]>) -> Result<()> {
    if let Some(folder) = place.parent() {
        fs::create_dir_all(folder).with_context(|| format!("could not make {}", folder.display()))?;
    }
    fs::write(place, bytes).with_context(|| format!("could not write {}", place.display()))
}

fn read(place: &Path) -> Result<Vec<u8>> {
    fs::read(place).with_context(|| format!("could not read {}", place.display()))
}

/// Writes the contract and a world with these roles into `folder`, which imports what the plugin wants and no more: an interpreter
/// uses all that its world has.
fn write_world(folder: &Path, roles: &[&str], wants: &[&str]) -> Result<()> {
    let imports: String = wants.iter().map(|want| format!("  import {want};\n")).collect();
    let exports: String = roles.iter().map(|role| format!("  export {role};\n")).collect();
    write(&folder.join("weft.wit"), WIT)?;
    write(
        &folder.join("world.wit"),
        format!("package {CONTRACT};\n\nworld {WORLD} {{\n  include base;\n{imports}{exports}}}\n"),
    )
}

/// An interface of the contract, as components name it.
fn interface(name: &str) -> String {
    let (package, version) = CONTRACT.split_once('@').unwrap_or((CONTRACT, ""));
    format!("{package}/{name}@{version}")
}
