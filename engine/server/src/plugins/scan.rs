//! Looks at the plugin folder. A file only proposes a digest; this decides what becomes of the proposal.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tracing::{debug, info, warn};
use weft_core::digest::Digest;
use weft_core::name::Name;
use weft_plugin_host::Refusal;
use weft_store::Store;
use weft_store::plugin::{
    Activated, ActivatedBy, NewPlugin, NewRefusal, NewVersion, PluginMode, PluginRecord, VersionRecord, VersionState,
};

use super::active::PluginKey;
use super::error::RegistryError;
use super::folder::{self, Content, Entry, Found, Stamp};
use super::report::{FileOutcome, FileReport, FolderReport};
use super::switch::{Switch, Wish};
use super::task;
use crate::clock::Clock;

/// Why the folder is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Something may have changed: only a file that is new or another is read, once two looks have found it the same.
    Hinted,
    /// The start, or a person who says that the folder is ready: every file is read at once, and refused ones are tried again.
    Demanded,
}

/// The folder and what was found in it.
pub(super) struct Scanner {
    /// Absolute, as the store remembers it.
    folder: PathBuf,
    component_bytes_max: usize,
    store: Store,
    clock: Clock,
    switch: Arc<Switch>,
    // One look at a time.
    seen: tokio::sync::Mutex<BTreeMap<String, SeenFile>>,
    latest: Mutex<FolderReport>,
}

/// A file as the last look left it.
#[derive(Clone)]
struct SeenFile {
    stamp: Option<Stamp>,
    // Whether nothing is left to do until it changes.
    is_concluded: bool,
    report: FileReport,
    // What was logged last; a file that is touched and refused for the same reason is not logged again.
    logged: Option<(Option<Digest>, FileOutcome)>,
}

impl Scanner {
    pub(super) fn new(
        folder: &Path,
        component_bytes_max: usize,
        store: Store,
        clock: Clock,
        switch: Arc<Switch>,
    ) -> Self {
        // It fails only without a working directory; the path as written is then as good.
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let latest = Mutex::new(FolderReport { path: folder.clone(), problem: None, files: Vec::new() });
        let seen = tokio::sync::Mutex::default();
        Self { folder, component_bytes_max, store, clock, switch, seen, latest }
    }

    /// The folder, absolute.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the last look found.
    pub(super) fn latest(&self) -> FolderReport {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks once, and carries out what the files propose.
    ///
    /// # Errors
    /// [`RegistryError::Store`]; the files that were not come to are looked at again next time.
    ///
    /// # Cancel safety
    /// What was begun with the store is finished; the rest is done by the next look.
    pub(super) async fn look(&self, look: Look) -> Result<FolderReport, RegistryError> {
        let mut seen = self.seen.lock().await;
        let folder = self.folder.clone();
        let (visited, problem) = match task::blocking(move || folder::list(&folder)).await {
            Ok(entries) => (self.visit(&mut seen, entries, look).await, None),
            Err(error) => (Ok(()), Some(format!("could not read the folder: {error}"))),
        };
        let files = seen.values().map(|file| file.report.clone()).collect();
        let report = FolderReport { path: self.folder.clone(), problem, files };
        self.publish(&report);
        // Said once; what it activated is the plugin's own from here on.
        seen.retain(|_, file| file.report.outcome != FileOutcome::Gone);
        visited.map(|()| report)
    }

    fn publish(&self, report: &FolderReport) {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if report.problem != latest.problem {
            match &report.problem {
                Some(problem) => warn!("plugin folder {}: {problem}", self.folder.display()),
                None => info!("plugin folder {} can be read again", self.folder.display()),
            }
        }
        latest.clone_from(report);
    }

    async fn visit(
        &self,
        seen: &mut BTreeMap<String, SeenFile>,
        entries: Vec<Entry>,
        look: Look,
    ) -> Result<(), RegistryError> {
        for (name, file) in seen.iter_mut() {
            if !entries.iter().any(|entry| entry.file == *name) {
                self.conclude(file, None, FileOutcome::Gone);
            }
        }
        for Entry { file, found } in entries {
            let seen = seen.entry(file.clone()).or_insert_with(|| SeenFile::new(file, self.clock.now()));
            match found {
                Found::Component { plugin, stamp } => {
                    seen.report.plugin = Some(plugin.clone());
                    self.visit_component(seen, &plugin, stamp, look).await?;
                }
                Found::Ignored { reason } => {
                    seen.stamp = None;
                    self.conclude(seen, None, FileOutcome::Ignored { reason });
                }
            }
        }
        Ok(())
    }

    async fn visit_component(
        &self,
        seen: &mut SeenFile,
        plugin: &Name,
        stamp: Stamp,
        look: Look,
    ) -> Result<(), RegistryError> {
        let is_same = seen.stamp.as_ref() == Some(&stamp);
        if look == Look::Hinted && is_same && seen.is_concluded {
            return Ok(());
        }
        seen.is_concluded = false;
        seen.stamp = Some(stamp.clone());
        if look == Look::Hinted && !is_same {
            self.report(seen, None, FileOutcome::Settling);
            return Ok(());
        }
        let (path, bytes_max) = (self.folder.join(&seen.report.file), self.component_bytes_max);
        match task::blocking(move || folder::read(&path, &stamp, bytes_max)).await {
            Ok(Content::Whole { digest, bytes }) => {
                let outcome = self.propose(&seen.report.file, plugin, digest, bytes).await?;
                self.conclude(seen, Some(digest), outcome);
            }
            Ok(Content::Changing) => self.report(seen, None, FileOutcome::Settling),
            Ok(Content::TooLarge { bytes }) => {
                let reason = Refusal::TooLarge { bytes, bytes_max }.to_string();
                self.conclude(seen, None, FileOutcome::Refused { reason });
            }
            // Not concluded: what hinders reading may pass without a trace on the file.
            Err(error) => {
                let reason = format!("could not read the file: {error}");
                self.report(seen, None, FileOutcome::Refused { reason });
            }
        }
        Ok(())
    }

    /// Carries out what a whole file proposes.
    async fn propose(
        &self,
        file: &str,
        plugin: &Name,
        digest: Digest,
        bytes: Bytes,
    ) -> Result<FileOutcome, RegistryError> {
        let key = PluginKey::Operator(plugin.clone());
        let proposal = self.gather(file, &key, digest).await?;
        let goal = match proposal.judge() {
            Judgement::Settled(outcome) => return Ok(outcome),
            Judgement::Try(goal) => goal,
        };
        let version = match proposal.running.clone() {
            Some(running) => running,
            None => {
                let component_bytes = bytes.len() as u64;
                match self.switch.admit(&key, bytes.clone()).await {
                    Ok(version) => version,
                    Err(reason) => return self.refuse(&proposal, component_bytes, reason).await,
                }
            }
        };
        if !proposal.is_ready() {
            let roles = version.roles().to_vec();
            let new = NewVersion { plugin: proposal.record.id, digest, component: bytes, roles };
            let saved = self.store.save_version(new, self.clock.now()).await;
            saved.map_err(RegistryError::store("keep a version"))?;
        }
        if goal == Goal::Keep {
            return Ok(FileOutcome::Pinned);
        }
        let wish = Wish { plugin: proposal.record.id, key, by: self.by(file), mode: None };
        Ok(outcome(&self.switch.activate(wish, version).await?))
    }

    async fn gather(&self, file: &str, key: &PluginKey, digest: Digest) -> Result<Proposal, RegistryError> {
        let reading = || RegistryError::store("read what is known of a plugin");
        let new = NewPlugin { fresh: self.clock.fresh(), tenant: None, name: key.name().clone() };
        let record = self.store.plugin(new, self.clock.now()).await.map_err(reading())?;
        let versions = self.store.versions(record.id).await.map_err(reading())?;
        let files = self.store.plugin_files().await.map_err(reading())?;
        let folder = self.folder.to_string_lossy();
        let last = files.into_iter().find(|row| row.folder == folder && row.name == file);
        Ok(Proposal {
            digest,
            running: self.switch.running(key, digest),
            known: versions.into_iter().find(|version| version.digest == digest),
            last: last.map(|row| row.activated),
            record,
        })
    }

    async fn refuse(
        &self,
        proposal: &Proposal,
        component_bytes: u64,
        reason: String,
    ) -> Result<FileOutcome, RegistryError> {
        let (plugin, digest) = (proposal.record.id, proposal.digest);
        let refusal = NewRefusal { plugin, digest, component_bytes, reason: reason.clone() };
        let saved = self.store.save_refusal(refusal, self.clock.now()).await;
        saved.map_err(RegistryError::store("keep a refusal"))?;
        Ok(FileOutcome::Refused { reason })
    }

    fn by(&self, file: &str) -> ActivatedBy {
        ActivatedBy::File { folder: self.folder.to_string_lossy().into_owned(), name: file.to_owned() }
    }

    /// Notes an outcome after which nothing is left to do until the file changes.
    fn conclude(&self, seen: &mut SeenFile, digest: Option<Digest>, outcome: FileOutcome) {
        // Overtaken by another change: the next look decides anew.
        seen.is_concluded = outcome != FileOutcome::Settling;
        self.report(seen, digest, outcome);
    }

    fn report(&self, seen: &mut SeenFile, digest: Option<Digest>, outcome: FileOutcome) {
        if (seen.report.digest, &seen.report.outcome) != (digest, &outcome) {
            seen.report.at = self.clock.now();
        }
        let news = (digest, outcome);
        if news.1 != FileOutcome::Settling && seen.logged.as_ref() != Some(&news) {
            log(&seen.report.file, &news);
            seen.logged = Some(news.clone());
        }
        (seen.report.digest, seen.report.outcome) = news;
    }
}

impl SeenFile {
    fn new(file: String, at: weft_core::time::Timestamp) -> Self {
        let report = FileReport { file, plugin: None, digest: None, outcome: FileOutcome::Settling, at };
        Self { stamp: None, is_concluded: false, report, logged: None }
    }
}

fn log(file: &str, (digest, outcome): &(Option<Digest>, FileOutcome)) {
    let version = digest.map(|digest| digest.short()).unwrap_or_default();
    match outcome {
        FileOutcome::Refused { .. } => warn!(file, version, "plugin file {file} {outcome}"),
        FileOutcome::Activated { .. }
        | FileOutcome::Pinned
        | FileOutcome::RolledBack
        | FileOutcome::Superseded
        | FileOutcome::Gone => info!(file, version, "plugin file {file}: {outcome}"),
        FileOutcome::Active | FileOutcome::Settling | FileOutcome::Ignored { .. } => {
            debug!(file, version, "plugin file {file}: {outcome}");
        }
    }
}

/// A digest that a file proposes, and all that is known about it.
struct Proposal {
    digest: Digest,
    record: PluginRecord,
    known: Option<VersionRecord>,
    /// What this file activated last.
    last: Option<Digest>,
    /// The version, if it runs at this moment.
    running: Option<weft_plugin_host::Version>,
}

/// What is to be done about a proposal.
#[derive(Debug, PartialEq, Eq)]
enum Judgement {
    Settled(FileOutcome),
    Try(Goal),
}

#[derive(Debug, PartialEq, Eq)]
enum Goal {
    /// Check it and keep it, for a person to activate.
    Keep,
    /// Check it, keep it and make it active.
    Activate,
}

impl Proposal {
    fn judge(&self) -> Judgement {
        let is_activated_before = self.last == Some(self.digest);
        if self.record.active == Some(self.digest) {
            // A running version is proposed once more if the store does not know yet that this file proposes it.
            let is_done = self.running.is_some() && (is_activated_before || self.is_pinned());
            return if is_done { Judgement::Settled(FileOutcome::Active) } else { Judgement::Try(Goal::Activate) };
        }
        if self.known.as_ref().is_some_and(|version| version.rolled_back) {
            return Judgement::Settled(FileOutcome::RolledBack);
        }
        if is_activated_before {
            return Judgement::Settled(FileOutcome::Superseded);
        }
        match (self.is_pinned(), self.is_ready()) {
            (true, true) => Judgement::Settled(FileOutcome::Pinned),
            (true, false) => Judgement::Try(Goal::Keep),
            (false, _) => Judgement::Try(Goal::Activate),
        }
    }

    fn is_pinned(&self) -> bool {
        self.record.mode == PluginMode::Pinned
    }

    fn is_ready(&self) -> bool {
        self.known.as_ref().is_some_and(|version| matches!(version.state, VersionState::Ready { .. }))
    }
}

fn outcome(activated: &Activated) -> FileOutcome {
    match activated {
        Activated::Done { previous } => FileOutcome::Activated { previous: *previous },
        Activated::Unchanged => FileOutcome::Active,
        Activated::Changed { .. } => FileOutcome::Settling,
        Activated::NotReady => FileOutcome::Refused { reason: "the store does not hold it as ready".to_owned() },
        Activated::Pinned => FileOutcome::Pinned,
        Activated::RolledBack => FileOutcome::RolledBack,
        Activated::FileUnchanged => FileOutcome::Superseded,
    }
}
