//! The short names of tenants and destinations, in memory.

use std::collections::HashMap;

use weft_core::id::{DestinationId, TenantId};

use crate::error::StoreError;

/// The row numbers of tenants and destinations by their ids.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    tenants: HashMap<TenantId, i64>,
    destinations: HashMap<DestinationId, i64>,
    /// Whether a job has changed the tables since.
    pub(crate) stale: bool,
}

impl Directory {
    pub(crate) const fn new(tenants: HashMap<TenantId, i64>, destinations: HashMap<DestinationId, i64>) -> Self {
        Self { tenants, destinations, stale: false }
    }

    /// The row of a tenant.
    pub(crate) fn tenant(&self, id: TenantId) -> Result<i64, StoreError> {
        let unknown = || StoreError::Unknown { noun: "tenant", id: id.to_string() };
        self.tenants.get(&id).copied().ok_or_else(unknown)
    }

    /// The row of a destination.
    pub(crate) fn destination(&self, id: DestinationId) -> Result<i64, StoreError> {
        let unknown = || StoreError::Unknown { noun: "destination", id: id.to_string() };
        self.destinations.get(&id).copied().ok_or_else(unknown)
    }
}
