//! Record: stores attempts together with the state of their deliveries, everything that waits in one commit.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use weft_core::decide::NextStep;
use weft_core::delivery::DeadDelivery;
use weft_core::destination::{DestinationStatus, DisabledReason};
use weft_core::id::DestinationId;
use weft_store::Store;
use weft_store::work::{Finished, FinishedAttempt, Waiting};

use crate::catalog::CurrentCatalog;
use crate::clock::Clock;
use crate::telemetry::Metrics;
use crate::workers::answers::HeldAnswer;
use crate::workers::intake::HandOver;

/// Attempts of one commit at most.
const BATCH_MAX: usize = 1_024;
/// The wait before a commit that failed is tried again.
const STORE_RETRY: Duration = Duration::from_millis(500);

/// An attempt to record.
#[derive(Debug)]
pub struct MadeAttempt {
    /// What happened and what comes next.
    pub finished: FinishedAttempt,
    /// What its answer takes of the memory for answers, until it is stored.
    pub held: HeldAnswer,
}

/// The worker. Several may run on clones, so that a batch gathers while another commits.
#[derive(Clone)]
pub struct Recorder {
    /// What the sending worker has finished.
    pub attempts: Arc<Mutex<mpsc::Receiver<MadeAttempt>>>,
    /// Where it is stored.
    pub store: Store,
    /// Where a destination that is gone is disabled.
    pub catalog: CurrentCatalog,
    /// Told of retries, and of what an ordering key lets go next.
    pub hand_over: HandOver,
    /// For the wait after a failed commit.
    pub clock: Clock,
    /// For the ends of deliveries.
    pub metrics: Arc<Metrics>,
}

impl Recorder {
    /// Stores everything that waits; waits if nothing does. `false` once all senders are gone.
    ///
    /// A commit that fails is tried again until it succeeds: a receiver that has accepted should not be asked twice for a
    /// full disk. Meanwhile the attempts fill the channel and then keep their slots.
    pub async fn tick(&self) -> bool {
        let mut batch = Vec::new();
        if self.attempts.lock().await.recv_many(&mut batch, BATCH_MAX).await == 0 {
            return false;
        }
        let finished: Vec<_> = batch.iter().map(|made| made.finished.clone()).collect();
        let answers = loop {
            match self.store.record(finished.clone()).await {
                Ok(answers) => break answers,
                Err(weft_store::StoreError::Closed) => return false,
                Err(error) => {
                    self.metrics.store_failed();
                    tracing::error!(error = &error as &dyn std::error::Error, "attempts not stored yet");
                    self.clock.sleep_until(self.clock.now().plus(STORE_RETRY)).await;
                }
            }
        };
        let mut opened = Vec::new();
        for (made, answer) in batch.into_iter().zip(answers) {
            match answer {
                Finished::Done => self.follow_up(&made.finished).await,
                Finished::DoneInLane(news) => {
                    self.follow_up(&made.finished).await;
                    opened.extend(news.opened.map(|due_at| Waiting { destination: made.finished.destination, due_at }));
                }
                Finished::Conflict | Finished::LeaseLost => {
                    self.metrics.lease_lost();
                    let id = made.finished.delivery;
                    tracing::warn!(delivery.id = %id, "an attempt of {id} came too late; another has its lease");
                }
            }
        }
        if !opened.is_empty() {
            self.hand_over.lanes_opened(opened, self.clock.now());
        }
        true
    }

    async fn follow_up(&self, made: &FinishedAttempt) {
        let id = made.delivery;
        match made.next {
            NextStep::Delivered => self.metrics.delivery_ended("delivered"),
            NextStep::Retry(at) => {
                tracing::debug!(delivery.id = %id, "delivery {id} is tried again at {at}");
                self.hand_over.claims.deliveries_due(made.destination, at);
            }
            NextStep::Dead(reason) => {
                self.metrics.delivery_ended("dead");
                tracing::info!(delivery.id = %id, reason = reason.as_str(), "delivery {id} is dead: {reason}");
                if reason == DeadDelivery::Gone {
                    self.disable(made.destination).await;
                }
            }
        }
    }

    /// A receiver that answers 410 wants nothing more: no new deliveries are made, those that wait are held.
    async fn disable(&self, destination: DestinationId) {
        let status = DestinationStatus::Disabled(DisabledReason::Gone);
        match self.store.set_destination_status(destination, status, self.clock.now()).await {
            Ok(_) => {
                self.catalog.set_status(destination, status);
                tracing::warn!(destination.id = %destination, "destination {destination} answered 410 and is disabled");
            }
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                destination.id = %destination,
                "destination {destination} answered 410 and could not be disabled; its next answer tries again"
            ),
        }
    }
}
