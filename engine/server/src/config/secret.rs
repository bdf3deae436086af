//! Secrets as the configuration has them: by name of a variable or a file, never as text.

use std::collections::HashMap;
use std::convert::Infallible;
use std::ffi::OsString;
use std::path::Path;

use weft_core::name::Name;
use weft_core::request_header::{OwnHeader, VALUE_BYTES_MAX, check_value};
use weft_core::sign::SigningSecret;
use weft_core::signing::Scheme;
use weft_core::signing_key::SigningKey;
use weft_store::StoreAt;

use super::finding::{Finding, Findings, Place, Problems, with_causes};
use super::reader::{Field, Table};
use super::{Config, DestinationConfig, TenantConfig};
use crate::secrets::{KeyHash, SealKey, SecretRef, SecretText, StepSecret, StepSecrets};

/// A value with the place that declares it, for messages about it later on.
#[derive(Clone, Debug)]
pub struct Declared<T> {
    /// The value.
    pub value: T,
    /// Where the configuration has it.
    pub place: Place,
}

/// Compares the values: where a thing is declared does not change what it is.
impl<T: PartialEq> PartialEq for Declared<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

/// The secrets that a configuration refers to, read.
#[derive(Debug)]
pub struct ConfigSecrets {
    /// Where the store is, with the password that opens it.
    pub store: StoreAt,
    /// The key that seals the store's secrets, if the configuration names one.
    pub seal_key: Option<SealKey>,
    /// As many as the configuration has tenants, in its order.
    pub tenants: Vec<TenantSecrets>,
    /// Files that others can read.
    pub warnings: Vec<Finding>,
}

/// The secrets of one tenant.
#[derive(Debug)]
pub struct TenantSecrets {
    /// Its keys, hashed.
    pub keys: Vec<KeySecret>,
    /// Its destinations, in the order of the configuration.
    pub destinations: Vec<DestinationSecrets>,
    /// Those that its steps name.
    pub steps: StepSecrets,
}

/// A tenant's key, hashed.
#[derive(Debug)]
pub struct KeySecret {
    /// The key's name.
    pub name: Name,
    /// What is stored and compared.
    pub hash: KeyHash,
}

/// What one destination's requests hold that the configuration refers to.
#[derive(Debug)]
pub struct DestinationSecrets {
    /// Signing secrets, newest first; empty if the configuration names none.
    pub secrets: Vec<SigningSecret>,
    /// For `v1a`, newest first; empty if the configuration names none.
    pub signing_keys: Vec<SigningKey>,
    /// Sent with every request.
    pub headers: Vec<OwnHeader>,
}

impl Config {
    /// Reads every secret that the configuration refers to, from the environment and from files.
    ///
    /// # Errors
    /// All that cannot be read or are not what they should be, with the place of the reference; never with their text.
    pub fn read_secrets(&self) -> Result<ConfigSecrets, Problems> {
        self.read_secrets_from(&|name| std::env::var_os(name))
    }

    /// Where the store is: reads the password that opens it, and no other secret.
    ///
    /// # Errors
    /// That the password cannot be read, with the place of the reference.
    pub fn store_at(&self) -> Result<StoreAt, Problems> {
        let findings = Findings::default();
        let store = Reading { findings: &findings, environment: &|name| std::env::var_os(name) }.store(self);
        findings.into_warnings().map(|_| store)
    }

    /// The same with another environment.
    pub(super) fn read_secrets_from(
        &self,
        environment: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<ConfigSecrets, Problems> {
        let findings = Findings::default();
        let reading = Reading { findings: &findings, environment };
        let store = reading.store(self);
        let seal_key = self.seal.key.as_ref().and_then(|key| reading.read(key, SealKey::parse));
        let mut owners = HashMap::new();
        let tenants = self.tenants.iter().map(|tenant| reading.tenant(tenant, &mut owners)).collect();
        let warnings = findings.into_warnings()?;
        Ok(ConfigSecrets { store, seal_key, tenants, warnings })
    }
}

/// Where secrets are read from, and where mistakes go.
struct Reading<'a> {
    findings: &'a Findings,
    environment: &'a dyn Fn(&str) -> Option<OsString>,
}

impl Reading<'_> {
    /// Without a password where that cannot be read; then that is found, and nobody opens it.
    fn store(&self, config: &Config) -> StoreAt {
        let text = |text: &SecretText| Ok::<_, Infallible>(SecretText::new(text.as_str().to_owned()));
        let password = config.store.password().and_then(|password| self.read(password, text));
        config.store.at(&config.node, password.as_ref())
    }

    fn tenant<'a>(&self, tenant: &'a TenantConfig, owners: &mut HashMap<KeyHash, &'a Place>) -> TenantSecrets {
        let mut keys = Vec::new();
        for key in &tenant.keys {
            let Some(hash) = self.read(&key.secret, KeyHash::of_tenant_key) else { continue };
            // A key says whose events it sends: two owners of one key would make that a matter of luck.
            if let Some(first) = owners.insert(hash, &key.secret.place) {
                let rule = format!("holds the same key as {first}; every key must be one of its own");
                self.findings.problem(&key.secret.place, None, rule);
            }
            keys.push(KeySecret { name: key.name.clone(), hash });
        }
        let destinations = tenant.destinations.iter().map(|destination| self.destination(destination)).collect();
        TenantSecrets { keys, destinations, steps: self.steps(tenant) }
    }

    fn steps(&self, tenant: &TenantConfig) -> StepSecrets {
        let mut steps: HashMap<_, Vec<_>> = HashMap::new();
        for declared in &tenant.step_secrets {
            let made =
                |text: &SecretText| Ok::<_, Infallible>(StepSecret::new(declared.name.clone(), text, declared.reveal));
            steps.entry(declared.step.clone()).or_default().extend(self.read(&declared.secret, made));
        }
        steps.into_iter().map(|(step, secrets)| (step, secrets.into())).collect()
    }

    fn destination(&self, destination: &DestinationConfig) -> DestinationSecrets {
        let takes_text = !destination.signatures.contains(&Scheme::V1);
        let signing = |secret| {
            self.read(secret, |text| match text.as_str().parse::<SigningSecret>() {
                Err(_) if takes_text => SigningSecret::from_text(text.as_str()),
                read => read,
            })
        };
        let header = |secret: &_, made_of: &dyn Fn(&SecretText) -> String| {
            self.read(secret, |text| {
                let value = made_of(text);
                check_value(&value, VALUE_BYTES_MAX).map(|()| value)
            })
        };
        DestinationSecrets {
            secrets: destination.secrets.iter().filter_map(signing).collect(),
            signing_keys: destination
                .signing_keys
                .iter()
                .filter_map(|key| self.read(key, |text| text.as_str().parse()))
                .collect(),
            headers: destination.request.headers(header),
        }
    }

    fn read<T, E: std::fmt::Display>(
        &self,
        secret: &Declared<SecretRef>,
        parse: impl FnOnce(&SecretText) -> Result<T, E>,
    ) -> Option<T> {
        let Declared { value: reference, place } = secret;
        if let Some(warning) = reference.exposure() {
            self.findings.warning(place, None, warning);
        }
        let text = match reference.resolve_from(self.environment) {
            Ok(text) => text,
            Err(why) => {
                self.findings.problem(place, None, with_causes(&why));
                return None;
            }
        };
        match parse(&text) {
            Ok(value) => Some(value),
            Err(why) => {
                self.findings.problem(place, None, format!("what {reference} holds cannot be used: {why}"));
                None
            }
        }
    }
}

/// The table of a reference; a bare text is refused as what it probably is, a secret.
pub(super) fn table(field: Field<'_>) -> Option<Table<'_>> {
    let field = field.hiding();
    if field.is_text() {
        return field.problem(
            "a secret must not stand in the file: write { env = \"NAME\" } or { file = \"path\" }, and change the secret if this \
             file was shared",
        );
    }
    field.table()
}

/// Reads a reference that stands alone.
pub(super) fn reference(field: Field<'_>, folder: &Path) -> Option<Declared<SecretRef>> {
    let table = table(field)?;
    let secret = read(&table, folder);
    table.finish();
    secret
}

/// Reads the reference in a table: `env` or `file`, and not both. The caller finishes the table.
pub(super) fn read(table: &Table<'_>, folder: &Path) -> Option<Declared<SecretRef>> {
    let place = table.place().clone();
    let value = match (table.field("env"), table.field("file")) {
        (Some(env), None) => variable(env.hiding())?,
        (None, Some(file)) => SecretRef::File(folder.join(file.path()?)),
        (None, None) => return table.problem("must say where the secret is: env = \"NAME\" or file = \"path\""),
        (Some(_), Some(_)) => return table.problem("must name one place for the secret, env or file, not both"),
    };
    Some(Declared { value, place })
}

/// The name of a variable. It is not shown where it looks like the secret itself.
fn variable(field: Field<'_>) -> Option<SecretRef> {
    let name = field.text()?;
    let word =
        name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') && !name.starts_with(|c: char| c.is_ascii_digit());
    let is_secret = ["whsec_", "weft_", "sk_"].iter().any(|prefix| name.starts_with(prefix));
    if name.is_empty() || !word || is_secret {
        return field
            .problem("must be the name of an environment variable (letters, digits and _), not the secret itself");
    }
    Some(SecretRef::Env(name.to_owned()))
}
