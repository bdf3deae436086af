//! `/v1/plugins`: which versions there are, and which one runs.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use serde::Deserialize;
use weft_client::wire::{self, ActivateRequest, PluginChange, PluginFolder, PluginVersion, Plugins, PushedVersion};
use weft_core::digest::Digest;
use weft_core::limits::COMPONENT_BYTES;
use weft_core::name::Name;
use weft_store::plugin::{PluginMode, VersionRecord, VersionState};

use super::access::Access;
use super::body::BodyLimit;
use super::params::{Params, Segment};
use super::refusal::{INVALID_BODY, INVALID_PARAMETER, NOT_FOUND, PLUGIN_CONFLICT, Refusal, STOPPING, shortened};
use super::{SharedState, body};
use crate::catalog::{Caller, Catalog};
use crate::plugins::{Change, FileOutcome, FileReport, FolderReport, PluginKey, PluginReport, RegistryError};

/// Answers all plugins that the caller may bind; the operator sees the folder and everybody's, too.
pub(super) async fn list(State(state): State<SharedState>, access: Access) -> Result<Json<Plugins>, Refusal> {
    let listing = state.operations.plugins.list().await?;
    let is_operator = access.by == Caller::Operator;
    let visible = |report: &PluginReport| match &report.key {
        PluginKey::Operator(_) => true,
        PluginKey::Tenant(tenant, _) => access.scope().is_none_or(|own| own == *tenant),
    };
    let shown = |report| plugin(&access.catalog, report, is_operator);
    let plugins = listing.plugins.into_iter().filter(visible).map(shown).collect();
    Ok(Json(Plugins { folder: is_operator.then(|| folder(&listing.folder)), plugins }))
}

/// How a version is pushed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PushParams {
    /// Makes it active as well.
    #[serde(default)]
    activate: bool,
}

/// Takes a component as a version of a plugin.
pub(super) async fn push(
    State(state): State<SharedState>,
    access: Access,
    Segment(name): Segment,
    Params(params): Params<PushParams>,
    request: Request<Body>,
) -> Result<Json<PushedVersion>, Refusal> {
    let key = owned(&access, &name, Unknown::Made)?;
    let operations = &state.operations;
    // Few at once, because each holds a whole component.
    let _turn = operations.uploads.acquire().await.map_err(|_| Refusal::new(&STOPPING, "the engine is stopping"))?;
    let (parts, body) = request.into_parts();
    let limit = BodyLimit { bytes: operations.component_bytes, key: COMPONENT_BYTES.key };
    let component = body::read(&parts.headers, body, limit, |_| Ok(())).await?;
    let pushed = operations.plugins.push(&key, component, params.activate).await?;
    Ok(Json(PushedVersion {
        plugin: key.name().to_string(),
        digest: pushed.digest.to_string(),
        change: pushed.change.as_ref().map(change),
    }))
}

/// Makes a version of a plugin active.
pub(super) async fn activate(
    State(state): State<SharedState>,
    access: Access,
    Segment(name): Segment,
    request: Request<Body>,
) -> Result<Json<PluginChange>, Refusal> {
    let key = owned(&access, &name, Unknown::Refused)?;
    let (parts, body) = request.into_parts();
    let wanted: ActivateRequest = body::read_json(&parts.headers, body).await?;
    let listing = state.operations.plugins.list().await?;
    let report = listing.plugins.iter().find(|report| report.key == key);
    let report = report.ok_or_else(|| Refusal::no_such("plugin", &name))?;
    let digest = digest(&report.versions, &wanted.digest)?;
    let mode = wanted.mode.map(|mode| match mode {
        wire::PluginMode::Following => PluginMode::Following,
        wire::PluginMode::Pinned => PluginMode::Pinned,
    });
    Ok(Json(change(&state.operations.plugins.activate(&key, digest, mode).await?)))
}

/// Goes back to the version that was active before.
pub(super) async fn rollback(
    State(state): State<SharedState>,
    access: Access,
    Segment(name): Segment,
) -> Result<Json<PluginChange>, Refusal> {
    let key = owned(&access, &name, Unknown::Refused)?;
    Ok(Json(change(&state.operations.plugins.rollback(&key).await?)))
}

/// Reads every file of the plugin folder again.
pub(super) async fn reload(State(state): State<SharedState>, access: Access) -> Result<Json<PluginFolder>, Refusal> {
    access.operator_only()?;
    Ok(Json(folder(&state.operations.plugins.reload().await?)))
}

impl From<RegistryError> for Refusal {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::UnknownPlugin { .. } | RegistryError::UnknownVersion { .. } => {
                Self::new(&NOT_FOUND, error.to_string())
            }
            RegistryError::Refused { .. }
            | RegistryError::TooManyVersions { .. }
            | RegistryError::NothingBefore { .. }
            | RegistryError::NothingActive { .. }
            | RegistryError::Overtaken { .. } => Self::new(&PLUGIN_CONFLICT, error.to_string()),
            RegistryError::Store { source, .. } => Self::from(source),
        }
    }
}

/// What to say of a name that can be nobody's.
#[derive(Clone, Copy)]
pub(super) enum Unknown {
    /// A plugin of this name is to be made.
    Made,
    /// A plugin of this name is to be found.
    Refused,
}

/// The plugin that the caller calls so: `operator/name`, or the bare name of an own one. The operator's own are the operator's, unless it acts
/// for a tenant.
pub(super) fn owned(access: &Access, name: &str, unknown: Unknown) -> Result<PluginKey, Refusal> {
    let bare = name.strip_prefix("operator/");
    let parsed = bare.unwrap_or(name).parse::<Name>().map_err(|error| match unknown {
        Unknown::Made => Refusal::new(&INVALID_PARAMETER, error.to_string()).key("path"),
        Unknown::Refused => Refusal::no_such("plugin", &shortened(name)),
    })?;
    match access.scope().filter(|_| bare.is_none()) {
        Some(tenant) => Ok(PluginKey::Tenant(tenant, parsed)),
        None => {
            access.operator_only()?;
            Ok(PluginKey::Operator(parsed))
        }
    }
}

/// The one version whose digest begins with `digits`.
pub(super) fn digest(versions: &[VersionRecord], digits: &str) -> Result<Digest, Refusal> {
    const RULE: &str = "1 to 64 hexadecimal digits";
    let wanted = digits.to_ascii_lowercase();
    if !(1..=64).contains(&wanted.len()) || !wanted.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        let detail = format!("digest is {:?}: use the first digits of a version's digest", shortened(digits));
        return Err(Refusal::new(&INVALID_BODY, detail).key("digest").rule(RULE));
    }
    let begins = |version: &&VersionRecord| version.digest.to_string().starts_with(&wanted);
    match versions.iter().filter(begins).collect::<Vec<_>>().as_slice() {
        [one] => Ok(one.digest),
        [] => Err(Refusal::new(&NOT_FOUND, format!("no version's digest begins with {wanted}")).key("digest")),
        several => {
            let detail = format!("the digests of {} versions begin with {wanted}: give more digits", several.len());
            Err(Refusal::new(&INVALID_BODY, detail).key("digest").rule(RULE))
        }
    }
}

fn plugin(catalog: &Catalog, report: PluginReport, with_file: bool) -> wire::Plugin {
    let tenant = match &report.key {
        PluginKey::Operator(_) => None,
        PluginKey::Tenant(id, _) => Some(catalog.tenant(*id).map_or_else(|| id.to_string(), |t| t.name.to_string())),
    };
    wire::Plugin {
        name: report.key.name().to_string(),
        tenant,
        mode: mode(report.mode),
        active: report.active.map(|digest| digest.to_string()),
        active_since: report.active_since,
        roles: report.roles,
        wants: report.wants,
        pure: report.is_pure,
        // It was read when the version was loaded, so it is JSON.
        description: report.description.and_then(|text| serde_json::from_str(&text).ok()),
        problem: report.problem,
        file: report.file.as_ref().filter(|_| with_file).map(file),
        versions: report.versions.into_iter().map(version).collect(),
    }
}

fn version(record: VersionRecord) -> PluginVersion {
    PluginVersion {
        digest: record.digest.to_string(),
        component_bytes: record.component_bytes,
        first_seen_at: record.first_seen_at,
        state: match record.state {
            VersionState::Ready { roles } => wire::VersionState::Ready { roles },
            VersionState::Refused { reason } => wire::VersionState::Refused { reason },
        },
        rolled_back: record.rolled_back,
    }
}

fn change(change: &Change) -> PluginChange {
    PluginChange {
        plugin: change.key.name().to_string(),
        active: change.to.to_string(),
        previous: change.from.map(|digest| digest.to_string()),
        mode: mode(change.mode),
    }
}

const fn mode(mode: PluginMode) -> wire::PluginMode {
    match mode {
        PluginMode::Following => wire::PluginMode::Following,
        PluginMode::Pinned => wire::PluginMode::Pinned,
    }
}

fn folder(report: &FolderReport) -> PluginFolder {
    PluginFolder {
        path: report.path.display().to_string(),
        problem: report.problem.clone(),
        files: report.files.iter().map(file).collect(),
    }
}

fn file(report: &FileReport) -> wire::PluginFile {
    let outcome = match &report.outcome {
        FileOutcome::Activated { .. } => "activated",
        FileOutcome::Active => "active",
        FileOutcome::Settling => "settling",
        FileOutcome::Refused { .. } => "refused",
        FileOutcome::Pinned => "pinned",
        FileOutcome::RolledBack => "rolled-back",
        FileOutcome::Superseded => "superseded",
        FileOutcome::Ignored { .. } => "ignored",
        FileOutcome::Gone => "gone",
    };
    wire::PluginFile {
        file: report.file.clone(),
        plugin: report.plugin.as_ref().map(ToString::to_string),
        digest: report.digest.map(|digest| digest.to_string()),
        outcome: outcome.to_owned(),
        detail: report.outcome.to_string(),
        at: report.at,
    }
}
