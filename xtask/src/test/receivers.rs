//! The receivers of `examples/receivers` with their libraries, installed once into `target/receivers`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::tool::Sought;
use super::{Ending, Run};
use crate::{apt, command};

/// Where the examples are.
const EXAMPLES: &str = "examples/receivers";
/// What each of them consists of; whoever changes a file gets another installation.
const FILES: [&str; 7] = [
    "javascript/package.json",
    "javascript/package-lock.json",
    "javascript/receiver.mjs",
    "javascript/webhook-do.mjs",
    "python/requirements.txt",
    "python/receiver.py",
    "python/webhook_do.py",
];
/// Written last: what was installed.
const STAMP: &str = "installed";

/// Finds the receivers, installing them first if they are missing or have changed and the run may install.
///
/// # Errors
/// When they cannot be installed.
pub(super) fn seek(run: &Run<'_>) -> Result<Sought<PathBuf>> {
    let (examples, folder) = (run.project.path(EXAMPLES), run.project.target().join("receivers"));
    let mut wanted = String::new();
    for file in FILES {
        let path = examples.join(file);
        wanted += &fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))?;
    }
    let has_programs = ["node", "npm", "python3"].iter().all(|program| command::find(program, None).is_some());
    let is_installed = fs::read_to_string(folder.join(STAMP)).is_ok_and(|installed| installed == wanted);
    if has_programs && is_installed {
        return Ok(Sought::Found(folder));
    }
    if !run.install {
        let missing = "Node.js, Python and the libraries of Standard Webhooks for them".to_owned();
        let remedy = "apt-get install nodejs npm python3-venv, then --install".to_owned();
        return Ok(Sought::Missing(Ending::LeftOut { missing, remedy }));
    }
    if !has_programs {
        apt::install(&["nodejs", "npm", "python3", "python3-venv"])?;
    }
    install(&examples, &folder)?;
    fs::write(folder.join(STAMP), wanted).context("could not say what is installed")?;
    Ok(Sought::Found(folder))
}

fn install(examples: &Path, folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("could not remove {}", folder.display()))?;
    }
    for file in FILES {
        let (from, to) = (examples.join(file), folder.join(file));
        fs::create_dir_all(to.parent().context("a file is in a folder")?).context("could not make a folder")?;
        fs::copy(&from, &to).with_context(|| format!("could not copy {}", from.display()))?;
    }
    let mut npm = Command::new("npm");
    command::run(
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder.join("javascript")),
    )?;
    let python = folder.join("python");
    let venv = || command::run(Command::new("python3").args(["-m", "venv", "--clear", "venv"]).current_dir(&python));
    if venv().is_err() {
        // Debian's Python comes without it.
        apt::install(&["python3-venv"])?;
        venv()?;
    }
    let mut pip = Command::new(python.join("venv/bin/pip"));
    command::run(pip.args(["install", "--quiet", "-r", "requirements.txt"]).current_dir(&python))
}
