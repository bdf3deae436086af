//! Runs the tools of other languages: quiet ones in silence, long ones in sight.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// Where `program` is found by its bare name, if it is.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Runs a command whose output is of interest only if it fails; answers what it printed.
pub(super) fn quietly(command: &mut Command) -> Result<String> {
    let program = name(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("could not start {program}"))?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{program} failed ({}):\n{printed}{said}", output.status);
    }
    Ok(printed)
}

/// Runs a command that takes long, with what it tells on stderr in sight; answers what it printed.
pub(super) fn in_sight(command: &mut Command) -> Result<String> {
    let program = name(command);
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("could not start {program}"))?;
    if !output.status.success() {
        bail!("{program} failed ({})", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn name(command: &Command) -> String {
    Path::new(command.get_program()).file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}
