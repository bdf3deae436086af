//! The demo's receivers: three small servers that verify what they get as any receiver would.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use standardwebhooks::{HEADER_WEBHOOK_ID, Webhook};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::clock::{self, Stopwatch};
use crate::receipts::{Place, Receipts, Verified};

/// 2 MiB: more than an output of Weft's defaults can be.
const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;

/// What signatures are verified with, by destination.
pub(crate) type Verifiers = BTreeMap<Place, Webhook>;

/// How a receiver feels.
pub(crate) enum Health {
    /// Takes everything.
    Well,
    /// Answers 503 from its first request on, for as long; then it is well.
    DownFor { span: Duration, since: Mutex<Option<Stopwatch>> },
    /// Answers 503 until it is told otherwise.
    Down { recovered: AtomicBool },
}

impl Health {
    pub(crate) fn down_for(span: Duration) -> Self {
        Self::DownFor { span, since: Mutex::default() }
    }

    pub(crate) fn down() -> Self {
        Self::Down { recovered: AtomicBool::new(false) }
    }

    /// Tells a receiver that is down to be well.
    pub(crate) fn recover(&self) {
        if let Self::Down { recovered } = self {
            recovered.store(true, Ordering::Release);
        }
    }

    fn is_well(&self) -> bool {
        match self {
            Self::Well => true,
            Self::DownFor { span, since } => {
                let mut since = since.lock().unwrap_or_else(PoisonError::into_inner);
                since.get_or_insert_with(Stopwatch::start).elapsed() >= *span
            }
            Self::Down { recovered } => recovered.load(Ordering::Acquire),
        }
    }
}

/// A server for some destinations.
pub(crate) struct Receiver {
    pub(crate) health: Health,
    pub(crate) verifiers: Arc<Verifiers>,
    pub(crate) receipts: Arc<Receipts>,
    /// Told of everything that was taken for the first time.
    pub(crate) taken: mpsc::UnboundedSender<Taken>,
}

/// Something that was taken, for whoever watches.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) place: Place,
    pub(crate) webhook_id: String,
    pub(crate) event_type: String,
    pub(crate) body_bytes: usize,
}

/// Takes a port of this machine.
///
/// # Errors
/// When somebody else has it.
pub(crate) async fn listen(port: u16) -> Result<TcpListener> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpListener::bind(address).await.with_context(|| {
        format!(
            "could not listen on {address}, which a receiver of examples/quickstart/weft.toml needs: is another demo still \
             running? end it, or whoever else has the port"
        )
    })
}

impl Receiver {
    /// Serves until the task is dropped.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener) {
        loop {
            // A connection that cannot be accepted is the sender's to repeat.
            let Ok((stream, _)) = listener.accept().await else { continue };
            tokio::spawn(self.clone().serve_connection(stream));
        }
    }

    async fn serve_connection(self: Arc<Self>, stream: TcpStream) {
        let service = service_fn(move |request| {
            let receiver = self.clone();
            async move { Ok::<_, Infallible>(receiver.answer(request).await) }
        });
        // A connection that breaks is the sender's to repeat.
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        if parts.method != Method::POST {
            return reply(StatusCode::METHOD_NOT_ALLOWED, "only POST");
        }
        let Some((place, verifier)) =
            Place::of_path(parts.uri.path()).and_then(|place| self.verifiers.get_key_value(&place))
        else {
            return reply(StatusCode::NOT_FOUND, "no such destination");
        };
        let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
            return reply(StatusCode::BAD_REQUEST, "the body broke off, or is too long");
        };
        let body = body.to_bytes();
        if let Err(error) = verifier.verify(&body, &parts.headers) {
            self.receipts.refuse();
            return reply(StatusCode::UNAUTHORIZED, error.to_string());
        }
        let header =
            |name| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let webhook_id = header(HEADER_WEBHOOK_ID);
        let request = Verified { place: place.clone(), webhook_id, at: clock::now(), body };
        if !self.health.is_well() {
            self.receipts.turn_away(&request);
            return reply(StatusCode::SERVICE_UNAVAILABLE, "not well at the moment");
        }
        if self.receipts.take(&request) {
            let Verified { place, webhook_id, body, .. } = request;
            // Nobody watches before the demo has ended.
            let _ = self.taken.send(Taken {
                place,
                webhook_id,
                event_type: header(weft_client::wire::header::EVENT_TYPE),
                body_bytes: body.len(),
            });
        }
        reply(StatusCode::NO_CONTENT, "")
    }
}

fn reply(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

    /// A receiver of `shop/crm` and what it has seen of these requests, with the status of each answer.
    async fn answers(health: Health, requests: &[String]) -> (Vec<u16>, crate::receipts::Pages) {
        let (taken, _takings) = mpsc::unbounded_channel();
        let verifier = Webhook::new(SECRET).expect("a secret");
        let verifiers = Arc::new(Verifiers::from([(Place::new("shop", "crm"), verifier)]));
        let receiver = Arc::new(Receiver { health, verifiers, receipts: Arc::new(Receipts::new()), taken });
        let listener = listen(0).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(receiver.clone().serve(listener));
        let mut statuses = Vec::new();
        for request in requests {
            let mut stream = TcpStream::connect(address).await.expect("connected");
            stream.write_all(request.as_bytes()).await.expect("sent");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.expect("an answer");
            statuses.push(answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status"));
        }
        (statuses, receiver.receipts.snapshot())
    }

    fn request(path: &str, body: &str, signed_body: &str) -> String {
        let at = clock::now().as_seconds();
        let signature =
            Webhook::new(SECRET).expect("a secret").sign("evt_1", at, signed_body.as_bytes()).expect("signed");
        format!(
            "POST {path} HTTP/1.1\r\nhost: here\r\nconnection: close\r\ncontent-length: {}\r\nwebhook-id: evt_1\r\n\
             webhook-timestamp: {at}\r\nwebhook-signature: {signature}\r\n\r\n{body}",
            body.len()
        )
    }

    #[tokio::test]
    async fn what_verifies_is_taken_and_what_does_not_is_refused() {
        let good = request("/shop/crm", "{}", "{}");
        let forged = request("/shop/crm", "{ }", "{}");
        let elsewhere = request("/shop/unknown", "{}", "{}");
        let (statuses, pages) = answers(Health::Well, &[good, forged, elsewhere]).await;
        assert_eq!(statuses, [204, 401, 404]);
        assert_eq!((pages.unverified, pages.inboxes[&Place::new("shop", "crm")].taken.len()), (1, 1));
    }

    #[tokio::test]
    async fn a_receiver_that_is_down_answers_503_to_what_verifies() {
        let (good, forged) = (request("/shop/crm", "{}", "{}"), request("/shop/crm", "{ }", "{}"));
        let (statuses, pages) = answers(Health::down(), &[good, forged]).await;
        assert_eq!(statuses, [503, 401]);
        let inbox = &pages.inboxes[&Place::new("shop", "crm")];
        assert_eq!((inbox.turned_away, inbox.taken.len()), (1, 0));
    }

    #[test]
    fn a_receiver_that_is_down_is_well_when_told_so() {
        let health = Health::down();
        assert!(!health.is_well());
        health.recover();
        assert!(health.is_well());
    }

    #[test]
    fn a_receiver_that_is_down_for_a_while_counts_from_its_first_request() {
        assert!(!Health::down_for(Duration::from_secs(3600)).is_well());
        assert!(Health::down_for(Duration::ZERO).is_well());
    }
}
