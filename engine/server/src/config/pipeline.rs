//! A tenant's ordered steps: `[[tenant.step]]`, and the rules that hold between them.

use http::HeaderName;
use weft_core::contract::{Capability, Role};
use weft_core::decide::RETRY_AFTER_MAX;
use weft_core::name::{Name, PluginRef};
use weft_core::pipeline::{FailurePolicy, Pipeline, Step, Then};

use super::duration::read_waits;
use super::reader::{Field, Table};
use super::secret::{self, Declared};
use super::step_config;
use super::tenant::Rules;
use super::unique::Unique;
use crate::secrets::SecretRef;

/// Most steps of a pipeline: each runs for every event.
const STEPS_MAX: usize = 1_000;
/// Most inbound headers that a step may name: eight of them cost more than a body.
const HEADERS_MAX: usize = 64;
/// Most retries of a step; while they last, the event has no end.
const RETRIES_MAX: usize = 64;
/// Most secrets that a step may name.
const SECRETS_MAX: usize = 64;
/// Inbound headers that hold the sender's own credentials: no plugin is handed a key.
const CREDENTIALS: [&str; 3] = ["authorization", "proxy-authorization", "cookie"];

/// A secret that a step lets its plugin use, as the file declares it.
#[derive(Clone, Debug, PartialEq)]
pub struct StepSecretConfig {
    /// Which step.
    pub step: Name,
    /// How the plugin asks for it.
    pub name: Name,
    /// Where its text is.
    pub secret: Declared<SecretRef>,
    /// Whether the plugin may read it.
    pub reveal: bool,
}

/// Says what is wrong with the order of a pipeline's steps, and with the roles that they name; empty if nothing is.
///
/// `roles` answers what a plugin exports, `None` if that is not known: of such a plugin only what the step itself says is
/// checked. A step that routes is the last one; a step names only roles that its plugin has.
pub fn check_pipeline(pipeline: &Pipeline, roles: impl Fn(&PluginRef) -> Option<Vec<Role>>) -> Vec<String> {
    let mut problems = Vec::new();
    for (at, step) in pipeline.steps.iter().enumerate() {
        let exported = roles(&step.plugin);
        let Step { name, plugin, roles, .. } = step;
        if let Some(exported) = &exported {
            let missing = roles.iter().filter(|role| !exported.contains(role));
            let has = exported.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", ");
            problems.extend(missing.map(|role| format!("step {name} asks {plugin} to {role}, but it has only: {has}")));
        }
        let routes = if roles.is_empty() { exported.unwrap_or_default() } else { roles.clone() }.contains(&Role::Route);
        if let Some(next) = pipeline.steps.get(at + 1).filter(|_| routes) {
            problems.push(format!(
                "step {name} routes, so it must be the last, but {} comes after it; move it to the end, or name its roles without \
                 \"route\"",
                next.name
            ));
        }
    }
    problems
}

/// Reads all `[[tenant.step]]` tables, and the secrets that they name; those that cannot be read are left out and among the findings.
pub(super) fn read(field: Option<Field<'_>>, rules: &Rules<'_>) -> (Pipeline, Vec<StepSecretConfig>) {
    let Some(field) = field else { return Default::default() };
    let mut names = Unique::of("step");
    let read = |field: Field<'_>| step(field.table()?, rules, &mut names);
    let (steps, secrets): (_, Vec<_>) = field.list(STEPS_MAX).into_iter().filter_map(read).unzip();
    let pipeline = Pipeline { steps };
    for problem in check_pipeline(&pipeline, |_| None) {
        field.problem::<()>(problem);
    }
    (pipeline, secrets.into_iter().flatten().collect())
}

fn step(table: Table<'_>, rules: &Rules<'_>, names: &mut Unique) -> Option<(Step, Vec<StepSecretConfig>)> {
    let plugin_field = table.required("plugin", "say which plugin runs, e.g. plugin = \"operator/json-filter\"");
    let plugin = plugin_field.and_then(Field::parsed::<PluginRef>);
    let name = match table.field("name") {
        Some(field) => names.claim(field),
        None => plugin.as_ref().zip(plugin_field).map(|(plugin, field)| default_name(plugin, field, names)),
    };
    let roles = table.field("roles").map(|field| words(field, Role::ALL, Role::as_str)).unwrap_or_default();
    let config = table.field("config").map_or(Some("{}".to_owned()), |field| step_config::read(field, rules.limits));
    let headers = table.field("headers").map(headers).unwrap_or_default();
    let grants = table.field("grants").map(|field| words(field, Capability::ALL, Capability::as_str));
    let secrets = table.field("secrets").map(|field| secrets(field, rules)).unwrap_or_default();
    let sees_destinations = table.field("sees_destinations").map_or(Some(false), Field::boolean);
    let on_failure = failure_policy(&table);
    table.finish();
    let name = name?;
    let secrets = secrets
        .into_iter()
        .map(|(secret_name, secret, reveal)| StepSecretConfig { step: name.clone(), name: secret_name, secret, reveal })
        .collect();
    let step = Step {
        name,
        plugin: plugin?,
        roles,
        config: config?.into(),
        headers,
        grants: grants.unwrap_or_default(),
        sees_destinations: sees_destinations?,
        on_failure,
    };
    Some((step, secrets))
}

fn default_name(plugin: &PluginRef, field: Field<'_>, names: &mut Unique) -> Name {
    let name = plugin.name().clone();
    names.add(&name, field);
    name
}

/// A list of words, each one of `all` and named once.
fn words<T: Copy + PartialEq>(field: Field<'_>, all: impl AsRef<[T]>, as_str: fn(T) -> &'static str) -> Vec<T> {
    let all = all.as_ref();
    let mut named = Vec::new();
    for entry in field.list(all.len() * 2) {
        let Some(text) = entry.text() else { continue };
        match all.iter().copied().find(|word| as_str(*word) == text) {
            Some(word) if named.contains(&word) => {
                entry.problem::<()>("is named twice");
            }
            Some(word) => named.push(word),
            None => {
                let known: Vec<_> = all.iter().map(|word| format!("\"{}\"", as_str(*word))).collect();
                if let Some((last, others)) = known.split_last() {
                    entry.problem::<()>(format!("must be {} or {last}", others.join(", ")));
                }
            }
        }
    }
    named
}

/// Secrets by name, each the place of its text, and `reveal = true` where the plugin may read it.
fn secrets(field: Field<'_>, rules: &Rules<'_>) -> Vec<(Name, Declared<SecretRef>, bool)> {
    let read = |(name, field): (&str, Field<'_>)| {
        let table = secret::table(field)?;
        let secret = secret::read(&table, rules.folder);
        let reveal = table.field("reveal").map_or(Some(false), Field::boolean);
        table.finish();
        let Ok(name) = name.parse() else {
            return field.problem("is no name: use 1 to 64 of a-z, 0-9, - and _ before the equals sign");
        };
        Some((name, secret?, reveal?))
    };
    field.hiding().entries(SECRETS_MAX).unwrap_or_default().into_iter().filter_map(read).collect()
}

fn headers(field: Field<'_>) -> Vec<String> {
    let header = |entry: Field<'_>| {
        let text = entry.text()?;
        let Ok(name) = text.parse::<HeaderName>() else {
            return entry.problem("must be the name of an HTTP header, e.g. \"x-github-event\"");
        };
        if CREDENTIALS.contains(&name.as_str()) {
            return entry.problem("holds the sender's credentials, which no plugin is handed; leave it out");
        }
        Some(name.as_str().to_owned())
    };
    field.list(HEADERS_MAX).into_iter().filter_map(header).collect()
}

fn failure_policy(table: &Table<'_>) -> FailurePolicy {
    let default = FailurePolicy::default();
    let retries = table.field("retries").map(|field| read_waits(field, RETRIES_MAX, RETRY_AFTER_MAX));
    let then = table.field("then").and_then(|field| match field.text()? {
        "dead-letter" => Some(Then::DeadLetter),
        "drop" => Some(Then::Drop),
        _ => field.problem("must be \"dead-letter\" or \"drop\""),
    });
    FailurePolicy { retries: retries.unwrap_or(default.retries), then: then.unwrap_or(default.then) }
}
