//! Putting a backup in the place of the store, under the engine's lock.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use sqlx::{ConnectOptions as _, Connection as _, Row as _};

use super::backup::sync_folder;
use super::lock::EngineLock;
use super::statements::statements;
use super::{check, connect};
use crate::backup::{RestoreError, Restored};
use crate::check::CheckReport;
use crate::error::StoreError;
use crate::progress::Progress;

/// Bytes that are copied at a time.
const CHUNK_BYTES: usize = 1 << 20;

statements! {
    /// The layout of a backup; only what Weft has made has such a table beside one of engine starts.
    LAYOUT = "SELECT max(version) AS layout, (SELECT count(*) FROM engine_starts) AS starts FROM _sqlx_migrations";

    EMPTY_LOG = "PRAGMA wal_checkpoint(TRUNCATE)";
}

/// Puts the backup `file` in the place of `store`.
pub(crate) async fn restore(
    file: &Path,
    store: &Path,
    replace: bool,
    progress: &Progress,
) -> Result<Restored, RestoreError> {
    let _lock = EngineLock::take(store)?;
    let is_there = store.symlink_metadata().is_ok();
    if is_there && !replace {
        return Err(RestoreError::StoreExists { store: store.to_owned() });
    }
    recognise(file).await?;
    let part = beside(store, ".restoring");
    let prepared = prepare(file, &part, progress).await;
    if prepared.is_err() {
        remove(&part);
    }
    let report = prepared?;
    let moved_aside = if is_there { Some(move_aside(store).await?) } else { None };
    fs::rename(&part, store).map_err(failed("put in place", &part))?;
    sync_folder(store).map_err(failed("write to the disk the folder of", store))?;
    Ok(Restored { report, moved_aside })
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RestoreError + use<> {
    let path = path.to_owned();
    move |source| RestoreError::File { doing, path, source }
}

/// The name of `path` with something behind it.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// What belongs to a database, by its suffix: its write-ahead log, and the index of that.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// Removes what is left of a copy; whatever stays is overwritten by the next.
fn remove(part: &Path) {
    for path in [part.to_owned(), beside(part, BESIDE[0]), beside(part, BESIDE[1])] {
        fs::remove_file(path).ok();
    }
}

/// Makes sure that `file` is a backup that this program can read, before it is copied.
async fn recognise(file: &Path) -> Result<(), RestoreError> {
    fs::metadata(file).map_err(failed("read", file))?;
    let refused = |why: String| RestoreError::NoBackup { file: file.to_owned(), why };
    if fs::metadata(beside(file, BESIDE[0])).is_ok_and(|log| log.len() > 0) {
        let why = "it has a write-ahead log, so it is a store in use; `weft backup` makes a backup of it";
        return Err(refused(why.to_owned()));
    }
    // Nothing is to be made beside a backup, which may lie on a medium that cannot be written.
    let options = connect::base(file).read_only(true).immutable(true);
    let layout = async {
        let mut conn = options.connect().await?;
        let row = sqlx::query(LAYOUT).fetch_one(&mut conn).await?;
        let layout = row.try_get::<Option<i64>, _>("layout")?;
        conn.close().await?;
        Ok::<_, sqlx::Error>(layout.unwrap_or(0))
    };
    let found = layout.await.map_err(|error| refused(error.to_string()))?;
    let known = connect::MIGRATIONS.last().map_or(0, |(version, ..)| *version);
    if found > known { Err(RestoreError::Newer { file: file.to_owned(), found, known }) } else { Ok(()) }
}

/// Copies the backup to `part`, brings the copy to this program's layout and checks it.
async fn prepare(file: &Path, part: &Path, progress: &Progress) -> Result<CheckReport, RestoreError> {
    remove(part);
    let (from, to, done) = (file.to_owned(), part.to_owned(), progress.clone());
    let copied = tokio::task::spawn_blocking(move || copy(&from, &to, &done)).await;
    copied.map_err(|error| failed("copy", file)(io::Error::other(error)))?.map_err(failed("copy", file))?;
    let mut conn = connect::writer(part).await?;
    connect::migrate(&mut conn, part).await?;
    let report = check::check(&mut conn).await?;
    // The last connection empties the log into the file and removes it.
    conn.close().await.map_err(|error| RestoreError::Check(unreadable(error)))?;
    if !report.findings.is_empty() {
        return Err(RestoreError::Unsound { file: file.to_owned(), findings: report.findings });
    }
    File::open(part).and_then(|copy| copy.sync_all()).map_err(failed("write to the disk", part))?;
    Ok(report)
}

fn unreadable(error: sqlx::Error) -> StoreError {
    crate::error::unavailable("close the copy")(error)
}

fn copy(from: &Path, to: &Path, progress: &Progress) -> io::Result<()> {
    let mut from = File::open(from)?;
    let mut to = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(to)?;
    progress.is_of(from.metadata()?.len());
    let (mut chunk, mut done) = (vec![0; CHUNK_BYTES], 0);
    loop {
        let read = from.read(&mut chunk)?;
        if read == 0 {
            return to.sync_all();
        }
        to.write_all(&chunk[..read])?;
        done += read as u64;
        progress.has_done(done);
    }
}

/// Gives the store another name, with its log; its own name stays until the backup takes it, if that can be had.
async fn move_aside(store: &Path) -> Result<PathBuf, RestoreError> {
    let aside = (1..).map(|n| beside(store, &format!(".aside-{n}"))).find(|path| path.symlink_metadata().is_err());
    let aside = aside.unwrap_or_else(|| beside(store, ".aside"));
    if empty_log(store).await && fs::hard_link(store, &aside).is_ok() {
        return Ok(aside);
    }
    // A store that cannot be opened may be why a backup is put back. Its log must not stay: it would be read into the backup.
    for suffix in BESIDE.into_iter().chain([""]) {
        let (from, to) = (beside(store, suffix), beside(&aside, suffix));
        match fs::rename(&from, &to) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed("move aside", &from)(error)),
        }
    }
    Ok(aside)
}

/// Moves what stands in the log of a store into its file. Answers whether there is no log any more.
async fn empty_log(store: &Path) -> bool {
    let emptied = async {
        let mut conn = connect::writer(store).await.ok()?;
        sqlx::query(EMPTY_LOG).execute(&mut conn).await.ok()?;
        conn.close().await.ok()
    };
    emptied.await.is_some() && BESIDE.into_iter().all(|suffix| beside(store, suffix).symlink_metadata().is_err())
}
