//! The border: an event as the contract's records on the way in, the contract's records as answers on the way out.
//!
//! Nothing is judged here; `weft_core::draft` and `weft_core::plan` do that.

use bytes::Bytes;
use weft_core::contract::{
    DestinationView, EventView, Failure, Outputs, Overrides, Patch, PayloadView, Recipients, Target, Targets, Verdict,
};
use weft_core::event::Header;

use crate::bindings::types;

/// The contract's view of headers, borrowed.
pub(crate) fn headers(headers: &[Header]) -> Vec<types::HeaderParam<'_>> {
    headers.iter().map(|header| types::HeaderParam { name: &header.name, value: &header.value }).collect()
}

/// The contract's view of an event; its bytes are copied once, into the guest.
pub(crate) fn event<'a>(
    event: &EventView<'a>,
    headers: &'a [types::HeaderParam<'a>],
    attributes: &'a [types::HeaderParam<'a>],
) -> types::Event<'a> {
    types::Event {
        id: event.id,
        output: event.output,
        event_type: event.event_type,
        source: event.source,
        content_type: event.content_type,
        received_at: event.received_at,
        ordering_key: event.ordering_key,
        headers,
        attributes,
        data: match event.data {
            PayloadView::Text(text) => types::PayloadParam::Text(text),
            PayloadView::Binary(bytes) => types::PayloadParam::Binary(bytes),
        },
    }
}

/// The contract's view of each destination's labels; lent to [`destinations`].
pub(crate) fn labels(destinations: &[DestinationView]) -> Vec<Vec<types::HeaderParam<'_>>> {
    destinations.iter().map(|destination| headers(&destination.labels)).collect()
}

/// The contract's view of destinations.
pub(crate) fn destinations<'a>(
    destinations: &'a [DestinationView],
    labels: &'a [Vec<types::HeaderParam<'a>>],
) -> Vec<types::Destination<'a>> {
    destinations
        .iter()
        .zip(labels)
        .map(|(destination, labels)| types::Destination { name: &destination.name, kind: &destination.kind, labels })
        .collect()
}

/// A filter's answer.
pub(crate) fn verdict(verdict: types::Verdict) -> Verdict {
    match verdict {
        types::Verdict::Keep => Verdict::Keep,
        types::Verdict::Drop(reason) => Verdict::Drop(reason),
    }
}

/// A transform's answer.
pub(crate) fn outputs(outputs: types::Outputs) -> Outputs {
    match outputs {
        types::Outputs::Drop(reason) => Outputs::Drop(reason),
        types::Outputs::Events(patches) => Outputs::Events(patches.into_iter().map(patch).collect()),
    }
}

/// A route's answer.
pub(crate) fn targets(targets: types::Targets) -> Targets {
    match targets {
        types::Targets::Drop(reason) => Targets::Drop(reason),
        types::Targets::Send(targets) => Targets::Send(targets.into_iter().map(target).collect()),
    }
}

/// A typed refusal.
pub(crate) fn failure(failure: types::Failure) -> Failure {
    match failure {
        types::Failure::Retry(later) => Failure::Retry { reason: later.reason, after_ms: later.after_ms },
        types::Failure::Reject(reason) => Failure::Reject(reason),
    }
}

fn target(target: types::Target) -> Target {
    Target {
        to: match target.to {
            types::Recipients::Subscribed => Recipients::Subscribed,
            types::Recipients::Named(name) => Recipients::Named(name),
            types::Recipients::Labelled(labels) => Recipients::Labelled(owned(labels)),
        },
        change: patch(target.change),
        request: Overrides {
            method: target.request.method,
            path: target.request.path,
            query: target.request.query,
            delay_ms: target.request.delay_ms,
        },
    }
}

fn patch(patch: types::Patch) -> Patch {
    Patch {
        event_type: patch.event_type,
        content_type: patch.content_type,
        ordering_key: patch.ordering_key,
        data: patch.data.map(|data| match data {
            types::PayloadResult::Text(text) => Bytes::from(text),
            types::PayloadResult::Binary(bytes) => Bytes::from(bytes),
        }),
        set_headers: owned(patch.set_headers),
        remove_headers: patch.remove_headers,
        set_attributes: owned(patch.set_attributes),
    }
}

fn owned(headers: Vec<types::HeaderResult>) -> Vec<Header> {
    headers.into_iter().map(|header| Header { name: header.name, value: header.value }).collect()
}
