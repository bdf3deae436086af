//! Whether the tenants' pipelines can run with the plugins that are there: asked at the start, and before a version
//! takes over.

use weft_core::contract::Role;
use weft_core::name::PluginRef;

use crate::catalog::{Catalog, Tenant};
use crate::config::check_pipeline;
use crate::plugins::{PluginKey, Versions};

/// Checks every pipeline against the active versions.
///
/// # Errors
/// Everything that is wrong, a line each: a plugin without an active version, a role that it lacks, a route in the middle.
pub fn check_all(catalog: &Catalog, versions: &Versions) -> Result<(), Vec<String>> {
    let mut problems = Vec::new();
    for tenant in catalog.tenants() {
        problems.extend(missing_plugins(tenant, versions));
        let roles = |plugin: &PluginRef| roles_of(versions, &PluginKey::of(tenant.id, plugin));
        problems.extend(in_words(tenant, check_pipeline(&tenant.pipeline, roles)));
    }
    problems.sort_unstable();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// Checks the pipelines that bind the plugin `key`, as if a version with `roles` were active.
///
/// # Errors
/// What is wrong, in one text.
pub fn check_with(catalog: &Catalog, versions: &Versions, key: &PluginKey, roles: &[Role]) -> Result<(), String> {
    let mut problems = Vec::new();
    for tenant in catalog.tenants() {
        let is_meant = |plugin: &PluginRef| PluginKey::of(tenant.id, plugin) == *key;
        if !tenant.pipeline.steps.iter().any(|step| is_meant(&step.plugin)) {
            continue;
        }
        let roles = |plugin: &PluginRef| {
            if is_meant(plugin) { Some(roles.to_vec()) } else { roles_of(versions, &PluginKey::of(tenant.id, plugin)) }
        };
        problems.extend(in_words(tenant, check_pipeline(&tenant.pipeline, roles)));
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
}

fn roles_of(versions: &Versions, key: &PluginKey) -> Option<Vec<Role>> {
    Some(versions.get(key)?.roles().to_vec())
}

fn in_words(tenant: &Tenant, problems: Vec<String>) -> impl Iterator<Item = String> {
    problems.into_iter().map(move |problem| format!("tenant {}: {problem}", tenant.name))
}

fn missing_plugins(tenant: &Tenant, versions: &Versions) -> Vec<String> {
    let missing =
        tenant.pipeline.steps.iter().filter(|step| !versions.contains_key(&PluginKey::of(tenant.id, &step.plugin)));
    missing
        .map(|step| {
            let mut known: Vec<_> = versions
                .keys()
                .filter_map(|key| match key {
                    PluginKey::Operator(name) => Some(format!("operator/{name}")),
                    PluginKey::Tenant(owner, name) => (*owner == tenant.id).then(|| name.to_string()),
                })
                .collect();
            known.sort_unstable();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            format!(
                "tenant {}: step {} binds {}, which has no active version (known: {known}); put {}.wasm into the plugin folder",
                tenant.name,
                step.name,
                step.plugin,
                step.plugin.name()
            )
        })
        .collect()
}
