//! What [`export!`](crate::export!) expands to; no part of the public interface.

pub use crate::bindings::{filter, route, transform};
pub use crate::panic::report_panics;

use crate::Failure;

/// Makes a component of a plugin type: `export!(MyPlugin: filter, route)`.
///
/// The type implements [`serde::de::DeserializeOwned`] and a trait for each role named. The step's configuration is read
/// into it once per instance. One that does not parse is answered with `reject`, naming the place and the rule: such events
/// are dead letters whatever the step's failure policy, and can be replayed once the configuration is right.
#[macro_export]
macro_rules! export {
    ($plugin:ty: $($role:ident),+ $(,)?) => {
        #[doc(hidden)]
        mod __weft_plugin_export {
            use super::*;

            // Names that no plugin has: they stand beside its own.
            type __Exported = $plugin;

            /// What the host calls; it stands for the plugin, which is made from the configuration.
            struct __Guest;

            /// Runs `role` on the plugin, which is read from the configuration at the first call.
            fn with_plugin<T>(
                role: impl FnOnce(&__Exported) -> Result<T, $crate::Failure>,
            ) -> Result<T, $crate::Failure> {
                std::thread_local! {
                    static PLUGIN: std::cell::OnceCell<Result<__Exported, $crate::config::InvalidConfig>> =
                        const { std::cell::OnceCell::new() };
                }
                PLUGIN.with(|plugin| {
                    $crate::export::report_panics();
                    match plugin.get_or_init($crate::config::read) {
                        Ok(plugin) => role(plugin),
                        Err(invalid) => Err($crate::export::misconfigured(invalid)),
                    }
                })
            }

            $($crate::__export_role!($role);)+
        }
    };
}

// The roles are checked on every target, but only a component has exports: a native library cannot hold their names.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_role {
    (filter) => {
        impl $crate::export::filter::exports::weft::plugin::filter::Guest for __Guest {
            fn decide(event: $crate::Event) -> Result<$crate::Verdict, $crate::Failure> {
                with_plugin(|plugin| $crate::Filter::decide(plugin, &event))
            }
        }
        #[cfg(target_family = "wasm")]
        $crate::export::filter::__export_filter!(__Guest with_types_in $crate::export::filter);
    };
    (transform) => {
        impl $crate::export::transform::exports::weft::plugin::transform::Guest for __Guest {
            fn transform(event: $crate::Event) -> Result<$crate::Outputs, $crate::Failure> {
                with_plugin(|plugin| $crate::Transform::transform(plugin, &event))
            }
        }
        #[cfg(target_family = "wasm")]
        $crate::export::transform::__export_transform!(__Guest with_types_in $crate::export::transform);
    };
    (route) => {
        impl $crate::export::route::exports::weft::plugin::route::Guest for __Guest {
            fn route(
                event: $crate::Event,
                destinations: Vec<$crate::Destination>,
            ) -> Result<$crate::Targets, $crate::Failure> {
                with_plugin(|plugin| $crate::Route::route(plugin, &event, &destinations))
            }
        }
        #[cfg(target_family = "wasm")]
        $crate::export::route::__export_route!(__Guest with_types_in $crate::export::route);
    };
}

/// The answer of a plugin whose configuration makes no sense.
pub fn misconfigured(invalid: &crate::config::InvalidConfig) -> Failure {
    Failure::Reject(invalid.to_string())
}
