//! Plugins in every language, made and built by the program itself, as a reader of the README would.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::tool::Sought;
use super::{Ending, Run};
use crate::{apt, command};

/// What `weft plugin new --lang` takes.
const LANGUAGES: [&str; 4] = ["rust", "js", "ts", "python"];
/// Languages in which what a step grants is tried, with the source file: those whose SDKs are not made by the contract alone.
const BORROWERS: [(&str, &str); 2] = [("js", "plugin.js"), ("python", "plugin.py")];
/// What the languages' own tools start from.
const PROGRAMS: [&str; 3] = ["node", "npm", "python3"];

/// Makes a plugin in each language with the program at `weft` and builds it; answers the folder that holds them.
///
/// # Errors
/// When one cannot be made or built.
pub(super) fn seek(run: &Run<'_>, weft: &Path) -> Result<Sought<PathBuf>> {
    let has_programs = PROGRAMS.iter().all(|program| command::find(program, None).is_some());
    if !has_programs && !run.install {
        let missing = "Node.js and Python".to_owned();
        let remedy = "apt-get install nodejs npm python3-venv, or --install".to_owned();
        return Ok(Sought::Missing(Ending::LeftOut { missing, remedy }));
    }
    if !has_programs {
        apt::install(&["nodejs", "npm", "python3", "python3-venv"])?;
    }
    let folder = run.project.target().join("languages");
    fs::create_dir_all(&folder).with_context(|| format!("could not make {}", folder.display()))?;
    let plugins = Plugins { folder: &folder, weft, may_install: run.install };
    for language in LANGUAGES {
        let plugin = plugins.make(&format!("order-{language}"), language)?;
        plugins.build(&plugin)?;
    }
    for (language, source) in BORROWERS {
        let name = format!("borrower-{language}");
        let plugin = plugins.make(&name, language)?;
        let written = run.project.root().join("tests/guests").join(&name);
        for file in [source, "plugin.json"] {
            let (from, to) = (written.join(file), plugin.join(file));
            fs::copy(&from, &to).with_context(|| format!("could not copy {}", from.display()))?;
        }
        plugins.build(&plugin)?;
    }
    Ok(Sought::Found(folder))
}

/// Where plugins are made, and by which program.
struct Plugins<'a> {
    folder: &'a Path,
    weft: &'a Path,
    may_install: bool,
}

impl Plugins<'_> {
    /// Makes a new plugin in place of an old one.
    fn make(&self, name: &str, language: &str) -> Result<PathBuf> {
        let plugin = self.folder.join(name);
        if plugin.exists() {
            fs::remove_dir_all(&plugin).with_context(|| format!("could not remove {}", plugin.display()))?;
        }
        let mut new = Command::new(self.weft);
        command::run(new.current_dir(self.folder).args(["plugin", "new", name, "--lang", language]))?;
        Ok(plugin)
    }

    fn build(&self, plugin: &Path) -> Result<()> {
        let mut build = Command::new(self.weft);
        build.args(["plugin", "build"]).arg(plugin);
        // Only a run that may install fetches the packages of a language.
        command::run(build.args(self.may_install.then_some("--install"))).map(drop)
    }
}
