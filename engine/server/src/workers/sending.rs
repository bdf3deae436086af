//! Send and decide: makes the attempts, each as a task of its own, and says what comes next.

use std::sync::Arc;

use tokio::sync::mpsc;
use weft_core::attempt::Attempt;
use weft_core::decide::next_step;
use weft_core::destination::Destination;
use weft_core::id::webhook_id;
use weft_core::time::Timestamp;
use weft_outbound::{OutgoingRequest, PreparedTarget, Sender};
use weft_store::Store;
use weft_store::work::{DeliveryWork, FinishedAttempt};

use crate::catalog::CurrentCatalog;
use crate::clock::Clock;
use crate::config::LEASE_MARGIN;
use crate::telemetry::Metrics;
use crate::workers::claims::ClaimsWake;
use crate::workers::outbox::{AttemptSlot, Outbox};
use crate::workers::recorder::MadeAttempt;

/// Deliveries ended by one look at lifetimes; where one is over, its neighbours' often are.
const EXPIRED_AT_ONCE: u32 = 200;

/// The worker; cheap to clone.
#[derive(Clone)]
pub struct Sending(Arc<SendingParts>);

/// What sending leans on.
pub struct SendingParts {
    /// Where deliveries wait.
    pub outbox: Outbox,
    /// Where they go.
    pub catalog: CurrentCatalog,
    /// What carries them.
    pub sender: Sender,
    /// Where attempts go.
    pub attempts: mpsc::Sender<MadeAttempt>,
    /// Where deliveries go back that cannot be sent now.
    pub store: Store,
    /// Told when something has gone back.
    pub claims: ClaimsWake,
    /// For the attempts' times and the jitter.
    pub clock: Clock,
    /// For the attempts' outcomes.
    pub metrics: Arc<Metrics>,
}

impl Sending {
    /// A worker of these parts.
    pub fn new(parts: SendingParts) -> Self {
        Self(Arc::new(parts))
    }

    /// Takes one delivery and makes its attempt; `false` once the outbox is closed.
    pub async fn tick(&self) -> bool {
        match self.0.outbox.take().await {
            Some((work, slot)) => {
                self.attempt(work, slot).await;
                true
            }
            None => false,
        }
    }

    /// Takes deliveries and makes their attempts beside each other, until the outbox is closed and all have ended.
    pub async fn run(&self) {
        let mut under_way = tokio::task::JoinSet::new();
        while let Some((work, slot)) = self.0.outbox.take().await {
            let sending = self.clone();
            under_way.spawn(async move { sending.attempt(work, slot).await });
            // What has ended is let go, or the set would grow for ever.
            while under_way.try_join_next().is_some() {}
        }
        while under_way.join_next().await.is_some() {}
    }

    async fn attempt(&self, work: DeliveryWork, slot: AttemptSlot) {
        let parts = &*self.0;
        let catalog = parts.catalog.snapshot();
        let active = catalog.destination(work.destination).filter(|found| found.is_active());
        let (Some(destination), Some(target)) = (active, catalog.target(work.destination)) else {
            return self.give_back(work).await;
        };
        let started_at = parts.clock.now();
        let needs = destination.timeouts.total + LEASE_MARGIN;
        if work.ends_at < started_at {
            return self.expire(work, started_at).await;
        }
        if work.lease.until < started_at.plus(needs) {
            self.give_back(work).await;
            return parts.claims.wake();
        }
        let made = self.send(&work, destination, target, started_at).await;
        // The slot is kept until the record has room: a full store slows the sending down.
        if parts.attempts.send(made).await.is_err() {
            tracing::warn!(delivery.id = %work.id, "an attempt of {} is not recorded: the engine stops", work.id);
        }
        drop(slot);
    }

    async fn send(
        &self,
        work: &DeliveryWork,
        destination: &Destination,
        target: &PreparedTarget,
        started_at: Timestamp,
    ) -> MadeAttempt {
        let parts = &*self.0;
        let webhook_id = webhook_id(work.event, work.output);
        let report = parts
            .sender
            .send(OutgoingRequest {
                target,
                webhook_id: &webhook_id,
                event_type: &work.event_type,
                content_type: &work.content_type,
                parts: &work.request,
                body: work.body.clone(),
                now: started_at,
            })
            .await;
        parts.metrics.attempt_made(&report.outcome, report.took);
        let ended_at = parts.clock.now();
        let jitter = parts.clock.jitter();
        let next = next_step(&destination.retry, work.number, &report.outcome, ended_at, work.ends_at, jitter);
        tracing::debug!(
            delivery.id = %work.id,
            attempt = work.number,
            "delivery {} to {}: {}",
            work.id,
            destination.name,
            report.outcome.describe()
        );
        let attempt = Attempt {
            number: work.number,
            started_at,
            took: report.took,
            outcome: report.outcome,
            response: report.response,
        };
        MadeAttempt {
            destination: work.destination,
            finished: FinishedAttempt { delivery: work.id, lease: work.lease, attempt, next },
        }
    }

    /// Ends a delivery that was held or waited beyond its lifetime: no attempt is made after that.
    async fn expire(&self, work: DeliveryWork, now: Timestamp) {
        self.give_back(work).await;
        match self.0.store.expire_deliveries(EXPIRED_AT_ONCE, now).await {
            Ok(count) => (0..count).for_each(|_| self.0.metrics.delivery_ended("dead")),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a delivery's lifetime is over; it is not ended yet"
                );
            }
        }
    }

    /// Gives a delivery back that cannot be sent now: its destination is disabled, or too little of its lease is left.
    async fn give_back(&self, work: DeliveryWork) {
        if let Err(error) = self.0.store.release_deliveries(vec![(work.id, work.lease)]).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                delivery.id = %work.id,
                "delivery {} could not be given back; its lease ends by itself",
                work.id
            );
        }
    }
}
