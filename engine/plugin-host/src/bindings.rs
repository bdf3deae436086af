//! What `wit/weft.wit` says, in Rust: types generated from the text, and the names that components use for them.
//!
//! The world here is the host's own and names each role's interface, so that every role has bindings of its own. The binding
//! of a whole plugin world would demand all of that world's exports; a plugin exports the roles that it has.

use weft_core::contract::Role;

/// The package and version that this host offers and that new plugins are built for, as refusals name it.
pub const CONTRACT: &str = "weft:plugin@0.2.0";
/// The versions that are served: 0.2 has more interfaces to import than 0.1, and the same records and roles.
pub(crate) const SERVED: [&str; 2] = ["0.1.0", LATEST];
/// The version of [`CONTRACT`].
pub(crate) const LATEST: &str = "0.2.0";
/// What the names of the contract's interfaces start with.
pub(crate) const PACKAGE_PREFIX: &str = "weft:plugin/";

/// The interfaces that every plugin may import: where it logs, its configuration, and the records that others share, without a function.
pub(crate) const LOG: &str = "log";
pub(crate) const CONFIG: &str = "config";
pub(crate) const TYPES: &str = "types";
/// What a plugin may do with the secrets that its step names.
pub(crate) const SECRETS: &str = "secrets";

/// The full name of `interface` in a version of the contract.
pub(crate) fn full_name(interface: &str, version: &str) -> String {
    format!("{PACKAGE_PREFIX}{interface}@{version}")
}

/// The interface that stands for `role`, and its one function.
pub(crate) const fn interface(role: Role) -> (&'static str, &'static str) {
    match role {
        Role::Filter => ("filter", "decide"),
        Role::Transform => ("transform", "transform"),
        Role::Route => ("route", "route"),
    }
}

pub(crate) use generated::weft::plugin::types;

mod generated {
    wasmtime::component::bindgen!({
        path: "../../wit",
        inline: "
            package weft:host;

            world roles {
                export weft:plugin/filter@0.2.0;
                export weft:plugin/transform@0.2.0;
                export weft:plugin/route@0.2.0;
            }
        ",
        world: "weft:host/roles",
        ownership: Borrowing { duplicate_if_necessary: true },
    });
}
