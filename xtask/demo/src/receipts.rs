//! What arrived: the receivers' own book, kept apart from anything that the engine says.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use weft_core::time::Timestamp;

use crate::expected::Content;

/// A destination as its receiver knows it, by the path of its address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) tenant: String,
    pub(crate) destination: String,
}

impl Place {
    pub(crate) fn new(tenant: impl Into<String>, destination: impl Into<String>) -> Self {
        Self { tenant: tenant.into(), destination: destination.into() }
    }

    /// Reads `/tenant/destination`.
    pub(crate) fn of_path(path: &str) -> Option<Self> {
        let (tenant, destination) = path.strip_prefix('/')?.split_once('/')?;
        Some(Self::new(tenant, destination))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.destination)
    }
}

/// What a destination's receiver has seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inbox {
    /// What was taken, by `webhook-id`.
    pub(crate) taken: BTreeMap<String, Receipt>,
    /// Every request that verified, taken or not.
    pub(crate) requests: u64,
    /// Answered 503 while the receiver was not well.
    pub(crate) turned_away: u64,
    /// Taken a second time under the same `webhook-id`.
    pub(crate) repeated: u64,
    /// Came again under the same `webhook-id` with another body.
    pub(crate) changed: u64,
    /// The first bodies by `webhook-id`, also of what was turned away.
    bodies: BTreeMap<String, u64>,
}

/// The first time that something was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) at: Timestamp,
    /// Absent if the body is not JSON.
    pub(crate) content: Option<Content>,
}

/// The event's part of a `webhook-id`: `evt_…` of `evt_…-2`.
pub(crate) fn event_of(webhook_id: &str) -> &str {
    webhook_id.split('-').next().unwrap_or(webhook_id)
}

/// A request whose signature was right.
pub(crate) struct Verified {
    pub(crate) place: Place,
    pub(crate) webhook_id: String,
    pub(crate) at: Timestamp,
    pub(crate) body: Bytes,
}

/// The book of all receivers.
pub(crate) struct Receipts {
    pages: Mutex<Pages>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Pages {
    pub(crate) inboxes: BTreeMap<Place, Inbox>,
    /// Refused because they did not verify.
    pub(crate) unverified: u64,
}

impl Receipts {
    pub(crate) fn new() -> Self {
        Self { pages: Mutex::default() }
    }

    /// Notes a request that was taken; returns whether it is the first under its `webhook-id`.
    pub(crate) fn take(&self, request: &Verified) -> bool {
        let content = Content::of_body(&request.body);
        self.note(request, |inbox| {
            let receipt = Receipt { at: request.at, content };
            let first = !inbox.taken.contains_key(&request.webhook_id);
            if first {
                inbox.taken.insert(request.webhook_id.clone(), receipt);
            } else {
                inbox.repeated += 1;
            }
            first
        })
    }

    /// Notes a request that was turned away.
    pub(crate) fn turn_away(&self, request: &Verified) {
        self.note(request, |inbox| inbox.turned_away += 1);
    }

    /// Notes a request that did not verify.
    pub(crate) fn refuse(&self) {
        self.pages().unverified += 1;
    }

    /// How many were taken and turned away so far.
    pub(crate) fn so_far(&self) -> (u64, u64) {
        let pages = self.pages();
        let taken = pages.inboxes.values().map(|inbox| inbox.taken.len() as u64).sum();
        (taken, pages.inboxes.values().map(|inbox| inbox.turned_away).sum())
    }

    /// A copy to count in.
    pub(crate) fn snapshot(&self) -> Pages {
        self.pages().clone()
    }

    fn note<T>(&self, request: &Verified, change: impl FnOnce(&mut Inbox) -> T) -> T {
        let mut hasher = DefaultHasher::new();
        request.body.hash(&mut hasher);
        let body = hasher.finish();
        let mut pages = self.pages();
        let inbox = pages.inboxes.entry(request.place.clone()).or_default();
        inbox.requests += 1;
        let first = *inbox.bodies.entry(request.webhook_id.clone()).or_insert(body);
        inbox.changed += u64::from(first != body);
        change(inbox)
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        // A holder that panicked was between two counts; the check at the end would tell.
        self.pages.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(id: &str, body: &'static str) -> Verified {
        Verified {
            place: Place::new("shop", "crm"),
            webhook_id: id.to_owned(),
            at: Timestamp::from_ms(7),
            body: Bytes::from_static(body.as_bytes()),
        }
    }

    fn inbox(receipts: &Receipts) -> Inbox {
        receipts.snapshot().inboxes.remove(&Place::new("shop", "crm")).expect("something came")
    }

    #[test]
    fn the_same_id_counts_once_however_often_it_comes() {
        let receipts = Receipts::new();
        receipts.turn_away(&request("a", "{}"));
        assert!(receipts.take(&request("a", "{}")));
        assert!(!receipts.take(&request("a", "{}")));
        let inbox = inbox(&receipts);
        assert_eq!(
            (inbox.taken.len(), inbox.requests, inbox.turned_away, inbox.repeated, inbox.changed),
            (1, 3, 1, 1, 0)
        );
    }

    #[test]
    fn another_body_under_the_same_id_is_seen() {
        let receipts = Receipts::new();
        receipts.turn_away(&request("a", "{}"));
        receipts.take(&request("a", "{} "));
        assert_eq!(inbox(&receipts).changed, 1);
    }

    #[test]
    fn a_path_names_tenant_and_destination() {
        assert_eq!(Place::of_path("/shop/crm"), Some(Place::new("shop", "crm")));
        assert_eq!(Place::of_path("/shop"), None);
    }
}
