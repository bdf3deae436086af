//! Files that only the engine's user may read.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::text::SecretText;

/// Largest private file: all of them hold one key.
const FILE_BYTES_MAX: u64 = 4 * 1024;

/// Why a private file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum PrivateFileError {
    /// It could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It could not be written.
    #[error("cannot write {}; the data folder must exist and belong to the engine's user", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others can read it.
    #[error(
        "others than its owner can use {} (mode {mode:03o}); chmod 600 it, and if they may have read it, see to another key",
        path.display()
    )]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It holds something else.
    #[error("{} does not hold {wanted}; restore it from a backup", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// What it should hold.
        wanted: &'static str,
    },
}

/// Reads the private file at `path`, or makes it with the text that `fresh` gives.
///
/// A file appears whole or not at all and is never overwritten: of two that make it, both read the one that was first.
pub(super) fn read_or_make(
    path: &Path,
    fresh: impl FnOnce() -> io::Result<Zeroizing<String>>,
) -> Result<SecretText, PrivateFileError> {
    if let Some(text) = read(path)? {
        return Ok(text);
    }
    let written = fresh().and_then(|text| write_new(path, text.as_bytes()));
    written.map_err(|source| PrivateFileError::Write { path: path.to_path_buf(), source })?;
    let vanished = || PrivateFileError::Read { path: path.to_path_buf(), source: io::ErrorKind::NotFound.into() };
    read(path)?.ok_or_else(vanished)
}

/// The text of the file; `None` if there is none.
fn read(path: &Path) -> Result<Option<SecretText>, PrivateFileError> {
    let failed = |source| PrivateFileError::Read { path: path.to_path_buf(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    // Of the open file, not of the path, which could lead elsewhere by then.
    check_mode(path, &file.metadata().map_err(failed)?)?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
    let no_text = |_| failed(io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"));
    Ok(Some(SecretText::new(std::str::from_utf8(&bytes).map_err(no_text)?.to_owned())))
}

#[cfg(unix)]
fn check_mode(path: &Path, metadata: &fs::Metadata) -> Result<(), PrivateFileError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(PrivateFileError::Exposed { path: path.to_path_buf(), mode }) }
}

/// File modes are known on Unix only.
#[cfg(not(unix))]
fn check_mode(_: &Path, _: &fs::Metadata) -> Result<(), PrivateFileError> {
    Ok(())
}

/// Writes the file with mode 0600 and to disk before it gets its name; leaves one that is there alone.
fn write_new(path: &Path, text: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => {}
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(error.error),
    }
    // A key that is in use must not be lost with the folder's entry when the power fails.
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_that_make_a_file_both_read_the_one_that_was_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        let made = |text: &str| Ok(Zeroizing::new(text.to_owned()));
        let read = read_or_make(&path, || {
            read_or_make(&path, || made("first")).expect("made in between");
            made("second")
        });
        assert_eq!(read.expect("there").as_str(), "first");
        assert_eq!(fs::read_dir(folder.path()).expect("own folder").count(), 1, "nothing is left behind");
    }
}
