//! What is known of the plugins and of the folder, for the API and the command line.

use std::fmt;
use std::path::PathBuf;

use weft_core::contract::{Capability, Role};
use weft_core::digest::Digest;
use weft_core::id::PluginId;
use weft_core::name::Name;
use weft_core::time::Timestamp;
use weft_store::plugin::{ActivatedBy, PluginMode, VersionRecord};

use super::active::PluginKey;

/// Every plugin, and the folder that the operator's come from.
#[derive(Clone, Debug)]
pub struct PluginListing {
    /// The folder as it was last looked at.
    pub folder: FolderReport,
    /// The operator's first, then in the order of their names.
    pub plugins: Vec<PluginReport>,
}

/// What is known of a plugin.
#[derive(Clone, Debug)]
pub struct PluginReport {
    /// Its id.
    pub id: PluginId,
    /// Whose it is, and its name.
    pub key: PluginKey,
    /// Whether files may change its active version.
    pub mode: PluginMode,
    /// The active version; `None` until one was good enough.
    pub active: Option<Digest>,
    /// Since when it is active.
    pub active_since: Option<Timestamp>,
    /// Who made it active.
    pub active_by: Option<ActivatedBy>,
    /// What the active version exports.
    pub roles: Vec<Role>,
    /// What a step must grant to the active version; only of one that runs.
    pub wants: Vec<Capability>,
    /// Whether the active version has the same outcome for the same event, configuration and secrets; only of one that runs.
    pub is_pure: Option<bool>,
    /// What the active version says about itself, JSON; only of one that runs.
    pub description: Option<String>,
    /// Why the active version does not run here, although it is active: this engine can no longer load it.
    pub problem: Option<String>,
    /// All versions that were seen, newest first.
    pub versions: Vec<VersionRecord>,
    /// The file that proposes its versions, if it is one of the operator's and the file is there.
    pub file: Option<FileReport>,
}

/// What a look at the folder found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderReport {
    /// The folder.
    pub path: PathBuf,
    /// Why it could not be listed; the files are then those of the last time.
    pub problem: Option<String>,
    /// One for each file, in the order of their names; hidden files are left out.
    pub files: Vec<FileReport>,
}

impl FolderReport {
    /// Whether a file was still changing, so that another look is due soon.
    pub fn is_settling(&self) -> bool {
        self.files.iter().any(|file| file.outcome == FileOutcome::Settling)
    }

    /// Why the file of this plugin was refused, if it was.
    pub fn refusal_of(&self, plugin: &Name) -> Option<&str> {
        self.files.iter().filter(|file| file.plugin.as_ref() == Some(plugin)).find_map(|file| match &file.outcome {
            FileOutcome::Refused { reason } => Some(&**reason),
            FileOutcome::Activated { .. }
            | FileOutcome::Active
            | FileOutcome::Settling
            | FileOutcome::Pinned
            | FileOutcome::RolledBack
            | FileOutcome::Superseded
            | FileOutcome::Ignored { .. }
            | FileOutcome::Gone => None,
        })
    }

    /// The file of this name.
    pub fn file(&self, name: &str) -> Option<&FileReport> {
        self.files.iter().find(|file| file.file == name)
    }
}

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileReport {
    /// Its name within the folder.
    pub file: String,
    /// The plugin that it proposes versions of; `None` if it proposes nothing.
    pub plugin: Option<Name>,
    /// The version that it proposes; `None` if it was not read whole.
    pub digest: Option<Digest>,
    /// What became of it.
    pub outcome: FileOutcome,
    /// When that was found.
    pub at: Timestamp,
}

/// What became of a file's proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileOutcome {
    /// It became the active version.
    Activated {
        /// The version that was active before.
        previous: Option<Digest>,
    },
    /// It was the active version already.
    Active,
    /// It is still being written; it is read once two looks find the same size and time.
    Settling,
    /// It is not good enough; what was active before serves on.
    Refused {
        /// Why, for a person.
        reason: String,
    },
    /// It is good, but its plugin is pinned: only a person activates it.
    Pinned,
    /// It was rolled back: only a person brings it back.
    RolledBack,
    /// This file activated it once, and another version was chosen since: an unchanged file proposes nothing.
    Superseded,
    /// It is no plugin.
    Ignored {
        /// Why, for a person.
        reason: String,
    },
    /// It is no longer there; what it activated serves on.
    Gone,
}

impl fmt::Display for FileOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Activated { previous: None } => f.write_str("activated"),
            Self::Activated { previous: Some(previous) } => write!(f, "activated in the place of {previous}"),
            Self::Active => f.write_str("active already"),
            Self::Settling => f.write_str("still being written"),
            Self::Refused { reason } => write!(f, "refused: {reason}"),
            Self::Pinned => f.write_str("not activated: the plugin is pinned"),
            Self::RolledBack => f.write_str("not activated: this version was rolled back"),
            Self::Superseded => f.write_str("not activated: unchanged since another version was chosen"),
            Self::Ignored { reason } => write!(f, "ignored: {reason}"),
            Self::Gone => f.write_str("gone; what it activated serves on"),
        }
    }
}

/// A change that a person made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Of which plugin.
    pub key: PluginKey,
    /// The version that was active before; the same as `to` if nothing but the mode could change.
    pub from: Option<Digest>,
    /// The active version.
    pub to: Digest,
    /// Whether files may change it from here on.
    pub mode: PluginMode,
}

/// A version that a person brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// What it is called.
    pub digest: Digest,
    /// What changed, if it was to be made active.
    pub change: Option<Change>,
}
