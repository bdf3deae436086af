//! Says when to look at the plugin folder. The only place that knows `notify`.
//!
//! What the system reports is a hint and nothing more: hints are lost, doubled, and come while a file is half written.
//! So a look follows a hint after a quiet moment, and comes every [`POLL`] without one; what it finds is for the scan to
//! judge.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::{Notify, watch};
use tracing::{error, warn};
use weft_core::time::Timestamp;

use super::registry::PluginRegistry;
use super::task;

/// How long it must be quiet before a look: editors and copies come as a burst of hints within some milliseconds.
const QUIET: Duration = Duration::from_millis(150);
/// How long a burst may put off a look: a file that is written without pause must not hide the others.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often a look comes without a hint: network file systems and overflown queues give none.
const POLL: Duration = Duration::from_secs(30);

/// Looks at the registry's folder whenever something may have changed, until `stop` is true or its sender is gone.
pub async fn watch(registry: PluginRegistry, mut stop: watch::Receiver<bool>) {
    let clock = registry.clock().clone();
    let mut folder = FolderWatch::new(registry.folder().to_owned());
    loop {
        // Listen before looking, or a change between the two is lost.
        folder = folder.listening().await;
        let is_settling = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            is_settling = look(&registry) => is_settling,
        };
        let mut schedule = Schedule::after_look(clock.now(), is_settling);
        loop {
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                () = folder.hint() => schedule.hint(clock.now()),
                () = clock.sleep_until(schedule.next) => break,
            }
        }
    }
}

/// One look; answers whether another is due soon.
async fn look(registry: &PluginRegistry) -> bool {
    match registry.scan().await {
        Ok(report) => report.is_settling(),
        Err(failure) => {
            registry.metrics().store_failed();
            let failure: &dyn std::error::Error = &failure;
            error!(error = failure, "the plugin folder could not be looked at; the versions that run go on");
            false
        }
    }
}

/// When the next look is due.
#[derive(Debug)]
struct Schedule {
    next: Timestamp,
    // When the burst of hints began that the next look waits for.
    burst: Option<Timestamp>,
}

impl Schedule {
    fn after_look(now: Timestamp, is_settling: bool) -> Self {
        Self { next: now.plus(if is_settling { QUIET } else { POLL }), burst: None }
    }

    fn hint(&mut self, now: Timestamp) {
        let burst = *self.burst.get_or_insert(now);
        self.next = now.plus(QUIET).min(burst.plus(PATIENCE));
    }
}

/// Hears of changes in one folder, as far as the system tells of them.
struct FolderWatch {
    folder: PathBuf,
    hints: Arc<Notify>,
    listening: Option<Listening>,
    has_warned: bool,
}

struct Listening {
    // Listens as long as it lives.
    _watcher: RecommendedWatcher,
    // The folder at that path when the listening began: another one may have taken its place.
    identity: Option<(u64, u64)>,
}

impl FolderWatch {
    fn new(folder: PathBuf) -> Self {
        Self { folder, hints: Arc::default(), listening: None, has_warned: false }
    }

    /// Waits for a hint; hints that nobody waited for count as one.
    async fn hint(&self) {
        self.hints.notified().await;
    }

    /// Listens to the folder that is at the path at this moment, if the system lets it.
    async fn listening(self) -> Self {
        task::blocking(move || self.listen()).await
    }

    fn listen(mut self) -> Self {
        let identity = identity(&self.folder);
        if self.listening.as_ref().is_some_and(|listening| identity.is_some() && listening.identity == identity) {
            return self;
        }
        self.listening = None;
        // A folder that is not there is reported by the look; the next one finds it when it comes.
        if !self.folder.is_dir() {
            return self;
        }
        match watcher(&self.folder, Arc::clone(&self.hints)) {
            Ok(watcher) => {
                self.listening = Some(Listening { _watcher: watcher, identity });
                self.has_warned = false;
            }
            Err(failure) if !self.has_warned => {
                let (folder, seconds) = (self.folder.display(), POLL.as_secs());
                warn!("plugin folder {folder} is looked at every {seconds} s only: it cannot be watched: {failure}");
                self.has_warned = true;
            }
            Err(_) => {}
        }
        self
    }
}

fn watcher(folder: &Path, hints: Arc<Notify>) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // An error may stand for lost events, so it is a hint as well.
        if event.is_ok_and(|event| !is_hint(event.kind)) {
            return;
        }
        hints.notify_one();
    })?;
    watcher.watch(folder, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

/// Whether an event may stand for a change. Reading is none: a look reads, and must not call for the next look.
fn is_hint(kind: EventKind) -> bool {
    !matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}

#[cfg(unix)]
fn identity(folder: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(folder).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(folder: &Path) -> Option<(u64, u64)> {
    folder.is_dir().then_some((0, 0))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    #[test]
    fn a_look_follows_a_burst_of_hints_after_a_quiet_moment() {
        let mut schedule = Schedule::after_look(at(0), false);
        assert_eq!(schedule.next, at(30_000));
        for hint in [1_000, 1_100, 1_200] {
            schedule.hint(at(hint));
        }
        assert_eq!(schedule.next, at(1_350));
    }

    #[test]
    fn hints_without_end_put_off_a_look_for_two_seconds_at_most() {
        let mut schedule = Schedule::after_look(at(0), true);
        for hint in (100..10_000).step_by(100) {
            schedule.hint(at(hint));
        }
        assert_eq!(schedule.next, at(2_100));
    }

    #[test]
    fn a_file_that_settles_is_looked_at_again_soon() {
        assert_eq!(Schedule::after_look(at(0), true).next, at(150));
    }

    #[tokio::test]
    async fn the_system_hints_at_whatever_a_file_goes_through() {
        let deeds: [fn(&Path) -> std::io::Result<()>; 4] = [
            |folder| fs::write(folder.join("new.wasm"), b"one"),
            |folder| fs::write(folder.join("stamp.wasm"), b"two"),
            |folder| fs::rename(folder.join(".partial"), folder.join("stamp.wasm")),
            |folder| fs::remove_file(folder.join("stamp.wasm")),
        ];
        for deed in deeds {
            let folder = tempfile::tempdir().expect("a folder");
            for file in ["stamp.wasm", ".partial"] {
                fs::write(folder.path().join(file), b"one").expect("written");
            }
            let watch = FolderWatch::new(folder.path().to_owned()).listening().await;
            assert!(watch.listening.is_some(), "temporary folders can be watched");
            deed(folder.path()).expect("done");
            watch.hint().await;
        }
    }

    #[tokio::test]
    async fn a_folder_that_takes_the_place_of_another_is_listened_to() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().join("plugins");
        let watch = FolderWatch::new(folder.clone()).listening().await;
        assert!(watch.listening.is_none(), "there is nothing to listen to");
        fs::create_dir(&folder).expect("made");
        let watch = watch.listening().await;
        let first = watch.listening.as_ref().expect("it listens").identity;
        fs::rename(&folder, root.path().join("old")).expect("renamed");
        fs::create_dir(&folder).expect("made");
        let watch = watch.listening().await;
        assert_ne!(watch.listening.as_ref().expect("it listens").identity, first);
    }

    #[test]
    fn reading_is_no_hint() {
        use notify::event::{AccessKind as Access, AccessMode as Mode, CreateKind, ModifyKind, RemoveKind};
        for reading in [Access::Any, Access::Read, Access::Open(Mode::Any), Access::Close(Mode::Read)] {
            assert!(!is_hint(EventKind::Access(reading)), "{reading:?}");
        }
        let changes = [
            EventKind::Any,
            EventKind::Other,
            EventKind::Create(CreateKind::Any),
            EventKind::Modify(ModifyKind::Any),
            EventKind::Remove(RemoveKind::Any),
            EventKind::Access(Access::Close(Mode::Write)),
        ];
        assert!(changes.into_iter().all(is_hint));
    }
}
