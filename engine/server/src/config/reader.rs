//! Typed access to the tree, which writes down what is wrong and goes on.
//!
//! A getter answers `None` after it has written down why, so that a reader can read all of its keys before it gives up.
//! A [`Table`] knows which keys were asked for: what is left over at [`Table::finish`] is unknown.

use std::cell::RefCell;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::duration;
use super::finding::{Findings, Place};
use super::tree::{Entry, Node, Value};

/// Longest value that a message shows.
const SHOWN_CHARS_MAX: usize = 80;
/// How alike (0 to 1, Jaro-Winkler) a known key must be to be offered for an unknown one.
const SIMILARITY_MIN: f64 = 0.8;

/// A table whose keys are being read.
pub(super) struct Table<'a> {
    entries: &'a [Entry],
    whole: Field<'a>,
    known: RefCell<Vec<&'static str>>,
}

/// A value that is being read.
#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    node: &'a Node,
    findings: &'a Findings,
    /// Whether messages may show the value.
    shown: Shown,
}

#[derive(Clone, Copy)]
enum Shown {
    AsWritten,
    Never,
}

impl<'a> Table<'a> {
    /// The table of the whole configuration.
    pub(super) fn of_root(node: &'a Node, findings: &'a Findings) -> Option<Self> {
        Field { node, findings, shown: Shown::AsWritten }.table()
    }

    /// Where the table stands.
    pub(super) fn place(&self) -> &'a Place {
        self.whole.place()
    }

    /// The value of `key`, if there is one.
    pub(super) fn field(&self, key: &'static str) -> Option<Field<'a>> {
        self.known.borrow_mut().push(key);
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        Some(Field { node: &entry.node, ..self.whole })
    }

    /// The value of `key`; its absence is a problem, which says `way_out`.
    pub(super) fn required(&self, key: &'static str, way_out: &str) -> Option<Field<'a>> {
        self.field(key).or_else(|| self.problem(format!("\"{key}\" is missing; {way_out}")))
    }

    /// Writes down a problem of the table as a whole.
    pub(super) fn problem<T>(&self, rule: impl Into<String>) -> Option<T> {
        self.whole.problem(rule)
    }

    /// Writes down every key that nobody asked for.
    pub(super) fn finish(self) {
        let known = self.known.into_inner();
        for entry in self.entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            let alike = known.iter().map(|key| (strsim::jaro_winkler(key, &entry.key), *key));
            let best = alike.filter(|(alike, _)| *alike >= SIMILARITY_MIN).max_by(|a, b| a.0.total_cmp(&b.0));
            let hint = best.map(|(_, key)| format!(", did you mean \"{key}\"?")).unwrap_or_default();
            let rule = format!("there is no such key here{hint} (known: {})", known.join(", "));
            // Never with its value: a misspelled key may hold a secret.
            self.whole.findings.problem(&entry.node.place, None, rule);
        }
    }
}

impl<'a> Field<'a> {
    /// Where the value stands.
    pub(super) fn place(self) -> &'a Place {
        &self.node.place
    }

    /// The same value and all below it, never shown in messages.
    pub(super) fn hiding(self) -> Self {
        Self { shown: Shown::Never, ..self }
    }

    /// Writes down a problem of this value; always `None`, for the caller to return.
    pub(super) fn problem<T>(self, rule: impl Into<String>) -> Option<T> {
        self.findings.problem(self.place(), self.shown(), rule);
        None
    }

    /// The same for a value that must be shown in another form, `shown`.
    pub(super) fn problem_showing<T>(self, shown: &str, rule: impl Into<String>) -> Option<T> {
        self.findings.problem(self.place(), Some(shortened(shown.to_owned())), rule);
        None
    }

    /// Writes down something about this value that a person should look at.
    pub(super) fn warning(self, rule: impl Into<String>) {
        self.findings.warning(self.place(), self.shown(), rule);
    }

    /// Whether the value is a string.
    pub(super) fn is_text(self) -> bool {
        matches!(self.node.value, Value::Text(_))
    }

    /// Whether the value is a table.
    pub(super) fn is_table(self) -> bool {
        matches!(self.node.value, Value::Table(_))
    }

    /// The raw value.
    pub(super) fn value(self) -> &'a Value {
        &self.node.value
    }

    /// Reads a string.
    pub(super) fn text(self) -> Option<&'a str> {
        let Value::Text(text) = self.value() else { return self.wrong_type("a string") };
        Some(text)
    }

    /// Reads an integer.
    pub(super) fn integer(self) -> Option<i64> {
        let Value::Integer(number) = self.value() else { return self.wrong_type("an integer") };
        Some(*number)
    }

    /// Reads `true` or `false`.
    pub(super) fn boolean(self) -> Option<bool> {
        let Value::Boolean(truth) = self.value() else { return self.wrong_type("a boolean") };
        Some(*truth)
    }

    /// Reads a table.
    pub(super) fn table(self) -> Option<Table<'a>> {
        let Value::Table(entries) = self.value() else { return self.wrong_type("a table") };
        Some(Table { entries, whole: self, known: RefCell::default() })
    }

    /// Reads a table of free keys, at most `count_max` of them.
    pub(super) fn entries(self, count_max: usize) -> Option<Vec<(&'a str, Field<'a>)>> {
        let Value::Table(entries) = self.value() else { return self.wrong_type("a table") };
        if entries.len() > count_max {
            return self.problem(format!("holds {} keys; at most {count_max} are allowed", entries.len()));
        }
        let field = |entry: &'a Entry| (entry.key.as_str(), Field { node: &entry.node, ..self });
        Some(entries.iter().map(field).collect())
    }

    /// Reads an array of at most `count_max`; empty if it is none.
    pub(super) fn list(self, count_max: usize) -> Vec<Field<'a>> {
        let Value::List(nodes) = self.value() else { return self.wrong_type("an array").unwrap_or_default() };
        if nodes.len() > count_max {
            self.problem::<()>(format!("holds {} entries; at most {count_max} are allowed", nodes.len()));
        }
        nodes.iter().take(count_max).map(|node| Field { node, ..self }).collect()
    }

    /// Reads a string that is written as `T` is; the error of `T` says the value and the rule.
    pub(super) fn parsed<T: FromStr<Err: fmt::Display>>(self) -> Option<T> {
        match self.text()?.parse() {
            Ok(value) => Some(value),
            Err(why) => self.hiding().problem(why.to_string()),
        }
    }

    /// Reads a duration, e.g. `"5s"`.
    pub(super) fn duration(self) -> Option<Duration> {
        let rule = "must be a whole number and a unit: \"250ms\", \"5s\", \"10m\" or \"2h\"";
        let Value::Text(text) = self.value() else {
            return self.problem(format!("{rule}; this is {}", self.value().kind()));
        };
        duration::parse(text).or_else(|| self.problem(rule))
    }

    /// Reads a path that is not empty.
    pub(super) fn path(self) -> Option<PathBuf> {
        let text = self.text()?;
        if text.is_empty() || text.contains('\0') {
            return self.problem("must be a path");
        }
        Some(PathBuf::from(text))
    }

    fn wrong_type<T>(self, wanted: &str) -> Option<T> {
        self.problem(format!("must be {wanted}, this is {}", self.value().kind()))
    }

    /// The value as messages show it.
    fn shown(self) -> Option<String> {
        let Shown::AsWritten = self.shown else { return None };
        match &self.node.value {
            Value::Text(text) => Some(shortened(format!("{text:?}"))),
            Value::Integer(number) => Some(number.to_string()),
            Value::Float(number) => Some(number.to_string()),
            Value::Boolean(truth) => Some(truth.to_string()),
            Value::Datetime | Value::List(_) | Value::Table(_) => None,
        }
    }
}

fn shortened(text: String) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
