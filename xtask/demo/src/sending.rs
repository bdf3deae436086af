//! Sending the events: both tenants at once, at an even pace, each event exactly as it was drawn.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::{Mutex, Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior};
use weft_client::{Client, SendEvent};

use crate::counts::SentEvent;
use crate::draw::DrawnEvent;
use crate::expected::{self, Fate};
use crate::sample::TypeIn;

/// 2 ms, 500 events a second: slow enough to be watched, and what a busy shop sends on its best day.
const PACE: Duration = Duration::from_millis(2);

/// 16: as many requests under way as a few busy senders would have.
const SENDERS: usize = 16;

/// The last tenth waits until the plugin was replaced, so that some events always meet its second version.
const LAST_PART: usize = 10;

/// Events on their way in.
pub(crate) struct Sending {
    events: Vec<(DrawnEvent, Fate)>,
    clients: BTreeMap<&'static str, Client>,
    next: AtomicUsize,
    acknowledged: AtomicUsize,
    pace: Mutex<Interval>,
    half_way: Notify,
    replaced: watch::Sender<bool>,
}

impl Sending {
    /// Makes ready to send `events` with each tenant's client.
    ///
    /// # Errors
    /// When nobody can say what must become of an event.
    pub(crate) fn new(events: Vec<DrawnEvent>, clients: BTreeMap<&'static str, Client>) -> Result<Self> {
        let with_fate = |event| Ok((expected::fate(&event)?, event)).map(|(fate, event)| (event, fate));
        let mut pace = tokio::time::interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
        Ok(Self {
            events: events.into_iter().map(with_fate).collect::<Result<_>>()?,
            clients,
            next: AtomicUsize::new(0),
            acknowledged: AtomicUsize::new(0),
            pace: Mutex::new(pace),
            half_way: Notify::new(),
            replaced: watch::Sender::new(false),
        })
    }

    pub(crate) fn count(&self) -> usize {
        self.events.len()
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Waits until half of the events are sent.
    pub(crate) async fn half_way(&self) {
        self.half_way.notified().await;
    }

    /// Lets the last events go.
    pub(crate) fn was_replaced(&self) {
        self.replaced.send_replace(true);
    }

    /// Sends everything; returns what was acknowledged.
    ///
    /// # Errors
    /// When an event is refused.
    pub(crate) async fn run(self: Arc<Self>) -> Result<Vec<SentEvent>> {
        let mut senders = JoinSet::new();
        for _ in 0..SENDERS {
            senders.spawn(self.clone().send_some());
        }
        let mut sent = Vec::with_capacity(self.count());
        while let Some(part) = senders.join_next().await {
            sent.extend(part.context("a sender panicked")??);
        }
        Ok(sent)
    }

    async fn send_some(self: Arc<Self>) -> Result<Vec<SentEvent>> {
        let mut sent = Vec::new();
        loop {
            let place = self.next.fetch_add(1, Ordering::Relaxed);
            let Some((event, fate)) = self.events.get(place) else { return Ok(sent) };
            if place == self.count() / 2 {
                self.half_way.notify_one();
            }
            if place >= self.count() - self.count() / LAST_PART {
                // The sender of this channel lives in `self`.
                let _ = self.replaced.subscribe().wait_for(|replaced| *replaced).await;
            }
            self.pace.lock().await.tick().await;
            let id = self.send(event).await.with_context(|| format!("event {place}, {}", event.event_type))?;
            self.acknowledged.fetch_add(1, Ordering::Relaxed);
            sent.push(SentEvent { id, tenant: event.tenant.clone(), fate: fate.clone() });
        }
    }

    async fn send(&self, event: &DrawnEvent) -> Result<String> {
        let client = self.clients.get(event.tenant.as_str()).with_context(|| format!("no key of {}", event.tenant))?;
        let request = SendEvent {
            event_type: (event.type_in == TypeIn::Header).then(|| event.event_type.clone()),
            ..SendEvent::json(event.body.clone().into())
        };
        Ok(client.send(request).await?.id)
    }
}
