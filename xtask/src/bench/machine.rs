//! The facts about a machine that numbers belong to.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::command;
use crate::project::Project;

/// How many CPUs this process may use.
pub(super) fn cpus() -> f64 {
    let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// What a reader of numbers asks first; a fact that cannot be had is null.
pub(super) fn facts(project: &Project) -> Value {
    let target = project.path("target");
    json!({
        "cpu": line_of("/proc/cpuinfo", "model name"),
        "cpus": cpus(),
        "memory": line_of("/proc/meminfo", "MemTotal"),
        "kernel": told(Command::new("uname").arg("-r")),
        "file_system": told(Command::new("stat").args(["--file-system", "--format=%T"]).arg(&target)),
        "rustc": told(Command::new("rustc").arg("--version").current_dir(project.root())),
        "commit": told(Command::new("git").args(["describe", "--always", "--dirty"]).current_dir(project.root())),
    })
}

fn told(command: &mut Command) -> Option<String> {
    command::read(command).ok().map(|text| text.trim().to_owned())
}

/// The value of the first line `key : value` of a file.
fn line_of(file: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix(':'))?;
    Some(value.trim().to_owned())
}
