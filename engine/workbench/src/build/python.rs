//! Python: componentize-py puts the plugin, its modules and an interpreter into one component.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::tool::{find, in_sight, quietly};
use super::{Tools, WORLD, read, write, write_world};
use crate::project::{Project, ROLES};

/// Where the tools of a project are installed.
const VENV: &str = ".venv";
/// What is no part of the plugin.
const LEFT_OUT: [&str; 3] = ["target", "tests", "fixtures"];
/// Names what stands at the outermost level of a module, a line each.
const NAMES: &str = "
import ast, sys
for node in ast.parse(open(sys.argv[1], encoding='utf-8').read(), sys.argv[1]).body:
    if isinstance(node, ast.FunctionDef):
        print(node.name)
    elif isinstance(node, ast.Assign):
        print(*(target.id for target in node.targets if isinstance(target, ast.Name)), sep='\\n')
    elif isinstance(node, ast.ImportFrom):
        print(*(alias.asname or alias.name for alias in node.names), sep='\\n')
";

pub(super) fn build(project: &Project, tools: Tools) -> Result<Vec<u8>> {
    let folder = project.folder();
    let componentize = componentize(folder, tools)?;
    let roles = defined(folder)?;

    let work = folder.join("target/weft");
    let (wit, app) = (work.join("wit"), work.join("app"));
    let wants: Vec<_> = project.description().wants().collect();
    write_world(&wit, &roles, &wants)?;
    if app.exists() {
        fs::remove_dir_all(&app).with_context(|| format!("could not remove {}", app.display()))?;
    }
    copy_modules(folder, &app)?;
    write(&app.join("weft_component.py"), entry_of(&roles))?;
    let component = work.join("component.wasm");
    let mut command = Command::new(componentize);
    command.current_dir(&app).arg("--wit-path").arg(&wit).args(["--world", WORLD, "componentize", "--stub-wasi"]);
    quietly(command.args(["--python-path", ".", "weft_component", "--output"]).arg(&component))?;
    read(&component)
}

/// The program, from the project's own environment.
fn componentize(folder: &Path, tools: Tools) -> Result<PathBuf> {
    let program = folder.join(VENV).join("bin/componentize-py");
    if program.exists() {
        return Ok(program);
    }
    if find("python3").is_none() {
        bail!("python3 is missing: get Python 3.10 or later, with venv");
    }
    if tools == Tools::Found {
        bail!(
            "componentize-py is missing: python3 -m venv {VENV} && {VENV}/bin/pip install -r requirements.txt in {}, or this \
             command with --install",
            folder.display()
        );
    }
    in_sight(Command::new("python3").current_dir(folder).args(["-m", "venv", VENV]))?;
    let mut pip = Command::new(folder.join(VENV).join("bin/pip"));
    in_sight(pip.current_dir(folder).args([
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-r",
        "requirements.txt",
    ]))?;
    if !program.exists() {
        bail!("pip did not bring componentize-py: is it in requirements.txt?");
    }
    Ok(program)
}

/// The roles that the plugin defines, by their names.
fn defined(folder: &Path) -> Result<Vec<&'static str>> {
    let names = quietly(Command::new("python3").current_dir(folder).args(["-c", NAMES, "plugin.py"]))?;
    let roles: Vec<_> = ROLES.into_iter().filter(|role| names.lines().any(|name| name == *role)).collect();
    if roles.is_empty() {
        bail!("plugin.py defines no role: define a function filter, transform or route");
    }
    Ok(roles)
}

/// Copies the Python files below `from`: the tool looks through all that it is given, an environment among it.
fn copy_modules(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("could not read {}", from.display()))? {
        let path = entry.with_context(|| format!("could not read {}", from.display()))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if path.is_dir() && !name.starts_with('.') && !name.starts_with("__") && !LEFT_OUT.contains(&name) {
            copy_modules(&path, &to.join(name))?;
        } else if path.is_file() && path.extension().is_some_and(|ending| ending == "py") {
            write(&to.join(name), read(&path)?)?;
        }
    }
    Ok(())
}

/// The module that joins the plugin's functions and the host.
fn entry_of(roles: &[&str]) -> String {
    let mut module = "import plugin\nfrom weft_plugin import guest\n".to_owned();
    for role in roles {
        module += match *role {
            "filter" => {
                "\n\nclass Filter:\n    def decide(self, event):\n        return guest.filter(plugin.filter, event)\n"
            }
            "transform" => {
                "\n\nclass Transform:\n    def transform(self, event):\n        return guest.transform(plugin.transform, event)\n"
            }
            _ => {
                "\n\nclass Route:\n    def route(self, event, destinations):\n        \
                 return guest.route(plugin.route, event, destinations)\n"
            }
        };
    }
    module
}
