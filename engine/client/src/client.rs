//! The client: one method for each route.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use url::{Host, Url};

use crate::error::ClientError;
use crate::wire::{
    Accepted, ActivateRequest, DeadLetterPage, DeadLetterQuery, Destination, DestinationSecrets, Destinations, Event,
    PROBLEM_CONTENT_TYPE, PluginChange, PluginFolder, Plugins, Readiness, ReplayReport, ReplayRequest, header,
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

    /// All plugins with their versions.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn plugins(&self) -> Result<Plugins, ClientError> {
        self.json(self.request(Method::GET, &["v1", "plugins"])).await
    }

    /// Makes a version of a plugin active.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn activate_plugin(&self, name: &str, wanted: &ActivateRequest) -> Result<PluginChange, ClientError> {
        self.json(self.request(Method::POST, &["v1", "plugins", name, "activate"]).json(wanted)).await
    }

    /// Goes back to the version of a plugin that was active before.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn roll_back_plugin(&self, name: &str) -> Result<PluginChange, ClientError> {
        self.json(self.request(Method::POST, &["v1", "plugins", name, "rollback"])).await
    }

    /// Has every file of the plugin folder read again.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn reload_plugins(&self) -> Result<PluginFolder, ClientError> {
        self.json(self.request(Method::POST, &["v1", "plugins", "reload"])).await
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
        let request = request.build().map_err(ClientError::Setup)?;
        let url = request.url().to_string();
        let response = self.http.execute(request).await.map_err(|error| self.no_answer(&url, error))?;
        let status = response.status();
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_problem = content_type.is_some_and(|value| value.starts_with(PROBLEM_CONTENT_TYPE));
        let body = response.bytes().await.map_err(|error| self.no_answer(&url, error))?;
        Ok(Answer { url, status, is_problem, body })
    }

    fn no_answer(&self, url: &str, error: reqwest::Error) -> ClientError {
        let source = error.without_url();
        if source.is_connect() {
            ClientError::Connect { url: self.base_url.to_string(), source }
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
