//! The house rules that neither the compiler nor a lint can see, checked over every tracked file.
//!
//! A rule is a pure function from files to findings (`rules`, `walls`); this module reads the tree and prints. A finding
//! names file, rule and way out. There is no list of exceptions: a rule that does not fit is changed here, in the open.

mod rules;
mod walls;

use std::fmt;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command;
use crate::project::Project;

/// A tracked text file: its path from the root, with `/`, and what is in it.
struct SourceFile {
    path: String,
    text: String,
}

/// A broken rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    /// The line, if the rule is about one.
    line: Option<usize>,
    rule: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path, self.rule),
            None => write!(f, "{}: {}", self.path, self.rule),
        }
    }
}

impl Finding {
    fn of_file(path: &str, rule: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: None, rule: rule.into() }
    }

    fn at(path: &str, line: usize, rule: impl Into<String>) -> Self {
        Self { line: Some(line), ..Self::of_file(path, rule) }
    }
}

/// Checks the tree and prints what is not as it must be.
///
/// # Errors
/// When a rule is broken, or the tree is no git checkout.
pub(crate) fn run(project: &Project) -> Result<()> {
    let files = tree(project)?;
    let mut findings = rules::check(&files);
    findings.extend(walls::check(&files, &project.resolved_metadata()?)?);
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    if !findings.is_empty() {
        bail!("{} house rules are broken", findings.len());
    }
    println!("{} files are tidy", files.len());
    Ok(())
}

/// Reads all text files that are tracked, or would be by `git add`.
fn tree(project: &Project) -> Result<Vec<SourceFile>> {
    let mut git = Command::new("git");
    git.current_dir(project.root()).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let listed = command::read(&mut git).context("the house rules are checked over the files that git knows")?;
    let mut files = Vec::new();
    for path in listed.split_terminator('\0') {
        let file = project.path(path);
        // A file that was deleted and not yet committed, a link and a submodule are nothing to read.
        if !file.symlink_metadata().is_ok_and(|metadata| metadata.is_file()) {
            continue;
        }
        let bytes = fs::read(&file).with_context(|| format!("could not read {}", file.display()))?;
        if let Ok(text) = String::from_utf8(bytes) {
            files.push(SourceFile { path: path.to_owned(), text });
        }
    }
    Ok(files)
}
