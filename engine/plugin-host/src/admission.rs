//! What a component must be to be taken: of the right kind, for this contract, asking for nothing that is not granted.

use wasmtime::component::{Component, ComponentExportIndex};
use wasmtime::{Engine, Error};
use weft_core::contract::{Capability, Role};

use crate::bindings::{self, CONFIG, CONTRACT, LATEST, LOG, PACKAGE_PREFIX, SECRETS, SERVED, TYPES, full_name};
use crate::refusal::{Refusal, UngrantedImport};
use crate::wasi;

/// The first eight bytes of a component.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
/// The first eight bytes of a core module.
const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";
/// Bytes of a page of linear memory.
const PAGE_BYTES: u64 = 64 * 1024;

/// The function that stands for each role that a component exports, in the order in which a step runs them.
pub(crate) type Exports = Vec<(Role, ComponentExportIndex)>;

/// Refuses bytes that are not a component; compiled code above all, which the engine would run unchecked.
pub(crate) fn check_kind(bytes: &[u8]) -> Result<(), Refusal> {
    let reason = if Engine::detect_precompiled(bytes).is_some() {
        "this is compiled code; bring the .wasm file from which it was made"
    } else if bytes.starts_with(CORE_MODULE) {
        "this is a core module; build for wasm32-wasip2, or wrap it with `wasm-tools component new`"
    } else if bytes.is_empty() {
        "the file is empty"
    } else if !bytes.starts_with(COMPONENT) {
        "it does not begin as one; build for wasm32-wasip2"
    } else {
        return Ok(());
    };
    Err(Refusal::NotAComponent { reason: reason.to_owned() })
}

/// What a component brings and what it asks for.
pub(crate) struct Interfaces {
    /// What steps can run.
    pub(crate) exports: Exports,
    /// What a step must grant to run it, each once.
    pub(crate) wants: Vec<Capability>,
}

/// Refuses what imports what nobody can grant, or exports nothing that this host calls.
pub(crate) fn check_interfaces(engine: &Engine, component: &Component) -> Result<Interfaces, Refusal> {
    let outside = component.component_type();
    let (mut wants, mut ungranted) = (Vec::new(), Vec::new());
    for (name, _) in outside.imports(engine) {
        match judge_import(name) {
            Import::Granted => {}
            Import::Wants(capability) => wants.push(capability),
            Import::OtherContract => return Err(other_contract(name)),
            Import::Ungranted(way_out) => ungranted.push(UngrantedImport { interface: name.to_owned(), way_out }),
        }
    }
    if !ungranted.is_empty() {
        return Err(Refusal::NotGranted { imports: ungranted });
    }
    let mut exports = Exports::new();
    for role in Role::ALL {
        let (interface, function) = bindings::interface(role);
        let served = |name: &&str| SERVED.iter().any(|version| is_same(name, &full_name(interface, version)));
        let Some(name) = outside.exports(engine).map(|(name, _)| name).find(served) else { continue };
        let index = component
            .get_export_index(None, name)
            .and_then(|instance| component.get_export_index(Some(&instance), function))
            .ok_or_else(|| Refusal::Misfit { offered: CONTRACT, reason: format!("{name} exports no {function}") })?;
        exports.push((role, index));
    }
    if exports.is_empty() {
        let mut names = outside.exports(engine).map(|(name, _)| name);
        return Err(names.find(|name| name.starts_with(PACKAGE_PREFIX)).map_or(NO_ROLE, other_contract));
    }
    Ok(Interfaces { exports, wants })
}

const NO_ROLE: Refusal = Refusal::NoRole { offered: CONTRACT };

/// Refuses what could never be instantiated.
pub(crate) fn check_resources(component: &Component, memory_bytes_max: usize) -> Result<(), Refusal> {
    let pages = component.resources_required().and_then(|resources| resources.max_initial_memory_size).unwrap_or(0);
    let bytes = pages.saturating_mul(PAGE_BYTES);
    if usize::try_from(bytes).is_ok_and(|bytes| bytes <= memory_bytes_max) {
        return Ok(());
    }
    let reason =
        format!("its memory begins with {bytes} bytes; the limit guest_memory_bytes_max is {memory_bytes_max}");
    Err(Refusal::Resources { reason })
}

/// The refusal for what the compiler answered.
pub(crate) fn compile_refusal(error: &Error) -> Refusal {
    let reason = format!("{error:#}");
    // The pool checks a component when it is compiled, and says so in words only.
    if reason.contains("pooling allocator") {
        Refusal::Resources { reason }
    } else {
        Refusal::DoesNotCompile { reason }
    }
}

/// The refusal for an interface whose functions or types are others.
pub(crate) fn misfit(error: &Error) -> Refusal {
    Refusal::Misfit { offered: CONTRACT, reason: format!("{error:#}") }
}

fn other_contract(name: &str) -> Refusal {
    Refusal::OtherContract { found: name.to_owned(), offered: CONTRACT }
}

enum Import {
    /// Every plugin may.
    Granted,
    /// A step must grant it.
    Wants(Capability),
    OtherContract,
    Ungranted(&'static str),
}

fn judge_import(name: &str) -> Import {
    let (interface, version) = name.split_once('@').unwrap_or((name, ""));
    if let Some(interface) = interface.strip_prefix(PACKAGE_PREFIX) {
        return judge_ours(interface, version);
    }
    if wasi::INTERFACES.contains(&interface) {
        return if is_same(version, "0.2.0") { Import::Granted } else { Import::Ungranted("build for WASI 0.2") };
    }
    Import::Ungranted(match interface.split('/').next().unwrap_or_default() {
        "wasi:filesystem" => {
            "no plugin may use files: build without std::fs and what opens files; Python and JavaScript: stub WASI out"
        }
        "wasi:sockets" => {
            "no plugin may open connections: build without std::net and what connects; Python and JavaScript: stub WASI out"
        }
        "wasi:http" => "no plugin may make requests: build without an HTTP client; JavaScript: switch fetch off",
        _ => "this host does not have it: build without",
    })
}

/// The same for an interface of the contract.
fn judge_ours(interface: &str, version: &str) -> Import {
    if !SERVED.iter().any(|served| is_same(served, version)) {
        return Import::OtherContract;
    }
    if [CONFIG, LOG, TYPES].contains(&interface) {
        return Import::Granted;
    }
    let capability = Capability::ALL.into_iter().find(|capability| capability.as_str() == interface);
    match capability {
        _ if !is_same(LATEST, version) => Import::Ungranted("build for the contract's present version"),
        Some(capability) => Import::Wants(capability),
        None if interface == SECRETS => Import::Granted,
        None => Import::Ungranted("this host has no such capability"),
    }
}

/// Whether two names, or two versions, are of one interface: before 1.0 the first two numbers must agree.
fn is_same(one: &str, other: &str) -> bool {
    let significant = |name: &str| name.rsplit_once('.').map(|(rest, _patch)| rest.to_owned());
    significant(one).is_some_and(|one| Some(one) == significant(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_patch_number_may_differ() {
        let log = full_name(LOG, "0.1.0");
        assert!(is_same("weft:plugin/log@0.1.7", &log));
        for other in ["weft:plugin/log@0.2.0", "weft:plugin/log@1.1.0", "weft:plugin/log", "weft:plugin/logs@0.1.0"] {
            assert!(!is_same(other, &log), "{other}");
        }
    }

    #[test]
    fn promise_5_what_is_not_granted_is_refused_with_a_way_out() {
        for (name, word) in [
            ("wasi:filesystem/types@0.2.3", "files"),
            ("wasi:sockets/tcp@0.2.0", "connections"),
            ("wasi:http/outgoing-handler@0.2.0", "requests"),
            ("wasi:cli/environment@0.3.0", "WASI 0.2"),
            ("weft:plugin/kv@0.1.0", "present version"),
            ("weft:plugin/gpu@0.2.0", "no such capability"),
            ("acme:gpu/compute", "does not have it"),
        ] {
            let Import::Ungranted(way_out) = judge_import(name) else { panic!("{name} must not be granted") };
            assert!(way_out.contains(word), "{name}: {way_out}");
        }
        assert!(matches!(judge_import("weft:plugin/log@9.0.0"), Import::OtherContract));
        for granted in ["weft:plugin/log@0.1.0", "weft:plugin/log@0.2.3", "weft:plugin/secrets@0.2.0"] {
            assert!(matches!(judge_import(granted), Import::Granted), "{granted}");
        }
        for wanted in Capability::ALL {
            let name = full_name(wanted.as_str(), LATEST);
            assert!(matches!(judge_import(&name), Import::Wants(found) if found == wanted), "{name}");
        }
        assert!(matches!(judge_import("wasi:io/streams@0.2.12"), Import::Granted));
    }

    #[test]
    fn what_is_no_component_is_told_apart() {
        let reason = |bytes: &[u8]| check_kind(bytes).expect_err("a refusal").to_string();
        assert!(reason(b"").contains("empty"));
        assert!(reason(b"\0asm\x01\0\0\0rest").contains("core module"));
        assert!(reason(b"#!/bin/sh").contains("does not begin as one"));
        assert_eq!(check_kind(COMPONENT), Ok(()));
    }
}
