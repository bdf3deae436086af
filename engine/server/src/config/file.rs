//! Reads the files of a configuration, without looking into them.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::finding::{Findings, Place};

/// Largest file: ten thousand tenants with a destination each take about 2 MiB.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Most files of a folder.
const FILES_MAX: usize = 10_000;

/// The files of a configuration.
#[derive(Debug)]
pub(super) struct Files {
    /// What relative paths in them start from.
    pub(super) folder: PathBuf,
    /// The file or the folder, for messages about the whole.
    pub(super) name: Arc<str>,
    /// Sorted by name.
    pub(super) sources: Vec<SourceFile>,
}

/// One file.
#[derive(Debug)]
pub(super) struct SourceFile {
    pub(super) name: Arc<str>,
    pub(super) text: String,
}

/// Reads the file at `path`, or the `*.toml` files of the folder at `path`; what cannot be read is among the findings.
pub(super) fn read(path: &Path, findings: &Findings) -> Files {
    let name = shown(path);
    if !path.is_dir() {
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        return Files { folder, name, sources: read_file(path, findings).into_iter().collect() };
    }
    let mut paths = match paths_of_folder(path) {
        Ok(paths) => paths,
        Err(error) => {
            findings.problem(&Place::of_file(&name), None, format!("cannot be listed: {error}"));
            return Files { folder: path.to_path_buf(), name, sources: Vec::new() };
        }
    };
    if paths.is_empty() {
        findings.problem(&Place::of_file(&name), None, "holds no *.toml file; put a weft.toml there");
    }
    if paths.len() > FILES_MAX {
        findings.problem(&Place::of_file(&name), None, format!("holds more than {FILES_MAX} *.toml files"));
        paths.truncate(FILES_MAX);
    }
    paths.sort();
    let sources = paths.iter().filter_map(|path| read_file(path, findings)).collect();
    Files { folder: path.to_path_buf(), name, sources }
}

/// The `*.toml` files in `folder`; hidden ones are what editors leave behind.
fn paths_of_folder(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        let path = entry.path();
        // Links count as what they lead to: a mounted ConfigMap is made of them.
        if !is_hidden && path.extension().is_some_and(|extension| extension == "toml") && !path.is_dir() {
            paths.push(path);
        }
    }
    Ok(paths)
}

fn read_file(path: &Path, findings: &Findings) -> Option<SourceFile> {
    let name = shown(path);
    let problem = |rule: String| {
        findings.problem(&Place::of_file(&name), None, rule);
        None
    };
    let mut bytes = Vec::new();
    // Bounded while reading, not by the size that was true a moment ago.
    if let Err(error) = fs::File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)) {
        return problem(format!("cannot be read: {error}"));
    }
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return problem(format!("is larger than {FILE_BYTES_MAX} bytes; split it into the files of a folder"));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Some(SourceFile { name: Arc::clone(&name), text }),
        Err(error) => problem(format!("is not UTF-8 text (at byte {})", error.utf8_error().valid_up_to())),
    }
}

fn shown(path: &Path) -> Arc<str> {
    Arc::from(path.display().to_string())
}
