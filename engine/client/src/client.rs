//! The client: one method for each route.

mod lines;
mod plugins;

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use url::{Host, Url};

use crate::error::ClientError;
use crate::wire::{
    Accepted, DeadLetterPage, DeadLetterQuery, Destination, DestinationSecrets, Destinations, Event,
    PROBLEM_CONTENT_TYPE, Readiness, ReplayReport, ReplayRequest, header,
};

/// From the call to the end of the answer if nothing is said; the longest calls replay ten thousand dead letters.
const CALL_TIME: Duration = Duration::from_secs(60);
/// To a connection: two lost SYN packets, which are sent again after 1 s and 3 s, are survived.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// Shorter than the engine keeps an idle connection (30 s), so that no call meets its closing.
const IDLE_TIME_MAX: Duration = Duration::from_secs(20);
/// How much of an answer that is no engine's an error quotes.
const QUOTED_CHARS_MAX: usize = 200;

/// How an engine is reached, and as whom.
#[derive(Clone)]
pub struct ClientOptions {
    /// Where the engine listens, e.g. `http://127.0.0.1:7411`; a path in it stands before every route.
    pub base_url: String,
    /// The operator's key or a tenant's; only the health routes answer without one.
    pub key: Option<String>,
    /// The name of the tenant for whom the operator acts.
    pub tenant: Option<String>,
    /// From the call to the end of the answer.
    pub timeout: Duration,
}

/// A client of one engine; cheap to clone, and clones share connections.
#[derive(Clone, Debug)]
pub struct Client {
    base_url: Url,
    timeout: Duration,
    // Holds the key in a header that is marked as sensitive, and shows it nowhere.
    http: reqwest::Client,
}

/// An event to send.
#[derive(Clone, Debug, Default)]
pub struct SendEvent {
    /// The payload.
    pub body: Bytes,
    /// Of the payload.
    pub content_type: String,
    /// What happened; without it the type is taken from the payload.
    pub event_type: Option<String>,
    /// The sender's own id.
    pub event_id: Option<String>,
    /// What makes a second request the same event.
    pub idempotency_key: Option<String>,
    /// What keeps it in order with others of the same key.
    pub ordering_key: Option<String>,
}

impl ClientOptions {
    /// The usual options for the engine at `base_url`.
    pub fn new(base_url: impl Into<String>, key: impl Into<String>) -> Self {
        Self { base_url: base_url.into(), key: Some(key.into()), tenant: None, timeout: CALL_TIME }
    }
}

/// Shows everything but the key.
impl fmt::Debug for ClientOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientOptions")
            .field("base_url", &self.base_url)
            .field("key", &self.key.as_ref().map(|_| "…"))
            .field("tenant", &self.tenant)
            .field("timeout", &self.timeout)
            .finish()
    }
}

impl SendEvent {
    /// An event with a payload of JSON.
    pub fn json(body: Bytes) -> Self {
        Self { body, content_type: "application/json".to_owned(), ..Self::default() }
    }
}

impl Client {
    /// Makes a client; nothing is dialled yet.
    ///
    /// # Errors
    /// [`ClientError::Option`] if an option breaks its rule, [`ClientError::Setup`] if this machine's TLS roots are unusable.
    pub fn new(options: ClientOptions) -> Result<Self, ClientError> {
        let ClientOptions { base_url, key, tenant, timeout } = options;
        let base_url = read_base_url(base_url)?;
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("weft-client/", env!("CARGO_PKG_VERSION")))
            .default_headers(default_headers(key, tenant)?)
            // An engine never redirects, and a key must not follow whoever does.
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIME_MAX)
            .pool_idle_timeout(IDLE_TIME_MAX)
            .timeout(timeout);
        if is_loopback(&base_url) {
            builder = builder.no_proxy();
        }
        if base_url.scheme() == "http" {
            // Plain HTTP needs no roots of trust, and a small container has none.
            builder = builder.tls_certs_only([]);
        }
        // reqwest takes the process's provider; if there is one already, it is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self { base_url, timeout, http: builder.build().map_err(ClientError::Setup)? })
    }

    /// Sends an event; when this returns, it is stored.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn send(&self, event: SendEvent) -> Result<Accepted, ClientError> {
        let mut request = self.request(Method::POST, &["v1", "events"]);
        request = request.header(CONTENT_TYPE, header_value("content type", &event.content_type)?);
        let named = [
            (header::EVENT_TYPE, "event type", event.event_type),
            (header::EVENT_ID, "event id", event.event_id),
            (header::IDEMPOTENCY_KEY, "idempotency key", event.idempotency_key),
            (header::ORDERING_KEY, "ordering key", event.ordering_key),
        ];
        for (name, key, value) in named {
            if let Some(value) = value {
                request = request.header(name, header_value(key, &value)?);
            }
        }
        self.json(request.body(event.body)).await
    }

    /// Everything that is known about the event `id`, or about the event of the delivery `id`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn event(&self, id: &str) -> Result<Event, ClientError> {
        self.json(self.request(Method::GET, &["v1", "events", id])).await
    }

    /// A page of what Weft has given up on.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn dead_letters(&self, query: &DeadLetterQuery) -> Result<DeadLetterPage, ClientError> {
        let mut url = self.url(&["v1", "dead-letters"]);
        let pairs = query.pairs();
        if !pairs.is_empty() {
            url.query_pairs_mut().extend_pairs(pairs);
        }
        self.json(self.http.get(url)).await
    }

    /// Asks for what is dead to be done again.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn replay(&self, wanted: &ReplayRequest) -> Result<ReplayReport, ClientError> {
        self.json(self.request(Method::POST, &["v1", "dead-letters", "replay"]).json(wanted)).await
    }

    /// All destinations.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn destinations(&self) -> Result<Destinations, ClientError> {
        self.json(self.request(Method::GET, &["v1", "destinations"])).await
    }

    /// Lets deliveries to a destination be made and sent.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn enable_destination(&self, name: &str) -> Result<Destination, ClientError> {
        self.json(self.request(Method::POST, &["v1", "destinations", name, "enable"])).await
    }

    /// Lets no deliveries to a destination be sent until it is enabled again; they are made, and held.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn pause_destination(&self, name: &str) -> Result<Destination, ClientError> {
        self.json(self.request(Method::POST, &["v1", "destinations", name, "pause"])).await
    }

    /// Lets no deliveries to a destination be made, and holds those that wait.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn disable_destination(&self, name: &str) -> Result<Destination, ClientError> {
        self.json(self.request(Method::POST, &["v1", "destinations", name, "disable"])).await
    }

    /// What a destination's receiver verifies with.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn destination_secrets(&self, name: &str) -> Result<DestinationSecrets, ClientError> {
        self.json(self.request(Method::GET, &["v1", "destinations", name, "secret"])).await
    }

    /// Finds out whether the engine lives; needs no key.
    ///
    /// # Errors
    /// [`ClientError`] if it does not.
    pub async fn healthy(&self) -> Result<(), ClientError> {
        let answer = self.call(self.request(Method::GET, &["healthz"])).await?;
        if answer.status.is_success() { Ok(()) } else { Err(answer.into_error()) }
    }

    /// Whether the engine can take work, and why not; needs no key.
    ///
    /// # Errors
    /// [`ClientError`] if it does not say.
    pub async fn ready(&self) -> Result<Readiness, ClientError> {
        let answer = self.call(self.request(Method::GET, &["readyz"])).await?;
        match answer.status {
            StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE => answer.read(),
            _ => Err(answer.into_error()),
        }
    }

    /// What the engine counts, as OpenMetrics text.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn metrics(&self) -> Result<String, ClientError> {
        let answer = self.call(self.request(Method::GET, &["metrics"])).await?;
        if answer.status.is_success() { Ok(answer.text()) } else { Err(answer.into_error()) }
    }

    fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.base_url.clone();
        // Names go in as segments, so that none of their characters can lead to another route.
        url.path_segments_mut().expect("the base URL is http or https").pop_if_empty().extend(segments);
        url
    }

    fn request(&self, method: Method, segments: &[&str]) -> RequestBuilder {
        self.http.request(method, self.url(segments))
    }

    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        let answer = self.call(request).await?;
        if answer.status.is_success() { answer.read() } else { Err(answer.into_error()) }
    }

    async fn call(&self, request: RequestBuilder) -> Result<Answer, ClientError> {
        let (url, response) = self.begin(request).await?;
        self.whole(url, response).await
    }

    async fn begin(&self, request: RequestBuilder) -> Result<(String, Response), ClientError> {
        let request = request.build().map_err(ClientError::Setup)?;
        let url = request.url().to_string();
        let response = self.http.execute(request).await.map_err(|error| self.no_answer(&url, error))?;
        Ok((url, response))
    }

    async fn whole(&self, url: String, response: Response) -> Result<Answer, ClientError> {
        let status = response.status();
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_problem = content_type.is_some_and(|value| value.starts_with(PROBLEM_CONTENT_TYPE));
        let body = response.bytes().await.map_err(|error| self.no_answer(&url, error))?;
        Ok(Answer { url, status, is_problem, body })
    }

    fn no_answer(&self, url: &str, error: reqwest::Error) -> ClientError {
        let source = error.without_url();
        if source.is_connect() {
            ClientError::Connect { url: self.base_url.as_str().trim_end_matches('/').to_owned(), source }
        } else if source.is_timeout() {
            ClientError::Timeout { url: url.to_owned(), after: self.timeout }
        } else {
            ClientError::Broken { url: url.to_owned(), source }
        }
    }
}

/// A whole answer.
struct Answer {
    url: String,
    status: StatusCode,
    is_problem: bool,
    body: Bytes,
}

impl Answer {
    fn read<T: DeserializeOwned>(self) -> Result<T, ClientError> {
        serde_json::from_slice(&self.body).map_err(|error| self.unexpected(Some(error)))
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn into_error(self) -> ClientError {
        if !self.is_problem {
            return self.unexpected(None);
        }
        match serde_json::from_slice(&self.body) {
            Ok(problem) => ClientError::Refused(Box::new(problem)),
            Err(error) => self.unexpected(Some(error)),
        }
    }

    fn unexpected(self, source: Option<serde_json::Error>) -> ClientError {
        let body = self.text().chars().take(QUOTED_CHARS_MAX).collect();
        ClientError::Unexpected { url: self.url, status: self.status.as_u16(), body, source }
    }
}

fn read_base_url(text: String) -> Result<Url, ClientError> {
    let refused = |value, rule| Err(ClientError::Option { key: "base URL", value, rule });
    match Url::parse(&text) {
        // What stands in a URL is shown in errors and logs.
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            refused("…@…".to_owned(), "must hold no user and password: the key goes with its own option")
        }
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none() => {
            Ok(url)
        }
        Ok(_) | Err(_) => refused(text, "must be an http or https URL without a query, e.g. http://127.0.0.1:7411"),
    }
}

/// A request to this very machine has no business with a proxy.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn default_headers(key: Option<String>, tenant: Option<String>) -> Result<HeaderMap, ClientError> {
    let mut headers = HeaderMap::new();
    if let Some(key) = key {
        let Ok(mut value) = HeaderValue::try_from(format!("Bearer {key}")) else {
            let rule = "must be visible ASCII without line breaks";
            return Err(ClientError::Option { key: "key", value: "…".to_owned(), rule });
        };
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    if let Some(tenant) = tenant {
        headers.insert(HeaderName::from_static(header::TENANT), header_value("tenant", &tenant)?);
    }
    Ok(headers)
}

fn header_value(key: &'static str, value: &str) -> Result<HeaderValue, ClientError> {
    let rule = "must be visible ASCII: it travels in a header";
    let refused = |_| ClientError::Option { key, value: value.chars().take(QUOTED_CHARS_MAX).collect(), rule };
    HeaderValue::from_str(value).map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::task::JoinHandle;

    /// Longer than a loopback needs even on a busy machine.
    const LONG: Duration = Duration::from_secs(30);
    const KEY: &str = "weft_op_verysecret";

    #[tokio::test]
    async fn an_event_is_sent_byte_for_byte_with_what_is_known_about_it() {
        let (url, seen) =
            answering(answer("202 Accepted", "application/json", r#"{"id":"evt_1","duplicate":true}"#)).await;
        let options =
            ClientOptions { tenant: Some("shop".to_owned()), ..ClientOptions::new(format!("{url}/base"), KEY) };
        let event = SendEvent {
            event_type: Some("order.created".to_owned()),
            event_id: Some("o-1".to_owned()),
            idempotency_key: Some("k-1".to_owned()),
            ordering_key: Some("customer-1".to_owned()),
            ..SendEvent::json(Bytes::from_static(b"{ \"a\" :1}"))
        };
        let accepted = client(options).send(event).await.expect("accepted");
        assert_eq!(accepted, Accepted { id: "evt_1".to_owned(), duplicate: true });
        let seen = seen.await.expect("a request");
        assert!(seen.starts_with("POST /base/v1/events HTTP/1.1\r\n"), "{seen}");
        for line in [
            "content-type: application/json",
            "weft-event-type: order.created",
            "weft-event-id: o-1",
            "idempotency-key: k-1",
            "weft-ordering-key: customer-1",
            "weft-tenant: shop",
            "authorization: Bearer weft_op_verysecret",
        ] {
            assert!(seen.contains(&format!("\r\n{line}\r\n")), "{line} is missing:\n{seen}");
        }
        assert!(seen.ends_with("\r\n\r\n{ \"a\" :1}"), "{seen}");
    }

    #[tokio::test]
    async fn names_and_parameters_cannot_lead_to_another_route() {
        let (url, seen) = answering(answer("200 OK", "application/json", r#"{"secrets":[]}"#)).await;
        at(&url).destination_secrets("a/b?c#d e").await.expect("secrets");
        let seen = seen.await.expect("a request");
        assert!(seen.starts_with("GET /v1/destinations/a%2Fb%3Fc%23d%20e/secret HTTP/1.1\r\n"), "{seen}");

        let (url, seen) = answering(answer("200 OK", "application/json", r#"{"letters":[]}"#)).await;
        let query =
            DeadLetterQuery { reason: Some("a&limit=1".to_owned()), limit: Some(7), ..DeadLetterQuery::default() };
        at(&url).dead_letters(&query).await.expect("a page");
        let seen = seen.await.expect("a request");
        assert!(seen.starts_with("GET /v1/dead-letters?reason=a%26limit%3D1&limit=7 HTTP/1.1\r\n"), "{seen}");
    }

    #[tokio::test]
    async fn a_refusal_is_the_engines_problem_in_words() {
        let problem = r#"{"type":"urn:weft:problem:not-found","title":"there is no such thing","status":404,"detail":"there is no event \"evt_1\"","added":"later"}"#;
        let (url, _seen) = answering(answer("404 Not Found", PROBLEM_CONTENT_TYPE, problem)).await;
        let error = at(&url).event("evt_1").await.expect_err("a refusal");
        assert_eq!(error.to_string(), "404 there is no such thing: there is no event \"evt_1\"");
        assert_eq!(error.problem().map(crate::wire::Problem::word), Some("not-found"));
    }

    #[tokio::test]
    async fn an_engine_that_is_not_there_is_named_with_what_to_try() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        drop(listener);
        let error = at(&url).plugins().await.expect_err("nobody listens");
        assert!(matches!(error, ClientError::Connect { .. }), "{error:?}");
        assert!(error.to_string().contains(&url) && error.to_string().contains("weft serve"), "{error}");
        assert!(!format!("{error:?}").contains(KEY), "{error:?}");
    }

    #[tokio::test]
    async fn an_answer_that_does_not_come_in_time_is_a_timeout() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        // The system takes the connection; nobody ever answers on it.
        let options = ClientOptions { timeout: Duration::from_millis(50), ..ClientOptions::new(url, KEY) };
        let error = client(options).destinations().await.expect_err("no answer");
        assert!(matches!(error, ClientError::Timeout { .. }), "{error:?}");
        assert!(error.to_string().contains("within 0.05 s"), "{error}");
    }

    #[tokio::test]
    async fn a_connection_that_breaks_off_is_not_taken_for_an_answer() {
        let half = "HTTP/1.1 202 Accepted\r\ncontent-length: 100\r\n\r\n{\"id\":\"evt_1\"";
        for sent in ["", half] {
            let (url, _seen) = answering(sent.to_owned()).await;
            let error = at(&url).send(SendEvent::json(Bytes::from_static(b"{}"))).await.expect_err("it broke off");
            assert!(matches!(error, ClientError::Broken { .. }), "{error:?}");
        }
    }

    #[tokio::test]
    async fn whoever_is_no_engine_is_quoted_and_not_followed_elsewhere() {
        let page = format!("<html>{}", "é".repeat(500));
        for status in ["200 OK", "302 Found\r\nlocation: http://127.0.0.1:1/", "502 Bad Gateway"] {
            let (url, _seen) = answering(answer(status, "text/html", &page)).await;
            let error = at(&url).destinations().await.expect_err("no engine");
            let ClientError::Unexpected { status: code, body, .. } = &error else { panic!("{error:?}") };
            assert!(status.starts_with(&code.to_string()));
            assert_eq!(body.chars().count(), QUOTED_CHARS_MAX);
        }
    }

    #[tokio::test]
    async fn an_engine_that_is_not_ready_says_why() {
        let (url, _seen) =
            answering(answer("503 Service Unavailable", "application/json", r#"{"ready":false,"reason":"starting"}"#))
                .await;
        let readiness = at(&url).ready().await.expect("an answer");
        assert_eq!(readiness, Readiness { ready: false, reason: Some("starting".to_owned()) });
    }

    #[test]
    fn promise_8_the_key_is_never_shown() {
        let options = ClientOptions::new("http://127.0.0.1:1", KEY);
        let shown = format!("{options:?} {:?}", client(options.clone()));
        assert!(!shown.contains("verysecret"), "{shown}");
        let refused =
            Client::new(ClientOptions::new("http://127.0.0.1:1", format!("{KEY}\n"))).expect_err("a line break");
        assert!(!format!("{refused} {refused:?}").contains("verysecret"), "{refused:?}");
        let refused = Client::new(ClientOptions::new("http://me:verysecret@127.0.0.1:1", KEY)).expect_err("a password");
        assert!(!format!("{refused} {refused:?}").contains("verysecret"), "{refused:?}");
    }

    #[test]
    fn a_base_url_that_leads_nowhere_is_refused_with_its_rule() {
        for text in ["", "127.0.0.1:7411", "ftp://127.0.0.1", "mailto:a@b", "http://a/?b", "http://a/#b"] {
            let refused = Client::new(ClientOptions::new(text, KEY)).expect_err("no base URL");
            assert!(refused.to_string().contains("must be an http or https URL"), "{text}: {refused}");
        }
        assert!(Client::new(ClientOptions::new("https://weft.example.org/engine/", KEY)).is_ok());
    }

    fn at(url: &str) -> Client {
        client(ClientOptions::new(url, KEY))
    }

    fn client(options: ClientOptions) -> Client {
        Client::new(options).expect("a client")
    }

    fn answer(status: &str, content_type: &str, body: &str) -> String {
        format!("HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    }

    /// Listens for one request, writes `answer` as it is, hangs up, and tells what the request was.
    async fn answering(answer: String) -> (String, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let seen = tokio::spawn(tokio::time::timeout(LONG, async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut seen = Vec::new();
            while !is_whole(&seen) {
                assert_ne!(stream.read_buf(&mut seen).await.expect("a request"), 0, "half a request");
            }
            stream.write_all(answer.as_bytes()).await.expect("written");
            String::from_utf8(seen).expect("text")
        }));
        (url, tokio::spawn(async { seen.await.expect("no panic").expect("a request in time") }))
    }

    fn is_whole(request: &[u8]) -> bool {
        let text = String::from_utf8_lossy(request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        body.len() >= length.map_or(0, |length| length.parse().expect("a number"))
    }
}
