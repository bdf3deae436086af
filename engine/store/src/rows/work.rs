//! Rows of what was claimed.

use std::sync::Arc;

use weft_core::delivery::RequestParts;
use weft_core::event::Event;

use super::Cells;
use crate::error::StoreError;
use crate::work::{DeliveryWork, Lease, PassWork};

/// An event, or a replay of one, to run a pass for.
pub(crate) fn pass_work(cells: &Cells<'_>, lease: Lease) -> Result<PassWork, StoreError> {
    let event = accepted(cells)?;
    let number = cells.number::<u32>("passes")?.saturating_add(1);
    Ok(PassWork { event: Arc::new(event), replay: cells.maybe_id("replay")?, number, lease })
}

/// An event as it was accepted.
pub(crate) fn accepted(cells: &Cells<'_>) -> Result<Event, StoreError> {
    Ok(Event {
        id: cells.id("id")?,
        tenant: cells.id("tenant")?,
        source: cells.text("source")?,
        external_id: cells.maybe_text("external_id")?,
        ordering_key: cells.maybe_parsed("ordering_key")?,
        event_type: cells.parsed("type")?,
        content_type: cells.text("content_type")?,
        headers: cells.json("headers")?,
        body: cells.bytes("bytes")?,
        received_at: cells.time("received_at")?,
    })
}

/// A delivery to send.
pub(crate) fn delivery_work(cells: &Cells<'_>, lease: Lease) -> Result<DeliveryWork, StoreError> {
    let request: RequestParts = cells.json("request")?;
    let event_type = request.event_type.clone().map_or_else(|| cells.text("type"), Ok)?;
    let content_type = request.content_type.clone().map_or_else(|| cells.text("content_type"), Ok)?;
    Ok(DeliveryWork {
        id: cells.id("id")?,
        event: cells.id("event")?,
        tenant: cells.id("tenant")?,
        destination: cells.id("destination")?,
        output: cells.number("output")?,
        event_type,
        content_type,
        request,
        ordering_key: cells.maybe_parsed("ordering_key")?,
        body: cells.bytes("bytes")?,
        number: cells.number::<u32>("attempts")?.saturating_add(1),
        ends_at: cells.time("ends_at")?,
        lease,
    })
}

/// Says that a row was left out: a person must look, and the others go on.
pub(crate) fn report(error: &StoreError) {
    tracing::error!(error = error as &dyn std::error::Error, "a claimed row cannot be read and is left out");
}
