//! A plugin's folder: what it is called, and in which language it is written.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use weft_plugin_host::Description;

/// Holds what a plugin says about itself; it makes a folder a project.
pub(crate) const MANIFEST: &str = "plugin.json";

/// The names of the roles, which JavaScript and Python plugins give to their functions.
pub const ROLES: [&str; 3] = ["filter", "transform", "route"];

/// What plugins are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// By cargo.
    Rust,
    /// By esbuild and componentize-qjs.
    JavaScript,
    /// The same, types stripped.
    TypeScript,
    /// By componentize-py.
    Python,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Rust, Self::JavaScript, Self::TypeScript, Self::Python];

    /// The word for it on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::JavaScript => "js",
            Self::TypeScript => "ts",
            Self::Python => "python",
        }
    }

    /// The file by which a project of this language is known.
    pub(crate) const fn source(self) -> &'static str {
        match self {
            Self::Rust => "Cargo.toml",
            Self::JavaScript => "plugin.js",
            Self::TypeScript => "plugin.ts",
            Self::Python => "plugin.py",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A plugin's folder.
#[derive(Debug)]
pub struct Project {
    folder: PathBuf,
    language: Language,
    description: Description,
}

impl Project {
    /// Opens the project in `folder`.
    ///
    /// # Errors
    /// When it is none: no `plugin.json`, a wrong one, or no source that is known.
    pub fn open(folder: &Path) -> Result<Self> {
        let folder = folder.canonicalize().with_context(|| format!("no folder {}", folder.display()))?;
        let manifest = folder.join(MANIFEST);
        let text = fs::read_to_string(&manifest).with_context(|| {
            format!("{} is no plugin's folder: it takes a {MANIFEST}, as `weft plugin new` makes one", folder.display())
        })?;
        let description = Description::parse(&text).with_context(|| manifest.display().to_string())?;
        let Some(language) = Language::ALL.into_iter().find(|language| folder.join(language.source()).is_file()) else {
            let known = Language::ALL.map(Language::source).join(", ");
            bail!("{} has no source of a plugin; one of {known} makes it one", folder.display());
        };
        Ok(Self { folder, language, description })
    }

    /// Where it is, absolute.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What it is written in.
    pub fn language(&self) -> Language {
        self.language
    }

    /// What it says about itself.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Where its component is put: named after the plugin, because that is what the plugin folder of an engine goes by.
    pub fn component(&self) -> PathBuf {
        self.folder.join("target").join(format!("{}.wasm", self.description.name()))
    }

    /// Where its fixtures are.
    pub fn fixtures(&self) -> PathBuf {
        self.folder.join("fixtures")
    }
}
