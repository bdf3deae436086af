//! Keep: stores what the API has accepted, and sends it on its way.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;
use weft_core::delivery::RequestParts;
use weft_core::destination::Destination;
use weft_core::event::{Event, NewEvent};
use weft_core::id::{DeliveryId, DestinationId};
use weft_core::plan::BodyRef;
use weft_core::time::Timestamp;
use weft_store::work::{Behind, DeliveryWork, FirstWay, Ingested, KeepEvent, Lease, NewDelivery, PassWork};
use weft_store::{Store, StoreError};

use crate::catalog::{Catalog, CurrentCatalog};
use crate::clock::Clock;
use crate::telemetry::Metrics;
use crate::workers::claims_wake::ClaimsWake;
use crate::workers::lease::LeaseTerm;
use crate::workers::outbox::{Outbox, Reservation};
use crate::workers::pass_queue::{PassQueue, PassReservation};
use crate::workers::room::Place;

/// How long an event waits for its tenant's work to keep up: a connection then brings one event a second, and no sender minds.
const BEHIND_MAX: Duration = Duration::from_secs(1);

/// Where the API hands in events; cheap to clone.
#[derive(Clone)]
pub struct Intake(Arc<IntakeParts>);

/// What an intake leans on.
pub struct IntakeParts {
    /// Where events are stored.
    pub store: Store,
    /// Where they go.
    pub catalog: CurrentCatalog,
    /// Where what has been stored goes on.
    pub hand_over: HandOver,
    /// Deliveries planned in the same commit as the event, at most.
    pub deliveries_at_once: usize,
    /// For the commits' times and the deliveries' ids.
    pub clock: Clock,
    /// For what was accepted.
    pub metrics: Arc<Metrics>,
}

/// Why an event was not taken.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// Too many events wait for a commit.
    #[error("too many events wait to be stored")]
    Full,
    /// The commit failed.
    #[error("the event could not be stored")]
    Store(#[source] StoreError),
    /// The engine is stopping.
    #[error("the engine is stopping")]
    Stopped,
}

impl Intake {
    /// An intake of these parts.
    pub fn new(parts: IntakeParts) -> Self {
        Self(Arc::new(parts))
    }

    /// Hands in an event and waits until it is on disk (promise 1), or known not to be.
    ///
    /// Before that it waits a while for the tenant's work to keep up with what comes in: delivery wins over ingest. After
    /// that, everything that waits goes into one commit, and whoever commits sends each event on.
    ///
    /// # Errors
    /// [`IntakeError`]; after [`IntakeError::Store`] the sender must try again with the same key.
    ///
    /// # Cancel safety
    /// Dropping the future does not take the event back: it may be stored and sent.
    pub async fn submit(&self, event: NewEvent, place: Place) -> Result<Ingested, IntakeError> {
        let parts = &self.0;
        let HandOver { passes, outbox, term, .. } = &parts.hand_over;
        let tenant = event.event.tenant;
        let keeps_up = async { (passes.keeps_up(tenant).await, outbox.keeps_up(tenant).await) };
        // After that it is stored all the same: slowed down, not refused.
        let _ = timeout(BEHIND_MAX, keeps_up).await;
        let now = parts.clock.now();
        let lease = term.from(now);
        let (way, places) = parts.first_way(&parts.catalog.snapshot(), &event.event, lease, now);
        let (answer, answered) = oneshot::channel();
        let then = {
            let parts = parts.clone();
            move |outcome: Result<Ingested, StoreError>| {
                match &outcome {
                    Ok(ingested) => parts.go_on(places, ingested),
                    Err(error) => parts.failed(error),
                }
                // Held until the event is on disk, whether or not its sender still waits.
                drop(place);
                // A caller that went away needs no answer.
                let _ = answer.send(outcome);
            }
        };
        parts.store.keep_then(KeepEvent { new: event, way }, now, then).map_err(|error| match error {
            StoreError::Busy => IntakeError::Full,
            StoreError::Closed => IntakeError::Stopped,
            StoreError::Unavailable { .. } | StoreError::Corrupt { .. } | StoreError::Unknown { .. } => {
                IntakeError::Store(error)
            }
        })?;
        answered.await.map_err(|_| IntakeError::Stopped)?.map_err(IntakeError::Store)
    }
}

/// Where what has been stored goes on from memory.
#[derive(Clone)]
pub struct HandOver {
    /// Deliveries.
    pub outbox: Outbox,
    /// Events.
    pub passes: PassQueue,
    /// Told when something was stored that must be claimed.
    pub claims: ClaimsWake,
    /// The term of the leases.
    pub term: LeaseTerm,
}

/// The places that wait for an event's commit.
enum Places {
    /// Nobody subscribes.
    None,
    Pass(PassReservation, PassWork),
    /// The pass must be claimed.
    PassLeftBehind,
    Deliveries {
        filled: Vec<(Reservation, DeliveryWork)>,
        /// Where deliveries must be claimed.
        left_behind: Vec<DestinationId>,
    },
}

impl IntakeParts {
    /// Decides what becomes of an event in its first commit, and reserves the places that it goes on to.
    fn first_way(&self, catalog: &Catalog, event: &Arc<Event>, lease: Lease, now: Timestamp) -> (FirstWay, Places) {
        // A tenant that has left the catalog since the request was read: its event waits until it is declared again.
        let Some(tenant) = catalog.tenant(event.tenant) else {
            return (FirstWay::Pass { lease: None }, Places::PassLeftBehind);
        };
        if !tenant.pipeline.steps.is_empty() {
            return self.way_of_a_pass(event, lease);
        }
        let subscribers = tenant.destinations.subscribers(&event.event_type);
        match subscribers.len() {
            0 => (FirstWay::NoDestination, Places::None),
            count if count <= self.deliveries_at_once => self.plain_way(&subscribers, event, lease, now),
            _ => self.way_of_a_pass(event, lease),
        }
    }

    fn way_of_a_pass(&self, event: &Arc<Event>, lease: Lease) -> (FirstWay, Places) {
        match self.hand_over.passes.reserve(event.body.len()) {
            Some(place) => {
                let work = PassWork { event: event.clone(), replay: None, number: 1, lease };
                (FirstWay::Pass { lease: Some(lease) }, Places::Pass(place, work))
            }
            None => (FirstWay::Pass { lease: None }, Places::PassLeftBehind),
        }
    }

    fn plain_way(
        &self,
        subscribers: &[&Destination],
        event: &Event,
        lease: Lease,
        now: Timestamp,
    ) -> (FirstWay, Places) {
        let mut deliveries = Vec::new();
        let mut filled = Vec::new();
        let mut left_behind = Vec::new();
        for destination in subscribers {
            // What is held waits in the store.
            let is_sent = destination.is_active();
            let place = if is_sent { self.hand_over.outbox.reserve(destination.id, event.body.len()) } else { None };
            let delivery = NewDelivery {
                id: self.clock.fresh(),
                destination: destination.id,
                output: 0,
                body: BodyRef::Event,
                request: RequestParts { envelope: destination.envelope(event), ..RequestParts::default() },
                ordering_key: event.ordering_key.clone(),
                planned_at: now,
                due_at: now,
                ends_at: now.plus(destination.retry.lifetime),
                lease: place.is_some().then_some(lease),
            };
            match place {
                Some(place) => filled.push((place, first_work(event, &delivery, event.body.clone(), lease))),
                None if is_sent => left_behind.push(destination.id),
                None => {}
            }
            deliveries.push(delivery);
        }
        (FirstWay::Routed(deliveries), Places::Deliveries { filled, left_behind })
    }

    fn failed(&self, error: &StoreError) {
        self.metrics.store_failed();
        // The writer has said so once for the whole commit.
        tracing::debug!(error = error as &dyn std::error::Error, "an event is not stored");
    }

    /// Sends on what has been stored; the places of what has not been stored are given back.
    fn go_on(&self, places: Places, ingested: &Ingested) {
        let behind: &[DeliveryId] = match ingested {
            Ingested::New => &[],
            Ingested::Behind(Behind::Deliveries(behind)) => behind,
            // Whatever ends the pass before it says that it is due.
            Ingested::Behind(Behind::Pass) => return self.metrics.event_accepted(),
            Ingested::Duplicate(_) => return self.metrics.event_duplicate(),
            Ingested::Conflict(_) => return,
        };
        self.metrics.event_accepted();
        match places {
            Places::None => self.metrics.event_ended("dropped"),
            Places::PassLeftBehind => self.hand_over.claims.passes_due(self.clock.now()),
            Places::Pass(place, work) => place.fill(work),
            Places::Deliveries { filled, left_behind } => {
                self.metrics.event_ended("routed");
                for (place, work) in filled {
                    if !behind.contains(&work.id) {
                        place.fill(work);
                    }
                }
                if !left_behind.is_empty() {
                    self.hand_over.outbox.fell_behind(left_behind);
                }
            }
        }
    }
}

/// The work of a delivery's first attempt, as it goes on from memory.
pub fn first_work(event: &Event, delivery: &NewDelivery, body: bytes::Bytes, lease: Lease) -> DeliveryWork {
    let announced = |own: &Option<String>, events: &str| own.clone().unwrap_or_else(|| events.to_owned());
    DeliveryWork {
        id: delivery.id,
        event: event.id,
        tenant: event.tenant,
        destination: delivery.destination,
        output: delivery.output,
        event_type: announced(&delivery.request.event_type, event.event_type.as_str()),
        content_type: announced(&delivery.request.content_type, &event.content_type),
        request: delivery.request.clone(),
        ordering_key: delivery.ordering_key.clone(),
        body,
        number: 1,
        ends_at: delivery.ends_at,
        lease,
    }
}
