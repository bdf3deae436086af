//! Rows of what is to be replayed, and what speaks against it.

use std::collections::HashMap;
use std::hash::Hash;

use weft_core::id::{ReplayId, TenantId};

use super::Cells;
use crate::error::StoreError;
use crate::replay::Replayed;

/// Something that a replay asks for.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) tenant: i64,
    tenant_id: TenantId,
    state: String,
    replayed_by: Option<ReplayId>,
}

impl Subject {
    pub(crate) fn read(cells: &Cells<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            tenant: cells.int("tenant")?,
            tenant_id: cells.id("tenant_id")?,
            state: cells.text("state")?,
            replayed_by: cells.maybe_id("replayed_by")?,
        })
    }
}

/// Says why something cannot be replayed; nothing if it can, and then it is `replay`'s.
pub(crate) fn refusal<K: Eq + Hash>(
    subject: Option<&Subject>,
    tenant: Option<TenantId>,
    taken: &mut HashMap<K, ReplayId>,
    key: K,
    replay: ReplayId,
) -> Option<Replayed> {
    let Some(subject) = subject.filter(|subject| tenant.is_none_or(|tenant| tenant == subject.tenant_id)) else {
        return Some(Replayed::NotFound);
    };
    if subject.state != "dead" {
        return Some(Replayed::NotDead { state: subject.state.clone() });
    }
    if let Some(earlier) = subject.replayed_by.or_else(|| taken.get(&key).copied()) {
        return Some(Replayed::AlreadyReplayed(earlier));
    }
    taken.insert(key, replay);
    None
}
