//! Where the demo plays: the files that it reads, and the folder that it makes anew at each start.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use weft_core::digest::Digest;

/// The plugins that the pipelines of `examples/quickstart/weft.toml` bind.
const PLUGINS: [&str; 4] = ["stamp", "json-filter", "split-array", "field-router"];

/// The plugin that is replaced half-way, and the component that takes its place.
pub(crate) const REPLACED: &str = "stamp";
const REPLACEMENT: &str = "stamp-v2";

/// Files and folders, all below the project's root but the engine.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    /// The project's root.
    pub(crate) root: PathBuf,
    /// The engine's binary.
    pub(crate) weft: PathBuf,
    /// Where the built components lie.
    pub(crate) components: PathBuf,
    /// The URL of the store, if it is not the one that the quickstart's configuration means.
    pub(crate) store: Option<String>,
}

/// How the quickstart's configuration, two folders below the root, names the folder of the demo.
const FOLDER_FROM_CONFIG: &str = "../../.weft-demo/";

impl Stage {
    /// What the engine is started on: the quickstart's configuration, or a copy that names another store.
    pub(crate) fn config(&self) -> PathBuf {
        if self.store.is_some() { self.folder().join("weft.toml") } else { self.quickstart() }
    }

    fn quickstart(&self) -> PathBuf {
        self.root.join("examples/quickstart/weft.toml")
    }

    pub(crate) fn events(&self) -> PathBuf {
        self.root.join("examples/quickstart/events")
    }

    /// What the configuration names as the folder of store and plugins.
    pub(crate) fn folder(&self) -> PathBuf {
        self.root.join(".weft-demo")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder().join("weft.log")
    }

    fn plugins(&self) -> PathBuf {
        self.folder().join("plugins")
    }

    /// Makes the folder anew, with the plugins' components in it.
    ///
    /// # Errors
    /// When a file cannot be removed, read or written.
    pub(crate) fn set(&self) -> Result<()> {
        let folder = self.folder();
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("could not remove {}", folder.display()));
            }
            Ok(()) | Err(_) => {}
        }
        let plugins = self.plugins();
        fs::create_dir_all(&plugins).with_context(|| format!("could not make {}", plugins.display()))?;
        PLUGINS.into_iter().try_for_each(|plugin| self.put(plugin, plugin).map(drop))?;
        self.store.as_ref().map_or(Ok(()), |store| self.copy_config(store))
    }

    /// Writes the quickstart's configuration into the folder, with `store`.
    fn copy_config(&self, store: &str) -> Result<()> {
        let (quickstart, copy) = (self.quickstart(), self.config());
        let text =
            fs::read_to_string(&quickstart).with_context(|| format!("could not read {}", quickstart.display()))?;
        // Its paths count from where it lies.
        let text = format!("store = \"{store}\"\n{}", text.replace(FOLDER_FROM_CONFIG, ""));
        fs::write(&copy, text).with_context(|| format!("could not write {}", copy.display()))
    }

    /// Replaces a plugin's component by its second version; returns the digest of that.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub(crate) fn replace_plugin(&self) -> Result<Digest> {
        self.put(REPLACEMENT, REPLACED)
    }

    /// The operator's key, which the engine has written at its first start.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn operator_key(&self) -> Result<String> {
        let file = self.operator_key_file();
        let key = fs::read_to_string(&file).with_context(|| format!("could not read {}", file.display()))?;
        Ok(key.trim().to_owned())
    }

    pub(crate) fn operator_key_file(&self) -> PathBuf {
        self.folder().join("data/operator.key")
    }

    /// Puts a component in place as a whole: written beside the folder that the engine watches, then moved in.
    fn put(&self, component: &str, plugin: &str) -> Result<Digest> {
        let source = self.components.join(format!("{component}.wasm"));
        let bytes = fs::read(&source).with_context(|| format!("could not read the component {}", source.display()))?;
        let written = self.folder().join(format!("{plugin}.wasm"));
        fs::write(&written, &bytes).with_context(|| format!("could not write {}", written.display()))?;
        let target = self.plugins().join(format!("{plugin}.wasm"));
        fs::rename(&written, &target).with_context(|| format!("could not put {} in place", target.display()))?;
        Ok(Digest::of(&bytes))
    }

    /// `path` as a person in the project's root would type it.
    pub(crate) fn relative<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }
}

/// A key that nobody can guess: 32 bytes of the system's randomness, hex.
///
/// # Errors
/// When the system has none.
pub(crate) fn fresh_key() -> Result<String> {
    let mut bytes = [0; 32];
    let mut source = fs::File::open("/dev/urandom").context("no randomness for a key")?;
    source.read_exact(&mut bytes).context("no randomness for a key")?;
    Ok(hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(root: &Path) -> Stage {
        let components = root.join("components");
        fs::create_dir(&components).expect("a folder");
        for component in PLUGINS.into_iter().chain([REPLACEMENT]) {
            fs::write(components.join(format!("{component}.wasm")), component).expect("written");
        }
        Stage { root: root.to_owned(), weft: PathBuf::new(), components, store: None }
    }

    #[test]
    fn the_folder_is_made_anew_with_the_plugins_and_nothing_else() {
        let root = tempfile::tempdir().expect("a folder");
        let stage = stage(root.path());
        stage.set().expect("set");
        fs::write(stage.folder().join("old.db"), "left over").expect("written");
        stage.set().expect("set again");
        assert!(!stage.folder().join("old.db").exists());
        let plugins: Vec<_> = fs::read_dir(stage.plugins()).expect("listed").collect();
        assert_eq!(plugins.len(), PLUGINS.len());
    }

    #[test]
    fn with_another_store_the_configuration_is_copied_with_the_same_folders() {
        let root = tempfile::tempdir().expect("a folder");
        let stage = Stage { store: Some("postgres://me@here/weft".to_owned()), ..stage(root.path()) };
        fs::create_dir_all(root.path().join("examples/quickstart")).expect("a folder");
        let original = "listen = \"here\"\ndata = \"../../.weft-demo/data\"\n";
        fs::write(stage.quickstart(), original).expect("written");
        stage.set().expect("set");
        let copy = fs::read_to_string(stage.config()).expect("there");
        assert_eq!(copy, "store = \"postgres://me@here/weft\"\nlisten = \"here\"\ndata = \"data\"\n");
        assert_eq!(stage.config().parent(), Some(&*stage.folder()));
    }

    #[test]
    fn a_replaced_plugin_keeps_its_name_and_has_the_other_bytes() {
        let root = tempfile::tempdir().expect("a folder");
        let stage = stage(root.path());
        stage.set().expect("set");
        let digest = stage.replace_plugin().expect("replaced");
        let bytes = fs::read(stage.plugins().join("stamp.wasm")).expect("there");
        assert_eq!((bytes.as_slice(), Digest::of(&bytes)), (b"stamp-v2".as_slice(), digest));
    }
}
