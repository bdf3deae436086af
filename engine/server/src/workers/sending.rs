//! Send and decide: makes the attempts, each as a task of its own, and says what comes next.

use std::convert::Infallible;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use weft_core::attempt::Attempt;
use weft_core::decide::next_step;
use weft_core::destination::{Destination, DestinationKind, HttpTarget};
use weft_core::envelope::{Content, Enveloped};
use weft_core::id::webhook_id;
use weft_core::time::Timestamp;
use weft_outbound::{OutgoingRequest, PreparedTarget, Sender};
use weft_store::Store;
use weft_store::work::{DeliveryWork, FinishedAttempt};

use crate::catalog::CurrentCatalog;
use crate::clock::Clock;
use crate::config::LEASE_MARGIN;
use crate::telemetry::Metrics;
use crate::workers::answers::AnswerRoom;
use crate::workers::outbox::{AttemptSlot, Made, Outbox};
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
    /// Where answers wait with them.
    pub answers: AnswerRoom,
    /// Where deliveries go back that cannot be sent now.
    pub store: Store,
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
                self.attempt(work, &slot).await;
                true
            }
            None => false,
        }
    }

    /// Takes deliveries and makes their attempts beside each other, until the outbox is closed and all have ended.
    pub async fn run(&self) {
        // Every task holds a sender; nothing is ever sent.
        let (under_way, mut ended) = mpsc::channel::<Infallible>(1);
        while let Some((work, slot)) = self.0.outbox.take().await {
            let (sending, under_way) = (self.clone(), under_way.clone());
            tokio::spawn(async move {
                sending.attempts(work, slot).await;
                drop(under_way);
            });
        }
        drop(under_way);
        ended.recv().await;
    }

    /// Makes one attempt after the other while deliveries wait: a busy sender neither starts tasks nor wakes others.
    async fn attempts(&self, work: DeliveryWork, slot: AttemptSlot) {
        let mut next = Some((work, slot));
        while let Some((work, slot)) = next {
            let made = self.attempt(work, &slot).await;
            next = slot.pass_on(made);
        }
    }

    async fn attempt(&self, work: DeliveryWork, slot: &AttemptSlot) -> Made {
        let parts = &*self.0;
        let catalog = parts.catalog.snapshot();
        let active = catalog.destination(work.destination).filter(|found| found.is_active());
        // What is rare is boxed: the store's operations take more room than all the rest of an attempt, which every task would
        // set aside and move.
        let (Some(destination), Some(target)) = (active, catalog.target(work.destination)) else {
            Box::pin(self.give_back(work)).await;
            return Made::Nothing;
        };
        let started_at = parts.clock.now();
        let needs = destination.timeouts.total + LEASE_MARGIN;
        if work.ends_at < started_at {
            Box::pin(self.expire(work, started_at)).await;
            return Made::Nothing;
        }
        if work.lease.until < started_at.plus(needs) {
            let again = work.destination;
            Box::pin(self.give_back(work)).await;
            parts.outbox.fell_behind([again]);
            return Made::Nothing;
        }
        let finished = self.send(&work, destination, target, started_at).await;
        let made = Made::of(&finished.attempt.outcome);
        self.hand_on(finished, slot, made).await;
        made
    }

    /// Hands an attempt on to be recorded. While the store is slow that takes its time, in which the attempt keeps its slot, so that
    /// the sending slows down, and says nothing of the destination.
    async fn hand_on(&self, finished: FinishedAttempt, slot: &AttemptSlot, made: Made) {
        let parts = &*self.0;
        let id = finished.delivery;
        let answer = finished.attempt.response.as_ref();
        let held = match parts.answers.try_hold(answer) {
            Some(held) => held,
            None => {
                slot.is_over(made);
                Box::pin(parts.answers.hold(answer)).await
            }
        };
        let is_handed_on = match parts.attempts.try_send(MadeAttempt { finished, held }) {
            Ok(()) => true,
            Err(TrySendError::Full(attempt)) => {
                slot.is_over(made);
                Box::pin(parts.attempts.send(attempt)).await.is_ok()
            }
            Err(TrySendError::Closed(_)) => false,
        };
        if !is_handed_on {
            tracing::warn!(delivery.id = %id, "an attempt of {id} is not recorded: the engine stops");
        }
    }

    async fn send(
        &self,
        work: &DeliveryWork,
        destination: &Destination,
        target: &PreparedTarget,
        started_at: Timestamp,
    ) -> FinishedAttempt {
        let parts = &*self.0;
        let webhook_id = webhook_id(work.event, work.output);
        let enveloped = enveloped(work, destination);
        let (content_type, headers, body) = match &enveloped {
            Some(Enveloped { body, content_type, headers }) => (content_type, &headers[..], body),
            None => (&work.content_type, &[][..], &work.body),
        };
        let report = parts
            .sender
            .send(OutgoingRequest {
                target,
                webhook_id: &webhook_id,
                event_type: &work.event_type,
                content_type,
                headers,
                parts: &work.request,
                body: body.clone(),
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
        let DeliveryWork { id: delivery, destination, lease, .. } = *work;
        FinishedAttempt { delivery, destination, ordering_key: work.ordering_key.clone(), lease, attempt, next }
    }

    /// Ends a delivery that was held or waited beyond its lifetime: no attempt is made after that.
    async fn expire(&self, work: DeliveryWork, now: Timestamp) {
        let (destination, is_ordered) = (work.destination, work.ordering_key.is_some());
        self.give_back(work).await;
        let ended = self.0.store.expire_deliveries(EXPIRED_AT_ONCE, now).await;
        if is_ordered {
            // What waited behind it is open.
            self.0.outbox.fell_behind([destination]);
        }
        match ended {
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

/// The body of a delivery whose format is more than its payload. It is made for each attempt, of what was pinned: it costs less than
/// to store it, and every attempt makes the same.
fn enveloped(work: &DeliveryWork, destination: &Destination) -> Option<Enveloped> {
    let envelope = work.request.envelope.as_ref()?;
    let DestinationKind::Http(HttpTarget { signing, .. }) = &destination.kind;
    let content = Content {
        event: work.event,
        output: work.output,
        event_type: &work.event_type,
        content_type: &work.content_type,
        payload: &work.body,
    };
    Some(envelope.around(&content, signing.secrets.first()))
}
