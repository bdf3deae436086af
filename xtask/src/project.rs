//! The repository: where things lie, and cargo as it is called from here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::command;

/// The repository that this program was compiled in.
pub(crate) struct Project {
    root: PathBuf,
}

/// The workspace of the SDK and of the plugins: built for wasm, tested natively.
pub(crate) const PLUGINS: &str = "plugins";

/// The workspace of guests that misbehave on purpose: nothing but wasm.
pub(crate) const TEST_GUESTS: &str = "tests/guests";

/// The workspace of the floor and of the programs that measure; its SQLite cannot live in the main lock file.
pub(crate) const BENCH_WORKSPACE: &str = "benches/floor";

/// The program that wraps modules into components where rustup's target cannot be had.
pub(crate) const COMPONENTIZE: &str = "xtask/componentize";

/// What cargo tells a program that it runs about that program itself.
const OF_THIS_PROGRAM: [&str; 2] = ["CARGO_PKG_", "CARGO_MANIFEST_"];

impl Project {
    /// Finds the repository from the manifest of this crate.
    ///
    /// # Errors
    /// When the folder has been moved since this program was compiled.
    pub(crate) fn find() -> Result<Self> {
        let manifest_folder =
            std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
        let root = manifest_folder.parent().context("xtask lies in the repository")?;
        let root = root.canonicalize().with_context(|| {
            format!("no repository at {}: run it as `cargo xtask`, which compiles it in place", root.display())
        })?;
        Ok(Self { root })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Where `cargo xtask components` puts one `<plugin>.wasm` each.
    pub(crate) fn components(&self) -> PathBuf {
        self.path("target/components")
    }

    /// Where the tools that `--install` compiles are kept.
    pub(crate) fn tools(&self) -> PathBuf {
        self.path("target/tools")
    }

    /// Where cargo puts what it builds of the main workspace.
    pub(crate) fn target(&self) -> PathBuf {
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.path("target"), |folder| self.root.join(folder))
    }

    /// Cargo in the main workspace.
    pub(crate) fn cargo(&self) -> Command {
        self.cargo_in("")
    }

    /// Cargo in the workspace at `folder`; the folder matters, because cargo reads its `.cargo/config.toml` from there.
    ///
    /// It is told nothing of xtask: a build script that looks at such variables (that of ring) would run again, and all that stands
    /// on it compile again, whenever somebody has called cargo by hand in between.
    pub(crate) fn cargo_in(&self, folder: &str) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(self.root.join(folder));
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| OF_THIS_PROGRAM.iter().any(|start| name.starts_with(start))) {
                cargo.env_remove(name);
            }
        }
        cargo
    }

    /// What cargo knows about the workspace at `folder` itself, without its dependencies.
    pub(crate) fn metadata(&self, folder: &str) -> Result<Metadata> {
        let arguments = ["metadata", "--format-version", "1", "--no-deps"];
        self.read_metadata(folder, &arguments)
    }

    /// What cargo knows about the main workspace and everything it depends on where servers run; other platforms link
    /// crates that are never compiled there.
    pub(crate) fn resolved_metadata(&self) -> Result<Metadata> {
        let platform = ["--filter-platform", "x86_64-unknown-linux-gnu"];
        self.read_metadata("", &[&["metadata", "--format-version", "1", "--locked"], platform.as_slice()].concat())
    }

    fn read_metadata(&self, folder: &str, arguments: &[&str]) -> Result<Metadata> {
        let json = command::read(self.cargo_in(folder).args(arguments))
            .with_context(|| format!("could not read the workspace `{folder}`"))?;
        serde_json::from_str(&json).with_context(|| format!("could not read cargo's answer about `{folder}`"))
    }
}

/// The part of `cargo metadata` that is used here.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    #[serde(default)]
    resolve: Option<Resolve>,
}

#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) manifest_path: PathBuf,
    #[serde(default)]
    pub(crate) dependencies: Vec<Dependency>,
    #[serde(default)]
    pub(crate) targets: Vec<Target>,
    #[serde(default)]
    pub(crate) features: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub(crate) metadata: Option<PackageMetadata>,
}

#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
}

#[derive(Deserialize)]
pub(crate) struct Target {
    pub(crate) crate_types: Vec<String>,
}

/// `[package.metadata]`: other tools write there too, so what is not ours is ignored.
#[derive(Deserialize)]
pub(crate) struct PackageMetadata {
    #[serde(default)]
    pub(crate) weft: WeftMetadata,
}

/// `[package.metadata.weft]` of a guest.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct WeftMetadata {
    /// Features that make another version of the component: `["v2"]` of `stamp` is built as `stamp-v2.wasm` as well.
    #[serde(default)]
    pub(crate) variants: Vec<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<NodeDependency>,
}

#[derive(Deserialize)]
struct NodeDependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    /// `None` is an ordinary dependency; `"dev"` and `"build"` are the others.
    kind: Option<String>,
}

impl Metadata {
    /// Everything that ends up in the crate `name`: its ordinary dependencies and theirs.
    ///
    /// # Errors
    /// When there is no such crate, or the metadata was read without dependencies.
    pub(crate) fn linked_into(&self, name: &str) -> Result<BTreeSet<&str>> {
        let resolve = self.resolve.as_ref().context("the metadata was read without dependencies")?;
        let names: BTreeMap<&str, &str> = self.packages.iter().map(|p| (p.id.as_str(), p.name.as_str())).collect();
        let nodes: BTreeMap<&str, &Node> = resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
        let start = self.packages.iter().find(|p| p.name == name).with_context(|| format!("no crate `{name}`"))?;

        let mut open = vec![start.id.as_str()];
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            let linked = nodes.get(id).into_iter().flat_map(|node| &node.deps);
            let linked = linked.filter(|dependency| dependency.dep_kinds.iter().any(|kind| kind.kind.is_none()));
            open.extend(linked.map(|dependency| dependency.pkg.as_str()).filter(|package| seen.insert(*package)));
        }
        Ok(seen.into_iter().filter_map(|id| names.get(id).copied()).collect())
    }
}
