//! Whether the tenants' pipelines can run with the plugins that are there: asked at the start, and before a version
//! takes over.

use weft_core::name::PluginRef;
use weft_plugin_host::Version;

use crate::catalog::{Catalog, Tenant};
use crate::config::check_pipeline;
use crate::plugins::{FolderReport, PluginKey, Versions};

/// Checks every pipeline against the active versions; `folder` knows why there is none of a plugin.
///
/// # Errors
/// Everything that is wrong, a line each: a plugin without an active version, a role that it lacks, a route in the middle.
pub fn check_all(catalog: &Catalog, versions: &Versions, folder: &FolderReport) -> Result<(), Vec<String>> {
    let mut problems = Vec::new();
    for tenant in catalog.tenants() {
        problems.extend(missing_plugins(tenant, versions, folder));
        problems.extend(pipeline_problems(tenant, |plugin| versions.get(&PluginKey::of(tenant.id, plugin))));
    }
    problems.sort_unstable();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// Checks the pipelines that bind the plugin `key`, as if `version` were active.
///
/// # Errors
/// What is wrong, in one text.
pub fn check_with(catalog: &Catalog, versions: &Versions, key: &PluginKey, version: &Version) -> Result<(), String> {
    let mut problems = Vec::new();
    for tenant in catalog.tenants() {
        let is_meant = |plugin: &PluginRef| PluginKey::of(tenant.id, plugin) == *key;
        if !tenant.pipeline.steps.iter().any(|step| is_meant(&step.plugin)) {
            continue;
        }
        problems.extend(pipeline_problems(tenant, |plugin| {
            if is_meant(plugin) { Some(version) } else { versions.get(&PluginKey::of(tenant.id, plugin)) }
        }));
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
}

/// What is wrong with a tenant's pipeline: its form, and each step's configuration, as far as its plugin describes one.
fn pipeline_problems<'v>(tenant: &Tenant, version: impl Fn(&PluginRef) -> Option<&'v Version>) -> Vec<String> {
    let mut problems = check_pipeline(&tenant.pipeline, |plugin| Some(version(plugin)?.roles().to_vec()));
    for step in &tenant.pipeline.steps {
        let wants = version(&step.plugin).map(Version::wants).unwrap_or_default();
        let missing: Vec<_> =
            wants.iter().filter(|wanted| !step.grants.contains(wanted)).map(|it| it.as_str()).collect();
        if !missing.is_empty() {
            let quoted = step.grants.iter().map(|it| it.as_str()).chain(missing.iter().copied());
            let quoted: Vec<_> = quoted.map(|word| format!("\"{word}\"")).collect();
            problems.push(format!(
                "step {}: {} wants {}, which the step does not grant; if it may, write grants = [{}]",
                step.name,
                step.plugin,
                missing.join(" and "),
                quoted.join(", ")
            ));
        }
        let description = version(&step.plugin).and_then(Version::description);
        let refused = description.map_or(Ok(()), |description| description.check_config(&step.config));
        let told = refused.err().into_iter().flatten();
        problems.extend(told.map(|problem| format!("step {}: configuration: {problem}", step.name)));
    }
    problems.into_iter().map(|problem| format!("tenant {}: {problem}", tenant.name)).collect()
}

fn missing_plugins(tenant: &Tenant, versions: &Versions, folder: &FolderReport) -> Vec<String> {
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
            let way_out = match &step.plugin {
                PluginRef::Operator(name) => match folder.refusal_of(name) {
                    Some(reason) => format!("its file was refused: {reason}"),
                    None => format!("put {name}.wasm into the plugin folder"),
                },
                PluginRef::Own(name) => format!("push it first: weft plugin push {name}.wasm --activate"),
            };
            format!(
                "tenant {}: step {} binds {}, which has no active version (known: {known}); {way_out}",
                tenant.name, step.name, step.plugin
            )
        })
        .collect()
}
