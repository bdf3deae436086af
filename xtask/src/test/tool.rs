//! Cargo subcommands that checks need: found in `target/tools` or on `PATH`, compiled with `--install`.

use std::path::PathBuf;

use anyhow::{Result, bail};

use super::{Ending, Run};
use crate::command;

/// A cargo subcommand at the version that this repository is checked with.
pub(super) struct CargoTool {
    pub(super) name: &'static str,
    pub(super) version: &'static str,
}

/// Something that a stage needs, or the ending of the stage that cannot run without it.
pub(super) enum Sought<T> {
    Found(T),
    Missing(Ending),
}

impl CargoTool {
    /// Finds the tool, compiling it first if it is missing and the run may install.
    ///
    /// # Errors
    /// When it does not compile.
    pub(super) fn seek(&self, run: &Run<'_>) -> Result<Sought<PathBuf>> {
        let folder = run.project.tools();
        if let Some(program) = command::find(self.name, Some(&folder.join("bin"))) {
            return Ok(Sought::Found(program));
        }
        if !run.install {
            let remedy = format!("cargo install --locked {}@{}, or --install", self.name, self.version);
            return Ok(Sought::Missing(Ending::LeftOut { missing: self.name.to_owned(), remedy }));
        }
        // Unoptimised and without default features: each checks one small tree, and compiles in a third of the time.
        let mut cargo = run.project.cargo();
        cargo.args(["install", "--locked", "--debug", "--no-default-features", "--root"]).arg(&folder);
        cargo.args(["--version", self.version, self.name]);
        cargo.env("CARGO_PROFILE_DEV_DEBUG", "false").env_remove("CARGO_TARGET_DIR");
        command::run(&mut cargo)?;
        match command::find(self.name, Some(&folder.join("bin"))) {
            Some(program) => Ok(Sought::Found(program)),
            None => bail!("cargo installed no `{}` into {}", self.name, folder.display()),
        }
    }
}
