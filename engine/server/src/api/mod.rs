//! The HTTP API: in come events and questions, out go answers and problems.
//!
//! It stores and wakes; it never calls a plugin and never sends. Every route but `/healthz` and `/readyz` wants a key: a
//! handler gets at anything only through `access::Access`, which is made of a request's key. Every refusal is an
//! RFC 9457 problem that names the key and the rule (`refusal`). `app` puts [`ApiParts`] together, makes the
//! [`router`] and hands it to [`serve`].

mod access;
mod backlog;
mod body;
mod dead_letters;
mod destinations;
mod dry_runs;
mod events;
mod health;
mod ingest;
mod listen;
mod page;
mod params;
mod payload;
mod plugins;
mod refusal;
mod replays;
mod trace;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use tokio::sync::Semaphore;
use weft_store::Store;

use crate::catalog::CurrentCatalog;
use crate::clock::Clock;
use crate::dry_run::DryRuns;
use crate::plugins::PluginRegistry;
use crate::telemetry::Metrics;
use crate::workers::claims_wake::ClaimsWake;
use crate::workers::intake::Intake;
use crate::workers::room::Room;

pub use health::{Health, Phase};
pub use listen::serve;

/// Components that are read at once; they are compiled one after the other.
const UPLOADS_MAX: usize = 2;

/// What the API leans on.
pub struct ApiParts {
    /// Who may call, and where things go.
    pub catalog: CurrentCatalog,
    /// For acceptance times and fresh ids.
    pub clock: Clock,
    /// For everything but keeping events.
    pub store: Store,
    /// Where accepted events are handed in.
    pub intake: Intake,
    /// Room for events on their way in.
    pub room: Room,
    /// Told when a replay or an enabled destination has made something due.
    pub claims: ClaimsWake,
    /// For what a person changes about plugins.
    pub plugins: PluginRegistry,
    /// For what a person tries before that.
    pub dry_runs: DryRuns,
    /// What is scraped.
    pub metrics: Arc<Metrics>,
    /// What `/readyz` answers.
    pub health: Health,
    /// See [`weft_core::limits::EVENT_BODY_BYTES`].
    pub event_body_bytes: usize,
    /// See [`weft_core::limits::COMPONENT_BYTES`].
    pub component_bytes: usize,
}

/// What handlers share, grouped by who needs it.
struct ApiState {
    catalog: CurrentCatalog,
    ingest: ingest::Ingest,
    records: Records,
    operations: Operations,
}

/// What reading and changing stored things needs.
struct Records {
    store: Store,
    clock: Clock,
    claims: ClaimsWake,
}

/// What running the engine needs.
struct Operations {
    plugins: PluginRegistry,
    backlog: backlog::Backlog,
    component_bytes: usize,
    // Whoever pushes a component holds one.
    uploads: Semaphore,
    dry_runs: DryRuns,
    metrics: Arc<Metrics>,
    health: Health,
}

type SharedState = Arc<ApiState>;

/// The routes, ready to be served.
pub fn router(parts: ApiParts) -> Router {
    let ApiParts {
        catalog,
        clock,
        store,
        intake,
        room,
        claims,
        plugins,
        dry_runs,
        metrics,
        health,
        event_body_bytes,
        component_bytes,
    } = parts;
    let state = ApiState {
        catalog,
        ingest: ingest::Ingest {
            intake,
            room,
            clock: clock.clone(),
            event_body_bytes,
            watch: ingest::Watch { metrics: metrics.clone(), health: health.clone() },
        },
        records: Records { store, clock, claims },
        operations: Operations {
            plugins,
            backlog: backlog::Backlog::default(),
            component_bytes,
            uploads: Semaphore::new(UPLOADS_MAX),
            dry_runs,
            metrics,
            health,
        },
    };
    Router::new()
        .route("/v1/events", post(ingest::keep))
        .route("/v1/events/{id}", get(events::show))
        .route("/v1/dead-letters", get(dead_letters::list))
        .route("/v1/dead-letters/replay", post(replays::start))
        .route("/v1/destinations", get(destinations::list))
        .route("/v1/destinations/{name}/enable", post(destinations::enable))
        .route("/v1/destinations/{name}/pause", post(destinations::pause))
        .route("/v1/destinations/{name}/disable", post(destinations::disable))
        .route("/v1/destinations/{name}/secret", get(destinations::secret))
        .route("/v1/plugins", get(plugins::list))
        .route("/v1/plugins/reload", post(plugins::reload))
        .route("/v1/plugins/{name}/versions", post(plugins::push))
        .route("/v1/plugins/{name}/dry-run", post(dry_runs::start))
        .route("/v1/plugins/{name}/activate", post(plugins::activate))
        .route("/v1/plugins/{name}/rollback", post(plugins::rollback))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .method_not_allowed_fallback(refusal::wrong_method)
        .fallback(refusal::unknown_route)
        .with_state(Arc::new(state))
}
