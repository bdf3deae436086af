//! What every plugin may import: its log, its configuration, and the harmless part of WASI.
//!
//! What is not linked here cannot be called: a capability is granted by linking its interface, never by a check inside it.

use std::sync::Arc;

use wasmtime::component::{ComponentType, Lift, Linker};
use wasmtime::{Engine, Result, StoreContextMut};
use weft_core::contract::LogLevel;

use crate::bindings::{CONFIG, LOG, TYPES};
use crate::guest::Guest;
use crate::wasi;

/// A linker that grants what every plugin may import.
pub(crate) fn linker(engine: &Engine) -> Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    linker.instance(TYPES)?;
    linker.instance(CONFIG)?.func_wrap("get", |store: StoreContextMut<'_, Guest>, (): ()| {
        // Shared, because it is copied into the guest and nowhere else.
        Ok((Arc::clone(&store.data().config),))
    })?;
    linker.instance(LOG)?.func_wrap(
        "log",
        |mut store: StoreContextMut<'_, Guest>, (level, message): (Level, String)| {
            store.data_mut().log.line(level.into(), &message);
            Ok(())
        },
    )?;
    wasi::link(&mut linker)?;
    Ok(linker)
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
