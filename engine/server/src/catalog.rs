//! Who is known and where things go: the engine's view of its configuration, swapped whole.
//!
//! Every request and every pass takes one snapshot and keeps to it. A change (a destination disabled, a file declared
//! anew) makes another catalog and swaps it in; nothing is changed in place.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use weft_core::destination::{Destination, DestinationKind, DestinationStatus};
use weft_core::destinations::Destinations;
use weft_core::id::{DestinationId, TenantId};
use weft_core::name::Name;
use weft_core::pipeline::Pipeline;
use weft_outbound::{InvalidTarget, PreparedTarget};

use crate::secrets::{KeyHash, StepSecrets};

/// All that requests and workers look up.
#[derive(Default)]
pub struct Catalog {
    tenants: HashMap<TenantId, Arc<Tenant>>,
    names: HashMap<Name, TenantId>,
    places: HashMap<DestinationId, Place>,
    keys: HashMap<KeyHash, Caller>,
}

/// Where a destination is found, and what every request to it needs.
#[derive(Clone)]
struct Place {
    tenant: TenantId,
    // Among the tenant's destinations.
    index: usize,
    target: Arc<PreparedTarget>,
}

/// A tenant as the workers need it.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Kept as long as the name is.
    pub id: TenantId,
    /// Unique.
    pub name: Name,
    /// Where the event type stands in a JSON payload that comes without `weft-event-type`.
    pub type_pointer: String,
    /// Its steps.
    pub pipeline: Pipeline,
    /// The secrets that its steps let their plugins use.
    pub step_secrets: StepSecrets,
    /// The inbound headers that its steps name.
    pub headers: Vec<String>,
    /// Where its deliveries go.
    pub destinations: Destinations,
}

/// Shows how much there is, not what: a catalog holds keys.
impl std::fmt::Debug for Catalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Catalog({} tenants, {} destinations)", self.tenants.len(), self.places.len())
    }
}

/// On whose behalf a request is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The operator, who may act for every tenant.
    Operator,
    /// A tenant.
    Tenant(TenantId),
}

impl Catalog {
    /// A catalog of these tenants and keys.
    ///
    /// # Errors
    /// [`InvalidTarget`] if a destination cannot be the target of a request; the configuration check finds that first.
    pub fn new(tenants: Vec<Tenant>, keys: HashMap<KeyHash, Caller>) -> Result<Self, InvalidTarget> {
        let mut catalog = Self { keys, ..Self::default() };
        for tenant in tenants {
            for (index, destination) in tenant.destinations.iter().enumerate() {
                let DestinationKind::Http(target) = &destination.kind;
                let target = Arc::new(PreparedTarget::new(target, destination.timeouts)?);
                catalog.places.insert(destination.id, Place { tenant: tenant.id, index, target });
            }
            catalog.names.insert(tenant.name.clone(), tenant.id);
            catalog.tenants.insert(tenant.id, Arc::new(tenant));
        }
        Ok(catalog)
    }

    /// The tenant of this id.
    pub fn tenant(&self, id: TenantId) -> Option<&Arc<Tenant>> {
        self.tenants.get(&id)
    }

    /// The tenant of this name.
    pub fn tenant_named(&self, name: &Name) -> Option<&Arc<Tenant>> {
        self.tenant(*self.names.get(name)?)
    }

    /// All tenants, in no order.
    pub fn tenants(&self) -> impl Iterator<Item = &Arc<Tenant>> {
        self.tenants.values()
    }

    /// The destination of this id.
    pub fn destination(&self, id: DestinationId) -> Option<&Destination> {
        let place = self.places.get(&id)?;
        self.tenant(place.tenant)?.destinations.get(place.index)
    }

    /// Whether there is a destination of this id, and it is active.
    pub fn is_active(&self, id: DestinationId) -> bool {
        self.destination(id).is_some_and(Destination::is_active)
    }

    /// The destination of this id, made ready for requests.
    pub fn target(&self, id: DestinationId) -> Option<&Arc<PreparedTarget>> {
        Some(&self.places.get(&id)?.target)
    }

    /// The tenant that owns this destination.
    pub fn owner(&self, id: DestinationId) -> Option<&Arc<Tenant>> {
        self.tenant(self.places.get(&id)?.tenant)
    }

    /// Who holds the key of this text.
    ///
    /// The look-up compares hashes: what its time could tell is about a hash, not about a key.
    pub fn caller(&self, key: &str) -> Option<Caller> {
        self.keys.get(&KeyHash::of(key)).copied()
    }

    /// This catalog with another status of one destination.
    fn with_status(&self, id: DestinationId, status: DestinationStatus) -> Self {
        let mut tenants = self.tenants.clone();
        if let Some(place) = self.places.get(&id)
            && let Some(tenant) = tenants.get_mut(&place.tenant)
        {
            Arc::make_mut(tenant).destinations.set_status(place.index, status);
        }
        Self { tenants, names: self.names.clone(), places: self.places.clone(), keys: self.keys.clone() }
    }
}

/// The catalog that holds at this moment; cheap to clone.
#[derive(Clone, Default)]
pub struct CurrentCatalog(Arc<ArcSwap<Catalog>>);

impl CurrentCatalog {
    /// Begins with `catalog`.
    pub fn new(catalog: Catalog) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(catalog)))
    }

    /// The catalog that holds now; the snapshot stays as it is.
    pub fn snapshot(&self) -> Arc<Catalog> {
        self.0.load_full()
    }

    /// Puts another status of one destination into force. The store has it already.
    pub fn set_status(&self, id: DestinationId, status: DestinationStatus) {
        self.0.rcu(|catalog| catalog.with_status(id, status));
    }
}
