//! Starting other programs: said aloud as a person would type it, and an error that names what was run.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Runs a command with its output on the terminal.
///
/// # Errors
/// When it cannot be started or does not exit with 0.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    say(command);
    let status = command.status().with_context(|| format!("could not start `{}`", line(command)))?;
    if !status.success() {
        bail!("`{}` ended with {status}", line(command));
    }
    Ok(())
}

/// Runs a command silently and returns what it wrote to its standard output.
///
/// # Errors
/// When it cannot be started or does not exit with 0; the error carries what it wrote to its standard error.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("could not start `{}`", line(command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` ended with {}: {}", line(command), output.status, said.trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{}` wrote text that is not UTF-8", line(command)))
}

/// Runs a command and hands every line of its standard output to `see`; its standard error goes to the terminal.
///
/// Returns whether it exited with 0.
///
/// # Errors
/// When it cannot be started or its output cannot be read.
pub(crate) fn watch(command: &mut Command, mut see: impl FnMut(&str) -> Result<()>) -> Result<bool> {
    say(command);
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("could not start `{}`", line(command)))?;
    let stdout = child.stdout.take().context("the standard output was asked for")?;
    let mut reader = BufReader::new(stdout);
    let mut bytes = Vec::new();
    while reader.read_until(b'\n', &mut bytes)? > 0 {
        see(String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']))?;
        bytes.clear();
    }
    Ok(child.wait()?.success())
}

/// Finds a program on `PATH`, or in `first` before that.
pub(crate) fn find(program: &str, first: Option<&Path>) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let candidates = first.into_iter().map(Path::to_owned).chain(std::env::split_paths(&path).collect::<Vec<_>>());
    candidates.map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Prints the command, so that whoever reads the output can repeat it.
fn say(command: &Command) {
    let mut stdout = std::io::stdout().lock();
    // A closed terminal is no reason to stop the work.
    let _ = writeln!(stdout, "$ {}", line(command)).and_then(|()| stdout.flush());
}

/// The command as one line: the variables that it sets, the program's name, its arguments.
fn line(command: &Command) -> String {
    let variables = command
        .get_envs()
        .filter_map(|(key, value)| Some(format!("{}={}", key.to_string_lossy(), quoted(&value?.to_string_lossy()))));
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    let arguments = command.get_args().map(|argument| quoted(&argument.to_string_lossy()));
    variables.chain([name]).chain(arguments).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{word}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_said_as_a_person_would_type_it() {
        let mut command = Command::new("/opt/rust/bin/cargo");
        command.env("RUSTDOCFLAGS", "-D warnings").args(["doc", "--no-deps"]);
        assert_eq!(line(&command), "RUSTDOCFLAGS='-D warnings' cargo doc --no-deps");
    }

    #[test]
    fn every_line_is_handed_over_and_a_failure_is_told() {
        let mut seen = Vec::new();
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two; exit 3"]);
        let good = watch(&mut command, |line| {
            seen.push(line.to_owned());
            Ok(())
        });
        assert!(!good.expect("sh starts"));
        assert_eq!(seen, ["one", "two"]);
    }

    #[test]
    fn a_failed_command_is_quoted_in_the_error() {
        let error = read(Command::new("sh").args(["-c", "echo broken >&2; exit 2"])).expect_err("it exits with 2");
        assert!(error.to_string().contains("broken"), "{error}");
    }
}
