//! Copies the write-ahead log into the database while commits go on.
//!
//! A commit that copies thousands of pages is one that everybody behind it waits for. So a thread with a connection of its own copies
//! them, beside the writer; the few that were added meanwhile the writer copies between two commits: only a log that is wholly
//! copied is written from its beginning again, and while there are commits nobody else finds it so.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;

use tracing::warn;

use super::connect;
use crate::error::OpenError;

/// Pages in the log from which it is copied: 32 MiB, so that what is written again and again is copied once.
const LOG_PAGES: i64 = 4_000;

/// Pages that the writer copies itself: about as many as a few commits write.
const FEW_PAGES: i64 = 256;

/// Pages from which on the writer copies whatever there is: 256 MiB. Then the thread is slower than the commits, or cannot copy at all.
const LOG_PAGES_MAX: i64 = 8 * LOG_PAGES;

const COPY: &str = "PRAGMA wal_checkpoint(PASSIVE)";
const LOOK: &str = "PRAGMA wal_checkpoint(NOOP)";

/// Copies the log of one engine. Whoever drops it waits until its thread has ended.
#[derive(Debug)]
pub(super) struct Checkpointer {
    /// Gone while it is dropped.
    asks: Option<Sender<()>>,
    copied: Receiver<()>,
    thread: Option<JoinHandle<()>>,
    is_copying: bool,
    /// How long the log must be to be copied.
    from: i64,
}

/// What is in the log.
#[derive(Clone, Copy, Debug)]
struct Log {
    pages: i64,
    /// How many of them have been copied.
    copied: i64,
}

impl Checkpointer {
    /// Starts the thread that copies the log of the database at `path`.
    pub(super) fn start(path: PathBuf) -> Result<Self, OpenError> {
        let mut conn = Some(connect::direct(&path)?);
        let (asks, asked) = channel();
        let (says, copied) = channel();
        let work = move || {
            while asked.recv().is_ok() {
                copy_beside(&mut conn, &path);
                if says.send(()).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("weft-checkpoint".to_owned()).spawn(work);
        let thread = thread.map_err(|source| OpenError::Thread { source })?;
        Ok(Self { asks: Some(asks), copied, thread: Some(thread), is_copying: false, from: LOG_PAGES })
    }

    /// Looks at the log between two commits, and sees to it that it is copied when it is long.
    pub(super) fn look(&mut self, writer: &rusqlite::Connection) -> rusqlite::Result<()> {
        if self.is_copying && matches!(self.copied.try_recv(), Err(TryRecvError::Empty)) {
            return Ok(());
        }
        let log = Log::ask(writer, LOOK)?;
        // A log that has begun anew is short again.
        self.from = self.from.min(log.pages + LOG_PAGES);
        if log.pages < self.from {
            self.is_copying = false;
            return Ok(());
        }
        let left = log.pages - log.copied;
        let is_for_the_writer = (self.is_copying && left <= FEW_PAGES) || log.pages >= LOG_PAGES_MAX;
        if !is_for_the_writer && self.asks.as_ref().is_some_and(|asks| asks.send(()).is_ok()) {
            self.is_copying = true;
            return Ok(());
        }
        self.is_copying = false;
        // Somebody who reads from before the end of the log keeps it from beginning anew; then it grows for a while.
        self.from = log.pages + LOG_PAGES;
        Log::ask(writer, COPY).map(drop)
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        drop(self.asks.take());
        // A thread that has panicked has said so.
        self.thread.take().map(JoinHandle::join);
    }
}

impl Log {
    fn ask(conn: &rusqlite::Connection, pragma: &str) -> rusqlite::Result<Self> {
        conn.prepare_cached(pragma)?.query_row((), |row| Ok(Self { pages: row.get(1)?, copied: row.get(2)? }))
    }
}

/// Copies what is in the log now, on another connection if the last one failed.
fn copy_beside(conn: &mut Option<rusqlite::Connection>, path: &Path) {
    let open = match conn.take() {
        Some(open) => open,
        None => match connect::direct(path) {
            Ok(open) => open,
            Err(error) => {
                warn!(error = &error as &dyn std::error::Error, "the log cannot be copied beside the writer");
                return;
            }
        },
    };
    match Log::ask(&open, COPY) {
        Ok(_) => *conn = Some(open),
        Err(error) => warn!(error = &error as &dyn std::error::Error, "the log was not copied; it grows meanwhile"),
    }
}
