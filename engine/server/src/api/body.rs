//! Reads a request's body, bounded in bytes and in time.

use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;

use super::refusal::{BODY_INCOMPLETE, BODY_TOO_LARGE, BODY_TOO_SLOW, INVALID_BODY, Refusal};

/// From the last byte of the headers to the last byte of the body: 1 MiB in this time is 35 KiB/s, slower than any line
/// that a sender of events sits on.
const BODY_TIME_MAX: Duration = Duration::from_secs(30);
/// Memory that a body gets before its bytes are there: an announced length is a promise of a stranger.
const RESERVED_BYTES_MAX: usize = 64 * 1024;
/// How much of a body that is too large is read and thrown away, so that its sender gets to read the answer before the
/// connection closes.
const DISCARDED_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Longest JSON body of requests that are not events: a thousand ids are 32 KiB.
const REQUEST_BYTES_MAX: usize = 256 * 1024;

/// A body's limit, with the name under which a person finds it.
#[derive(Clone, Copy)]
pub(super) struct BodyLimit {
    /// Most bytes.
    pub(super) bytes: usize,
    /// What it is called.
    pub(super) key: &'static str,
}

/// Reads a whole body. `hold` is asked before memory is taken, with the bytes that there will be in all; what it refuses is
/// read on and thrown away.
///
/// It is copied out of the connection's buffers, which are larger: an event in memory then takes its own size.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    limit: BodyLimit,
    hold: impl FnMut(usize) -> Result<(), Refusal>,
) -> Result<Bytes, Refusal> {
    // The timer is made only if the body is not there already.
    match tokio::time::timeout(BODY_TIME_MAX, read_to_end(headers, body, limit, hold)).await {
        Ok(read) => read,
        Err(_) => {
            let detail = format!("the body was not complete after {} s", BODY_TIME_MAX.as_secs());
            Err(Refusal::new(&BODY_TOO_SLOW, detail).rule("a body arrives within 30 s"))
        }
    }
}

/// Reads a JSON body of a request that is not an event; an empty one stands for `{}`.
pub(super) async fn read_json<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T, Refusal> {
    let limit = BodyLimit { bytes: REQUEST_BYTES_MAX, key: "request_body_bytes_max" };
    // A quarter of a megabyte for each connection: the connections are the bound.
    let bytes = read(headers, body, limit, |_| Ok(())).await?;
    let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
    serde_json::from_slice(text).map_err(|error| {
        Refusal::new(&INVALID_BODY, format!("the body does not fit: {error}")).at(error.line(), error.column())
    })
}

async fn read_to_end(
    headers: &HeaderMap,
    mut body: Body,
    limit: BodyLimit,
    mut hold: impl FnMut(usize) -> Result<(), Refusal>,
) -> Result<Bytes, Refusal> {
    let announced = announced_bytes(headers);
    if announced.is_some_and(|bytes| bytes > limit.bytes) {
        discard(body, announced.unwrap_or(usize::MAX)).await;
        return Err(too_large(limit, announced));
    }
    let reserved = announced.unwrap_or(0).min(RESERVED_BYTES_MAX);
    if let Err(refusal) = hold(reserved) {
        discard(body, announced.unwrap_or(usize::MAX)).await;
        return Err(refusal);
    }
    let mut whole = Vec::with_capacity(reserved);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| incomplete(whole.len()))?;
        // Trailers are of no use here.
        let Ok(data) = frame.into_data() else { continue };
        if whole.len() + data.len() > limit.bytes {
            discard(body, usize::MAX).await;
            return Err(too_large(limit, None));
        }
        let needed = whole.len() + data.len();
        if needed > whole.capacity() {
            // In doubling steps, or a large body would be copied once for each of its pieces.
            let capacity = needed.max(whole.capacity() * 2).min(limit.bytes);
            if let Err(refusal) = hold(capacity) {
                discard(body, usize::MAX).await;
                return Err(refusal);
            }
            whole.reserve_exact(capacity - whole.len());
        }
        whole.extend_from_slice(&data);
    }
    Ok(Bytes::from(whole))
}

fn announced_bytes(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads on without keeping anything, unless it would take too long.
async fn discard(mut body: Body, announced: usize) {
    if announced > DISCARDED_BYTES_MAX && announced != usize::MAX {
        return;
    }
    let mut discarded = 0;
    while let Some(Ok(frame)) = body.frame().await {
        discarded += frame.data_ref().map_or(0, Bytes::len);
        if discarded > DISCARDED_BYTES_MAX {
            return;
        }
    }
}

fn too_large(limit: BodyLimit, announced: Option<usize>) -> Refusal {
    let BodyLimit { bytes, key } = limit;
    let detail = match announced {
        Some(announced) => format!("the body has {announced} bytes, and {key} is {bytes}: send less"),
        None => format!("the body has more than {bytes} bytes, which is {key}: send less"),
    };
    Refusal::new(&BODY_TOO_LARGE, detail).key(key).rule(format!("at most {bytes} bytes"))
}

fn incomplete(got: usize) -> Refusal {
    Refusal::new(
        &BODY_INCOMPLETE,
        format!("the connection broke off after {got} bytes of the body; nothing was stored"),
    )
}
