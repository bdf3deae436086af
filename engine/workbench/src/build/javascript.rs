//! JavaScript and TypeScript: esbuild makes one module of the plugin and what it imports, componentize-qjs a component of that.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use super::tool::{find, in_sight, quietly};
use super::{Tools, WORLD, interface, read, write, write_world};
use crate::project::{Project, ROLES};

/// What the packages of a plugin bring.
const PROGRAMS: [&str; 2] = ["esbuild", "componentize-qjs"];

/// What esbuild tells of its outputs.
#[derive(Deserialize)]
struct Told {
    outputs: BTreeMap<String, Output>,
}

#[derive(Deserialize)]
struct Output {
    #[serde(default)]
    exports: Vec<String>,
}

pub(super) fn build(project: &Project, tools: Tools) -> Result<Vec<u8>> {
    let folder = project.folder();
    let binaries = folder.join("node_modules/.bin");
    let is_missing = || PROGRAMS.iter().any(|program| !binaries.join(program).exists());
    if is_missing() {
        install(folder, tools)?;
    }
    if is_missing() {
        bail!("npm did not bring {}: are they in devDependencies of package.json?", PROGRAMS.join(" and "));
    }
    let work = folder.join("target/weft");
    let source = project.language().source();
    let roles = exported(&binaries, folder, source)?;

    let wit = work.join("wit");
    write_world(&wit, &roles)?;
    let entry = work.join("entry.js");
    write(&entry, entry_of(source, &roles))?;
    let bundle = work.join("bundle.js");
    bundle_of(&binaries, folder, &entry, &bundle, None)?;
    let component = work.join("component.wasm");
    let mut componentize = Command::new(binaries.join("componentize-qjs"));
    componentize.current_dir(&work).arg("--wit").arg(&wit).args(["--world", WORLD, "--js"]).arg(&bundle);
    quietly(componentize.args(["--sync", "--stub-wasi", "--output"]).arg(&component))?;
    read(&component)
}

fn install(folder: &Path, tools: Tools) -> Result<()> {
    if find("npm").is_none() {
        bail!("npm is missing: get Node.js 20 or later, with npm");
    }
    // What a lock file pins is installed as it is pinned.
    let verb = if folder.join("package-lock.json").exists() { "ci" } else { "install" };
    if tools == Tools::Found {
        bail!("the plugin's packages are missing: npm {verb} in {}, or this command with --install", folder.display());
    }
    in_sight(Command::new("npm").current_dir(folder).args([
        verb,
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--loglevel=error",
    ]))
    .map(drop)
}

/// The roles that the plugin exports, as esbuild finds them: types alone export nothing.
fn exported(binaries: &Path, folder: &Path, source: &str) -> Result<Vec<&'static str>> {
    let (bundle, meta) = (folder.join("target/weft/plugin.js"), folder.join("target/weft/meta.json"));
    bundle_of(binaries, folder, &folder.join(source), &bundle, Some(&meta))?;
    let told: Told = serde_json::from_slice(&read(&meta)?).context("esbuild told of its outputs in another form")?;
    let exports: Vec<_> = told.outputs.into_values().flat_map(|output| output.exports).collect();
    let roles: Vec<_> = ROLES.into_iter().filter(|role| exports.iter().any(|export| export == role)).collect();
    if roles.is_empty() {
        bail!("{source} exports no role: export a function filter, transform or route");
    }
    Ok(roles)
}

fn bundle_of(binaries: &Path, folder: &Path, entry: &Path, bundle: &Path, meta: Option<&PathBuf>) -> Result<()> {
    let mut esbuild = Command::new(binaries.join("esbuild"));
    esbuild.current_dir(folder).arg(entry).args(["--bundle", "--format=esm", "--platform=neutral", "--charset=utf8"]);
    esbuild.args(["--main-fields=module,main", "--target=es2022", "--external:weft:*", "--log-level=warning"]);
    esbuild.arg(format!("--outfile={}", bundle.display()));
    esbuild.args(meta.map(|meta| format!("--metafile={}", meta.display())));
    quietly(&mut esbuild).map(drop)
}

/// The module that joins the plugin's functions and the host.
fn entry_of(source: &str, roles: &[&str]) -> String {
    let (config, log) = (interface("config"), interface("log"));
    let exports: String = roles.iter().map(|role| format!("export const {role} = made.{role};\n")).collect();
    format!(
        r#"import {{ get }} from "{config}";
import {{ log }} from "{log}";
import {{ roles }} from "weft-plugin/guest";
import * as plugin from "../../{source}";

const made = roles(plugin, {{ get, log }});
{exports}"#
    )
}
