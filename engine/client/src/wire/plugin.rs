//! Plugins: their versions, and which one is active.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use weft_core::contract::{Capability, Role};
use weft_core::time::Timestamp;

/// The answer of `GET /v1/plugins`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plugins {
    /// The folder that the operator's plugins come from; shown to the operator only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<PluginFolder>,
    /// The operator's first, then the tenants' own.
    pub plugins: Vec<Plugin>,
}

/// A plugin with its versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plugin {
    /// Unique within its owner.
    pub name: String,
    /// The name of the tenant that pushed it; absent for the operator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Whether files may change its active version.
    pub mode: PluginMode,
    /// The digest of the active version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<String>,
    /// Since when it is active.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "super::time::optional")]
    pub active_since: Option<Timestamp>,
    /// What the active version exports.
    pub roles: Vec<Role>,
    /// What a step must grant to the active version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wants: Vec<Capability>,
    /// Whether the active version has the same outcome whenever it gets the same event, configuration and secrets; absent if it does not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pure: Option<bool>,
    /// What the active version says about itself, as it stands in its `plugin.json`: name, version, a sentence, and under `config` the JSON
    /// Schema of a step's configuration, from which a form can be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Value>,
    /// Why the active version does not run, although it is active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The file that proposes its versions, shown to the operator only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PluginFile>,
    /// Newest first.
    pub versions: Vec<PluginVersion>,
}

/// Whether files may change a plugin's active version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PluginMode {
    /// A changed file is activated.
    Following,
    /// Only a person changes it.
    Pinned,
}

impl PluginMode {
    /// The word for this mode.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Following => "following",
            Self::Pinned => "pinned",
        }
    }
}

/// A version of a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginVersion {
    /// SHA-256 of the component, 64 hexadecimal digits.
    pub digest: String,
    /// Length of the component.
    pub component_bytes: u64,
    /// When it was first seen.
    #[serde(with = "super::time")]
    pub first_seen_at: Timestamp,
    /// Whether it can be activated.
    #[serde(flatten)]
    pub state: VersionState,
    /// Whether it was rolled back: no file activates it again.
    pub rolled_back: bool,
}

/// Whether a version can be activated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum VersionState {
    /// It was compiled, checked and probed.
    Ready {
        /// What it exports.
        roles: Vec<Role>,
    },
    /// It was refused.
    Refused {
        /// Why.
        reason: String,
    },
}

/// The body of `POST /v1/plugins/{name}/activate`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActivateRequest {
    /// The version's digest, or its first digits if no other version begins with them.
    pub digest: String,
    /// Whether files may change it from then on; absent, an older version than the newest is pinned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<PluginMode>,
}

/// The answer of `POST /v1/plugins/{name}/versions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushedVersion {
    /// Of which plugin.
    pub plugin: String,
    /// What the version is called.
    pub digest: String,
    /// What changed, if it was to be made active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<PluginChange>,
}

/// What an activation or a rollback changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginChange {
    /// Which plugin.
    pub plugin: String,
    /// The digest that is active.
    pub active: String,
    /// The digest that was active before; absent if there was none, the same if nothing changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// Whether files may change it from here on.
    pub mode: PluginMode,
}

/// The plugin folder as it was last looked at; the answer of `POST /v1/plugins/reload`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginFolder {
    /// Where it is.
    pub path: String,
    /// Why it could not be listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// One for each file, by name.
    pub files: Vec<PluginFile>,
}

/// What became of one file of the plugin folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginFile {
    /// Its name within the folder.
    pub file: String,
    /// The plugin that it proposes versions of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    /// The version that it proposes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// `activated`, `active`, `settling`, `refused`, `pinned`, `rolled-back`, `superseded`, `ignored` or `gone`.
    pub outcome: String,
    /// The outcome in words, with the reason.
    pub detail: String,
    /// When that was found.
    #[serde(with = "super::time")]
    pub at: Timestamp,
}
