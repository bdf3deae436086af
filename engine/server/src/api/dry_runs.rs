//! `/v1/plugins/{name}/dry-run`: what another version would have made of stored events, told line by line while it is found out.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Request, Response};
use bytes::Bytes;
use hyper::body::Frame;
use tokio::sync::mpsc;
use weft_client::wire::{DryRunLine, DryRunRequest};

use super::access::Access;
use super::params::Segment;
use super::plugins::{Unknown, digest, owned};
use super::refusal::{INVALID_BODY, NOT_FOUND, Refusal, STOPPING};
use super::{SharedState, body};
use crate::dry_run::{DryRunError, EVENTS_MAX, Question};

/// Lines that may wait for a slow reader.
const LINES_WAITING_MAX: usize = 4;

/// Starts a dry run; whoever hangs up ends it.
pub(super) async fn start(
    State(state): State<SharedState>,
    access: Access,
    Segment(name): Segment,
    request: Request<Body>,
) -> Result<Response<Body>, Refusal> {
    let plugin = owned(&access, &name, Unknown::Refused)?;
    let tenant = access.one_tenant()?.clone();
    let (parts, body) = request.into_parts();
    let wanted: DryRunRequest = body::read_json(&parts.headers, body).await?;
    if !(1..=EVENTS_MAX).contains(&wanted.last) {
        let detail = format!("last is {}: a dry run looks at 1 to {EVENTS_MAX} events", wanted.last);
        return Err(Refusal::new(&INVALID_BODY, detail).key("last").rule(format!("1 to {EVENTS_MAX}")));
    }
    let listing = state.operations.plugins.list().await?;
    let report = listing.plugins.iter().find(|report| report.key == plugin);
    let report = report.ok_or_else(|| Refusal::no_such("plugin", &name))?;
    let candidate = digest(&report.versions, &wanted.digest)?;
    let question = Question { tenant, plugin, candidate, last: wanted.last, since: wanted.since };
    let run = state.operations.dry_runs.prepare(question).await?;
    let (told, lines) = mpsc::channel(LINES_WAITING_MAX);
    tokio::spawn(run.run(told));
    let mut response = Response::new(Body::new(Lines(lines)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    Ok(response)
}

impl From<DryRunError> for Refusal {
    fn from(error: DryRunError) -> Self {
        match error {
            DryRunError::Plugin(error) => Self::from(error),
            DryRunError::NotBound { .. } => Self::new(&NOT_FOUND, error.to_string()),
            DryRunError::Stopping => Self::new(&STOPPING, error.to_string()),
            DryRunError::Store(error) => Self::from(error),
        }
    }
}

/// A line of JSON for each thing that is told.
struct Lines(mpsc::Receiver<DryRunLine>);

impl hyper::body::Body for Lines {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|told| {
            // What cannot be written as JSON ends the answer.
            let mut line = serde_json::to_vec(&told?).ok()?;
            line.push(b'\n');
            Some(Ok(Frame::data(line.into())))
        })
    }
}
