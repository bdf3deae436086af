//! The API as one of its users sees it: a tenant or the operator.

use std::net::SocketAddr;

use bytes::Bytes;
use weft_client::wire::{
    Accepted, DeadLetter, DeadLetterQuery, Destination, Event, ReplayReport, ReplayRequest, ReplayResult, ReplayVerdict,
};
use weft_client::{Client, ClientError, ClientOptions, SendEvent};

use crate::{Order, within};

/// Somebody with a key. Clones share connections.
#[derive(Clone)]
pub struct Caller {
    client: Client,
}

impl Caller {
    pub(crate) fn new(address: SocketAddr, key: &str) -> Self {
        let options = ClientOptions::new(format!("http://{address}"), key);
        Self { client: Client::new(options).expect("a client for this machine") }
    }

    pub(crate) fn acting_for(address: SocketAddr, key: &str, tenant: &str) -> Self {
        let options =
            ClientOptions { tenant: Some(tenant.to_owned()), ..ClientOptions::new(format!("http://{address}"), key) };
        Self { client: Client::new(options).expect("a client for this machine") }
    }

    /// The typed client itself, for what has no word here.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Sends a payload of JSON whose type stands at `/type`, and answers the id of the event.
    ///
    /// # Panics
    /// If it is refused, or known already.
    pub async fn send(&self, body: impl Into<Bytes>) -> String {
        let sent = within("an answer to an event", self.client.send(SendEvent::json(body.into()))).await;
        let accepted = sent.unwrap_or_else(|error| panic!("an event was refused: {error:?}"));
        assert!(!accepted.duplicate, "{} was known", accepted.id);
        accepted.id
    }

    /// Sends an order, and answers what came of it.
    pub async fn try_send(&self, order: &Order) -> Result<Accepted, ClientError> {
        let mut event = SendEvent::json(order.body());
        event.idempotency_key.clone_from(&order.idempotency_key);
        event.event_id.clone_from(&order.event_id);
        within("an end of a request", self.client.send(event)).await
    }

    /// Everything that is known about an event.
    pub async fn trace(&self, id: &str) -> Event {
        let event = within("a trace", self.client.event(id)).await;
        event.unwrap_or_else(|error| panic!("no trace of {id}: {error:?}"))
    }

    /// Looks at an event until `condition` holds; `what` says what is waited for.
    pub async fn until(&self, id: &str, what: &str, condition: impl Fn(&Event) -> bool) -> Event {
        let holds = async {
            loop {
                let event = self.trace(id).await;
                if condition(&event) {
                    return event;
                }
            }
        };
        within(&format!("{what} of {id}"), holds).await
    }

    /// Waits until an event is routed and each of its deliveries is delivered.
    pub async fn delivered(&self, id: &str) -> Event {
        let is_delivered = |event: &Event| {
            !event.deliveries.is_empty() && event.deliveries.iter().all(|delivery| delivery.state.word() == "delivered")
        };
        self.until(id, "the delivery", is_delivered).await
    }

    /// Waits until attempt `number` of an event's only delivery is recorded, and it waits for another or has ended.
    pub async fn after_attempts(&self, id: &str, number: usize) -> Event {
        let is_recorded = |event: &Event| matches!(&event.deliveries[..], [only] if only.attempts.len() == number);
        self.until(id, &format!("attempt {number}"), is_recorded).await
    }

    /// All dead letters that no replay has taken over.
    pub async fn dead_letters(&self) -> Vec<DeadLetter> {
        let page = within("the dead letters", self.client.dead_letters(&DeadLetterQuery::default())).await;
        let page = page.expect("a list");
        assert_eq!(page.next_cursor, None, "a test has few dead letters");
        page.letters
    }

    /// Replays one dead letter, and answers the id of the replay.
    ///
    /// # Panics
    /// If it is refused.
    pub async fn replay(&self, id: &str) -> String {
        let report = self.try_replay(&ReplayRequest { ids: vec![id.to_owned()], ..ReplayRequest::default() }).await;
        let results = report.expect("an answer").results;
        match &results[..] {
            [ReplayResult { verdict: ReplayVerdict::Started { replay }, .. }] => replay.clone(),
            _ => panic!("{id} is not replayed: {results:?}"),
        }
    }

    /// Asks for replays.
    pub async fn try_replay(&self, request: &ReplayRequest) -> Result<ReplayReport, ClientError> {
        within("an answer to a replay", self.client.replay(request)).await
    }

    /// Enables a destination.
    pub async fn enable(&self, name: &str) {
        within("a destination is enabled", self.client.enable_destination(name)).await.expect("enabled");
    }

    /// Disables a destination.
    pub async fn disable(&self, name: &str) {
        within("a destination is disabled", self.client.disable_destination(name)).await.expect("disabled");
    }

    /// Looks at a destination until `condition` holds.
    pub async fn until_destination(&self, name: &str, condition: impl Fn(&Destination) -> bool) {
        let holds = async {
            loop {
                let found = self.client.destinations().await.expect("a list").destinations;
                if found.iter().any(|destination| destination.name == name && condition(destination)) {
                    return;
                }
            }
        };
        within(&format!("the state of {name}"), holds).await;
    }

    /// Lets deliveries wait.
    pub async fn pause(&self, name: &str) {
        within("a pause", self.client.pause_destination(name)).await.expect("paused");
    }

    /// The destination of this name, as its owner sees it.
    pub async fn destination(&self, name: &str) -> Destination {
        let found = within("a list", self.client.destinations()).await.expect("a list").destinations;
        found.into_iter().find(|destination| destination.name == name).expect("a destination of this name")
    }

    /// Waits until nothing waits any more: no event without an end, no delivery without an end.
    pub async fn drained(&self) {
        let holds = async {
            loop {
                let metrics = self.client.metrics().await.expect("the operator's metrics");
                if gauge(&metrics, "weft_events_waiting") == 0 && gauge(&metrics, "weft_deliveries_waiting") == 0 {
                    return;
                }
            }
        };
        within("nothing waits any more", holds).await;
    }
}

fn gauge(metrics: &str, name: &str) -> u64 {
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.unwrap_or_else(|| panic!("no {name} in the metrics:\n{metrics}"))
}
