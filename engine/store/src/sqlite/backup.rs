//! One consistent copy of the file, made through a connection that only reads.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use sqlx::{Connection as _, Row as _, SqliteConnection};

use super::statements::statements;
use super::{SqliteSnapshot, connect};
use crate::backup::BackupError;
use crate::check::CheckReport;
use crate::progress::Progress;

/// Instructions of SQLite's machine between two looks at the growing file: a few milliseconds' worth.
const PROGRESS_EVERY: i32 = 20_000;

/// Bodies and sealed secrets are nobody else's to read.
const PRIVATE: u32 = 0o600;

statements! {
    /// What the copy will take: pages in use.
    USED_BYTES = "\
SELECT (page_count - freelist_count) * page_size
FROM pragma_page_count CROSS JOIN pragma_page_size CROSS JOIN pragma_freelist_count";

    COPY = "VACUUM INTO ?1";
}

/// A file under its temporary name; removed unless it is given its own.
#[derive(Debug)]
struct Part {
    path: PathBuf,
    file: File,
    is_kept: bool,
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.is_kept {
            // It may be gone already; what else could be done about it is left to a person.
            std::fs::remove_file(&self.path).ok();
        }
    }
}

/// Copies the store into `file`.
pub(crate) async fn backup(store: &Path, file: &Path, progress: &Progress) -> Result<CheckReport, BackupError> {
    refuse_existing(file)?;
    let mut conn = connect::reader(store).await?;
    let part = Part::take(file)?;
    let copied = copy(&mut conn, &part, progress).await;
    drop(conn.close().await);
    copied?;
    part.file.sync_all().map_err(failed("write to the disk", &part.path))?;
    let report = SqliteSnapshot::open(&part.path).await?.check().await?;
    part.keep_as(file)?;
    Ok(report)
}

fn refuse_existing(file: &Path) -> Result<(), BackupError> {
    match file.symlink_metadata() {
        Ok(_) => Err(BackupError::Exists { file: file.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed("look for", file)(error)),
    }
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BackupError + use<> {
    let path = path.to_owned();
    move |source| BackupError::File { doing, path, source }
}

impl Part {
    /// Makes the temporary file beside `file`, or takes the one that a killed backup has left.
    fn take(file: &Path) -> Result<Self, BackupError> {
        let mut path = file.as_os_str().to_owned();
        path.push(".part");
        let path = PathBuf::from(path);
        // Not truncated: until the lock is ours, it may be another backup's.
        let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(PRIVATE).open(&path);
        let part = opened.map_err(failed("make", &path))?;
        match part.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BackupError::Underway { part: path }),
            Err(TryLockError::Error(source)) => return Err(failed("lock", &path)(source)),
        }
        part.set_len(0).map_err(failed("empty", &path))?;
        Ok(Self { path, file: part, is_kept: false })
    }

    /// Gives it the name `file`, unless somebody else has taken that name meanwhile.
    fn keep_as(mut self, file: &Path) -> Result<(), BackupError> {
        // A link never overwrites, a rename does; some file systems have no links.
        match std::fs::hard_link(&self.path, file) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(BackupError::Exists { file: file.to_owned() });
            }
            Err(_) => {
                refuse_existing(file)?;
                std::fs::rename(&self.path, file).map_err(failed("rename", &self.path))?;
                self.is_kept = true;
            }
        }
        sync_folder(file).map_err(failed("write to the disk the folder of", file))
    }
}

/// Makes the names in the folder of `file` outlast a power cut.
pub(super) fn sync_folder(file: &Path) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

async fn copy(conn: &mut SqliteConnection, part: &Part, progress: &Progress) -> Result<(), BackupError> {
    let bytes = sqlx::query(USED_BYTES).fetch_one(&mut *conn).await.and_then(|row| row.try_get::<i64, _>(0));
    let bytes = bytes.map_or(0, |bytes| u64::try_from(bytes).unwrap_or(0));
    progress.is_of(bytes);
    let copying = |source| BackupError::Copy { part: part.path.clone(), bytes, source };
    let (watched, written) = (part.path.clone(), progress.clone());
    conn.lock_handle().await.map_err(copying)?.set_progress_handler(PROGRESS_EVERY, move || {
        written.has_done(std::fs::metadata(&watched).map_or(0, |part| part.len()).min(bytes));
        true
    });
    let Some(path) = part.path.to_str() else {
        let source = io::Error::new(io::ErrorKind::InvalidFilename, "the name is not UTF-8");
        return Err(failed("write", &part.path)(source));
    };
    sqlx::query(COPY).bind(path).execute(&mut *conn).await.map_err(copying)?;
    progress.has_done(bytes);
    Ok(())
}
