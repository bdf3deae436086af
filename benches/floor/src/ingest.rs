//! Receiving: the payload's type is looked at, the answer waits for the commit.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use serde::Deserialize;
use tokio::sync::{mpsc, oneshot};

use bench_tools::http;

use crate::writer::{NewEvent, Work};

/// What a router must read of a payload before it can say yes.
#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(rename = "type", borrow)]
    event_type: std::borrow::Cow<'a, str>,
}

/// Answers requests until the listener fails.
pub(crate) async fn serve(listen: SocketAddr, work: mpsc::Sender<Work>) -> Result<()> {
    let listener = http::listen(listen).await?;
    http::serve(listener, move |request| {
        let work = work.clone();
        async move { answer(request, work).await }
    })
    .await
}

async fn answer(request: Request<Incoming>, work: mpsc::Sender<Work>) -> Result<Response<Full<Bytes>>> {
    let fan_out = request.uri().path().strip_prefix("/in").and_then(|count| count.parse().ok());
    let Some(fan_out) = fan_out else { return Ok(http::status(StatusCode::NOT_FOUND)) };
    let body = request.into_body().collect().await?.to_bytes();
    let typed = serde_json::from_slice::<Payload<'_>>(&body).is_ok_and(|payload| !payload.event_type.is_empty());
    if !typed {
        return Ok(http::status(StatusCode::UNPROCESSABLE_ENTITY));
    }
    let (stored, after_commit) = oneshot::channel();
    work.send(Work::Event(NewEvent { body, fan_out, stored })).await.context("the writer has ended")?;
    let id = after_commit.await.context("the writer has ended")?;
    let mut response = Response::new(Full::new(Bytes::from(format!(r#"{{"id":"evt_{id}","duplicate":false}}"#))));
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}
