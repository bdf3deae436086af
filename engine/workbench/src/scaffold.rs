//! A new plugin's folder: a plugin that builds, passes its fixtures, and shows the way.
//!
//! The SDK of the language is put into the folder, in the version that this binary speaks: nothing but the language's own
//! tools has to be fetched.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use weft_core::name::Name;

use crate::build::WIT;
use crate::project::Language;

/// What a template calls the plugin.
const NAME: &str = "{{name}}";

/// A file of a template: where it goes, and what is in it.
type File = (&'static str, &'static str);

macro_rules! files {
    ($folder:literal: $($path:literal),+ $(,)?) => {
        &[$(($path, include_str!(concat!("../templates/", $folder, "/", $path)))),+]
    };
}

/// What plugins in all languages have; they do the same, so that they have the same fixtures.
const ANY: &[File] = files!("any": "plugin.json", "fixtures/large.json", "fixtures/large.expected.json", "fixtures/small.json",
    "fixtures/small.expected.json");
const RUST: &[File] = files!("rust": "Cargo.toml", "build.rs", "src/lib.rs", "README.md");
/// The SDK's own manifest inherits from its workspace, which a new plugin has not.
const SDK_MANIFEST: &[File] = &[("weft/sdk/Cargo.toml", include_str!("../templates/rust/sdk.toml"))];
const JAVASCRIPT: &[File] = files!("javascript": "package.json", "package-lock.json", "plugin.js", "README.md");
const TYPESCRIPT: &[File] =
    files!("typescript": "package.json", "package-lock.json", "plugin.ts", "tsconfig.json", "README.md");
const PYTHON: &[File] = files!("python": "plugin.py", "requirements.txt", "tests/test_plugin.py", "README.md");

macro_rules! sdk {
    ($folder:literal => $place:literal: $($path:literal),+ $(,)?) => {
        &[$((concat!($place, $path), include_str!(concat!("../../../plugins/", $folder, "/", $path)))),+]
    };
}

const SDK_RUST: &[File] = sdk!("sdk" => "weft/sdk/": "src/bindings.rs", "src/clock.rs", "src/config.rs", "src/export.rs", "src/field.rs",
    "src/json/children.rs", "src/json/mod.rs", "src/json/number.rs", "src/json/pick.rs", "src/json/pointer.rs", "src/json/quote.rs",
    "src/json/value.rs", "src/key.rs", "src/kv.rs", "src/lib.rs", "src/log.rs", "src/metrics.rs", "src/panic.rs", "src/patch.rs",
    "src/payload.rs", "src/random.rs", "src/secrets.rs", "src/template.rs", "src/testing.rs", "src/testing/granted.rs", "src/time.rs",
    "README.md");
const SDK_JAVASCRIPT: &[File] =
    sdk!("javascript" => "weft-plugin/": "package.json", "index.js", "index.d.ts", "guest.js", "README.md");
const SDK_PYTHON: &[File] = sdk!("python" => "": "weft_plugin/__init__.py", "weft_plugin/guest.py");

/// Makes a plugin's folder, named after the plugin, in `parent`.
///
/// # Errors
/// When it is there already, or cannot be written.
pub fn scaffold(parent: &Path, name: &Name, language: Language) -> Result<std::path::PathBuf> {
    let folder = parent.join(name.as_str());
    if folder.exists() {
        bail!("{} is there already", folder.display());
    }
    let wit: &[File] = &[("wit/weft.wit", WIT)];
    let parts: &[&[File]] = match language {
        Language::Rust => &[ANY, RUST, SDK_RUST, SDK_MANIFEST, wit],
        Language::JavaScript => &[ANY, JAVASCRIPT, SDK_JAVASCRIPT],
        Language::TypeScript => &[ANY, TYPESCRIPT, SDK_JAVASCRIPT],
        Language::Python => &[ANY, PYTHON, SDK_PYTHON],
    };
    for (path, text) in parts.iter().copied().flatten() {
        write(&folder.join(path), &text.replace(NAME, name.as_str()))?;
    }
    write(&folder.join(".gitignore"), "target/\nnode_modules/\n.venv/\n__pycache__/\n")?;
    Ok(folder)
}

fn write(place: &Path, text: &str) -> Result<()> {
    if let Some(folder) = place.parent() {
        fs::create_dir_all(folder).with_context(|| format!("could not make {}", folder.display()))?;
    }
    fs::write(place, text).with_context(|| format!("could not write {}", place.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, pairs_in};
    use crate::project::Project;

    fn sources(folder: &Path, prefix: &str, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).expect("the SDK").flatten() {
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() { sources(&entry.path(), &format!("{name}/"), found) } else { found.push(name) }
        }
    }

    #[test]
    fn a_new_plugin_in_rust_has_every_file_of_the_sdk() {
        let mut found = Vec::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/sdk/src"), "weft/sdk/src/", &mut found);
        found.sort();
        let listed: Vec<_> = SDK_RUST.iter().map(|(path, _)| *path).filter(|path| path.contains("/src/")).collect();
        assert_eq!(found, listed);
    }

    #[test]
    fn a_new_plugin_is_a_project_of_its_language_with_fixtures_in_pairs() {
        let parent = tempfile::tempdir().expect("a folder");
        for language in Language::ALL {
            let name: Name = format!("order-{language}").parse().expect("a name");
            let folder = scaffold(parent.path(), &name, language).expect("made");
            let project = Project::open(&folder).expect("a project");
            assert_eq!((project.language(), project.description().name()), (language, &name));
            for pair in pairs_in(&project.fixtures()).expect("fixtures") {
                Fixture::parse(&fs::read_to_string(&pair.input).expect("read")).expect("a fixture");
                assert!(pair.expected.exists(), "{}", pair.name);
            }
            assert!(scaffold(parent.path(), &name, language).is_err(), "nothing is overwritten");
        }
    }
}
