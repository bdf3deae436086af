//! TOML as nodes that know where they stand, with the files of a folder merged into one tree.
//!
//! The files may each hold any part. Tables at the root are joined key by key, lists of tables (`[[tenant]]`) one after the
//! other; anything else that two files set is a problem.

use std::ops::Range;
use std::sync::Arc;

use toml_edit::{Document, Item, TableLike, Value as TomlValue};

use super::file::{Files, SourceFile};
use super::finding::{Findings, Place};

/// A value and where it stands: the line of its key, or its own in a list.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// A value of TOML.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Datetime,
    List(Vec<Node>),
    Table(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) node: Node,
}

impl Value {
    /// What this is, with its article, for messages.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a float",
            Self::Boolean(_) => "a boolean",
            Self::Datetime => "a date or time",
            Self::List(_) => "an array",
            Self::Table(_) => "a table",
        }
    }

    fn is_list_of_tables(&self) -> bool {
        matches!(self, Self::List(nodes) if nodes.iter().all(|node| matches!(node.value, Self::Table(_))))
    }
}

/// Parses all files and merges them; a file with a syntax error is left out and among the findings.
pub(super) fn merge(files: &Files, findings: &Findings) -> Node {
    let mut merged = Vec::new();
    for file in &files.sources {
        for entry in parse(file, findings) {
            join(&mut merged, entry, 0, findings);
        }
    }
    let place = Place { file: Arc::clone(&files.name), line: None, path: String::new() };
    Node { place, value: Value::Table(merged) }
}

/// Adds `entry`; at depth 0 a table that is there already takes in the keys of the other.
fn join(entries: &mut Vec<Entry>, entry: Entry, depth: usize, findings: &Findings) {
    let Some(there) = entries.iter_mut().find(|there| there.key == entry.key) else {
        entries.push(entry);
        return;
    };
    let both_list_tables = there.node.value.is_list_of_tables() && entry.node.value.is_list_of_tables();
    match (&mut there.node.value, entry.node.value) {
        (Value::Table(ours), Value::Table(theirs)) if depth == 0 => {
            theirs.into_iter().for_each(|entry| join(ours, entry, depth + 1, findings));
        }
        (Value::List(ours), Value::List(theirs)) if depth == 0 && both_list_tables => ours.extend(theirs),
        (_, _) => {
            let first = there.node.place.file_and_line();
            findings.problem(&entry.node.place, None, format!("is set in {first} already; keep one of the two"));
        }
    }
}

fn parse(file: &SourceFile, findings: &Findings) -> Vec<Entry> {
    let lines = Lines::of(file);
    match Document::parse(file.text.as_str()) {
        Ok(document) => lines.entries(document.as_table(), ""),
        Err(error) => {
            let line = error.span().map(|span| lines.line(&span));
            let place = Place { file: Arc::clone(&file.name), line, path: String::new() };
            // The error's `Display` would quote the line, which may hold a secret.
            findings.problem(&place, None, format!("is not TOML: {}", error.message()));
            Vec::new()
        }
    }
}

/// Knows the line of every byte of a file.
struct Lines<'a> {
    file: &'a Arc<str>,
    /// Where each line after the first starts.
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(file: &'a SourceFile) -> Self {
        let starts = file.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1).collect();
        Self { file: &file.name, starts }
    }

    fn line(&self, span: &Range<usize>) -> usize {
        1 + self.starts.partition_point(|start| *start <= span.start)
    }

    fn place(&self, span: Option<Range<usize>>, path: String) -> Place {
        Place { file: Arc::clone(self.file), line: span.map(|span| self.line(&span)), path }
    }

    fn entries(&self, table: &dyn TableLike, parent: &str) -> Vec<Entry> {
        let entry = |(key, item): (&str, &Item)| {
            let path = path_below(parent, key);
            let span = table.key(key).and_then(toml_edit::Key::span).or_else(|| item.span());
            let node = Node { value: self.item(item, &path)?, place: self.place(span, path) };
            Some(Entry { key: key.to_owned(), node })
        };
        table.iter().filter_map(entry).collect()
    }

    fn item(&self, item: &Item, path: &str) -> Option<Value> {
        Some(match item {
            Item::None => return None,
            Item::Value(value) => self.value(value, path),
            Item::Table(table) => Value::Table(self.entries(table, path)),
            Item::ArrayOfTables(tables) => {
                let element = |(at, table): (usize, &toml_edit::Table)| {
                    let path = format!("{path}[{at}]");
                    let value = Value::Table(self.entries(table, &path));
                    Node { value, place: self.place(table.span(), path) }
                };
                Value::List(tables.iter().enumerate().map(element).collect())
            }
        })
    }

    fn value(&self, value: &TomlValue, path: &str) -> Value {
        match value {
            TomlValue::String(text) => Value::Text(text.value().clone()),
            TomlValue::Integer(number) => Value::Integer(*number.value()),
            TomlValue::Float(number) => Value::Float(*number.value()),
            TomlValue::Boolean(truth) => Value::Boolean(*truth.value()),
            TomlValue::Datetime(_) => Value::Datetime,
            TomlValue::InlineTable(table) => Value::Table(self.entries(table, path)),
            TomlValue::Array(array) => {
                let element = |(at, value): (usize, &TomlValue)| {
                    let path = format!("{path}[{at}]");
                    Node { value: self.value(value, &path), place: self.place(value.span(), path) }
                };
                Value::List(array.iter().enumerate().map(element).collect())
            }
        }
    }
}

/// The path of `key` within `parent`, quoted where TOML would quote it.
fn path_below(parent: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    let key = if bare { key.to_owned() } else { format!("{key:?}") };
    if parent.is_empty() { key } else { format!("{parent}.{key}") }
}
