//! Rows of plugins, their versions and their history.

use weft_core::contract::Role;
use weft_core::digest::Digest;

use super::Cells;
use crate::error::StoreError;
use crate::plugin::{
    Activated, ActivatedBy, Activation, ActivationRecord, PluginFileRecord, PluginMode, PluginRecord, VersionRecord,
    VersionState,
};

/// A plugin as a change of it needs it.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) seq: i64,
    pub(crate) mode: PluginMode,
    pub(crate) active: Option<Digest>,
}

impl Found {
    pub(crate) fn read(cells: &Cells<'_>) -> Result<Self, StoreError> {
        Ok(Self { seq: cells.int("seq")?, mode: mode(cells)?, active: maybe_digest(cells, "active")? })
    }
}

/// What the store knows of a version that is to be activated.
#[derive(Debug)]
pub(crate) struct Seen {
    ready: bool,
    rolled_back: bool,
    /// The version last activated from the file that proposes this one.
    of_file: Option<Digest>,
}

impl Seen {
    pub(crate) fn read(cells: &Cells<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            ready: cells.text("state")? == "ready",
            rolled_back: cells.maybe_int("rolled_back_at")?.is_some(),
            of_file: maybe_digest(cells, "of_file")?,
        })
    }
}

/// What speaks against an activation.
pub(crate) fn refusal(found: &Found, activation: &Activation, seen: Option<Seen>) -> Option<Activated> {
    let Some(seen) = seen.filter(|seen| seen.ready) else { return Some(Activated::NotReady) };
    if found.active == Some(activation.digest) {
        return None;
    }
    if let ActivatedBy::File { .. } = activation.by {
        if found.mode == PluginMode::Pinned {
            return Some(Activated::Pinned);
        }
        if seen.of_file == Some(activation.digest) {
            return Some(Activated::FileUnchanged);
        }
        if seen.rolled_back {
            return Some(Activated::RolledBack);
        }
    }
    (found.active != activation.expected).then_some(Activated::Changed { active: found.active })
}

/// The word for a mode.
pub(crate) const fn mode_word(mode: PluginMode) -> &'static str {
    match mode {
        PluginMode::Following => "following",
        PluginMode::Pinned => "pinned",
    }
}

fn mode(cells: &Cells<'_>) -> Result<PluginMode, StoreError> {
    cells.word("mode", |word| [PluginMode::Following, PluginMode::Pinned].into_iter().find(|it| mode_word(*it) == word))
}

fn maybe_digest(cells: &Cells<'_>, column: &'static str) -> Result<Option<Digest>, StoreError> {
    Ok(cells.maybe_array(column)?.map(Digest::from_bytes))
}

pub(crate) fn plugin_record(cells: &Cells<'_>) -> Result<PluginRecord, StoreError> {
    Ok(PluginRecord {
        id: cells.id("id")?,
        tenant: cells.maybe_id("tenant")?,
        name: cells.parsed("name")?,
        mode: mode(cells)?,
        active: maybe_digest(cells, "active")?,
    })
}

/// The word for who activates a version, and the folder and file that it comes from.
pub(crate) fn activator(by: &ActivatedBy) -> (&'static str, Option<&str>, Option<&str>) {
    match by {
        ActivatedBy::File { folder, name } => ("file", Some(folder), Some(name)),
        ActivatedBy::Person => ("person", None, None),
        ActivatedBy::Rollback => ("rollback", None, None),
    }
}

pub(crate) fn activation_record(cells: &Cells<'_>) -> Result<ActivationRecord, StoreError> {
    let by = match cells.text("by")?.as_str() {
        "file" => ActivatedBy::File { folder: cells.text("folder")?, name: cells.text("file")? },
        "person" => ActivatedBy::Person,
        "rollback" => ActivatedBy::Rollback,
        other => return Err(cells.corrupt("by", format!("{other:?} is none of its words"))),
    };
    Ok(ActivationRecord {
        digest: Digest::from_bytes(cells.array("digest")?),
        previous: maybe_digest(cells, "previous")?,
        by,
        at: cells.time("at")?,
    })
}

pub(crate) fn file_record(cells: &Cells<'_>) -> Result<PluginFileRecord, StoreError> {
    Ok(PluginFileRecord {
        folder: cells.text("folder")?,
        name: cells.text("name")?,
        plugin: cells.id("plugin")?,
        activated: Digest::from_bytes(cells.array("activated")?),
    })
}

pub(crate) fn version_record(cells: &Cells<'_>) -> Result<VersionRecord, StoreError> {
    Ok(VersionRecord {
        digest: Digest::from_bytes(cells.array("digest")?),
        component_bytes: cells.number("component_bytes")?,
        first_seen_at: cells.time("first_seen_at")?,
        state: version_state(cells)?,
        rolled_back: cells.maybe_int("rolled_back_at")?.is_some(),
    })
}

fn version_state(cells: &Cells<'_>) -> Result<VersionState, StoreError> {
    match cells.text("state")?.as_str() {
        "ready" => Ok(VersionState::Ready { roles: cells.word("roles", roles)? }),
        "refused" => Ok(VersionState::Refused { reason: cells.maybe_text("refusal")?.unwrap_or_default() }),
        other => Err(cells.corrupt("state", format!("{other:?} is none of its words"))),
    }
}

/// Roles as the tables keep them: their words, with a space between them.
pub(crate) fn role_words(roles: &[Role]) -> String {
    roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(" ")
}

fn roles(words: &str) -> Option<Vec<Role>> {
    words.split_whitespace().map(|word| Role::ALL.into_iter().find(|role| role.as_str() == word)).collect()
}
