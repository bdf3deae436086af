//! The harmless part of WASI 0.2: what compiled languages import without being asked.
//!
//! Nothing here reaches outside of the guest: the environment is empty, standard input is at its end, what is printed goes to
//! the plugin's log, time stands at the event's acceptance, and chance depends on the event alone. So the same event, version
//! and configuration give the same bytes. It is written here and not taken from `wasmtime-wasi`, because that brings real
//! clocks, dice, files and sockets, and a table of resources made anew for each event; of this, nothing is made until a guest
//! asks.

mod cli;
pub(crate) mod clocks;
mod io;
pub(crate) mod random;

use wasmtime::Result;
use wasmtime::component::Linker;

use crate::guest::Guest;

/// The interfaces that [`link`] grants, without versions: any 0.2 will do.
pub(crate) const INTERFACES: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/stderr",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:cli/terminal-stderr",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/random",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
];

/// Grants the harmless part of WASI.
pub(crate) fn link(linker: &mut Linker<Guest>) -> Result<()> {
    io::link(linker)?;
    cli::link(linker)?;
    clocks::link(linker)?;
    random::link(linker)
}
