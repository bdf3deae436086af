//! What the check of a configuration found, and where.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use super::{Config, Loaded};

/// Where something stands in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, as the path that was given leads to it.
    pub file: Arc<str>,
    /// Counted from 1; `None` stands for the file as a whole.
    pub line: Option<usize>,
    /// The keys that lead there, e.g. `tenant[0].destination[1].url`, counted within the file; empty for the file.
    pub path: String,
}

/// A mistake, or something that is allowed and probably not meant.
///
/// It never holds a secret: values of keys that may hold one are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// The value as TOML would write it, shortened; `None` if it is missing, long or must not be shown.
    pub value: Option<String>,
    /// The rule and the way out.
    pub rule: String,
}

/// Everything that is wrong with a configuration: one line each, and a closing line that counts them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    /// In the order of files and lines.
    pub findings: Vec<Finding>,
}

/// Collects while the configuration is read, so that no reader has to stop at a mistake.
#[derive(Debug, Default)]
pub(super) struct Findings {
    problems: RefCell<Vec<Finding>>,
    warnings: RefCell<Vec<Finding>>,
}

impl Place {
    /// A file as a whole.
    pub(super) fn of_file(file: &Arc<str>) -> Self {
        Self { file: Arc::clone(file), line: None, path: String::new() }
    }

    /// `file:line`, without the path.
    pub(super) fn file_and_line(&self) -> String {
        match self.line {
            Some(line) => format!("{}:{line}", self.file),
            None => self.file.to_string(),
        }
    }
}

impl Findings {
    /// Adds something that must be put right before the configuration can be used.
    pub(super) fn problem(&self, place: &Place, value: Option<String>, rule: impl Into<String>) {
        self.problems.borrow_mut().push(Finding { place: place.clone(), value, rule: rule.into() });
    }

    /// Adds something that a person should look at.
    pub(super) fn warning(&self, place: &Place, value: Option<String>, rule: impl Into<String>) {
        self.warnings.borrow_mut().push(Finding { place: place.clone(), value, rule: rule.into() });
    }

    /// The configuration with the warnings, or all problems; `config` is `None` only if there is a problem.
    pub(super) fn into_result(self, config: Option<Config>) -> Result<Loaded, Problems> {
        let problems = self.problems.into_inner();
        match config {
            Some(config) if problems.is_empty() => {
                Ok(Loaded { config, warnings: in_order(self.warnings.into_inner()) })
            }
            Some(_) | None => Err(Problems::of(problems)),
        }
    }

    /// The warnings, or all problems.
    pub(super) fn into_warnings(self) -> Result<Vec<Finding>, Problems> {
        match self.problems.into_inner() {
            problems if problems.is_empty() => Ok(in_order(self.warnings.into_inner())),
            problems => Err(Problems::of(problems)),
        }
    }
}

impl Problems {
    fn of(findings: Vec<Finding>) -> Self {
        Self { findings: in_order(findings) }
    }
}

/// Sorts by file and line; what stands on one line keeps the order in which it was found.
fn in_order(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by(|a, b| (&a.place.file, a.place.line).cmp(&(&b.place.file, b.place.line)));
    findings
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file_and_line())?;
        if self.path.is_empty() { Ok(()) } else { write!(f, ": {}", self.path) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{} = {value}: {}", self.place, self.rule),
            None => write!(f, "{}: {}", self.place, self.rule),
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        match self.findings.len() {
            1 => f.write_str("1 problem; nothing of this configuration was applied"),
            count => write!(f, "{count} problems; nothing of this configuration was applied"),
        }
    }
}

impl Error for Problems {}

/// An error's message followed by its causes, for a finding that has one line.
pub(super) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
