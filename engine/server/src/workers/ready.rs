//! Work that could go on at once and has not been taken yet, counted by tenant: what the machine owes.
//!
//! Where a tenant's events come in faster than its work is done, its ingest waits a while for the work to be taken up: delivery
//! wins, or the backlog would grow as fast as the network brings it. What waits for anything but the machine (a receiver that
//! hangs, a retry) is not counted: ingest does not wait for receivers. And it waits for a while only: what the machine
//! cannot do now is stored, not refused.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use weft_core::id::TenantId;

/// Deliveries or passes of one tenant that are ready: beyond it, the tenant's ingest waits until half of them are taken. It is
/// well below what memory has room for, so that what comes in does not take the long way through the store.
pub const READY_MAX: usize = 1_024;

/// The counts of one queue.
#[derive(Debug, Default)]
pub struct Ready {
    tenants: HashMap<TenantId, Tenant>,
}

#[derive(Debug, Default)]
struct Tenant {
    ready: usize,
    // Waits for the work to be taken; there is one only while somebody waits.
    relief: Option<Arc<Notify>>,
}

impl Ready {
    /// Says that `count` have become ready.
    pub fn add(&mut self, tenant: TenantId, count: usize) {
        if count > 0 {
            self.tenants.entry(tenant).or_default().ready += count;
        }
    }

    /// Says that `count` were taken, or are not ready any more.
    pub fn remove(&mut self, tenant: TenantId, count: usize) {
        let Some(of_tenant) = self.tenants.get_mut(&tenant) else { return };
        of_tenant.ready = of_tenant.ready.saturating_sub(count);
        if of_tenant.ready * 2 <= READY_MAX
            && let Some(relief) = of_tenant.relief.take()
        {
            relief.notify_waiters();
        }
        if of_tenant.ready == 0 {
            self.tenants.remove(&tenant);
        }
    }

    /// What ingest of a tenant waits for; `None` if it may go on. It misses nothing that happens after this call.
    pub fn relief(&mut self, tenant: TenantId) -> Option<OwnedNotified> {
        let of_tenant = self.tenants.get_mut(&tenant).filter(|of_tenant| of_tenant.ready > READY_MAX)?;
        Some(of_tenant.relief.get_or_insert_default().clone().notified_owned())
    }

    /// Lets everybody go on who waits.
    pub fn relieve(&mut self) {
        for relief in self.tenants.values_mut().filter_map(|of_tenant| of_tenant.relief.take()) {
            relief.notify_waiters();
        }
    }

    /// Forgets everything: nothing is taken any more.
    pub fn close(&mut self) {
        self.relieve();
        self.tenants.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn tenant(number: u128) -> TenantId {
        TenantId::from_uuid(Uuid::from_u128(number))
    }

    #[tokio::test]
    async fn promise_7_only_the_tenant_whose_work_is_not_taken_waits_and_only_until_half_is() {
        let mut ready = Ready::default();
        ready.add(tenant(1), READY_MAX);
        assert!(ready.relief(tenant(1)).is_none(), "so much may wait");
        ready.add(tenant(1), 1);
        let relief = ready.relief(tenant(1)).expect("it waits");
        assert!(ready.relief(tenant(2)).is_none(), "another tenant goes on");
        ready.remove(tenant(1), READY_MAX / 2);
        let mut relief = std::pin::pin!(relief);
        let waits = tokio::select! {
            biased;
            () = &mut relief => false,
            () = std::future::ready(()) => true,
        };
        assert!(waits, "more than half is left");
        ready.remove(tenant(1), 1);
        // Without the wake-up this would wait for ever; it came before anybody looked.
        relief.await;
    }

    #[tokio::test]
    async fn nobody_waits_for_a_queue_that_is_closed() {
        let mut ready = Ready::default();
        ready.add(tenant(1), READY_MAX + 1);
        let relief = ready.relief(tenant(1)).expect("it waits");
        ready.close();
        relief.await;
        assert!(ready.relief(tenant(1)).is_none());
    }
}
