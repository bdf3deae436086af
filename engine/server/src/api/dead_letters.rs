//! `GET /v1/dead-letters`: what Weft has given up on.

use axum::Json;
use axum::extract::State;
use weft_client::wire::{self, DeadLetterQuery};
use weft_store::dead_letter::{DeadLetter, DeadLetterFilter, DeadLetterKind};

use super::access::Access;
use super::params::Params;
use super::refusal::{INVALID_PARAMETER, Refusal};
use super::{SharedState, destinations, page};
use crate::catalog::Catalog;

/// Letters of a page if nothing is said.
const LIMIT_DEFAULT: u32 = 100;
/// Most letters of a page: some 300 KiB of JSON.
const LIMIT_MAX: u32 = 1_000;

/// Answers a page, newest first.
pub(super) async fn list(
    State(state): State<SharedState>,
    access: Access,
    Params(query): Params<DeadLetterQuery>,
) -> Result<Json<wire::DeadLetterPage>, Refusal> {
    let limit = query.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        let detail = format!("limit is {limit}: use 1 to {LIMIT_MAX}, and next_cursor for what follows");
        return Err(Refusal::new(&INVALID_PARAMETER, detail).key("limit").rule(format!("1 to {LIMIT_MAX}")));
    }
    let cursor = query.cursor.as_deref().map(page::read).transpose()?;
    let mut filter = filter(&access, &query.filter())?;
    filter.include_replayed = query.include_replayed;
    let found = state.records.store.dead_letters(&filter, cursor, limit).await?;
    let letters = found.letters.into_iter().map(|letter| shown(&access.catalog, letter)).collect();
    Ok(Json(wire::DeadLetterPage { letters, next_cursor: found.next.as_ref().map(page::shown) }))
}

/// The filter in the store's terms, within what the caller may see; leaves out what was replayed.
pub(super) fn filter(access: &Access, wanted: &wire::DeadLetterFilter) -> Result<DeadLetterFilter, Refusal> {
    let destination = match &wanted.destination {
        Some(name) => Some(destinations::find(access, name)?.1.id),
        None => None,
    };
    Ok(DeadLetterFilter {
        tenant: access.scope(),
        destination,
        kind: wanted.kind.map(|kind| match kind {
            wire::DeadLetterKind::Event => DeadLetterKind::Event,
            wire::DeadLetterKind::Delivery => DeadLetterKind::Delivery,
        }),
        reason: wanted.reason.clone(),
        since: wanted.since,
        until: wanted.until,
        include_replayed: false,
    })
}

/// A letter with names in the place of ids; what has left the configuration keeps its id.
fn shown(catalog: &Catalog, letter: DeadLetter) -> wire::DeadLetter {
    let delivery = letter.delivery;
    let destination = delivery.map(|delivery| {
        catalog
            .destination(delivery.destination)
            .map_or_else(|| delivery.destination.to_string(), |d| d.name.to_string())
    });
    wire::DeadLetter {
        id: delivery.map_or_else(|| letter.event.to_string(), |delivery| delivery.id.to_string()),
        kind: if delivery.is_some() { wire::DeadLetterKind::Delivery } else { wire::DeadLetterKind::Event },
        tenant: catalog.tenant(letter.tenant).map_or_else(|| letter.tenant.to_string(), |t| t.name.to_string()),
        event_id: letter.event.to_string(),
        event_type: letter.event_type.to_string(),
        destination,
        output: delivery.map(|delivery| delivery.output),
        attempts: delivery.map(|delivery| delivery.attempts),
        step: letter.step,
        reason: letter.reason,
        at: letter.at,
        replayed_by: letter.replayed_by.map(|id| id.to_string()),
    }
}
