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
    for language in LANGUAGES {
        let name = format!("order-{language}");
        let plugin = folder.join(&name);
        if plugin.exists() {
            fs::remove_dir_all(&plugin).with_context(|| format!("could not remove {}", plugin.display()))?;
        }
        command::run(Command::new(weft).current_dir(&folder).args(["plugin", "new", &name, "--lang", language]))?;
        let mut build = Command::new(weft);
        build.args(["plugin", "build"]).arg(&plugin);
        // Only a run that may install fetches the packages of a language.
        command::run(build.args(run.install.then_some("--install")))?;
    }
    Ok(Sought::Found(folder))
}
