//! Rows of tenants, keys and destinations.

use std::collections::HashMap;

use weft_core::destination::{DestinationStatus, DisabledReason};

use super::Cells;
use crate::catalog::{Catalog, DestinationRecord, KeyRecord, TenantRecord};
use crate::error::StoreError;

/// Puts the catalog together from its rows, those of tenants first.
#[derive(Debug, Default)]
pub(crate) struct CatalogRows {
    catalog: Catalog,
    /// The place of each tenant in the catalog, by its row.
    places: HashMap<i64, usize>,
}

impl CatalogRows {
    pub(crate) fn tenant(&mut self, cells: &Cells<'_>) -> Result<(), StoreError> {
        self.places.insert(cells.int("seq")?, self.catalog.tenants.len());
        self.catalog.tenants.push(TenantRecord {
            id: cells.id("id")?,
            name: cells.parsed("name")?,
            declared: cells.flag("declared")?,
            keys: Vec::new(),
            destinations: Vec::new(),
        });
        Ok(())
    }

    pub(crate) fn key(&mut self, cells: &Cells<'_>) -> Result<(), StoreError> {
        let key = KeyRecord {
            id: cells.id("id")?,
            name: cells.parsed("name")?,
            hash: cells.array("hash")?,
            declared: cells.flag("declared")?,
        };
        match cells.maybe_int("tenant")? {
            None => self.catalog.operator_keys.push(key),
            Some(tenant) => self.of_tenant(cells, tenant)?.keys.push(key),
        }
        Ok(())
    }

    pub(crate) fn destination(&mut self, cells: &Cells<'_>) -> Result<(), StoreError> {
        let destination = DestinationRecord {
            id: cells.id("id")?,
            name: cells.parsed("name")?,
            status: StatusColumns::read(cells)?.status(),
            status_since: cells.time("status_since")?,
        };
        self.of_tenant(cells, cells.int("tenant")?)?.destinations.push(destination);
        Ok(())
    }

    /// The catalog, once all rows are in.
    pub(crate) fn read(self) -> Catalog {
        self.catalog
    }

    fn of_tenant(&mut self, cells: &Cells<'_>, tenant: i64) -> Result<&mut TenantRecord, StoreError> {
        let place = self.places.get(&tenant).copied();
        let place = place.ok_or_else(|| cells.corrupt("tenant", format!("there is no tenant {tenant}")))?;
        Ok(&mut self.catalog.tenants[place])
    }
}

/// What a row says of a destination's status.
#[derive(Clone, Debug)]
pub(crate) struct StatusColumns {
    pub(crate) declared: bool,
    /// By whom: not by the file.
    pub(crate) disabled: Option<DisabledReason>,
    pub(crate) paused: bool,
}

impl StatusColumns {
    pub(crate) fn read(cells: &Cells<'_>) -> Result<Self, StoreError> {
        let disabled = match cells.maybe_text("disabled")? {
            None => None,
            Some(_) => Some(cells.word("disabled", DisabledReason::parse)?),
        };
        Ok(Self { declared: cells.flag("declared")?, disabled, paused: cells.flag("paused")? })
    }

    /// The status that they come to: not being declared outweighs what else disables it, and that a pause.
    pub(crate) fn status(&self) -> DestinationStatus {
        match (self.declared, self.disabled, self.paused) {
            (false, ..) => DestinationStatus::Disabled(DisabledReason::Undeclared),
            (true, Some(reason), _) => DestinationStatus::Disabled(reason),
            (true, None, true) => DestinationStatus::Paused,
            (true, None, false) => DestinationStatus::Active,
        }
    }

    /// What they become where `wanted` is to hold, as far as the file lets it.
    pub(crate) fn with(self, wanted: DestinationStatus) -> Self {
        match wanted {
            DestinationStatus::Active => Self { disabled: None, paused: false, ..self },
            DestinationStatus::Paused => Self { disabled: None, paused: true, ..self },
            DestinationStatus::Disabled(DisabledReason::Undeclared) => Self { declared: false, ..self },
            DestinationStatus::Disabled(reason @ (DisabledReason::Gone | DisabledReason::Operator)) => {
                Self { disabled: Some(reason), ..self }
            }
        }
    }
}
