//! Lanes of ordering keys, as plainly as they can be written down: of what waits under a key, the first alone may go.

use weft_core::id::{DestinationId, TenantId};
use weft_core::ordering_key::OrderingKey;
use weft_core::time::Timestamp;
use weft_store::work::PassKey;

use crate::model::{Line, Model, Sending};

/// Whom a row belongs to that waits behind others.
pub(crate) const BEHIND: i64 = -1;

impl Model {
    /// The next place in whatever lane.
    pub(crate) fn place(&mut self) -> u64 {
        self.places += 1;
        self.places
    }

    fn passes_under(&self, tenant: TenantId, key: &OrderingKey) -> Vec<(u64, PassKey)> {
        let mut lane: Vec<(u64, PassKey)> = self
            .waiting_passes()
            .filter_map(|(pass, ..)| {
                let event = &self.event(pass.event)?.event;
                (event.tenant == tenant && event.ordering_key.as_ref() == Some(key))
                    .then_some((self.place_of(pass)?, pass))
            })
            .collect();
        lane.sort_by_key(|(place, _)| *place);
        lane
    }

    fn place_of(&self, pass: PassKey) -> Option<u64> {
        match pass.replay {
            None => self.event(pass.event)?.place,
            Some(replay) => self.replays.iter().find(|it| it.id == replay)?.place,
        }
    }

    pub(crate) fn has_pass(&self, tenant: TenantId, key: &OrderingKey) -> bool {
        !self.passes_under(tenant, key).is_empty()
    }

    /// Opens the first pass under a key, if it is not open; answers when it is due.
    pub(crate) fn open_pass(&mut self, tenant: TenantId, key: &OrderingKey) -> Option<Timestamp> {
        let (_, first) = *self.passes_under(tenant, key).first()?;
        let (line, _) = self.line_mut(first)?;
        match line {
            Line::Waiting { due, owner } if *owner == BEHIND => {
                *owner = 0;
                Some(*due)
            }
            Line::Waiting { .. } | Line::Routed { .. } | Line::Dropped { .. } | Line::Dead { .. } => None,
        }
    }

    pub(crate) fn has_delivery(&self, to: DestinationId, key: &OrderingKey) -> bool {
        self.pending().any(|(it, ..)| it.destination == to && it.ordering_key.as_ref() == Some(key))
    }

    /// Opens the first delivery under a key, if it is not open; answers when it is due.
    pub(crate) fn open_delivery(&mut self, to: DestinationId, key: &OrderingKey) -> Option<Timestamp> {
        let lane = self.deliveries.iter_mut().filter(|it| {
            let is_pending = matches!(it.sending, Sending::Pending { .. });
            is_pending && it.destination == to && it.ordering_key.as_ref() == Some(key)
        });
        match &mut lane.min_by_key(|it| it.place)?.sending {
            Sending::Pending { due, owner } if *owner == BEHIND => {
                *owner = 0;
                Some(*due)
            }
            Sending::Pending { .. } | Sending::Delivered { .. } | Sending::Dead { .. } => None,
        }
    }
}
