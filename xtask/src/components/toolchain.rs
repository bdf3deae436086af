//! How guests are compiled on this machine.
//!
//! The ordinary way is rustup's `wasm32-wasip2` target, whose modules are components at once. Where rustup cannot fetch a
//! target, Debian's web toolchain compiles for `wasm32-unknown-unknown` with a standard library built from source, and
//! `xtask/componentize` wraps the module.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::project::{COMPONENTIZE, Project};
use crate::{apt, command};

/// Whose modules are components at once.
pub(crate) const WASI_TARGET: &str = "wasm32-wasip2";
const BARE_TARGET: &str = "wasm32-unknown-unknown";

/// Debian's own Rust for the web, the source of its standard library, and the linker that it does not pull in itself.
const DEBIAN_PACKAGES: [&str; 5] = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm", "lld-22"];

/// A way to compile guests that has been found to be complete.
pub(super) enum Toolchain {
    /// Cargo as it runs this program, with the `wasm32-wasip2` target.
    Wasi,
    /// Debian's `/usr/bin/cargo`, and the program that turns its modules into components.
    Debian { componentize: PathBuf },
}

impl Toolchain {
    /// Makes a toolchain ready, adding rustup's target if it is missing and saying so.
    ///
    /// Debian packages are installed only with `install`: a user's machine is not ours.
    ///
    /// # Errors
    /// When neither way is complete; the error tells what to type for each.
    pub(super) fn ready(project: &Project, install: bool) -> Result<Self> {
        if wasi_target_present(project)? {
            return Ok(Self::Wasi);
        }
        println!("The target {WASI_TARGET} is missing; adding it to the active toolchain.");
        let added = command::run(Command::new("rustup").args(["target", "add", WASI_TARGET]));
        let Err(refused) = added else { return Ok(Self::Wasi) };

        println!("{refused:#}");
        if install {
            println!("Taking Debian's toolchain for {BARE_TARGET} as the second way.");
            apt::install(&DEBIAN_PACKAGES).context("Debian's web toolchain could not be installed")?;
        }
        if !debian_toolchain_present() {
            bail!(
                "guests cannot be compiled: rustup could not add the target {WASI_TARGET}, and Debian's web toolchain is \
                 not installed\n  first way:  rustup target add {WASI_TARGET}\n  second way: apt-get install -y \
                 --no-install-recommends {packages}\n              (or this command with --install)",
                packages = DEBIAN_PACKAGES.join(" ")
            );
        }
        Ok(Self::Debian { componentize: build_componentize(project)? })
    }

    /// A release build for wasm in the workspace at `folder`; what to build is the caller's to add.
    pub(super) fn build(&self, project: &Project, folder: &str) -> Command {
        match self {
            Self::Wasi => {
                let mut cargo = project.cargo_in(folder);
                cargo.args(["build", "--release", "--target", WASI_TARGET]);
                cargo
            }
            Self::Debian { .. } => {
                let mut cargo = Command::new("/usr/bin/cargo");
                cargo.current_dir(project.path(folder));
                // The toolchain that runs this program must not shine through: its rustc has no such standard library.
                for variable in ["RUSTUP_TOOLCHAIN", "CARGO", "RUSTC", "LD_LIBRARY_PATH"] {
                    cargo.env_remove(variable);
                }
                cargo.env("PATH", "/usr/bin:/bin").env("RUSTC_BOOTSTRAP", "1");
                // What the workspaces' own `.cargo/config.toml` says for the ordinary target.
                cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", "-C link-arg=-zstack-size=65536");
                cargo.args(["build", "--release", "-Zbuild-std=std,panic_abort", "--target", BARE_TARGET]);
                cargo
            }
        }
    }

    /// Returns the component that `module`, a file that cargo has built, is or contains.
    pub(super) fn component(&self, module: &Path) -> Result<Vec<u8>> {
        let component = match self {
            Self::Wasi => module.to_owned(),
            Self::Debian { componentize } => {
                let component = module.with_extension("component.wasm");
                command::run(Command::new(componentize).arg(module).arg(&component))?;
                component
            }
        };
        fs::read(&component).with_context(|| format!("could not read {}", component.display()))
    }
}

/// Whether the active toolchain has a standard library for the target; works without rustup, too.
pub(crate) fn wasi_target_present(project: &Project) -> Result<bool> {
    let sysroot = command::read(Command::new("rustc").current_dir(project.root()).args(["--print", "sysroot"]))?;
    Ok(Path::new(sysroot.trim()).join("lib/rustlib").join(WASI_TARGET).join("lib").is_dir())
}

fn debian_toolchain_present() -> bool {
    let installed = |package: &str| {
        let state = command::read(Command::new("dpkg-query").args(["--show", "--showformat=${Status}", package]));
        state.is_ok_and(|state| state.ends_with(" installed"))
    };
    DEBIAN_PACKAGES.iter().all(|package| installed(package))
}

/// Compiles the program that wraps a core module into a component; only this way needs it, so it is not part of xtask.
fn build_componentize(project: &Project) -> Result<PathBuf> {
    let target_folder = project.path("target/componentize");
    let mut cargo = project.cargo_in(COMPONENTIZE);
    command::run(cargo.args(["build", "--locked", "--target-dir"]).arg(&target_folder))?;
    Ok(target_folder.join("debug/componentize"))
}
