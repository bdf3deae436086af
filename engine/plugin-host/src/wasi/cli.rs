//! `wasi:cli`: no environment, no arguments, no terminal; what is printed is logged.

use wasmtime::component::{Linker, Resource, ResourceType};
use wasmtime::{Result, StoreContextMut};

use crate::guest::Guest;
use crate::guest_log::Stream;
use crate::wasi::io::{InputStream, OutputStream};

/// A guest ended itself, which no plugin may: an answer was awaited.
#[derive(Debug, thiserror::Error)]
#[error("the guest called exit{}", if *.0 { "" } else { ", reporting failure" })]
pub(crate) struct GuestExit(bool);

/// A terminal that is never there.
struct Terminal<const OUTPUT: bool>;

type Store<'a> = StoreContextMut<'a, Guest>;

pub(super) fn link(linker: &mut Linker<Guest>) -> Result<()> {
    let mut environment = linker.instance("wasi:cli/environment@0.2.0")?;
    environment.func_wrap("get-environment", |_: Store<'_>, (): ()| Ok((Vec::<(String, String)>::new(),)))?;
    environment.func_wrap("get-arguments", |_: Store<'_>, (): ()| Ok((Vec::<String>::new(),)))?;
    environment.func_wrap("initial-cwd", |_: Store<'_>, (): ()| Ok((None::<String>,)))?;

    linker
        .instance("wasi:cli/exit@0.2.0")?
        .func_wrap("exit", |_: Store<'_>, (status,): (Result<(), ()>,)| -> Result<()> {
            Err(GuestExit(status.is_ok()).into())
        })?;

    linker
        .instance("wasi:cli/stdin@0.2.0")?
        .func_wrap("get-stdin", |_: Store<'_>, (): ()| Ok((InputStream::stdin(),)))?;
    linker
        .instance("wasi:cli/stdout@0.2.0")?
        .func_wrap("get-stdout", |_: Store<'_>, (): ()| Ok((OutputStream::of(Stream::Out),)))?;
    linker
        .instance("wasi:cli/stderr@0.2.0")?
        .func_wrap("get-stderr", |_: Store<'_>, (): ()| Ok((OutputStream::of(Stream::Err),)))?;

    let input = ResourceType::host::<Terminal<false>>();
    let output = ResourceType::host::<Terminal<true>>();
    linker.instance("wasi:cli/terminal-input@0.2.0")?.resource("terminal-input", input, |_, _| Ok(()))?;
    linker.instance("wasi:cli/terminal-output@0.2.0")?.resource("terminal-output", output, |_, _| Ok(()))?;
    linker
        .instance("wasi:cli/terminal-stdin@0.2.0")?
        .func_wrap("get-terminal-stdin", |_: Store<'_>, (): ()| Ok((None::<Resource<Terminal<false>>>,)))?;
    linker
        .instance("wasi:cli/terminal-stdout@0.2.0")?
        .func_wrap("get-terminal-stdout", |_: Store<'_>, (): ()| Ok((None::<Resource<Terminal<true>>>,)))?;
    linker
        .instance("wasi:cli/terminal-stderr@0.2.0")?
        .func_wrap("get-terminal-stderr", |_: Store<'_>, (): ()| Ok((None::<Resource<Terminal<true>>>,)))
}
