//! The plugin folder on disk: what lies in it, and how a file is read whole.
//!
//! Everything here blocks. Symbolic links are followed, so that a folder whose `..data` link is swapped shows other files.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::Path;
use std::time::SystemTime;

use bytes::Bytes;
use weft_core::digest::Digest;
use weft_core::name::Name;

/// Files of one folder that are looked at; a folder with more was not meant to be a plugin folder.
const FILES_MAX: usize = 1_024;
/// How a component's file ends.
const ENDING: &str = ".wasm";

/// What tells one state of a file from another without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    bytes: u64,
    modified: Option<SystemTime>,
    // Device, file and the time of its last change of any kind: a file that was put in the place of another differs,
    // even where size and time were copied.
    identity: [i64; 4],
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self { bytes: metadata.len(), modified: metadata.modified().ok(), identity: identity(metadata) }
    }
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> [i64; 4] {
    use std::os::unix::fs::MetadataExt;
    [metadata.dev().cast_signed(), metadata.ino().cast_signed(), metadata.ctime(), metadata.ctime_nsec()]
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> [i64; 4] {
    [0; 4]
}

/// Something in the folder.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its name within the folder.
    pub(super) file: String,
    pub(super) found: Found,
}

#[derive(Debug)]
pub(super) enum Found {
    /// A file that proposes versions of `plugin`.
    Component { plugin: Name, stamp: Stamp },
    /// Something else.
    Ignored { reason: String },
}

/// Lists the folder in the order of the names. Hidden entries are left out: partial files and links of those who swap.
pub(super) fn list(folder: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let file = name.to_string_lossy().into_owned();
        if file.starts_with('.') {
            continue;
        }
        let found = if name.to_str().is_some() {
            find(&folder.join(&name), &file)
        } else {
            Found::Ignored { reason: "its name is not valid UTF-8".to_owned() }
        };
        entries.push(Entry { file, found });
    }
    entries.sort_by(|one, other| one.file.cmp(&other.file));
    for extra in entries.iter_mut().skip(FILES_MAX) {
        extra.found = Found::Ignored { reason: format!("the folder holds more than {FILES_MAX} files") };
    }
    Ok(entries)
}

fn find(path: &Path, file: &str) -> Found {
    let Some(stem) = file.strip_suffix(ENDING) else {
        return Found::Ignored { reason: format!("its name does not end with {ENDING}") };
    };
    let plugin = match stem.parse() {
        Ok(plugin) => plugin,
        Err(invalid) => return Found::Ignored { reason: format!("{invalid}") },
    };
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Found::Component { plugin, stamp: Stamp::of(&metadata) },
        Ok(_) => Found::Ignored { reason: "it is not a file".to_owned() },
        Err(error) => Found::Ignored { reason: format!("it could not be looked at: {error}") },
    }
}

/// What came of reading a file.
#[derive(Debug)]
pub(super) enum Content {
    /// All of it, as it was when it was listed.
    Whole { digest: Digest, bytes: Bytes },
    /// It changed since it was listed, or while it was read.
    Changing,
    /// It is larger than a component may be, and was not read.
    TooLarge { bytes: usize },
}

/// Reads the file at `path`, which was listed with `stamp`, and at most `bytes_max` bytes of it.
pub(super) fn read(path: &Path, stamp: &Stamp, bytes_max: usize) -> io::Result<Content> {
    let mut file = File::open(path)?;
    if Stamp::of(&file.metadata()?) != *stamp {
        return Ok(Content::Changing);
    }
    let size = usize::try_from(stamp.bytes).unwrap_or(usize::MAX);
    if size > bytes_max {
        return Ok(Content::TooLarge { bytes: size });
    }
    let mut bytes = Vec::with_capacity(size);
    // One byte more than there should be shows a file that grows.
    (&mut file).take(stamp.bytes.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() != size || Stamp::of(&file.metadata()?) != *stamp {
        return Ok(Content::Changing);
    }
    Ok(Content::Whole { digest: Digest::of(&bytes), bytes: bytes.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp_of(folder: &Path) -> Stamp {
        match list(folder).expect("listed").remove(0).found {
            Found::Component { stamp, .. } => stamp,
            Found::Ignored { reason } => panic!("{reason}"),
        }
    }

    #[test]
    fn a_file_that_changed_since_it_was_listed_is_not_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("stamp.wasm");
        fs::write(&path, b"one").expect("written");
        let stamp = stamp_of(folder.path());
        assert!(matches!(read(&path, &stamp, 3), Ok(Content::Whole { bytes, .. }) if bytes == "one"));

        fs::write(&path, b"longer").expect("written");
        assert!(matches!(read(&path, &stamp, 100), Ok(Content::Changing)));
    }

    #[test]
    fn a_file_over_the_limit_is_not_read() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("stamp.wasm"), b"four").expect("written");
        let stamp = stamp_of(folder.path());
        assert!(matches!(read(&folder.path().join("stamp.wasm"), &stamp, 3), Ok(Content::TooLarge { bytes: 4 })));
    }

    #[test]
    fn a_folder_of_thousands_of_files_is_not_taken_for_plugins() {
        let folder = tempfile::tempdir().expect("a folder");
        for number in 0..=FILES_MAX {
            fs::write(folder.path().join(format!("p{number:04}.wasm")), b"").expect("written");
        }
        let entries = list(folder.path()).expect("listed");
        let ignored: Vec<_> = entries.iter().filter(|entry| matches!(entry.found, Found::Ignored { .. })).collect();
        assert_eq!((entries.len(), ignored.len()), (FILES_MAX + 1, 1));
        assert_eq!(ignored[0].file, "p1024.wasm");
    }
}
