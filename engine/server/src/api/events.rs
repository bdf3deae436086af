//! `GET /v1/events/{id}`: everything that is known about an event.

use axum::Json;
use axum::extract::State;
use weft_client::wire::Event;
use weft_core::id::{DeliveryId, EventId};

use super::access::Access;
use super::params::Segment;
use super::refusal::{INVALID_PARAMETER, Refusal, shortened};
use super::{SharedState, trace};

/// Answers the trace of an event, named by its own id or by that of one of its deliveries.
pub(super) async fn show(
    State(state): State<SharedState>,
    access: Access,
    Segment(id): Segment,
) -> Result<Json<Event>, Refusal> {
    let store = &state.records.store;
    let unknown = || Refusal::no_such("event", &shortened(&id));
    let event = match read_id(&id)? {
        Subject::Event(event) => event,
        Subject::Delivery(delivery) => store.event_of_delivery(access.scope(), delivery).await?.ok_or_else(unknown)?,
    };
    let record = store.event(access.scope(), event).await?.ok_or_else(unknown)?;
    Ok(Json(trace::of(record)))
}

/// What an id names.
#[derive(Clone, Copy, Debug)]
pub(super) enum Subject {
    /// `evt_…`
    Event(EventId),
    /// `dlv_…`
    Delivery(DeliveryId),
}

/// Reads `evt_…` or `dlv_…`.
pub(super) fn read_id(text: &str) -> Result<Subject, Refusal> {
    let event = text.parse().map(Subject::Event);
    event.or_else(|_| text.parse().map(Subject::Delivery)).map_err(|_| {
        let detail = format!("{:?} is neither the id of an event (evt_…) nor of a delivery (dlv_…)", shortened(text));
        Refusal::new(&INVALID_PARAMETER, detail).key("id").rule("evt_ or dlv_ and 26 characters")
    })
}
