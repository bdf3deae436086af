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
            status: status(cells)?,
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

/// The status of a destination: not being declared outweighs what else disables it.
pub(crate) fn status(cells: &Cells<'_>) -> Result<DestinationStatus, StoreError> {
    if !cells.flag("declared")? {
        return Ok(DestinationStatus::Disabled(DisabledReason::Undeclared));
    }
    match cells.maybe_text("disabled")? {
        None => Ok(DestinationStatus::Active),
        Some(_) => cells.word("disabled", DisabledReason::parse).map(DestinationStatus::Disabled),
    }
}

/// The columns `declared` and `disabled` of a destination that is to have the status `wanted`, from what they are.
pub(crate) fn columns_of(
    wanted: DestinationStatus,
    declared: bool,
    disabled: Option<String>,
) -> (bool, Option<String>) {
    match wanted {
        DestinationStatus::Active => (declared, None),
        DestinationStatus::Disabled(DisabledReason::Undeclared) => (false, disabled),
        DestinationStatus::Disabled(reason) => (declared, Some(reason.as_str().to_owned())),
    }
}
