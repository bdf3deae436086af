//! Debian packages, for commands that were told `--install`.

use std::process::Command;

use anyhow::{Context, Result};

use crate::command;

/// The package of the server and of `psql`.
pub(crate) const POSTGRES: &str = "postgresql";

/// Installs packages, fetching the list of packages first if they are not known.
///
/// # Errors
/// When there is no `apt-get`, the user may not install, or a package cannot be had.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    if command::run(apt_get().args(["install", "-y", "--no-install-recommends"]).args(packages)).is_ok() {
        return Ok(());
    }
    command::run(apt_get().args(["update"])).context("the list of Debian packages could not be fetched")?;
    command::run(apt_get().args(["install", "-y", "--no-install-recommends"]).args(packages))
}

/// `apt-get`, by way of `sudo` for a user who is not root; it never asks a question.
fn apt_get() -> Command {
    let is_root = command::read(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if is_root {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive");
        return apt;
    }
    let mut sudo = Command::new("sudo");
    sudo.args(["--non-interactive", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    sudo
}
