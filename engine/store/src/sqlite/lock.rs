//! The OS lock beside the database: one file, one engine.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::OpenError;

/// The lock's name, beside the database.
const LOCK_NAME: &str = "weft.lock";

/// Holds the lock until it is dropped; the system frees it when the process dies.
#[derive(Debug)]
pub(crate) struct EngineLock {
    _file: File,
}

impl EngineLock {
    /// Takes the lock for the database at `database`, and writes this process's number into it for people to read.
    pub(crate) fn take(database: &Path) -> Result<Self, OpenError> {
        let path = database.with_file_name(LOCK_NAME);
        let failed = |doing, path: &PathBuf| {
            let path = path.clone();
            move |source| OpenError::File { doing, path, source }
        };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(failed("make the folder of", &path))?;
        }
        // Not truncated: until the lock is ours, what stands in the file is the other engine's.
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed("open the lock file", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let pid = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
                return Err(OpenError::Locked { path, pid });
            }
            Err(TryLockError::Error(source)) => return Err(failed("lock", &path)(source)),
        }
        write_pid(&mut file).map_err(failed("write the lock file", &path))?;
        Ok(Self { _file: file })
    }
}

fn write_pid(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    writeln!(file, "{}", std::process::id())
}
