//! Whose events these are: `[[tenant]]`.

use std::path::Path;

use weft_core::name::Name;
use weft_core::pipeline::Pipeline;
use weft_outbound::AddressGuard;

use super::destination::{self, DestinationConfig};
use super::limits::Limits;
use super::pipeline::{self, StepSecretConfig};
use super::reader::{Field, Table};
use super::secret::{self, Declared};
use super::unique::Unique;
use crate::secrets::SecretRef;

/// Where an event's type is looked for when nothing is written; a bare `{"type":"new_order",…}` is enough.
const TYPE_POINTER: &str = "/type";
/// Longest JSON pointer; it is walked for every event.
const TYPE_POINTER_BYTES_MAX: usize = 256;
/// Most tenants of one engine: all of them are kept in memory.
const TENANTS_MAX: usize = 10_000;
/// Most keys of one tenant: enough for one per sending service, with the old and the new during a change.
const KEYS_MAX: usize = 256;

/// Whose events these are, as the file declares it.
#[derive(Clone, Debug, PartialEq)]
pub struct TenantConfig {
    /// Unique.
    pub name: Name,
    /// JSON pointer (RFC 6901) to the event's type in a payload that comes without `weft-event-type`.
    pub type_pointer: String,
    /// Keys that may send and read for this tenant.
    pub keys: Vec<KeyConfig>,
    /// Where its deliveries go, in the order of the file.
    pub destinations: Vec<DestinationConfig>,
    /// Its ordered steps.
    pub pipeline: Pipeline,
    /// The secrets that its steps name.
    pub step_secrets: Vec<StepSecretConfig>,
}

/// A tenant's key: the text lies elsewhere, and only its hash is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyConfig {
    /// Unique within the tenant.
    pub name: Name,
    /// Where its text is.
    pub secret: Declared<SecretRef>,
}

/// What the readers of a tenant's parts need to know about the rest.
#[derive(Clone, Copy)]
pub(super) struct Rules<'a> {
    /// What relative paths start from.
    pub(super) folder: &'a Path,
    pub(super) limits: &'a Limits,
    pub(super) guard: &'a AddressGuard,
}

/// Reads all `[[tenant]]` tables; those that cannot be read are left out and among the findings.
pub(super) fn read_all(field: Option<Field<'_>>, rules: &Rules<'_>) -> Vec<TenantConfig> {
    let mut names = Unique::of("tenant");
    let Some(field) = field else { return Vec::new() };
    let read = |field: Field<'_>| TenantConfig::read(field.table()?, rules, &mut names);
    field.list(TENANTS_MAX).into_iter().filter_map(read).collect()
}

impl TenantConfig {
    fn read(table: Table<'_>, rules: &Rules<'_>, names: &mut Unique) -> Option<Self> {
        let name = table.required("name", "name the tenant, e.g. name = \"shop\"").and_then(|field| names.claim(field));
        let type_pointer = table.field("type_pointer").map_or(Some(TYPE_POINTER.to_owned()), json_pointer);
        let keys = table.field("keys").map(|field| keys(field, rules)).unwrap_or_default();
        let destinations = destination::read_all(table.field("destination"), rules);
        let (pipeline, step_secrets) = pipeline::read(table.field("step"), rules);
        table.finish();
        Some(Self { name: name?, type_pointer: type_pointer?, keys, destinations, pipeline, step_secrets })
    }
}

fn json_pointer(field: Field<'_>) -> Option<String> {
    let text = field.text()?;
    let escapes_are_whole = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    if text.len() > TYPE_POINTER_BYTES_MAX {
        return field.problem(format!("must be at most {TYPE_POINTER_BYTES_MAX} bytes long"));
    }
    if !text.starts_with('/') || !escapes_are_whole {
        return field
            .problem("must be a JSON pointer, e.g. \"/type\" or \"/meta/kind\" (\"~1\" for \"/\", \"~0\" for \"~\")");
    }
    Some(text.to_owned())
}

fn keys(field: Field<'_>, rules: &Rules<'_>) -> Vec<KeyConfig> {
    let mut names = Unique::of("key");
    let read = |field: Field<'_>| {
        let table = secret::table(field)?;
        let name = table.required("name", "name the key after who uses it, e.g. name = \"checkout\"");
        let name = name.and_then(|field| names.claim(field));
        let secret = secret::read(&table, rules.folder);
        table.finish();
        Some(KeyConfig { name: name?, secret: secret? })
    };
    field.hiding().list(KEYS_MAX).into_iter().filter_map(read).collect()
}
