//! The facts about a machine that numbers belong to.

use std::fs;
use std::io::{Seek, Write};
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use serde_json::{Value, json};

use crate::command;
use crate::project::Project;
use crate::stopwatch::Stopwatch;

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
        "fdatasync_ms": fdatasync_ms(&target).ok(),
        "file_system": told(Command::new("stat").args(["--file-system", "--format=%T"]).arg(&target)),
        "rustc": told(Command::new("rustc").arg("--version").current_dir(project.root())),
        "commit": told(Command::new("git").args(["describe", "--always", "--dirty"]).current_dir(project.root())),
    })
}

/// The median time to write a page over and have it on the disk: what every acknowledgement waits for.
fn fdatasync_ms(folder: &Path) -> Result<f64> {
    const PAGE: [u8; 8_192] = [1; 8_192];
    const TIMES: usize = 101;
    let mut file = tempfile::tempfile_in(folder)?;
    file.write_all(&PAGE)?;
    file.sync_all()?;
    let mut took = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        file.rewind()?;
        file.write_all(&PAGE)?;
        let watch = Stopwatch::start();
        file.sync_data()?;
        took.push(watch.elapsed());
    }
    took.sort_unstable();
    Ok(took[TIMES / 2].as_secs_f64() * 1e3)
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
