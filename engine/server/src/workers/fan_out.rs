//! Fan out: stores what passes made, everything that waits in one commit, and sends the deliveries on.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Mutex, mpsc};
use weft_core::event::Event;
use weft_core::plan::BodyRef;
use weft_core::time::Timestamp;
use weft_store::Store;
use weft_store::work::{DeliveryWork, Finished, FinishedPass, LaneNews, NewDelivery, PassEnd, Waiting};

use crate::catalog::CurrentCatalog;
use crate::clock::Clock;
use crate::telemetry::Metrics;
use crate::workers::intake::{HandOver, first_work};
use crate::workers::outbox::Reservation;
use crate::workers::plugin_threads::RunPass;

/// Passes of one commit at most.
const BATCH_MAX: usize = 256;
/// The wait before a commit that failed is tried again.
const STORE_RETRY: Duration = Duration::from_millis(500);

/// The worker. Several may run on clones, so that a batch gathers while another commits.
#[derive(Clone)]
pub struct FanOut {
    /// What the plugin threads have finished.
    pub passes: Arc<Mutex<mpsc::Receiver<RunPass>>>,
    /// Where it is stored.
    pub store: Store,
    /// Which destinations are sent to.
    pub catalog: CurrentCatalog,
    /// Where deliveries go on.
    pub hand_over: HandOver,
    /// For leases and the wait after a failed commit.
    pub clock: Clock,
    /// For the ends of events.
    pub metrics: Arc<Metrics>,
}

/// The places that wait for a pass's commit.
struct Places {
    filled: Vec<(Reservation, DeliveryWork)>,
    /// Where deliveries must be claimed, and when.
    left_behind: Vec<Waiting>,
    /// When another pass must be claimed.
    retry_at: Option<Timestamp>,
    end: &'static str,
}

impl FanOut {
    /// Stores everything that waits; waits if nothing does. `false` once all plugin threads are gone.
    ///
    /// A commit that fails is tried again until it succeeds: the passes are done, and must not be run twice for a full
    /// disk. Meanwhile the threads fill the channel and then wait.
    pub async fn tick(&self) -> bool {
        let mut batch = Vec::new();
        if self.passes.lock().await.recv_many(&mut batch, BATCH_MAX).await == 0 {
            return false;
        }
        let now = self.clock.now();
        let (mut finished, mut waiting) = (Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len()));
        for RunPass { event, finished: mut pass, kv, bytes } in batch {
            waiting.push((event.id, self.reserve(&event, &mut pass, now), kv, bytes));
            finished.push(pass);
        }
        let answers = loop {
            match self.store.finish_passes(finished.clone()).await {
                Ok(answers) => break answers,
                Err(weft_store::StoreError::Closed) => return false,
                Err(error) => {
                    self.metrics.store_failed();
                    tracing::error!(error = &error as &dyn std::error::Error, "passes not stored yet");
                    self.clock.sleep_until(self.clock.now().plus(STORE_RETRY)).await;
                }
            }
        };
        for ((event, places, kv, _bytes), answer) in waiting.into_iter().zip(answers) {
            match answer {
                Finished::Done => {
                    kv.stored();
                    self.go_on(places, &LaneNews::default());
                }
                Finished::DoneInLane(news) => {
                    kv.stored();
                    self.go_on(places, &news);
                }
                Finished::Conflict => {
                    self.metrics.kv_conflict();
                    tracing::debug!(event.id = %event, "what the pass of {event} had read has changed; it runs again");
                    self.hand_over.claims.passes_due(now);
                }
                Finished::LeaseLost => {
                    self.metrics.lease_lost();
                    tracing::warn!(event.id = %event, "the pass of {event} came too late; another has its lease");
                }
            }
        }
        true
    }

    /// Reserves places for the deliveries of a pass and leases those that find one.
    fn reserve(&self, event: &Event, pass: &mut FinishedPass, now: Timestamp) -> Places {
        let lease = self.hand_over.term.from(now);
        let catalog = self.catalog.snapshot();
        let mut places = Places { filled: Vec::new(), left_behind: Vec::new(), retry_at: None, end: "retry" };
        match &mut pass.end {
            PassEnd::Routed { bodies, deliveries } => {
                places.end = "routed";
                for delivery in deliveries {
                    let body = body_of(event, bodies, delivery);
                    // A delayed delivery waits in the store for its time, and what is held until it no longer is.
                    let is_sent = catalog.is_active(delivery.destination);
                    let place = if is_sent && delivery.due_at <= now {
                        self.hand_over.outbox.reserve(delivery.destination, body.len())
                    } else {
                        None
                    };
                    delivery.lease = place.is_some().then_some(lease);
                    match place {
                        Some(place) => places.filled.push((place, first_work(event, delivery, body, lease))),
                        None if !is_sent => {}
                        None => {
                            let NewDelivery { destination, due_at, .. } = *delivery;
                            places.left_behind.push(Waiting { destination, due_at });
                        }
                    }
                }
            }
            PassEnd::Dropped { .. } => places.end = "dropped",
            PassEnd::Dead { .. } => places.end = "dead",
            PassEnd::Retry { at } => places.retry_at = Some(*at),
        }
        places
    }

    fn go_on(&self, places: Places, news: &LaneNews) {
        if places.end != "retry" {
            self.metrics.event_ended(places.end);
        }
        for (place, work) in places.filled {
            if !news.behind.contains(&work.id) {
                place.fill(work);
            }
        }
        if let Some(at) = news.opened {
            self.hand_over.claims.passes_due(at);
        }
        if !places.left_behind.is_empty() {
            self.hand_over.note(places.left_behind, self.clock.now());
        }
        if let Some(at) = places.retry_at {
            self.hand_over.claims.passes_due(at);
        }
    }
}

fn body_of(event: &Event, bodies: &[Bytes], delivery: &NewDelivery) -> Bytes {
    match delivery.body {
        BodyRef::Event => event.body.clone(),
        // The plan made both; an index without a body would be a defect there, and the store would refuse the pass.
        BodyRef::New(place) => bodies.get(place).cloned().unwrap_or_default(),
    }
}
