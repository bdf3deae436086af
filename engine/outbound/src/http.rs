//! Attempts by HTTP: one signed request, one answer, within two time limits.
//!
//! Connections are kept per scheme, host and port, by one client for all destinations. Redirects are answers like any other
//! and proxies are not known here, so that the address that the guard saw is the one that gets the body.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HOST, InvalidHeaderValue, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use tokio::time::Instant;
use weft_core::attempt::{AttemptOutcome, ResponseSample, Waiting};
use weft_core::delivery::RequestParts;
use weft_core::destination::Timeouts;
use weft_core::event::Header;
use weft_core::sign::sign;
use weft_core::time::Timestamp;

use crate::connect::GuardedConnector;
use crate::guard::AddressGuard;
use crate::target::PreparedTarget;
use crate::{failure, retry_after};

const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
const WEFT_EVENT_TYPE: HeaderName = HeaderName::from_static("weft-event-type");

/// Most bytes of an answer's head: receivers send less than 1 KiB, common servers accept 8 to 16 KiB.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// How long a connection without a request is kept: below the 60 s after which common load balancers close it, since a
/// connection closed at the moment of writing costs an attempt.
const IDLE_MAX: Duration = Duration::from_secs(50);

/// What a [`Sender`] needs to know.
#[derive(Clone, Debug)]
pub struct SenderConfig {
    /// What may be dialled.
    pub guard: AddressGuard,
    /// How much of an answer's body is read; see `weft_core::limits::RESPONSE_BYTES`.
    pub response_bytes_max: usize,
    /// The `user-agent` header, `Weft/<version>`.
    pub user_agent: String,
}

/// Why there can be no [`Sender`].
#[derive(Debug, thiserror::Error)]
pub enum SenderError {
    /// The user agent cannot be sent.
    #[error("user_agent holds characters that a header cannot carry")]
    UserAgent(#[source] InvalidHeaderValue),
    /// The TLS library refuses its own settings.
    #[error("could not set up TLS")]
    Tls(#[source] rustls::Error),
}

/// One attempt, before it is signed.
#[derive(Clone, Debug)]
pub struct OutgoingRequest<'a> {
    /// Where it goes and how long it may take.
    pub target: &'a PreparedTarget,
    /// `evt_…`, or `evt_…-N`: the same on every attempt.
    pub webhook_id: &'a str,
    /// The event's; `parts` may hold another.
    pub event_type: &'a str,
    /// The event's; `parts` may hold another.
    pub content_type: &'a str,
    /// What differs from the plain request; checked by `weft_core::draft` when it was made.
    pub parts: &'a RequestParts,
    /// The exact bytes that are signed and sent.
    pub body: Bytes,
    /// When the attempt begins: `webhook-timestamp`.
    pub now: Timestamp,
}

/// What came of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendReport {
    /// What happened.
    pub outcome: AttemptOutcome,
    /// What the receiver said, when it answered and did not accept.
    pub response: Option<ResponseSample>,
    /// From the call to the last byte that was read.
    pub took: Duration,
}

/// Makes attempts by HTTP. A clone shares connections and settings.
#[derive(Clone, Debug)]
pub struct Sender {
    client: Client<GuardedConnector, Full<Bytes>>,
    user_agent: HeaderValue,
    response_bytes_max: usize,
}

impl Sender {
    /// A sender that trusts the operating system's certificate authorities (or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`).
    ///
    /// # Errors
    /// [`SenderError`] if a setting cannot be used.
    pub fn new(config: SenderConfig) -> Result<Self, SenderError> {
        Self::trusting(native_roots(), config)
    }

    /// A sender that trusts `roots` only.
    fn trusting(roots: RootCertStore, config: SenderConfig) -> Result<Self, SenderError> {
        // Named, because a process-wide default may be missing, or be another library's.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(SenderError::Tls)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_MAX)
            .http1_max_buf_size(HEAD_BYTES_MAX)
            .build(GuardedConnector::new(config.guard, tls));
        let user_agent = HeaderValue::from_str(&config.user_agent).map_err(SenderError::UserAgent)?;
        Ok(Self { client, user_agent, response_bytes_max: config.response_bytes_max })
    }

    /// Signs and sends `request` and waits for the answer, at most as long as the target allows.
    ///
    /// The receiver has accepted when its 2xx is complete, or as complete as `response_bytes_max` lets it be. An answer of any
    /// other status counts from its head on, however its body ends.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection; whether the receiver got the request is then unknown.
    pub async fn send(&self, request: OutgoingRequest<'_>) -> SendReport {
        let started = Instant::now();
        let (outcome, response) = match self.signed(&request) {
            Ok(signed) => self.exchange(signed, request.target.timeouts, request.now, started).await,
            Err(error) => (failure::unreachable(format!("the request cannot be sent: {error}")), None),
        };
        SendReport { outcome, response, took: started.elapsed() }
    }

    /// The request as it goes out.
    fn signed(&self, outgoing: &OutgoingRequest<'_>) -> Result<Request<Full<Bytes>>, http::Error> {
        let OutgoingRequest { target, webhook_id, parts, body, now, .. } = outgoing;
        let signature = sign(&target.secrets, webhook_id, *now, body);
        let content_type = parts.content_type.as_deref().unwrap_or(outgoing.content_type);
        let event_type = parts.event_type.as_deref().unwrap_or(outgoing.event_type);

        let mut headers = HeaderMap::with_capacity(8 + parts.headers.len());
        for Header { name, value } in &parts.headers {
            headers.insert(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
        // Last, so that these win whatever came before them.
        headers.insert(HOST, target.host.clone());
        headers.insert(USER_AGENT, self.user_agent.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::try_from(content_type)?);
        headers.insert(WEFT_EVENT_TYPE, HeaderValue::try_from(event_type)?);
        headers.insert(WEBHOOK_ID, HeaderValue::try_from(*webhook_id)?);
        headers.insert(WEBHOOK_TIMESTAMP, HeaderValue::try_from(signature.timestamp)?);
        headers.insert(WEBHOOK_SIGNATURE, HeaderValue::try_from(signature.tokens)?);

        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = match &parts.method {
            Some(method) => Method::try_from(method.as_str())?,
            None => Method::POST,
        };
        *request.uri_mut() = target.uri(parts)?;
        *request.headers_mut() = headers;
        Ok(request)
    }

    async fn exchange(
        &self,
        mut request: Request<Full<Bytes>>,
        timeouts: Timeouts,
        now: Timestamp,
        started: Instant,
    ) -> (AttemptOutcome, Option<ResponseSample>) {
        let connection = capture_connection(&mut request);
        let mut patience = pin!(patience(started, timeouts, connection));
        let answer = tokio::select! {
            biased;
            answer = self.client.request(request) => answer,
            waiting_for = &mut patience => return (AttemptOutcome::TimedOut { waiting_for }, None),
        };
        let (head, mut body) = match answer {
            Ok(answer) => answer.into_parts(),
            Err(error) => return (failure::outcome(&error), None),
        };
        let status = head.status.as_u16();
        let mut kept = (!head.status.is_success()).then(BytesMut::new);
        let read = tokio::select! {
            biased;
            read = read(&mut body, self.response_bytes_max, kept.as_mut()) => {
                read.map_err(|error| failure::outcome(&error))
            }
            waiting_for = &mut patience => Err(AttemptOutcome::TimedOut { waiting_for }),
        };
        let Some(kept) = kept else {
            return (read.map_or_else(|failure| failure, |()| AttemptOutcome::Accepted { status }), None);
        };
        let retry_after = retry_after::asked_for(&head.headers, now.plus(started.elapsed()));
        let sample = ResponseSample { headers: as_sent(&head.headers), body: kept.freeze() };
        (AttemptOutcome::Rejected { status, retry_after }, Some(sample))
    }
}

/// Waits until a limit has passed, and says what for. One timer serves both limits: the longer one is set when the shorter
/// one has passed, which it hardly ever does.
async fn patience(started: Instant, timeouts: Timeouts, connection: CaptureConnection) -> Waiting {
    let mut timer = pin!(tokio::time::sleep_until(started + timeouts.connect.min(timeouts.total)));
    timer.as_mut().await;
    if connection.connection_metadata().is_none() {
        return Waiting::Connection;
    }
    timer.as_mut().reset(started + timeouts.total);
    timer.await;
    Waiting::Response
}

/// Reads at most `bytes_max` of `body`, and keeps them where asked to. What lies beyond is left unread: its connection is
/// closed when the body is dropped.
async fn read(body: &mut Incoming, bytes_max: usize, mut kept: Option<&mut BytesMut>) -> Result<(), hyper::Error> {
    let mut left = bytes_max;
    while left > 0 {
        let Some(frame) = body.frame().await else { return Ok(()) };
        let Ok(data) = frame?.into_data() else { continue };
        let taken = data.len().min(left);
        left -= taken;
        if let Some(kept) = &mut kept {
            kept.extend_from_slice(&data[..taken]);
        }
    }
    Ok(())
}

fn as_sent(headers: &HeaderMap) -> Vec<Header> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| Header { name: name.as_str().to_owned(), value: text(value) }).collect()
}

fn native_roots() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _unusable) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        tracing::warn!(
            errors = ?found.errors,
            "no certificate authorities found, so no https destination can be reached: install the system's \
             ca-certificates or point SSL_CERT_FILE at a bundle"
        );
    }
    roots
}
