//! Tenants, keys and destinations: what the configuration declares, and the state that only the store knows.

use weft_core::destination::DestinationStatus;
use weft_core::id::{DestinationId, KeyId, TenantId};
use weft_core::name::Name;
use weft_core::time::Timestamp;

/// Everything that the configuration declares. What is not in it any more is marked undeclared, never deleted.
#[derive(Clone, Debug, Default)]
pub struct Declaration {
    /// The tenants.
    pub tenants: Vec<DeclaredTenant>,
    /// The operator's keys.
    pub operator_keys: Vec<DeclaredKey>,
}

/// A declared tenant.
#[derive(Clone, Debug)]
pub struct DeclaredTenant {
    /// The id that it gets if its name is unknown.
    pub fresh: TenantId,
    /// Unique.
    pub name: Name,
    /// Its keys.
    pub keys: Vec<DeclaredKey>,
    /// Its destinations.
    pub destinations: Vec<DeclaredDestination>,
}

/// A declared key.
#[derive(Clone, Debug)]
pub struct DeclaredKey {
    /// The id that it gets if its name is unknown.
    pub fresh: KeyId,
    /// Unique within its owner.
    pub name: Name,
    /// SHA-256 of the key; the key itself is never stored.
    pub hash: [u8; 32],
}

/// A declared destination.
#[derive(Clone, Debug)]
pub struct DeclaredDestination {
    /// The id that it gets if its name is unknown.
    pub fresh: DestinationId,
    /// Unique within its tenant.
    pub name: Name,
}

/// What the store has.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// In the order of their names.
    pub tenants: Vec<TenantRecord>,
    /// The operator's keys, in the order of their names.
    pub operator_keys: Vec<KeyRecord>,
}

/// A tenant.
#[derive(Clone, Debug)]
pub struct TenantRecord {
    /// Its id.
    pub id: TenantId,
    /// Its name.
    pub name: Name,
    /// Whether the configuration has it.
    pub declared: bool,
    /// In the order of their names.
    pub keys: Vec<KeyRecord>,
    /// In the order of their names.
    pub destinations: Vec<DestinationRecord>,
}

/// A key.
#[derive(Clone, Debug)]
pub struct KeyRecord {
    /// Its id.
    pub id: KeyId,
    /// Its name.
    pub name: Name,
    /// SHA-256 of the key.
    pub hash: [u8; 32],
    /// Whether the configuration has it; one that it has not opens nothing.
    pub declared: bool,
}

/// A destination.
#[derive(Clone, Debug)]
pub struct DestinationRecord {
    /// Its id.
    pub id: DestinationId,
    /// Its name.
    pub name: Name,
    /// Whether deliveries may be made and sent.
    pub status: DestinationStatus,
    /// Since when it has this status.
    pub status_since: Timestamp,
}
