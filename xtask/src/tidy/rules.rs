//! Rules about one file at a time, and about the two documents that every reader meets first.

use std::path::Path;

use super::{Finding, SourceFile};

/// 400: the best codebases we know keep 95 of 100 files under it, tests not counted.
const FILE_LINES_MAX: usize = 400;

/// 150: ARCHITECTURE.md is read in one sitting or not at all.
const ARCHITECTURE_LINES_MAX: usize = 150;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 6] = ["utils", "util", "helpers", "helper", "common", "misc"];

/// Marks of unfinished work, written so that this file does not contain them.
const UNFINISHED: [&str; 4] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("db", "g!("), concat!("XX", "X")];

/// Where developers keep their checkouts, written so that this file does not contain them.
const HOMES: [&str; 4] = [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/Us", "ers/")];

/// The two commands that a stranger needs.
const COMMANDS: [&str; 2] = ["cargo xtask demo", "cargo xtask test"];

pub(super) fn check(files: &[SourceFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files {
        findings.extend(name_says_something(file));
        findings.extend(nobodys_folder(file));
        if is_ours_to_finish(file) {
            findings.extend(finished(file));
        }
        if is_rust(file) {
            findings.extend(opens_with_its_purpose(file));
            findings.extend(one_noun(file));
        }
    }
    findings.extend(documents(files));
    findings
}

fn is_rust(file: &SourceFile) -> bool {
    file.path.ends_with(".rs")
}

/// Payloads of the examples say what their senders say; lock files belong to cargo.
fn is_ours_to_finish(file: &SourceFile) -> bool {
    let endings = [".rs", ".toml", ".md", ".wit", ".sql", ".sh", ".css", ".html", ".js", ".ts"];
    endings.iter().any(|ending| file.path.ends_with(ending)) || file.path.starts_with(".ci/")
}

fn name_says_something(file: &SourceFile) -> Option<Finding> {
    let parts = Path::new(&file.path).components().filter_map(|part| Path::new(part.as_os_str()).file_stem()?.to_str());
    let empty = parts.into_iter().find(|part| EMPTY_NAMES.contains(part))?;
    Some(Finding::of_file(&file.path, format!("`{empty}` says nothing: name the file after the noun inside")))
}

fn nobodys_folder(file: &SourceFile) -> Vec<Finding> {
    if file.path.ends_with(".lock") {
        return Vec::new();
    }
    let find = |line: &str| HOMES.into_iter().find(|home| names_path(line, home));
    let lines = (1..).zip(file.text.lines());
    lines
        .filter_map(|(number, line)| {
            let home = find(line)?;
            Some(Finding::at(&file.path, number, format!("a path below `{home}` exists on one machine only")))
        })
        .collect()
}

/// Whether `line` names a path that begins with `folder`, rather than one that has it in the middle.
fn names_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "_-.}~*".contains(c))
    })
}

fn finished(file: &SourceFile) -> Vec<Finding> {
    let lines = (1..).zip(file.text.lines());
    lines
        .filter_map(|(number, line)| {
            let mark = UNFINISHED.into_iter().find(|mark| has_word(line, mark))?;
            Some(Finding::at(&file.path, number, format!("`{mark}` belongs into an issue, not into the tree")))
        })
        .collect()
}

/// Whether `line` has `word`, not as part of a longer one.
fn has_word(line: &str, word: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let ends = !word.ends_with(char::is_alphanumeric) || !after.is_some_and(part_of_word);
        ends && !before.is_some_and(part_of_word)
    })
}

fn opens_with_its_purpose(file: &SourceFile) -> Option<Finding> {
    if file.text.starts_with("//! ") {
        return None;
    }
    Some(Finding::of_file(&file.path, "a source file opens with `//!` and a sentence: what it is for"))
}

fn one_noun(file: &SourceFile) -> Option<Finding> {
    if is_test_file(&file.path) {
        return None;
    }
    let lines = lines_without_tests(&file.text);
    if lines <= FILE_LINES_MAX {
        return None;
    }
    Some(Finding::of_file(
        &file.path,
        format!("{lines} lines without tests (at most {FILE_LINES_MAX}): split it by its nouns"),
    ))
}

/// Whether a file holds nothing but tests.
fn is_test_file(path: &str) -> bool {
    path.starts_with("tests/it/") || path.ends_with("/tests.rs") || path.contains("/tests/")
}

/// Counts the lines before the test module, which stands last in a file.
fn lines_without_tests(text: &str) -> usize {
    text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count()
}

fn documents(files: &[SourceFile]) -> Vec<Finding> {
    let find = |path: &str| files.iter().find(|file| file.path == path);
    let mut findings = Vec::new();
    match find("README.md") {
        Some(readme) => {
            let absent = COMMANDS.into_iter().filter(|command| !readme.text.contains(command));
            findings.extend(absent.map(|command| Finding::of_file("README.md", format!("does not name `{command}`"))));
        }
        None => findings.push(Finding::of_file("README.md", "is missing")),
    }
    match find("ARCHITECTURE.md").map(|file| file.text.lines().count()) {
        Some(lines) if lines > ARCHITECTURE_LINES_MAX => findings.push(Finding::of_file(
            "ARCHITECTURE.md",
            format!("{lines} lines (at most {ARCHITECTURE_LINES_MAX}): it is the bird's eye view"),
        )),
        Some(_) => {}
        None => findings.push(Finding::of_file("ARCHITECTURE.md", "is missing")),
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENTS: [(&str, &str); 2] =
        [("README.md", "cargo xtask demo\ncargo xtask test\n"), ("ARCHITECTURE.md", "# Weft\n")];

    fn findings(planted: &[(&str, &str)]) -> Vec<String> {
        let file = |(path, text): &(&str, &str)| SourceFile { path: (*path).to_owned(), text: (*text).to_owned() };
        let files: Vec<_> =
            DOCUMENTS.iter().filter(|(path, _)| planted.iter().all(|(other, _)| other != path)).map(file).collect();
        let files: Vec<_> = files.into_iter().chain(planted.iter().map(file)).collect();
        check(&files).iter().map(ToString::to_string).collect()
    }

    fn only_finding(path: &str, text: &str) -> String {
        let found = findings(&[(path, text)]);
        assert_eq!(found.len(), 1, "{found:?}");
        found.into_iter().next().unwrap_or_default()
    }

    #[test]
    fn a_tidy_file_is_no_finding() {
        assert_eq!(findings(&[("engine/core/src/plan.rs", "//! Who gets what.\n\npub fn plan() {}\n")]), [""; 0]);
    }

    #[test]
    fn a_source_file_without_its_purpose_is_found() {
        assert!(only_finding("engine/core/src/plan.rs", "use std::fmt;\n").contains("`//!`"));
        assert!(only_finding("engine/cli/src/main.rs", "fn main() {}\n").starts_with("engine/cli/src/main.rs: "));
    }

    #[test]
    fn a_name_that_says_nothing_is_found_in_files_and_folders() {
        let text = "//! All sorts.\n";
        assert!(only_finding("engine/core/src/utils.rs", text).contains("`utils`"));
        assert!(only_finding("tests/common/mod.rs", text).contains("`common`"));
        assert_eq!(findings(&[("engine/core/src/commonplace.rs", text)]), [""; 0]);
    }

    #[test]
    fn a_path_of_somebodys_machine_is_found_with_its_line() {
        let text = format!("first line\nsee {}ada/weft\n", HOMES[0]);
        assert!(only_finding("docs/store.md", &text).starts_with("docs/store.md:2: "));
        let quoted = format!("data = \"{}weft\"\n", HOMES[2]);
        assert!(
            only_finding("examples/quickstart/weft.toml", &quoted).starts_with("examples/quickstart/weft.toml:1: ")
        );
        assert_eq!(findings(&[("docs/store.md", &format!("https://example.org{}a\n", HOMES[2]))]), [""; 0]);
    }

    #[test]
    fn a_mark_of_unfinished_work_is_found_as_a_word() {
        for mark in UNFINISHED {
            let text = format!("//! A file.\n// {mark} later\n");
            assert!(only_finding("xtask/src/main.rs", &text).starts_with("xtask/src/main.rs:2: "), "{mark}");
        }
        let inside = format!("//! A file.\nconst MY_{}S: u8 = 1;\n", UNFINISHED[0]);
        assert_eq!(findings(&[("xtask/src/main.rs", &inside)]), [""; 0]);
    }

    #[test]
    fn a_long_file_is_found_and_its_tests_do_not_count() {
        let body = |lines: usize| format!("//! A file.\n{}", "fn f() {}\n".repeat(lines - 1));
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "    // a test\n".repeat(300));
        assert_eq!(findings(&[("engine/core/src/plan.rs", &format!("{}{tests}", body(FILE_LINES_MAX)))]), [""; 0]);
        let long = format!("{}{tests}", body(FILE_LINES_MAX + 1));
        assert!(only_finding("engine/core/src/plan.rs", &long).contains("401 lines"));
        assert_eq!(findings(&[("tests/it/promise_1.rs", &long)]), [""; 0]);
    }

    #[test]
    fn a_readme_without_the_two_commands_is_found() {
        assert!(only_finding("README.md", "cargo xtask demo\n").contains("`cargo xtask test`"));
    }

    #[test]
    fn a_long_architecture_is_found() {
        let long = "line\n".repeat(ARCHITECTURE_LINES_MAX + 1);
        assert!(only_finding("ARCHITECTURE.md", &long).contains("151 lines"));
    }
}
