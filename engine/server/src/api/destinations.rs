//! `/v1/destinations`: where deliveries go, and whether they do.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use weft_client::wire::{self, DestinationSecrets, Destinations};
use weft_core::destination::{Destination, DestinationKind, DestinationStatus, DisabledReason, HttpTarget};
use weft_core::sign::SigningSecret;
use weft_core::signing_key::SigningKey;
use weft_core::time::Timestamp;

use super::SharedState;
use super::access::Access;
use super::params::Segment;
use super::refusal::{INVALID_HEADER, NOT_FOUND, Refusal, shortened};
use crate::catalog::Tenant;

/// Answers all destinations that the caller may see.
pub(super) async fn list(State(state): State<SharedState>, access: Access) -> Result<Json<Destinations>, Refusal> {
    let seen: Vec<_> =
        access.tenants().iter().flat_map(|tenant| tenant.destinations.iter().map(|own| own.id)).collect();
    let waiting = state.records.store.first_due(&seen, state.records.clock.now()).await?;
    let waiting: HashMap<_, _> = waiting.into_iter().map(|waiting| (waiting.destination, waiting.due_at)).collect();
    let mut destinations = Vec::new();
    for tenant in access.tenants() {
        let mut own: Vec<_> = tenant.destinations.iter().collect();
        own.sort_by(|a, b| a.name.cmp(&b.name));
        destinations.extend(own.into_iter().map(|own| shown(tenant, own, own.status, waiting.get(&own.id).copied())));
    }
    Ok(Json(Destinations { destinations }))
}

/// Lets deliveries be made and sent, after a pause or after it was disabled; what was held goes on.
pub(super) async fn enable(
    state: State<SharedState>,
    access: Access,
    Segment(name): Segment,
) -> Result<Json<wire::Destination>, Refusal> {
    set(&state, &access, &name, DestinationStatus::Active).await
}

/// Lets no deliveries be sent; they are made, and held.
pub(super) async fn pause(
    state: State<SharedState>,
    access: Access,
    Segment(name): Segment,
) -> Result<Json<wire::Destination>, Refusal> {
    set(&state, &access, &name, DestinationStatus::Paused).await
}

/// Lets no deliveries be made; what waits is held.
pub(super) async fn disable(
    state: State<SharedState>,
    access: Access,
    Segment(name): Segment,
) -> Result<Json<wire::Destination>, Refusal> {
    set(&state, &access, &name, DestinationStatus::Disabled(DisabledReason::Operator)).await
}

/// Reveals what a destination's receiver verifies with; whoever asks is in the log.
pub(super) async fn secret(
    State(state): State<SharedState>,
    access: Access,
    Segment(name): Segment,
) -> Result<Json<DestinationSecrets>, Refusal> {
    let (tenant, destination) = find(&access, &name)?;
    tracing::info!(
        tenant.name = %tenant.name,
        destination.name = %destination.name,
        by = access.role(),
        at = %state.records.clock.now(),
        "the secrets of {}'s destination {} were shown to the {}", tenant.name, destination.name, access.role()
    );
    let DestinationKind::Http(target) = &destination.kind;
    Ok(Json(DestinationSecrets {
        secrets: target.signing.secrets.iter().map(SigningSecret::reveal).collect(),
        public_keys: public_keys(target),
    }))
}

async fn set(
    state: &SharedState,
    access: &Access,
    name: &str,
    wanted: DestinationStatus,
) -> Result<Json<wire::Destination>, Refusal> {
    let (tenant, destination) = find(access, name)?;
    let now = state.records.clock.now();
    let status = state.records.store.set_destination_status(destination.id, wanted, now).await?;
    let status = status.ok_or_else(|| Refusal::no_such("destination", name))?;
    state.catalog.set_status(destination.id, status);
    tracing::info!(
        tenant.name = %tenant.name,
        destination.name = %destination.name,
        by = access.role(),
        "{}'s destination {} is {}", tenant.name, destination.name, in_words(status)
    );
    if status == DestinationStatus::Active {
        state.records.claims.deliveries_due(destination.id, now);
    }
    Ok(Json(shown(tenant, destination, status, None)))
}

/// Finds a destination by its name among those that the caller may see; the operator names the tenant where it is not clear.
pub(super) fn find<'a>(access: &'a Access, name: &str) -> Result<(&'a Arc<Tenant>, &'a Destination), Refusal> {
    let tenants = access.tenants();
    let named = |tenant: &&'a Arc<Tenant>| tenant.destinations.iter().find(|d| d.name.as_str() == name);
    let found: Vec<_> = tenants.iter().filter_map(|tenant| Some((*tenant, named(tenant)?))).collect();
    match found.as_slice() {
        [one] => Ok(*one),
        [] => Err(unknown(access, name)),
        several => {
            let owners: Vec<_> = several.iter().map(|(tenant, _)| tenant.name.as_str()).collect();
            let detail =
                format!("{} have a destination {name:?}: name one in the header weft-tenant", owners.join(", "));
            Err(Refusal::new(&INVALID_HEADER, detail).key(wire::header::TENANT))
        }
    }
}

fn unknown(access: &Access, name: &str) -> Refusal {
    const NAMED_MAX: usize = 20;
    let tenants = access.tenants();
    let known = tenants.iter().flat_map(|tenant| tenant.destinations.iter().map(|d| d.name.as_str()));
    let known: Vec<_> = known.take(NAMED_MAX).collect();
    let known = if known.is_empty() { "there is none".to_owned() } else { format!("known: {}", known.join(", ")) };
    Refusal::new(&NOT_FOUND, format!("there is no destination {:?} ({known})", shortened(name))).key("destination")
}

fn shown(
    tenant: &Tenant,
    destination: &Destination,
    status: DestinationStatus,
    waiting_since: Option<Timestamp>,
) -> wire::Destination {
    let DestinationKind::Http(target) = &destination.kind;
    let mut url = target.url.clone();
    url.set_query(None);
    wire::Destination {
        id: destination.id.to_string(),
        tenant: tenant.name.to_string(),
        name: destination.name.to_string(),
        kind: destination.kind.as_str().to_owned(),
        url: url.to_string(),
        events: destination.events.iter().map(ToString::to_string).collect(),
        labels: destination.labels.clone(),
        format: target.format,
        public_keys: public_keys(target),
        status: match status {
            DestinationStatus::Active => wire::DestinationStatus::Active,
            DestinationStatus::Paused => wire::DestinationStatus::Paused,
            DestinationStatus::Disabled(reason) => wire::DestinationStatus::Disabled { reason: reason.to_string() },
        },
        waiting_since,
    }
}

fn public_keys(target: &HttpTarget) -> Vec<String> {
    target.signing.keys.iter().map(SigningKey::public).collect()
}

fn in_words(status: DestinationStatus) -> String {
    match status {
        DestinationStatus::Active => "enabled".to_owned(),
        DestinationStatus::Paused => "paused".to_owned(),
        DestinationStatus::Disabled(reason) => format!("disabled ({reason})"),
    }
}
