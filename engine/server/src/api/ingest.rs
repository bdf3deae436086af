//! `POST /v1/events`: a request becomes an event, and is acknowledged once it is on disk.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use weft_client::wire::{Accepted, header};
use weft_core::event::{DedupeKey, Event, EventType, Header, NewEvent, is_json};
use weft_core::limits::{EVENT_BODY_BYTES, INGEST_BYTES, INGEST_EVENTS};
use weft_core::ordering_key::{InvalidOrderingKey, OrderingKey};
use weft_store::work::Ingested;

use super::SharedState;
use super::access::Access;
use super::body::{self, BodyLimit};
use super::health::Health;
use super::payload::{self, DEPTH_MAX, Found, Malformed};
use super::refusal::{
    CONTENT_TYPE_MISSING, EVENT_TYPE_INVALID, EVENT_TYPE_MISSING, IDEMPOTENCY_CONFLICT, INVALID_HEADER, MALFORMED_JSON,
    OVERLOADED, Refusal, STOPPING, STORE_UNAVAILABLE, TENANT_OVERLOADED, shortened,
};
use crate::catalog::Tenant;
use crate::clock::Clock;
use crate::telemetry::Metrics;
use crate::workers::intake::{Intake, IntakeError};
use crate::workers::room::{NoRoom, Place, Room};

/// The source of events that come in here.
const SOURCE: &str = "api";
/// Longest id or idempotency key of a sender: room for a UUID, a ULID or a hash with a prefix, and for an index.
const SENDER_KEY_BYTES_MAX: usize = 256;
/// Longest content type; the longest registered ones have 90 characters, and parameters follow.
const CONTENT_TYPE_BYTES_MAX: usize = 256;

/// What keeping events needs.
pub(super) struct Ingest {
    pub(super) intake: Intake,
    pub(super) room: Room,
    pub(super) clock: Clock,
    pub(super) event_body_bytes: usize,
    pub(super) watch: Watch,
}

/// Who is told how it went.
pub(super) struct Watch {
    pub(super) metrics: Arc<Metrics>,
    pub(super) health: Health,
}

/// Keeps an event; answers 202 only after the commit (promise 1).
pub(super) async fn keep(State(state): State<SharedState>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    match accept(&state, &parts, body).await {
        Ok(accepted) => (StatusCode::ACCEPTED, Json(accepted)).into_response(),
        Err(refusal) => {
            state.ingest.watch.metrics.request_refused(refusal.word());
            refusal.into_response()
        }
    }
}

async fn accept(state: &SharedState, parts: &Parts, body: Body) -> Result<Accepted, Refusal> {
    let access = Access::of(&parts.headers, state.catalog.snapshot())?;
    let tenant = access.one_tenant()?;
    // Everything that can be refused without the body is refused before it is read.
    let sent = SentHeaders::read(&parts.headers)?;
    let limit = BodyLimit { bytes: state.ingest.event_body_bytes, key: EVENT_BODY_BYTES.key };
    let mut place = state.ingest.room.enter(tenant.id).map_err(|error| no_room(error, tenant))?;
    let hold = |bytes| place.hold(bytes).map_err(|error| no_room(error, tenant));
    let body = body::read(&parts.headers, body, limit, hold).await?;
    let event_type = event_type(&sent, &body, &tenant.type_pointer)?;
    let new = state.ingest.event(tenant, &parts.headers, &sent, event_type, body);
    state.ingest.submit(new, place).await
}

impl Ingest {
    fn event(
        &self,
        tenant: &Tenant,
        headers: &HeaderMap,
        sent: &SentHeaders<'_>,
        event_type: EventType,
        body: Bytes,
    ) -> NewEvent {
        let dedupe = sent.dedupe_key().map(|key| DedupeKey { key, body_digest: Sha256::digest(&body).into() });
        let event = Event {
            id: self.clock.fresh(),
            tenant: tenant.id,
            source: SOURCE.to_owned(),
            external_id: sent.event_id.map(str::to_owned),
            ordering_key: sent.ordering_key.clone(),
            event_type,
            content_type: sent.content_type.to_owned(),
            headers: named_headers(&tenant.headers, headers),
            body,
            received_at: self.clock.now(),
        };
        NewEvent { event: Arc::new(event), dedupe }
    }

    async fn submit(&self, new: NewEvent, place: Place) -> Result<Accepted, Refusal> {
        let id = new.event.id;
        match self.intake.submit(new, place).await {
            Ok(Ingested::New | Ingested::Behind(_)) => Ok(Accepted { id: id.to_string(), duplicate: false }),
            Ok(Ingested::Duplicate(first)) => Ok(Accepted { id: first.to_string(), duplicate: true }),
            Ok(Ingested::Conflict(first)) => {
                let detail = format!("another body was accepted under this key, as {first}: use a key of its own");
                Err(Refusal::new(&IDEMPOTENCY_CONFLICT, detail).event(first).rule("one key, one body, for 24 hours"))
            }
            Err(IntakeError::Full) => {
                Err(Refusal::new(&OVERLOADED, "nothing was stored: too many events wait for the disk; try again"))
            }
            Err(IntakeError::Stopped) => Err(Refusal::new(&STOPPING, "nothing was stored; try again")),
            Err(IntakeError::Store(error)) => {
                // The writer has logged the cause.
                self.watch.health.commit_failed(self.clock.now());
                let detail = format!("nothing was acknowledged: {error}; try again under the same key");
                Err(Refusal::new(&STORE_UNAVAILABLE, detail))
            }
        }
    }
}

/// What the sender said about its event, beside the body.
struct SentHeaders<'a> {
    content_type: &'a str,
    event_type: Option<EventType>,
    event_id: Option<&'a str>,
    idempotency_key: Option<&'a str>,
    ordering_key: Option<OrderingKey>,
}

impl<'a> SentHeaders<'a> {
    fn read(headers: &'a HeaderMap) -> Result<Self, Refusal> {
        let event_type = match text(headers, header::EVENT_TYPE)? {
            Some(text) => Some(text.parse().map_err(|error| invalid_type(header::EVENT_TYPE, &error))?),
            None => None,
        };
        Ok(Self {
            content_type: content_type(headers)?,
            event_type,
            event_id: sender_key(headers, header::EVENT_ID)?,
            idempotency_key: sender_key(headers, header::IDEMPOTENCY_KEY)?,
            ordering_key: ordering_key(headers)?,
        })
    }

    /// What makes a second request the same event; the prefix keeps the two kinds apart.
    fn dedupe_key(&self) -> Option<String> {
        let idempotency = self.idempotency_key.map(|key| format!("k:{key}"));
        idempotency.or_else(|| self.event_id.map(|id| format!("e:{id}")))
    }
}

/// Nothing was stored, and the same request may succeed as soon as the disk has caught up.
fn no_room(error: NoRoom, tenant: &Tenant) -> Refusal {
    match error {
        NoRoom::OfTenant => {
            let detail =
                format!("nothing was stored: too much of {} waits for the disk already; try again", tenant.name);
            Refusal::new(&TENANT_OVERLOADED, detail)
                .rule(format!("a tenant may take half of {} and of {}", INGEST_EVENTS.key, INGEST_BYTES.key))
        }
        NoRoom::OfAll => {
            let detail = "nothing was stored: too much waits for the disk; try again";
            Refusal::new(&OVERLOADED, detail)
                .rule(format!("at most {} events of {} bytes", INGEST_EVENTS.key, INGEST_BYTES.key))
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Refusal::new(&INVALID_HEADER, format!("{name} was sent twice: send it once")).key(name));
    }
    let invalid = |_| Refusal::new(&INVALID_HEADER, format!("{name} holds more than visible ASCII")).key(name);
    value.to_str().map(Some).map_err(invalid)
}

fn sender_key<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, Refusal> {
    match text(headers, name)? {
        Some(key) if key.is_empty() || key.len() > SENDER_KEY_BYTES_MAX => {
            let detail =
                format!("{name} has {} characters: use 1 to {SENDER_KEY_BYTES_MAX}, or leave it out", key.len());
            let rule = format!("1 to {SENDER_KEY_BYTES_MAX} visible ASCII characters");
            Err(Refusal::new(&INVALID_HEADER, detail).key(name).rule(rule))
        }
        key => Ok(key),
    }
}

/// What keeps the event in order with others.
fn ordering_key(headers: &HeaderMap) -> Result<Option<OrderingKey>, Refusal> {
    let name = header::ORDERING_KEY;
    let invalid = |error: InvalidOrderingKey| {
        Refusal::new(&INVALID_HEADER, format!("{name}: {error}")).key(name).rule(OrderingKey::RULE)
    };
    text(headers, name)?.map(|text| text.parse().map_err(invalid)).transpose()
}

/// A content type is asked for, never guessed: it is stored with the event and told to every receiver.
fn content_type(headers: &HeaderMap) -> Result<&str, Refusal> {
    const RULE: &str = "a media type such as application/json";
    let name = CONTENT_TYPE.as_str();
    let Some(text) = text(headers, "content-type")? else {
        let detail = "the header content-type is missing: send content-type: application/json, or what the body is";
        return Err(Refusal::new(&CONTENT_TYPE_MISSING, detail).key(name).rule(RULE));
    };
    if text.len() > CONTENT_TYPE_BYTES_MAX || !is_media_type(text) {
        let detail =
            format!("content-type is {:?}: send content-type: application/json, or what the body is", shortened(text));
        return Err(Refusal::new(&INVALID_HEADER, detail).key(name).rule(RULE));
    }
    Ok(text)
}

/// Whether the part before the parameters is two tokens with a slash between (RFC 9110, section 8.3.1).
fn is_media_type(text: &str) -> bool {
    let is_token = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
    };
    let essence = text.split(';').next().unwrap_or_default().trim();
    essence.split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype))
}

/// The event's type: the header's, else the one in the payload. A payload that promises JSON is checked either way.
fn event_type(sent: &SentHeaders<'_>, body: &[u8], pointer: &str) -> Result<EventType, Refusal> {
    let asked = if sent.event_type.is_some() { None } else { Some(pointer) };
    if !is_json(sent.content_type) {
        return sent.event_type.clone().ok_or_else(|| type_missing_of_other(sent.content_type));
    }
    let found = std::str::from_utf8(body).map_err(|error| not_utf8(body, error.valid_up_to()));
    let found = found.and_then(|text| payload::find(text, asked).map_err(|error| malformed(&error)))?;
    match (&sent.event_type, found) {
        (Some(event_type), _) => Ok(event_type.clone()),
        (None, Found::Text(text)) => text.parse().map_err(|error| invalid_type(pointer, &error)),
        (None, Found::Other(what)) => {
            Err(type_missing(&format!("there is {what} at {pointer} of the payload"), pointer))
        }
        (None, Found::Nothing) => Err(type_missing(&format!("there is nothing at {pointer} of the payload"), pointer)),
    }
}

fn type_missing(what: &str, pointer: &str) -> Refusal {
    let detail = format!("{what}: send the header weft-event-type, or put a string there (type_pointer of the tenant)");
    Refusal::new(&EVENT_TYPE_MISSING, detail).key(pointer).rule("every event has a type")
}

fn type_missing_of_other(content_type: &str) -> Refusal {
    let detail = format!(
        "a payload of {:?} is not looked into: send the header weft-event-type, or content-type: application/json if it is JSON",
        shortened(content_type)
    );
    Refusal::new(&EVENT_TYPE_MISSING, detail).key(header::EVENT_TYPE).rule("every event has a type")
}

fn invalid_type(place: &str, error: &weft_core::event::InvalidEventType) -> Refusal {
    Refusal::new(&EVENT_TYPE_INVALID, format!("{place}: {error}")).key(place)
}

fn malformed(error: &Malformed) -> Refusal {
    const WAY_OUT: &str = "if it is not JSON, send another content-type and the header weft-event-type";
    let refusal = Refusal::new(&MALFORMED_JSON, format!("{error}; {WAY_OUT}")).key(CONTENT_TYPE.as_str());
    match error {
        Malformed::Grammar(error) => refusal.at(error.line(), error.column()),
        Malformed::TooDeep => refusal.rule(format!("at most {DEPTH_MAX} deep")),
    }
}

fn not_utf8(body: &[u8], valid: usize) -> Refusal {
    let before = &body[..valid];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    let detail = format!("invalid UTF-8 at line {line} column {column}; JSON is sent in UTF-8");
    Refusal::new(&MALFORMED_JSON, detail).at(line, column).key(CONTENT_TYPE.as_str())
}

/// Copies the headers that a step of the tenant names; what is not text is left out, guests see strings.
fn named_headers(names: &[String], headers: &HeaderMap) -> Vec<Header> {
    let named = |name: &'_ String| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.map(|value| Header { name: name.clone(), value: value.to_owned() }).collect::<Vec<_>>()
    };
    names.iter().flat_map(named).collect()
}
