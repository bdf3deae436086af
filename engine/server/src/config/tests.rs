//! What a person who writes a configuration can rely on.

mod example;
mod mistakes;
mod rules;
mod secrets;

use std::path::PathBuf;
use std::sync::Arc;

use super::file::{Files, SourceFile};
use super::finding::Findings;
use super::{Config, Loaded, Problems, check};

/// Checks one file, `weft.toml`, as if it lay in `/etc/weft`.
fn checked(text: &str) -> Result<Loaded, Problems> {
    checked_files(&[("weft.toml", text)])
}

fn checked_files(texts: &[(&str, &str)]) -> Result<Loaded, Problems> {
    let source = |(name, text): &(&str, &str)| SourceFile { name: Arc::from(*name), text: (*text).to_owned() };
    let sources = texts.iter().map(source).collect();
    check(&Files { folder: PathBuf::from("/etc/weft"), name: Arc::from("weft.toml"), sources }, Findings::default())
}

fn good(text: &str) -> Config {
    match checked(text) {
        Ok(loaded) => loaded.config,
        Err(problems) => panic!("{problems}"),
    }
}

/// The lines of a report without the closing one.
fn problems(text: &str) -> Vec<String> {
    match checked(text) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.findings.iter().map(ToString::to_string).collect(),
    }
}

fn warnings(text: &str) -> Vec<String> {
    match checked(text) {
        Ok(loaded) => loaded.warnings.iter().map(ToString::to_string).collect(),
        Err(problems) => panic!("{problems}"),
    }
}

/// Asserts that `text` has exactly one problem, and that its line says `says`.
fn assert_problem(text: &str, says: &str) {
    let found = problems(text);
    assert!(
        found.len() == 1 && found[0].contains(says),
        "{text}\nmust have one problem that says {says:?}, has {found:#?}"
    );
}
