//! What `wit-bindgen` makes of `wit/weft.wit`: one set of bindings for each role, over one set of types.
//!
//! A component may export any set of roles, so each role has a world of its own; the linker joins those that are exported.

/// Bindings of the world `filter-plugin`, and the types that the others share.
pub mod filter {
    wit_bindgen::generate!({
        world: "filter-plugin",
        path: "../../wit",
        pub_export_macro: true,
        export_macro_name: "__export_filter",
        default_bindings_module: "weft_plugin::export::filter",
    });
}

/// Bindings of the world `transform-plugin`.
pub mod transform {
    wit_bindgen::generate!({
        world: "transform-plugin",
        path: "../../wit",
        pub_export_macro: true,
        export_macro_name: "__export_transform",
        default_bindings_module: "weft_plugin::export::transform",
        with: {
            "weft:plugin/types@0.2.0": crate::bindings::types,
            "weft:plugin/log@0.2.0": crate::bindings::log,
            "weft:plugin/config@0.2.0": crate::bindings::config,
        },
    });
}

/// Bindings of the world `route-plugin`.
pub mod route {
    wit_bindgen::generate!({
        world: "route-plugin",
        path: "../../wit",
        pub_export_macro: true,
        export_macro_name: "__export_route",
        default_bindings_module: "weft_plugin::export::route",
        with: {
            "weft:plugin/types@0.2.0": crate::bindings::types,
            "weft:plugin/log@0.2.0": crate::bindings::log,
            "weft:plugin/config@0.2.0": crate::bindings::config,
        },
    });
}

/// Bindings of what a step may grant. A component imports those that its plugin uses.
pub(crate) mod granted {
    wit_bindgen::generate!({
        inline: "
            package weft:granted;

            world granted {
                import weft:plugin/kv@0.2.0;
                import weft:plugin/clock@0.2.0;
                import weft:plugin/random@0.2.0;
                import weft:plugin/metrics@0.2.0;
                import weft:plugin/secrets@0.2.0;
            }
        ",
        world: "weft:granted/granted",
        path: "../../wit",
        generate_all,
    });
}

pub(crate) use filter::weft::plugin::{config, log, types};
#[cfg(target_family = "wasm")]
pub(crate) use granted::weft::plugin::{clock, kv, metrics, random, secrets};
