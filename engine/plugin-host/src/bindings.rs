//! What `wit/weft.wit` says, in Rust: types generated from the text, and the names that components use for them.
//!
//! The world here is the host's own and names each role's interface, so that every role has bindings of its own. The binding
//! of a whole plugin world would demand all of that world's exports; a plugin exports the roles that it has.

use weft_core::contract::Role;

/// The package and version that this host offers, as refusals name it.
pub const CONTRACT: &str = "weft:plugin@0.1.0";
/// What the names of the contract's interfaces start with.
pub(crate) const PACKAGE_PREFIX: &str = "weft:plugin/";
/// A step's configuration.
pub(crate) const CONFIG: &str = "weft:plugin/config@0.1.0";
/// Where a guest logs.
pub(crate) const LOG: &str = "weft:plugin/log@0.1.0";
/// The records that the other interfaces share; holds no function.
pub(crate) const TYPES: &str = "weft:plugin/types@0.1.0";

/// The interface that stands for `role`, and its one function.
pub(crate) const fn interface(role: Role) -> (&'static str, &'static str) {
    match role {
        Role::Filter => ("weft:plugin/filter@0.1.0", "decide"),
        Role::Transform => ("weft:plugin/transform@0.1.0", "transform"),
        Role::Route => ("weft:plugin/route@0.1.0", "route"),
    }
}

pub(crate) use generated::weft::plugin::types;

mod generated {
    wasmtime::component::bindgen!({
        path: "../../wit",
        inline: "
            package weft:host;

            world roles {
                export weft:plugin/filter@0.1.0;
                export weft:plugin/transform@0.1.0;
                export weft:plugin/route@0.1.0;
            }
        ",
        world: "weft:host/roles",
        ownership: Borrowing { duplicate_if_necessary: true },
    });
}
