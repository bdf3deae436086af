//! Attempts by HTTP: one signed request, one answer, within two time limits.
//!
//! The client is hyper's own connection under this crate's connector and pool: an attempt drives the connection that it uses,
//! so that no task stands between. `examples/send_cost.rs` runs it in turn with reqwest, each with the same guard, TLS
//! configuration, headers and signature, 1 KiB bodies, 64 under way, on 2 cores that others
//! share: 23.7 µs of CPU per attempt against 52.4 µs, where hyper-util's client, run the same way, had 35.9 µs.
//! It also tells a connection that does not come up from an answer that does not come, and limits the former per
//! destination, where reqwest has one limit per client.
//!
//! Connections are kept per scheme, host and port, for all destinations together. Redirects are answers like any other
//! and proxies are not known here, so that the address that the guard saw is the one that gets the body.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HOST, InvalidHeaderValue, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use rustls::{ClientConfig, RootCertStore};
use tokio::time::{Instant, timeout_at};
use weft_core::attempt::{AttemptOutcome, ResponseSample, Waiting};
use weft_core::delivery::RequestParts;
use weft_core::destination::Timeouts;
use weft_core::event::Header;
use weft_core::signing::Signatures;
use weft_core::time::Timestamp;

use crate::connect::{BoxError, GuardedConnector};
use crate::connection::Connection;
use crate::guard::AddressGuard;
use crate::pool::Pool;
use crate::target::PreparedTarget;
use crate::{failure, retry_after};

const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
const WEFT_EVENT_TYPE: HeaderName = HeaderName::from_static("weft-event-type");

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
    /// The type to announce.
    pub event_type: &'a str,
    /// Of the body.
    pub content_type: &'a str,
    /// Of the body's format.
    pub headers: &'a [Header],
    /// Method, path, query and headers where they differ from the plain request; checked by `weft_core::draft` when it was made.
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
    connector: GuardedConnector,
    pool: Pool,
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
        let connector = GuardedConnector::new(config.guard, tls);
        let user_agent = HeaderValue::from_str(&config.user_agent).map_err(SenderError::UserAgent)?;
        let response_bytes_max = config.response_bytes_max;
        Ok(Self { connector, pool: Pool::default(), user_agent, response_bytes_max })
    }

    /// Signs and sends `request` and waits for the answer, at most as long as the target allows.
    ///
    /// The receiver has accepted when its answer of success (a 2xx, unless the target says otherwise) is complete, or as complete as
    /// `response_bytes_max` lets it be. Any other answer counts from its head on, however its body ends.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection; whether the receiver got the request is then unknown.
    pub async fn send(&self, request: OutgoingRequest<'_>) -> SendReport {
        let started = Instant::now();
        let (outcome, response) = match self.signed(&request) {
            Ok(signed) => self.exchange(signed, request.target, request.now, started).await,
            Err(error) => (failure::unreachable(format!("the request cannot be sent: {error}")), None),
        };
        SendReport { outcome, response, took: started.elapsed() }
    }

    /// The request as it goes out.
    fn signed(&self, outgoing: &OutgoingRequest<'_>) -> Result<Request<Full<Bytes>>, http::Error> {
        let OutgoingRequest { target, webhook_id, parts, body, now, .. } = outgoing;
        let Signatures { timestamp, tokens, further } = target.signing.sign(webhook_id, *now, body);
        let mut headers = HeaderMap::with_capacity(8 + parts.headers.len() + target.headers.len());
        for Header { name, value } in parts.headers.iter().chain(outgoing.headers) {
            headers.insert(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
        // Later ones win: a plugin does not change what the destination says, and nobody what the host does.
        for (name, value) in &target.headers {
            headers.insert(name.clone(), value.clone());
        }
        headers.insert(HOST, target.host.clone());
        headers.insert(USER_AGENT, self.user_agent.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::try_from(outgoing.content_type)?);
        headers.insert(WEFT_EVENT_TYPE, HeaderValue::try_from(outgoing.event_type)?);
        headers.insert(WEBHOOK_ID, HeaderValue::try_from(*webhook_id)?);
        headers.insert(WEBHOOK_TIMESTAMP, HeaderValue::try_from(timestamp)?);
        if !tokens.is_empty() {
            headers.insert(WEBHOOK_SIGNATURE, HeaderValue::try_from(tokens)?);
        }
        for (name, value) in further {
            headers.insert(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }

        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = match &parts.method {
            Some(method) => Method::try_from(method.as_str())?,
            None => target.method.clone(),
        };
        *request.uri_mut() = target.uri(parts)?;
        *request.headers_mut() = headers;
        Ok(request)
    }

    async fn exchange(
        &self,
        mut request: Request<Full<Bytes>>,
        target: &PreparedTarget,
        now: Timestamp,
        started: Instant,
    ) -> (AttemptOutcome, Option<ResponseSample>) {
        let Timeouts { connect, total } = target.timeouts;
        let (mut connection, head, mut body) = loop {
            let kept = self.pool.take(&target.origin).await;
            let is_kept = kept.is_some();
            let mut connection = match kept {
                Some(kept) => kept,
                // Boxed: connecting is rare, and takes more room than all the rest of an attempt.
                None => match timeout_at(started + connect.min(total), Box::pin(self.connected(target))).await {
                    Ok(Ok(fresh)) => fresh,
                    Ok(Err(error)) => return (failure::outcome(&*error), None),
                    Err(_elapsed) => return timed_out(Waiting::Connection),
                },
            };
            match timeout_at(started + total, connection.send(request)).await {
                Ok(Ok(answer)) => {
                    let (head, body) = answer.into_parts();
                    break (connection, head, body);
                }
                // A kept connection that closes before anything is written on it costs nothing but another one.
                Ok(Err(mut error)) => match error.take_message() {
                    Some(unsent) if is_kept => request = unsent,
                    Some(_) | None => return (failure::outcome(error.error()), None),
                },
                Err(_elapsed) => return timed_out(Waiting::Response),
            }
        };
        let status = head.status.as_u16();
        let mut kept = (!target.success.contains(status)).then(BytesMut::new);
        let reading = read(&mut connection, &mut body, self.response_bytes_max, kept.as_mut());
        let read = match timeout_at(started + total, reading).await {
            Ok(read) => read.map_err(|error| failure::outcome(&error)),
            Err(_elapsed) => Err(AttemptOutcome::TimedOut { waiting_for: Waiting::Response }),
        };
        if connection.is_ready_now().await {
            self.pool.put(&target.origin, connection);
        }
        let Some(kept) = kept else {
            return (read.map_or_else(|failure| failure, |()| AttemptOutcome::Accepted { status }), None);
        };
        let retry_after = retry_after::asked_for(&head.headers, now.plus(started.elapsed()));
        let sample = ResponseSample { headers: as_sent(&head.headers), body: kept.freeze() };
        (AttemptOutcome::Rejected { status, retry_after }, Some(sample))
    }

    async fn connected(&self, target: &PreparedTarget) -> Result<Connection, BoxError> {
        let stream = self.connector.connect(target.base.clone()).await?;
        Ok(Connection::over(stream).await?)
    }
}

fn timed_out(waiting_for: Waiting) -> (AttemptOutcome, Option<ResponseSample>) {
    (AttemptOutcome::TimedOut { waiting_for }, None)
}

/// Reads at most `bytes_max` of `body`, and keeps them where asked to. What lies beyond is left unread, which leaves the
/// connection of no use.
async fn read(
    connection: &mut Connection,
    body: &mut Incoming,
    bytes_max: usize,
    mut kept: Option<&mut BytesMut>,
) -> Result<(), hyper::Error> {
    let mut left = bytes_max;
    while left > 0 && !body.is_end_stream() {
        let Some(frame) = connection.frame(body).await else { return Ok(()) };
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

#[cfg(test)]
mod tests {
    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use rustls::ServerConfig;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;
    use weft_core::destination::HttpTarget;

    use super::*;

    /// Sends once to a receiver whose certificate for `localhost` signs itself, by a sender that trusts what `trusted` makes
    /// of that certificate. The other value is the server name that the receiver was asked for, if the handshake ended well.
    async fn send_by_tls(
        host: &str,
        trusted: impl Fn(rustls::pki_types::CertificateDer<'static>) -> RootCertStore,
    ) -> (AttemptOutcome, Option<String>) {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).expect("a key");
        let key = rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .expect("a server");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("https://{host}:{}/", listener.local_addr().expect("an address").port());
        let receiver = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a connection");
            let mut stream = TlsAcceptor::from(Arc::new(server)).accept(stream).await.ok()?;
            stream.read_u8().await.ok()?;
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.ok()?;
            stream.get_ref().1.server_name().map(str::to_owned)
        });
        let config = SenderConfig {
            guard: AddressGuard::new(vec!["127.0.0.1".parse().expect("a block")]),
            response_bytes_max: 1024,
            user_agent: "Weft/0.1.0".to_owned(),
        };
        let sender = Sender::trusting(trusted(cert.der().clone()), config).expect("a sender");
        let target = HttpTarget::plain(url.parse().expect("a URL"), vec![]);
        let patient = Duration::from_secs(60);
        let target = PreparedTarget::new(&target, Timeouts { connect: patient, total: patient }).expect("a usable URL");
        let report = sender
            .send(OutgoingRequest {
                target: &target,
                webhook_id: "evt_1",
                event_type: "a",
                content_type: "text/plain",
                headers: &[],
                parts: &RequestParts::default(),
                body: Bytes::from_static(b"x"),
                now: Timestamp::from_ms(0),
            })
            .await;
        (report.outcome, receiver.await.expect("no panic"))
    }

    fn this(certificate: rustls::pki_types::CertificateDer<'static>) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(certificate).expect("a certificate");
        roots
    }

    #[tokio::test]
    async fn promise_8_a_certificate_that_signs_itself_is_refused() {
        let (outcome, _) = send_by_tls("localhost", |_| native_roots()).await;
        let AttemptOutcome::Unreachable { reason } = outcome else { panic!("must be unreachable: {outcome:?}") };
        assert!(reason.starts_with("tls: invalid peer certificate"), "{reason}");
    }

    #[tokio::test]
    async fn promise_8_a_trusted_certificate_for_another_name_is_refused() {
        let (outcome, _) = send_by_tls("127.0.0.1", this).await;
        let AttemptOutcome::Unreachable { reason } = outcome else { panic!("must be unreachable: {outcome:?}") };
        assert!(reason.contains("certificate not valid for name"), "{reason}");
    }

    #[tokio::test]
    async fn tls_asks_for_the_name_though_the_checked_address_is_dialled() {
        let (outcome, name) = send_by_tls("localhost", this).await;
        assert_eq!(outcome, AttemptOutcome::Accepted { status: 204 });
        assert_eq!(name.as_deref(), Some("localhost"));
    }
}
