//! What plugins may import: every one its log, its configuration, and the harmless part of WASI; the rest if its step grants it.
//!
//! What is not linked here cannot be called.

use std::sync::Arc;

use wasmtime::component::{ComponentType, Lift, Linker};
use wasmtime::{Engine, Result, StoreContextMut};
use weft_core::contract::LogLevel;

use crate::bindings::{CONFIG, LOG, SERVED, TYPES, full_name};
use crate::capabilities;
use crate::guest::Guest;
use crate::wasi;

/// A linker of all that there is; which plugin may be run with it is judged before.
pub(crate) fn linker(engine: &Engine) -> Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    for version in SERVED {
        base(&mut linker, version)?;
    }
    capabilities::link(&mut linker)?;
    wasi::link(&mut linker)?;
    Ok(linker)
}

/// What every plugin may import of a version of the contract.
fn base(linker: &mut Linker<Guest>, version: &str) -> Result<()> {
    linker.instance(&full_name(TYPES, version))?;
    linker.instance(&full_name(CONFIG, version))?.func_wrap("get", |store: StoreContextMut<'_, Guest>, (): ()| {
        // Shared, because it is copied into the guest and nowhere else.
        Ok((Arc::clone(&store.data().config),))
    })?;
    linker.instance(&full_name(LOG, version))?.func_wrap(
        "log",
        |mut store: StoreContextMut<'_, Guest>, (level, message): (Level, String)| {
            store.data_mut().log.line(level.into(), &message);
            Ok(())
        },
    )
}

/// The contract's `level`.
#[derive(Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "only made by lifting what a guest sent")]
enum Level {
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}

impl From<Level> for LogLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Warn => Self::Warn,
            Level::Error => Self::Error,
        }
    }
}
