//! What an engine is started on: a folder with a configuration, keys and plugins.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use weft_private_postgres::TestDatabase;
use weft_store::{PostgresAt, StoreAt};

use crate::{Receiver, programs};

/// A folder with everything that an engine needs. It outlives engines and goes away when it is dropped.
#[derive(Debug)]
pub struct Site {
    folder: TempDir,
    limits: BTreeMap<String, u64>,
    tenants: Vec<Tenant>,
    /// The URL of its store, if that is not the file in the data folder.
    store: Option<String>,
    /// The engine's name among those on one database.
    node: &'static str,
    /// Goes with the site, if it is the site's own.
    _database: Option<TestDatabase>,
}

/// A tenant of a [`Site`], with one key.
#[derive(Clone, Debug)]
pub struct Tenant {
    name: String,
    destinations: Vec<Destination>,
    steps: Vec<Step>,
}

/// A destination of a [`Tenant`].
#[derive(Clone, Debug)]
pub struct Destination {
    name: String,
    url: String,
    secret: String,
    settings: Vec<String>,
}

/// A step of a [`Tenant`]'s pipeline.
#[derive(Clone, Debug)]
pub struct Step {
    plugin: String,
    is_own: bool,
    settings: Vec<String>,
}

impl Site {
    /// A site with these tenants.
    pub fn of(tenants: impl IntoIterator<Item = Tenant>) -> Self {
        let folder = tempfile::Builder::new().prefix("weft-site-").tempdir().expect("a folder for the site");
        let tenants = tenants.into_iter().collect();
        Self { folder, limits: BTreeMap::new(), tenants, store: None, node: "weft", _database: None }
    }

    /// Keeps everything in a database of its own, on the Postgres that all tests share.
    ///
    /// # Panics
    /// If there is none: says how tests get one.
    #[must_use]
    pub fn on_postgres(self) -> Self {
        let database = TestDatabase::create().unwrap_or_else(|error| panic!("{error}"));
        Self { store: Some(database.url()), _database: Some(database), ..self }
    }

    /// Keeps everything in this store: `sqlite:` and a file, or the URL of a database on Postgres.
    #[must_use]
    pub fn on(self, store: &str) -> Self {
        Self { store: Some(store.to_owned()), ..self }
    }

    /// Names its engine, so that it is told from others on the same database.
    #[must_use]
    pub fn named(self, node: &'static str) -> Self {
        Self { node, ..self }
    }

    /// Sets a limit, by its key in the configuration.
    #[must_use]
    pub fn limit(mut self, key: &str, value: u64) -> Self {
        self.limits.insert(key.to_owned(), value);
        self
    }

    /// Changes a tenant; it counts at the next start.
    pub fn change(&mut self, tenant: &str, change: impl FnOnce(Tenant) -> Tenant) {
        let found = self.tenants.iter_mut().find(|found| found.name == tenant).expect("a tenant of this site");
        *found = change(found.clone());
    }

    /// Writes down everything that an engine reads, and answers where the configuration is.
    pub fn write(&self) -> PathBuf {
        let plugins = self.path().join("plugins");
        fs::create_dir_all(&plugins).expect("the site's folder");
        for step in self.tenants.iter().flat_map(|tenant| &tenant.steps).filter(|step| !step.is_own) {
            let file = plugins.join(format!("{}.wasm", step.plugin));
            // A test that put another version there means it.
            if !file.exists() {
                fs::copy(programs::component(&step.plugin), file).expect("the site's folder");
            }
        }
        for tenant in &self.tenants {
            self.write_secret(&tenant.key_file(), &tenant.key());
            for destination in &tenant.destinations {
                self.write_secret(&tenant.secret_file(destination), &destination.secret);
            }
        }
        let path = self.path().join("weft.toml");
        fs::write(&path, self.configuration()).expect("the site's folder");
        path
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The folder of the store and the operator's key.
    pub fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.data().join("weft.db")
    }

    /// The key of a tenant.
    pub fn key(&self, tenant: &str) -> String {
        self.tenants.iter().find(|found| found.name == tenant).expect("a tenant of this site").key()
    }

    /// The operator's key, which the first start has made.
    pub fn operator_key(&self) -> String {
        let key = fs::read_to_string(self.data().join("operator.key")).expect("an engine has been started here");
        key.trim().to_owned()
    }

    fn write_secret(&self, file: &str, text: &str) {
        let path = self.path().join(file);
        fs::write(&path, text).expect("the site's folder");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("our own file");
    }

    /// Where the store of the site is.
    pub fn store_at(&self) -> StoreAt {
        let Some(url) = &self.store else { return StoreAt::Sqlite(self.database()) };
        match url.strip_prefix("sqlite:") {
            Some(file) => StoreAt::Sqlite(PathBuf::from(file)),
            None => StoreAt::Postgres(PostgresAt { url: url.clone(), node: "audit".parse().expect("a name") }),
        }
    }

    fn configuration(&self) -> String {
        // Port 0: the system finds a free one. Receivers of the tests live on this machine.
        let mut text = format!("listen = \"127.0.0.1:0\"\nnode = \"{}\"\n", self.node);
        if let Some(store) = &self.store {
            writeln!(text, "store = \"{store}\"").expect("a string takes everything");
        }
        text.push_str("\n[network]\nallow = [\"127.0.0.1/32\"]\n\n[limits]\n");
        for (key, value) in &self.limits {
            writeln!(text, "{key} = {value}").expect("a string takes everything");
        }
        for tenant in &self.tenants {
            tenant.write_to(&mut text);
        }
        text
    }
}

impl Tenant {
    /// A tenant without destinations and steps.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), destinations: Vec::new(), steps: Vec::new() }
    }

    /// Adds a destination.
    #[must_use]
    pub fn sends_to(mut self, destination: Destination) -> Self {
        self.destinations.push(destination);
        self
    }

    /// Adds a step at the end of its pipeline.
    #[must_use]
    pub fn runs(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Leaves out the destination of this name.
    #[must_use]
    pub fn without_destination(mut self, name: &str) -> Self {
        self.destinations.retain(|destination| destination.name != name);
        self
    }

    /// Leaves out all steps.
    #[must_use]
    pub fn without_steps(mut self) -> Self {
        self.steps.clear();
        self
    }

    fn key(&self) -> String {
        format!("key-of-{}-0123456789abcdefghijklmnopqrstuvwxyz", self.name)
    }

    fn key_file(&self) -> String {
        format!("{}.key", self.name)
    }

    fn secret_file(&self, destination: &Destination) -> String {
        format!("{}.{}.secret", self.name, destination.name)
    }

    fn write_to(&self, text: &mut String) {
        let mut add = |line: String| writeln!(text, "{line}").expect("a string takes everything");
        add(format!("\n[[tenant]]\nname = \"{}\"", self.name));
        add(format!("keys = [{{ name = \"tests\", file = \"{}\" }}]", self.key_file()));
        for destination in &self.destinations {
            add(format!("\n[[tenant.destination]]\nname = \"{}\"\nurl = \"{}\"", destination.name, destination.url));
            add(format!("secrets = [{{ file = \"{}\" }}]", self.secret_file(destination)));
            destination.settings.iter().cloned().for_each(&mut add);
        }
        for step in &self.steps {
            let owner = if step.is_own { "" } else { "operator/" };
            add(format!("\n[[tenant.step]]\nplugin = \"{owner}{}\"", step.plugin));
            step.settings.iter().cloned().for_each(&mut add);
        }
    }
}

impl Destination {
    /// A destination at a receiver, with the receiver's secret.
    pub fn at(name: &str, receiver: &Receiver) -> Self {
        Self { name: name.to_owned(), url: receiver.url(), secret: receiver.secret(), settings: Vec::new() }
    }

    /// A destination at an address where something else listens, which verifies with this receiver's secret.
    pub fn elsewhere(name: &str, address: SocketAddr, receiver: &Receiver) -> Self {
        Self { url: format!("http://{address}/hook"), ..Self::at(name, receiver) }
    }

    /// Signs with another receiver's secret.
    #[must_use]
    pub fn with_secret_of(mut self, receiver: &Receiver) -> Self {
        self.secret = receiver.secret();
        self
    }

    /// Adds a line of its table in the configuration, e.g. `retry_waits = ["1s"]`.
    #[must_use]
    pub fn with(mut self, setting: &str) -> Self {
        self.settings.push(setting.to_owned());
        self
    }
}

impl Step {
    /// A step of a component that `cargo xtask components` makes; it is put into the plugin folder.
    pub fn of(plugin: &str) -> Self {
        Self { plugin: plugin.to_owned(), is_own: false, settings: Vec::new() }
    }

    /// A step of a plugin that the tenant has pushed.
    pub fn own(plugin: &str) -> Self {
        Self { is_own: true, ..Self::of(plugin) }
    }

    /// Adds a line of its table in the configuration, e.g. `config = { pointer = "/lines" }`.
    #[must_use]
    pub fn with(mut self, setting: &str) -> Self {
        self.settings.push(setting.to_owned());
        self
    }
}
