//! Keep: stores what the API has accepted, everything that waits in one commit, and sends it on its way.

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc, oneshot};
use weft_core::delivery::RequestParts;
use weft_core::destination::DELIVERY_LIFETIME;
use weft_core::event::{Event, NewEvent};
use weft_core::plan::{BodyRef, subscribers};
use weft_core::time::Timestamp;
use weft_store::work::{DeliveryWork, FirstWay, Ingested, KeepEvent, Lease, NewDelivery, PassWork};
use weft_store::{Store, StoreError};

use crate::catalog::{Catalog, CurrentCatalog, Tenant};
use crate::clock::Clock;
use crate::telemetry::Metrics;
use crate::workers::claims::ClaimsWake;
use crate::workers::lease::LeaseTerm;
use crate::workers::outbox::{Outbox, Reservation};
use crate::workers::pass_queue::{PassQueue, PassReservation};

/// Events of one commit at most: bounds the time and memory of a batch; group commit has paid off long before.
const BATCH_MAX: usize = 512;
/// Events waiting for a commit at most; with the body limit it bounds the memory of ingest.
const QUEUE_MAX: usize = 4_096;

/// Where the API hands in events; cheap to clone.
#[derive(Clone)]
pub struct Intake(mpsc::Sender<Submission>);

struct Submission {
    event: NewEvent,
    answer: oneshot::Sender<Result<Ingested, StoreError>>,
}

/// Why an event was not taken.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// Too many events wait for a commit.
    #[error("{QUEUE_MAX} events wait to be stored")]
    Full,
    /// The commit failed.
    #[error("the event could not be stored")]
    Store(#[source] StoreError),
    /// The engine is stopping.
    #[error("the engine is stopping")]
    Stopped,
}

impl Intake {
    /// Hands in an event and waits until it is on disk (promise 1), or known not to be.
    ///
    /// # Errors
    /// [`IntakeError`]; after [`IntakeError::Store`] the sender must try again with the same key.
    ///
    /// # Cancel safety
    /// Dropping the future does not take the event back: it may be stored and sent.
    pub async fn submit(&self, event: NewEvent) -> Result<Ingested, IntakeError> {
        let (answer, answered) = oneshot::channel();
        self.0.try_send(Submission { event, answer }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => IntakeError::Full,
            mpsc::error::TrySendError::Closed(_) => IntakeError::Stopped,
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

/// The worker behind [`Intake`]. Several may run on clones, so that a batch gathers while another commits.
#[derive(Clone)]
pub struct IntakeWorker {
    submissions: Arc<Mutex<mpsc::Receiver<Submission>>>,
    store: Store,
    catalog: CurrentCatalog,
    hand_over: HandOver,
    settings: IntakeSettings,
}

/// What an intake worker leans on besides the store.
#[derive(Clone)]
pub struct IntakeSettings {
    /// Deliveries planned in the same commit as the event, at most.
    pub deliveries_at_once: usize,
    /// For the batch's time and the deliveries' ids.
    pub clock: Clock,
    /// For what was accepted.
    pub metrics: Arc<Metrics>,
}

/// An intake and its worker.
pub fn intake(
    store: Store,
    catalog: CurrentCatalog,
    hand_over: HandOver,
    settings: IntakeSettings,
) -> (Intake, IntakeWorker) {
    let (sender, receiver) = mpsc::channel(QUEUE_MAX);
    let submissions = Arc::new(Mutex::new(receiver));
    (Intake(sender), IntakeWorker { submissions, store, catalog, hand_over, settings })
}

/// The places that wait for an event's commit.
enum Places {
    /// Nothing goes on from memory; with `true`, something must be claimed.
    None {
        left_behind: bool,
    },
    Pass(PassReservation, PassWork),
    Deliveries {
        filled: Vec<(Reservation, DeliveryWork)>,
        left_behind: bool,
    },
}

impl IntakeWorker {
    /// Stores everything that waits, in one commit; waits if nothing does. `false` once all intakes are gone.
    pub async fn tick(&self) -> bool {
        let mut batch = Vec::new();
        if self.submissions.lock().await.recv_many(&mut batch, BATCH_MAX).await == 0 {
            return false;
        }
        let now = self.settings.clock.now();
        let lease = self.hand_over.term.from(now);
        let catalog = self.catalog.snapshot();
        let mut keeps = Vec::with_capacity(batch.len());
        let mut waiting = Vec::with_capacity(batch.len());
        for Submission { event, answer } in batch {
            let (way, places) = self.first_way(&catalog, &event.event, lease, now);
            keeps.push(KeepEvent { new: event, way });
            waiting.push((places, answer));
        }
        match self.store.keep(keeps, now).await {
            Ok(answers) => {
                for ((places, answer), ingested) in waiting.into_iter().zip(answers) {
                    self.go_on(places, ingested);
                    // A caller that went away needs no answer.
                    let _ = answer.send(Ok(ingested));
                }
            }
            Err(error) => {
                self.settings.metrics.store_failed();
                tracing::error!(error = &error as &dyn std::error::Error, events = waiting.len(), "events not stored");
                for (_, answer) in waiting {
                    let _ = answer.send(Err(error.clone()));
                }
            }
        }
        true
    }

    /// Decides what becomes of an event in its first commit, and reserves the places that it goes on to.
    fn first_way(&self, catalog: &Catalog, event: &Arc<Event>, lease: Lease, now: Timestamp) -> (FirstWay, Places) {
        // A tenant that has left the catalog since the request was read: its event waits until it is declared again.
        let Some(tenant) = catalog.tenant(event.tenant) else {
            return (FirstWay::Pass { lease: None }, Places::None { left_behind: true });
        };
        if !tenant.pipeline.steps.is_empty() {
            return self.way_of_a_pass(event, lease);
        }
        match subscribers(&event.event_type, &tenant.destinations).count() {
            0 => (FirstWay::NoDestination, Places::None { left_behind: false }),
            count if count <= self.settings.deliveries_at_once => self.plain_way(tenant, event, lease, now),
            _ => self.way_of_a_pass(event, lease),
        }
    }

    fn way_of_a_pass(&self, event: &Arc<Event>, lease: Lease) -> (FirstWay, Places) {
        match self.hand_over.passes.reserve() {
            Some(place) => {
                let work = PassWork { event: event.clone(), replay: None, number: 1, lease };
                (FirstWay::Pass { lease: Some(lease) }, Places::Pass(place, work))
            }
            None => (FirstWay::Pass { lease: None }, Places::None { left_behind: true }),
        }
    }

    fn plain_way(&self, tenant: &Tenant, event: &Event, lease: Lease, now: Timestamp) -> (FirstWay, Places) {
        let mut deliveries = Vec::new();
        let mut filled = Vec::new();
        let mut left_behind = false;
        for destination in subscribers(&event.event_type, &tenant.destinations) {
            let place = self.hand_over.outbox.reserve(destination.id, event.body.len());
            let delivery = NewDelivery {
                id: self.settings.clock.fresh(),
                destination: destination.id,
                output: 0,
                body: BodyRef::Event,
                request: RequestParts::default(),
                planned_at: now,
                due_at: now,
                ends_at: now.plus(DELIVERY_LIFETIME),
                lease: place.is_some().then_some(lease),
            };
            match place {
                Some(place) => filled.push((place, first_work(event, &delivery, event.body.clone(), lease))),
                None => left_behind = true,
            }
            deliveries.push(delivery);
        }
        (FirstWay::Routed(deliveries), Places::Deliveries { filled, left_behind })
    }

    /// Sends on what has been stored; the places of what has not been stored are given back.
    fn go_on(&self, places: Places, ingested: Ingested) {
        match ingested {
            Ingested::New => self.settings.metrics.event_accepted(),
            Ingested::Duplicate(_) => return self.settings.metrics.event_duplicate(),
            Ingested::Conflict(_) => return,
        }
        match places {
            Places::None { left_behind: false } => self.settings.metrics.event_ended("dropped"),
            Places::None { left_behind: true } => self.hand_over.claims.wake(),
            Places::Pass(place, work) => place.fill(work),
            Places::Deliveries { filled, left_behind } => {
                self.settings.metrics.event_ended("routed");
                for (place, work) in filled {
                    place.fill(work);
                }
                if left_behind {
                    self.hand_over.claims.wake();
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
        body,
        number: 1,
        ends_at: delivery.ends_at,
        lease,
    }
}
