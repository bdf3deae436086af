//! Plugins: their versions, which one is active, and which files proposed them.

use bytes::Bytes;
use weft_core::contract::Role;
use weft_core::digest::Digest;
use weft_core::id::{PluginId, TenantId};
use weft_core::name::Name;
use weft_core::time::Timestamp;

/// A plugin.
#[derive(Clone, Debug)]
pub struct PluginRecord {
    /// Its id.
    pub id: PluginId,
    /// The tenant that pushed it; `None` for the operator's.
    pub tenant: Option<TenantId>,
    /// Unique within its owner.
    pub name: Name,
    /// Whether files may change its active version.
    pub mode: PluginMode,
    /// The active version.
    pub active: Option<Digest>,
}

/// Whether files may change a plugin's active version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PluginMode {
    /// A changed file is activated.
    Following,
    /// Only a person changes it.
    Pinned,
}

/// A plugin to find or make.
#[derive(Clone, Debug)]
pub struct NewPlugin {
    /// The id that it gets if it is unknown.
    pub fresh: PluginId,
    /// The tenant that pushed it; `None` for the operator's.
    pub tenant: Option<TenantId>,
    /// Unique within its owner.
    pub name: Name,
}

/// A version of a plugin.
#[derive(Clone, Debug)]
pub struct VersionRecord {
    /// Its identity.
    pub digest: Digest,
    /// Length of the component.
    pub component_bytes: u64,
    /// When it was first seen.
    pub first_seen_at: Timestamp,
    /// Whether it can be activated.
    pub state: VersionState,
    /// Whether it was rolled back: no file activates it again.
    pub rolled_back: bool,
}

/// Whether a version can be activated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionState {
    /// It was compiled, checked and probed.
    Ready {
        /// What it exports.
        roles: Vec<Role>,
    },
    /// It was refused.
    Refused {
        /// Why, for a person.
        reason: String,
    },
}

/// A version that was compiled, checked and probed.
#[derive(Clone, Debug)]
pub struct NewVersion {
    /// Of which plugin.
    pub plugin: PluginId,
    /// Its identity.
    pub digest: Digest,
    /// The component.
    pub component: Bytes,
    /// What it exports.
    pub roles: Vec<Role>,
}

/// A version that was refused.
#[derive(Clone, Debug)]
pub struct NewRefusal {
    /// Of which plugin.
    pub plugin: PluginId,
    /// Its identity.
    pub digest: Digest,
    /// Length of the component, which is not kept.
    pub component_bytes: u64,
    /// Why, for a person.
    pub reason: String,
}

/// A wish to make a version active.
#[derive(Clone, Debug)]
pub struct Activation {
    /// Which plugin.
    pub plugin: PluginId,
    /// Which version.
    pub digest: Digest,
    /// Who wishes it.
    pub by: ActivatedBy,
    /// The version that the caller believes to be active.
    pub expected: Option<Digest>,
    /// The mode from then on; `None` leaves it.
    pub mode: Option<PluginMode>,
}

/// Who changes an active version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActivatedBy {
    /// A file that has changed.
    File {
        /// The plugin folder.
        folder: String,
        /// The file's name in it.
        name: String,
    },
    /// A person; lifts a rollback of that version.
    Person,
    /// A rollback. Written by `rollback`, not by `activate`.
    Rollback,
}

/// What became of a wish to make a version active.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Activated {
    /// It is active.
    Done {
        /// The version that was active before.
        previous: Option<Digest>,
    },
    /// It was active already.
    Unchanged,
    /// Another version is active than the caller believed; nothing was written.
    Changed {
        /// The active version.
        active: Option<Digest>,
    },
    /// The version was refused, or was never seen.
    NotReady,
    /// The plugin is pinned: a file does not change it.
    Pinned,
    /// The version was rolled back: a file does not bring it back.
    RolledBack,
    /// This file has activated this very version before: only a changed file is a proposal.
    FileUnchanged,
}

/// What became of a wish to go back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RolledBack {
    /// The version before is active; no file brings `from` back.
    Done {
        /// The version that was left.
        from: Digest,
        /// The active version.
        to: Digest,
    },
    /// There is no other version to go back to.
    NothingBefore,
}

/// A file that has proposed versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginFileRecord {
    /// The plugin folder.
    pub folder: String,
    /// The file's name in it.
    pub name: String,
    /// The plugin that it proposes versions of.
    pub plugin: PluginId,
    /// The version that was last activated from it.
    pub activated: Digest,
}

/// One change of an active version.
#[derive(Clone, Debug)]
pub struct ActivationRecord {
    /// The version that became active.
    pub digest: Digest,
    /// The version that was active before.
    pub previous: Option<Digest>,
    /// Who did it.
    pub by: ActivatedBy,
    /// When.
    pub at: Timestamp,
}
