//! Whether the engine lives, whether it can take work, and what it counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use weft_client::wire::Readiness;
use weft_core::time::Timestamp;
use weft_store::upkeep::Counts;

use super::access::Access;
use super::refusal::Refusal;
use super::{Records, SharedState};
use crate::telemetry::WaitingGauges;

/// How long a failed commit keeps the engine from being ready: long enough for a balancer to look elsewhere, short enough
/// that the engine is asked again, for only another event can show that the disk is well.
const COMMIT_FAILURE_COUNTS: Duration = Duration::from_secs(10);

/// Where the engine is in its life, and how its last commits went; cheap to clone.
#[derive(Clone, Debug)]
pub struct Health(Arc<Vital>);

#[derive(Debug)]
struct Vital {
    phase: AtomicU8,
    // Milliseconds; the beginning of time stands for never.
    commit_failed_at: AtomicI64,
}

/// Where an engine is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Entered at the start, left once everything runs.
    Starting = 0,
    /// It takes work.
    Serving = 1,
    /// It takes no more work, and finishes what is under way.
    Stopping = 2,
}

impl Default for Health {
    fn default() -> Self {
        let vital = Vital { phase: AtomicU8::new(Phase::Starting as u8), commit_failed_at: AtomicI64::new(i64::MIN) };
        Self(Arc::new(vital))
    }
}

impl Health {
    /// Says where the engine is.
    pub fn enter(&self, phase: Phase) {
        self.0.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// Where the engine is.
    pub fn phase(&self) -> Phase {
        match self.0.phase.load(Ordering::Relaxed) {
            0 => Phase::Starting,
            1 => Phase::Serving,
            _ => Phase::Stopping,
        }
    }

    /// Says that events could not be stored.
    pub fn commit_failed(&self, at: Timestamp) {
        self.0.commit_failed_at.store(at.as_ms(), Ordering::Relaxed);
    }

    /// Why the engine should not be given work, as far as that is known without asking the store.
    fn objection(&self, now: Timestamp) -> Option<&'static str> {
        let failed_at = Timestamp::from_ms(self.0.commit_failed_at.load(Ordering::Relaxed));
        match self.phase() {
            Phase::Starting => Some("the engine is starting"),
            Phase::Stopping => Some("the engine is stopping"),
            Phase::Serving if failed_at.plus(COMMIT_FAILURE_COUNTS) > now => {
                Some("an event could not be stored within the last 10 s; the log says why")
            }
            Phase::Serving => None,
        }
    }
}

/// Answers as long as the process does.
pub(super) async fn alive() -> &'static str {
    "alive\n"
}

/// Answers whether the engine should be given work.
pub(super) async fn ready(State(state): State<SharedState>) -> Response {
    let reason = match state.operations.health.objection(state.records.clock.now()) {
        Some(reason) => Some(reason.to_owned()),
        // Cheap whatever waits: it looks at the first row of an index.
        None => state.records.store.next_pass_due(state.records.clock.now()).await.err().map(|error| error.to_string()),
    };
    let status = if reason.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready: reason.is_none(), reason })).into_response()
}

/// Answers what the engine counts, for Prometheus.
pub(super) async fn metrics(State(state): State<SharedState>, access: Access) -> Result<Response, Refusal> {
    const OPEN_METRICS: HeaderValue =
        HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    access.operator_only()?;
    let Records { store, clock, .. } = &state.records;
    let counts = state.operations.backlog.counts(store, clock).await?;
    let waiting = gauges(&counts, clock.now());
    let mut response = state.operations.metrics.scrape(waiting).into_response();
    response.headers_mut().insert(CONTENT_TYPE, OPEN_METRICS);
    Ok(response)
}

fn gauges(counts: &Counts, now: Timestamp) -> WaitingGauges {
    let oldest = [counts.oldest_pass_due_at, counts.oldest_delivery_due_at].into_iter().flatten().min();
    WaitingGauges {
        events: counts.passes_waiting,
        deliveries: counts.deliveries_waiting,
        oldest: oldest.map(|due_at| now.since(due_at)).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_takes_work_only_while_it_serves() {
        let health = Health::default();
        let now = Timestamp::from_ms(1_700_000_000_000);
        assert_eq!(health.objection(now), Some("the engine is starting"));
        health.enter(Phase::Serving);
        assert_eq!(health.objection(now), None);
        health.enter(Phase::Stopping);
        assert_eq!(health.objection(now), Some("the engine is stopping"));
    }

    #[test]
    fn a_failed_commit_is_forgotten_after_ten_seconds() {
        let health = Health::default();
        health.enter(Phase::Serving);
        let failed_at = Timestamp::from_ms(1_700_000_000_000);
        assert_eq!(health.objection(failed_at), None);
        health.commit_failed(failed_at);
        assert!(health.objection(failed_at.plus(Duration::from_secs(9))).is_some());
        assert_eq!(health.objection(failed_at.plus(Duration::from_secs(10))), None);
    }
}
