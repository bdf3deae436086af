//! Why a request is refused: RFC 9457 problems, one kind for each rule.
//!
//! This is the only place that knows status codes of refusals. A kind's word is stable: programs branch on it, metrics
//! count it. The detail names the header, field or limit, and says the way out.

use std::borrow::Cow;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use weft_client::wire::{PROBLEM_CONTENT_TYPE, PROBLEM_TYPE_PREFIX, Problem};
use weft_core::id::EventId;
use weft_store::StoreError;

/// One kind of refusal.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kind {
    word: &'static str,
    title: &'static str,
    status: StatusCode,
}

macro_rules! kinds {
    ($($name:ident = $word:literal, $title:literal, $status:ident;)+) => {
        $(pub(super) const $name: Kind = Kind { word: $word, title: $title, status: StatusCode::$status };)+

        #[cfg(test)]
        pub(super) const ALL: &[Kind] = &[$($name),+];
    };
}

kinds! {
    KEY_MISSING = "key-missing", "a key is needed", UNAUTHORIZED;
    KEY_UNKNOWN = "key-unknown", "the key is unknown", UNAUTHORIZED;
    NOT_ALLOWED = "not-allowed", "this key may not do that", FORBIDDEN;
    NOT_FOUND = "not-found", "there is no such thing", NOT_FOUND;
    METHOD_NOT_ALLOWED = "method-not-allowed", "the method does not fit the route", METHOD_NOT_ALLOWED;
    INVALID_HEADER = "invalid-header", "a header breaks its rule", UNPROCESSABLE_ENTITY;
    INVALID_PARAMETER = "invalid-parameter", "a parameter breaks its rule", UNPROCESSABLE_ENTITY;
    INVALID_BODY = "invalid-body", "the body does not fit the route", UNPROCESSABLE_ENTITY;
    CONTENT_TYPE_MISSING = "content-type-missing", "a content type is needed", UNSUPPORTED_MEDIA_TYPE;
    EVENT_TYPE_MISSING = "event-type-missing", "an event type is needed", UNPROCESSABLE_ENTITY;
    EVENT_TYPE_INVALID = "event-type-invalid", "the event type breaks its rule", UNPROCESSABLE_ENTITY;
    MALFORMED_JSON = "malformed-json", "the body is not JSON", BAD_REQUEST;
    BODY_TOO_LARGE = "body-too-large", "the body is too large", PAYLOAD_TOO_LARGE;
    BODY_TOO_SLOW = "body-too-slow", "the body took too long", REQUEST_TIMEOUT;
    BODY_INCOMPLETE = "body-incomplete", "the body did not arrive whole", BAD_REQUEST;
    IDEMPOTENCY_CONFLICT = "idempotency-conflict", "the key belongs to another body", CONFLICT;
    PLUGIN_CONFLICT = "plugin-conflict", "the plugin's state forbids it", CONFLICT;
    TENANT_OVERLOADED = "tenant-overloaded", "too much of this tenant waits at present", TOO_MANY_REQUESTS;
    OVERLOADED = "overloaded", "too much waits at present", SERVICE_UNAVAILABLE;
    STOPPING = "stopping", "the engine is stopping", SERVICE_UNAVAILABLE;
    STORE_UNAVAILABLE = "store-unavailable", "the store cannot do it at present", SERVICE_UNAVAILABLE;
    INTERNAL = "internal", "the engine failed", INTERNAL_SERVER_ERROR;
}

/// Seconds after which a refusal for want of room is worth another try: queues drain in less, and clients add their own wait.
const RETRY_AFTER_S: u16 = 1;

/// A refusal on its way to the caller.
#[derive(Debug)]
pub(super) struct Refusal {
    kind: &'static Kind,
    // Boxed: most requests succeed and should not pay for the size of a problem.
    problem: Box<Problem>,
}

impl Refusal {
    /// A refusal of `kind`; `detail` says what was wrong with this very request, and the way out.
    pub(super) fn new(kind: &'static Kind, detail: impl Into<String>) -> Self {
        let problem = Problem {
            kind: format!("{PROBLEM_TYPE_PREFIX}{}", kind.word),
            title: kind.title.to_owned(),
            status: kind.status.as_u16(),
            detail: detail.into(),
            ..Problem::default()
        };
        Self { kind, problem: Box::new(problem) }
    }

    /// The header, field, parameter or limit that it is about.
    pub(super) fn key(mut self, key: impl Into<String>) -> Self {
        self.problem.key = Some(key.into());
        self
    }

    /// The rule that was not kept.
    pub(super) fn rule(mut self, rule: impl Into<String>) -> Self {
        self.problem.rule = Some(rule.into());
        self
    }

    /// The event that was stored first.
    pub(super) fn event(mut self, id: EventId) -> Self {
        self.problem.event_id = Some(id.to_string());
        self
    }

    /// The place in the body; both count from 1.
    pub(super) fn at(mut self, line: usize, column: usize) -> Self {
        self.problem.line = Some(line);
        self.problem.column = Some(column);
        self
    }

    /// There is no `noun` of this `name` for this caller; whether another has one is not told.
    pub(super) fn no_such(noun: &str, name: &str) -> Self {
        Self::new(&NOT_FOUND, format!("there is no {noun} {name:?}"))
    }

    /// The word of the kind, for metrics.
    pub(super) const fn word(&self) -> &'static str {
        self.kind.word
    }
}

/// A failure of the store that nobody has logged yet.
impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "the store failed a request of the API");
        match error {
            StoreError::Unavailable { .. } | StoreError::Busy | StoreError::Closed => {
                Self::new(&STORE_UNAVAILABLE, error.to_string())
            }
            StoreError::Corrupt { .. } | StoreError::Unknown { .. } => {
                Self::new(&INTERNAL, "the store's content contradicts itself: look into the log and run `weft check`")
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.problem).expect("a problem holds only text and numbers");
        let mut response = (self.kind.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_CONTENT_TYPE));
        if self.kind.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS].contains(&self.kind.status) {
            headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
        }
        response
    }
}

/// The answer to a path that does not exist.
pub(super) async fn unknown_route(method: Method, uri: Uri) -> Refusal {
    Refusal::new(&NOT_FOUND, format!("there is no route {method} {}", shortened(uri.path())))
}

/// The answer to a path that exists with other methods, which the `allow` header of the answer lists.
pub(super) async fn wrong_method(method: Method, uri: Uri) -> Refusal {
    let path = shortened(uri.path());
    Refusal::new(&METHOD_NOT_ALLOWED, format!("{path} does not know {method}; the header allow says what it knows"))
}

/// Text of a caller, short enough to be quoted.
pub(super) fn shortened(text: &str) -> Cow<'_, str> {
    const QUOTED_CHARS_MAX: usize = 120;
    match text.char_indices().nth(QUOTED_CHARS_MAX) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_kind_has_a_word_of_its_own() {
        let words: HashSet<_> = ALL.iter().map(|kind| kind.word).collect();
        assert_eq!(words.len(), ALL.len());
        assert!(ALL.iter().all(|kind| kind.status.is_client_error() || kind.status.is_server_error()));
    }

    #[test]
    fn long_texts_of_callers_are_quoted_in_part() {
        assert_eq!(shortened("short"), "short");
        assert_eq!(shortened(&"ä".repeat(200)).chars().count(), 121);
    }
}
