//! What surrounds the payload in the body of a request, where a destination wants more than the payload itself.
//!
//! A format is made of what does not change between attempts, so that every attempt of a delivery carries the same bytes; a released one
//! never changes. What it needs of the event, and the format itself, is pinned when the delivery is planned: another configuration
//! changes later deliveries only.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::event::{Event, Header, is_json};
use crate::id::{EventId, webhook_id};
use crate::sign::SigningSecret;
use crate::time::Timestamp;

/// What the body of a request looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BodyFormat {
    /// The payload, byte for byte.
    #[default]
    Raw,
    /// JSON with `type`, `timestamp` and `data`, as the Standard Webhooks specification advises.
    Standard,
    /// A CloudEvent 1.0 in the JSON format, whole in the body.
    Cloudevents,
    /// The payload, with a CloudEvent's attributes in headers.
    CloudeventsBinary,
    /// JSON with `id`, `event_type`, `payload`, `timestamp` and a signature over the rest.
    WebhookDo,
}

/// Why a text is not a [`BodyFormat`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not \"raw\", \"standard\", \"cloudevents\", \"cloudevents-binary\" or \"webhook-do\"")]
pub struct InvalidBodyFormat(String);

impl BodyFormat {
    const ALL: [Self; 5] = [Self::Raw, Self::Standard, Self::Cloudevents, Self::CloudeventsBinary, Self::WebhookDo];

    /// The word for it in the configuration and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Standard => "standard",
            Self::Cloudevents => "cloudevents",
            Self::CloudeventsBinary => "cloudevents-binary",
            Self::WebhookDo => "webhook-do",
        }
    }
}

impl FromStr for BodyFormat {
    type Err = InvalidBodyFormat;

    fn from_str(text: &str) -> Result<Self, InvalidBodyFormat> {
        Self::ALL.into_iter().find(|it| it.as_str() == text).ok_or_else(|| InvalidBodyFormat(text.to_owned()))
    }
}

impl fmt::Display for BodyFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A format with what it needs of the event beside what every delivery has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The format; never raw, which needs no envelope.
    pub format: BodyFormat,
    /// How the event came in.
    pub source: String,
    /// When the event was accepted, in milliseconds since the Unix epoch.
    pub accepted_ms: i64,
}

/// What goes into an envelope.
#[derive(Clone, Copy, Debug)]
pub struct Content<'a> {
    /// The event that it came from.
    pub event: EventId,
    /// 0, or the place of the output after a split.
    pub output: u32,
    /// The output's type.
    pub event_type: &'a str,
    /// The payload's type.
    pub content_type: &'a str,
    /// The payload.
    pub payload: &'a Bytes,
}

/// What a request carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enveloped {
    /// The exact bytes of the body.
    pub body: Bytes,
    /// The body's type.
    pub content_type: String,
    /// Headers of the format.
    pub headers: Vec<Header>,
}

impl Envelope {
    /// What surrounds the outputs of `event` in this format; nothing if that is raw.
    pub fn of(format: BodyFormat, event: &Event) -> Option<Self> {
        let envelope = || Self { format, source: event.source.clone(), accepted_ms: event.received_at.as_ms() };
        (format != BodyFormat::Raw).then(envelope)
    }

    /// Puts `content` into the envelope; a format with a signature of its own signs with `secret`.
    pub fn around(&self, content: &Content<'_>, secret: Option<&SigningSecret>) -> Enveloped {
        match self.format {
            BodyFormat::Raw => Enveloped {
                body: content.payload.clone(),
                content_type: content.content_type.to_owned(),
                headers: Vec::new(),
            },
            BodyFormat::Standard => of_json("application/json", &self.standard(content)),
            BodyFormat::Cloudevents => of_json("application/cloudevents+json", &self.cloud_event(content)),
            BodyFormat::CloudeventsBinary => Enveloped {
                body: content.payload.clone(),
                content_type: content.content_type.to_owned(),
                headers: self.attributes(content),
            },
            BodyFormat::WebhookDo => self.webhook_do(content, secret),
        }
    }

    const fn accepted_at(&self) -> Timestamp {
        Timestamp::from_ms(self.accepted_ms)
    }

    fn standard<'a>(&self, content: &Content<'a>) -> Standard<'a> {
        Standard {
            event_type: content.event_type,
            timestamp: self.accepted_at().to_string(),
            data: Data::of(content.content_type, content.payload),
        }
    }

    fn cloud_event<'a>(&self, content: &Content<'a>) -> CloudEvent<'a> {
        let (data, data_base64) = match Data::of(content.content_type, content.payload) {
            Data::Base64(encoded) => (None, Some(encoded)),
            // In a CloudEvent, data of a JSON type is a JSON value, so a text of that type would be read as another thing.
            Data::Text(text) if is_json(content.content_type) => (None, Some(STANDARD.encode(text))),
            data @ (Data::Json(_) | Data::Text(_)) => (Some(data), None),
        };
        CloudEvent {
            specversion: SPEC_VERSION,
            id: webhook_id(content.event, content.output),
            source: self.source_reference(),
            event_type: content.event_type,
            time: self.accepted_at().to_string(),
            datacontenttype: content.content_type,
            data,
            data_base64,
        }
    }

    /// The attributes of a CloudEvent as headers (HTTP protocol binding, section 3.1).
    fn attributes(&self, content: &Content<'_>) -> Vec<Header> {
        let attributes = [
            ("ce-specversion", SPEC_VERSION.to_owned()),
            ("ce-id", webhook_id(content.event, content.output)),
            ("ce-source", self.source_reference()),
            ("ce-type", content.event_type.to_owned()),
            ("ce-time", self.accepted_at().to_string()),
        ];
        let header = |(name, value): (&str, String)| Header { name: name.to_owned(), value: percent_encoded(&value) };
        attributes.into_iter().map(header).collect()
    }

    /// The source as a reference, which an attribute `source` must be.
    fn source_reference(&self) -> String {
        format!("/{}", self.source)
    }

    fn webhook_do(&self, content: &Content<'_>, secret: Option<&SigningSecret>) -> Enveloped {
        let part = match content.output {
            0 => String::new(),
            n => format!("-{n}"),
        };
        let unsigned = WebhookDo {
            id: format!("wh_{}{part}", content.event.uuid()),
            event_type: content.event_type,
            payload: Data::of(content.content_type, content.payload),
            timestamp: self.accepted_at().as_seconds(),
        };
        let mut enveloped = of_json("application/json", &unsigned);
        if let Some(secret) = secret {
            let signature = secret.hex_hmac(&enveloped.body);
            let open = enveloped.body.strip_suffix(b"}").unwrap_or_default();
            enveloped.body = [open, b",\"signature\":\"sha256=", signature.as_bytes(), b"\"}"].concat().into();
        }
        enveloped
    }
}

/// Of CloudEvents.
const SPEC_VERSION: &str = "1.0";

#[derive(Serialize)]
struct Standard<'a> {
    #[serde(rename = "type")]
    event_type: &'a str,
    timestamp: String,
    data: Data<'a>,
}

#[derive(Serialize)]
struct CloudEvent<'a> {
    specversion: &'static str,
    id: String,
    source: String,
    #[serde(rename = "type")]
    event_type: &'a str,
    time: String,
    datacontenttype: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Data<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_base64: Option<String>,
}

#[derive(Serialize)]
struct WebhookDo<'a> {
    id: String,
    event_type: &'a str,
    payload: Data<'a>,
    timestamp: i64,
}

/// A payload as JSON can hold it.
#[derive(Serialize)]
#[serde(untagged)]
enum Data<'a> {
    /// It is JSON: as it came.
    Json(&'a RawValue),
    /// It is text, whatever it calls itself.
    Text(&'a str),
    /// It is neither.
    Base64(String),
}

impl<'a> Data<'a> {
    fn of(content_type: &str, payload: &'a [u8]) -> Self {
        let json = if is_json(content_type) { serde_json::from_slice(payload).ok() } else { None };
        match (json, std::str::from_utf8(payload)) {
            (Some(json), _) => Self::Json(json),
            (None, Ok(text)) => Self::Text(text),
            (None, Err(_)) => Self::Base64(STANDARD.encode(payload)),
        }
    }
}

fn of_json(content_type: &str, value: &impl Serialize) -> Enveloped {
    let body = serde_json::to_vec(value).expect("texts, numbers and JSON that has been read always serialise");
    Enveloped { body: body.into(), content_type: content_type.to_owned(), headers: Vec::new() }
}

/// The value of a CloudEvent's header: what is not printable ASCII, the space, `"` and `%` are percent-encoded.
fn percent_encoded(value: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_graphic() && byte != b'"' && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a string takes all that is written to it");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn around(format: &str, output: u32, content_type: &str, payload: &[u8]) -> Enveloped {
        let format = format.parse().expect("a format");
        let envelope = Envelope { format, source: "api".to_owned(), accepted_ms: 1_614_265_330_007 };
        let payload = Bytes::copy_from_slice(payload);
        let event = EventId::from_uuid(Uuid::from_u128(0x0188_bac7_4afa_78aa_bc3b_bd1e_ef28_d881));
        let content = Content { event, output, event_type: "order.created", content_type, payload: &payload };
        let secret = SigningSecret::from_bytes(b"0123456789abcdef0123456789abcdef".to_vec()).expect("32 bytes");
        envelope.around(&content, Some(&secret))
    }

    fn body(format: &str, content_type: &str, payload: &[u8]) -> String {
        String::from_utf8(around(format, 0, content_type, payload).body.to_vec()).expect("JSON is text")
    }

    const JSON: &str = "application/json; charset=utf-8";

    #[test]
    fn promise_3_a_standard_body_holds_the_payloads_own_bytes() {
        assert_eq!(
            body("standard", JSON, b" {\"a\" : 1.10, \"b\":12345678901234567890123}\n"),
            "{\"type\":\"order.created\",\"timestamp\":\"2021-02-25T15:02:10.007Z\",\
             \"data\":{\"a\" : 1.10, \"b\":12345678901234567890123}}"
        );
    }

    #[test]
    fn what_is_not_json_goes_in_as_text_and_what_is_no_text_as_base64() {
        let data = |content_type, payload: &[u8]| {
            let body: serde_json::Value = serde_json::from_str(&body("standard", content_type, payload)).expect("JSON");
            body["data"].clone()
        };
        assert_eq!(data("text/plain", b"say \"hi\"\n"), "say \"hi\"\n");
        assert_eq!(data(JSON, b"{\"a\":"), "{\"a\":", "it calls itself JSON and is none");
        assert_eq!(data("image/png", b"\xff\x00"), "/wA=");
        assert_eq!(data(JSON, b""), "");
    }

    #[test]
    fn a_cloud_event_in_the_body_has_the_webhook_id_and_one_form_of_data() {
        assert_eq!(
            body("cloudevents", JSON, b"{}"),
            "{\"specversion\":\"1.0\",\"id\":\"evt_01h2xcejqtf2nbrexx3vqjhp41\",\"source\":\"/api\",\
             \"type\":\"order.created\",\"time\":\"2021-02-25T15:02:10.007Z\",\
             \"datacontenttype\":\"application/json; charset=utf-8\",\"data\":{}}"
        );
        assert!(body("cloudevents", "text/plain", b"hi").ends_with(r#""datacontenttype":"text/plain","data":"hi"}"#));
        assert!(body("cloudevents", "image/png", b"\xff").ends_with(r#""data_base64":"/w=="}"#));
        assert!(body("cloudevents", JSON, b"hi").ends_with(r#""data_base64":"aGk="}"#), "data would be read as JSON");
        assert_eq!(around("cloudevents", 2, JSON, b"{}").content_type, "application/cloudevents+json");
    }

    #[test]
    fn a_binary_cloud_event_has_its_attributes_in_headers_and_the_payload_as_it_came() {
        let enveloped = around("cloudevents-binary", 3, "image/png", b"\xff");
        assert_eq!((&enveloped.body[..], &*enveloped.content_type), (&b"\xff"[..], "image/png"));
        let headers: Vec<_> = enveloped.headers.iter().map(|it| (it.name.as_str(), it.value.as_str())).collect();
        assert_eq!(
            headers,
            [
                ("ce-specversion", "1.0"),
                ("ce-id", "evt_01h2xcejqtf2nbrexx3vqjhp41-3"),
                ("ce-source", "/api"),
                ("ce-type", "order.created"),
                ("ce-time", "2021-02-25T15:02:10.007Z"),
            ]
        );
    }

    /// The vector of the CloudEvents specification's HTTP binding, section 3.1.3.2.
    #[test]
    fn a_cloud_events_header_is_percent_encoded() {
        assert_eq!(percent_encoded("Euro € 😀"), "Euro%20%E2%82%AC%20%F0%9F%98%80");
        assert_eq!(percent_encoded("100% \"sure\""), "100%25%20%22sure%22");
    }

    #[test]
    fn promise_3_a_webhook_do_body_ends_in_a_signature_over_all_the_rest() {
        let text = String::from_utf8(around("webhook-do", 2, JSON, b"{\"n\":1}").body.to_vec()).expect("text");
        let (rest, signature) = text.split_once(",\"signature\":\"sha256=").expect("a signature");
        let signed = format!("{rest}}}");
        assert_eq!(
            signed,
            "{\"id\":\"wh_0188bac7-4afa-78aa-bc3b-bd1eef28d881-2\",\"event_type\":\"order.created\",\
             \"payload\":{\"n\":1},\"timestamp\":1614265330}"
        );
        // openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
        assert_eq!(signature, "e6849bac8ee160a47a8330e0d21c7764952212b95acfd3d5446ffe3b9732b51c\"}");
    }

    #[test]
    fn a_raw_format_needs_no_envelope() {
        let event = crate::draft::tests::event();
        assert_eq!(Envelope::of(BodyFormat::Raw, &event), None);
        let pinned = Envelope::of(BodyFormat::Standard, &event).expect("an envelope");
        let json = serde_json::to_string(&pinned).expect("JSON");
        assert_eq!(json, r#"{"format":"standard","source":"api","accepted_ms":0}"#);
        for format in BodyFormat::ALL {
            assert_eq!(format.to_string().parse(), Ok(format));
            assert_eq!(serde_json::to_value(format).expect("JSON"), format.as_str(), "one word everywhere");
        }
    }
}
