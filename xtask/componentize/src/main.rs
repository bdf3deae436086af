//! `componentize MODULE COMPONENT`: wraps a core module that `wit-bindgen` has marked with its world into a component.

use std::path::PathBuf;
use std::{env, fs};

use anyhow::{Context, Result, bail};
use wit_component::ComponentEncoder;

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let [module, component] = arguments.as_slice() else { bail!("usage: componentize MODULE COMPONENT") };
    let bytes = fs::read(module).with_context(|| format!("could not read {}", module.display()))?;
    let encoder = ComponentEncoder::default().module(&bytes);
    let wrapped = encoder.and_then(|encoder| encoder.validate(true).encode());
    let wrapped = wrapped.with_context(|| format!("{} makes no component", module.display()))?;
    fs::write(component, wrapped).with_context(|| format!("could not write {}", component.display()))
}
