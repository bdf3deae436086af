//! JavaScript and TypeScript: componentize-qjs makes a component of the plugin's modules.
//!
//! JavaScript goes in as it is written, so that an error tells its place in the source. TypeScript, and what imports packages, is made
//! one module by esbuild first.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::tool::{find, in_sight, quietly};
use super::{Tools, WORLD, interface, read, write, write_world};
use crate::project::{Language, Project, ROLES};

/// What the packages of a plugin bring.
const PROGRAMS: [&str; 2] = ["esbuild", "componentize-qjs"];

/// What esbuild tells of a plugin.
#[derive(Deserialize)]
struct Told {
    /// By their paths, from the project's folder.
    inputs: BTreeMap<String, IgnoredAny>,
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
    let told = look_at(&binaries, folder, source)?;
    let roles = told.roles();
    if roles.is_empty() {
        bail!("{source} exports no role: export a function filter, transform or route");
    }

    let wit = work.join("wit");
    let wants: Vec<_> = project.description().wants().collect();
    write_world(&wit, &roles, &wants)?;
    let entry = work.join("entry.js");
    write(&entry, entry_of(source, &roles, &wants))?;
    let module = if project.language() == Language::TypeScript || told.imports_packages() {
        let bundle = work.join("bundle.js");
        bundle_of(&binaries, folder, &entry, &bundle, None)?;
        bundle
    } else {
        entry
    };
    let component = work.join("component.wasm");
    let mut componentize = Command::new(binaries.join("componentize-qjs"));
    componentize.current_dir(&work).arg("--wit").arg(&wit).args(["--world", WORLD, "--js"]).arg(&module);
    componentize.arg("--module-root").arg(folder).args(["--sync", "--stub-wasi", "--output"]).arg(&component);
    quietly(&mut componentize)?;
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

/// Has esbuild read the plugin, which finds what is wrong with its source, too.
fn look_at(binaries: &Path, folder: &Path, source: &str) -> Result<Told> {
    let (bundle, meta) = (folder.join("target/weft/plugin.js"), folder.join("target/weft/meta.json"));
    bundle_of(binaries, folder, &folder.join(source), &bundle, Some(&meta))?;
    serde_json::from_slice(&read(&meta)?).context("esbuild told of its outputs in another form")
}

impl Told {
    /// The roles that the plugin exports; types alone export nothing.
    fn roles(&self) -> Vec<&'static str> {
        let exports =
            |role: &str| self.outputs.values().any(|output| output.exports.iter().any(|export| export == role));
        ROLES.into_iter().filter(|role| exports(role)).collect()
    }

    /// Whether it imports more than its own files and the SDK, whose folder is the project's own.
    fn imports_packages(&self) -> bool {
        self.inputs.keys().any(|path| path.split('/').any(|part| part == "node_modules"))
    }
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
fn entry_of(source: &str, roles: &[&str], wants: &[&str]) -> String {
    let (config, log) = (interface("config"), interface("log"));
    let imports: String =
        wants.iter().map(|want| format!("import * as {want} from \"{}\";\n", interface(want))).collect();
    let granted: String = wants.iter().map(|want| format!(", {want}")).collect();
    let exports: String = roles.iter().map(|role| format!("export const {role} = made.{role};\n")).collect();
    format!(
        r#"import {{ get }} from "{config}";
import {{ log }} from "{log}";
{imports}import {{ roles }} from "weft-plugin/guest";
import * as plugin from "../../{source}";

const made = roles(plugin, {{ get, log{granted} }});
{exports}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_esbuild_tells_names_the_roles_and_whether_packages_are_imported() {
        let told = |input: &str| -> Told {
            let json = format!(
                r#"{{"inputs": {{"{input}": {{"bytes": 1}}, "plugin.js": {{"bytes": 2}}}},
                     "outputs": {{"target/weft/plugin.js": {{"exports": ["transform", "filter", "other"], "bytes": 3}}}}}}"#
            );
            serde_json::from_str(&json).expect("as esbuild tells it")
        };
        let own = told("weft-plugin/index.js");
        assert_eq!((own.roles(), own.imports_packages()), (vec!["filter", "transform"], false));
        assert!(told("node_modules/uuid/dist/index.js").imports_packages());
    }
}
