//! An output in the making: the event as changed by the steps so far.
//!
//! A patch is checked here, whole, before anything of it counts; what breaks the contract is a [`Fault`] of the plugin.

use std::borrow::Cow;

use bytes::Bytes;

use crate::contract::{EventView, Fault, FaultClass, Overrides, Patch, PayloadView};
use crate::delivery::RequestParts;
use crate::event::{Event, EventType, Header, is_text};
use crate::limits::CallLimits;
use crate::ordering_key::OrderingKey;
use crate::request_header::{NAME_BYTES_MAX, VALUE_BYTES_MAX, check_value, checked_name};

/// Headers that one output may set.
pub const HEADERS_MAX: usize = 64;
/// Attributes that one output may carry.
pub const ATTRIBUTES_MAX: usize = 64;
/// Bytes of a content type.
const CONTENT_TYPE_BYTES_MAX: usize = 256;

/// An output in the making.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// 0, or the place of this output after a split.
    pub output: u32,
    /// What happened.
    pub event_type: EventType,
    /// Of the payload.
    pub content_type: String,
    /// The key that orders its deliveries, if any.
    pub ordering_key: Option<OrderingKey>,
    /// The payload; `None` while it is the event's.
    pub body: Option<Bytes>,
    /// Of the outgoing request, lower case.
    pub headers: Vec<Header>,
    /// For later steps and the trace.
    pub attributes: Vec<Header>,
}

impl Draft {
    /// The event as it came in.
    pub fn of(event: &Event) -> Self {
        Self {
            output: 0,
            event_type: event.event_type.clone(),
            content_type: event.content_type.clone(),
            ordering_key: event.ordering_key.clone(),
            body: None,
            headers: Vec::new(),
            attributes: Vec::new(),
        }
    }

    /// The payload: the event's, unless a step has set another.
    pub fn payload<'a>(&'a self, event: &'a Event) -> &'a Bytes {
        self.body.as_ref().unwrap_or(&event.body)
    }

    /// What a guest is shown. `headers` are the inbound ones that the step names.
    pub fn view<'a>(&'a self, event: &'a Event, ids: &'a ViewTexts, headers: &'a [Header]) -> EventView<'a> {
        let payload = self.payload(event);
        let text = if is_text(&self.content_type) { std::str::from_utf8(payload).ok() } else { None };
        EventView {
            id: &ids.id,
            output: self.output,
            event_type: self.event_type.as_str(),
            source: &event.source,
            content_type: &self.content_type,
            received_at: &ids.received_at,
            ordering_key: self.ordering_key.as_ref().map(OrderingKey::as_str),
            headers,
            attributes: &self.attributes,
            data: text.map_or(PayloadView::Binary(payload), PayloadView::Text),
        }
    }

    /// This draft with `patch` applied.
    ///
    /// # Errors
    /// A [`Fault`] names the first thing that breaks the contract or a limit.
    pub fn patched(&self, patch: Patch, limits: &CallLimits) -> Result<Self, Fault> {
        let mut draft = self.clone();
        if let Some(event_type) = patch.event_type {
            draft.event_type = event_type.parse().map_err(|e| breach(format!("event-type: {e}")))?;
        }
        if let Some(content_type) = patch.content_type {
            check_value(&content_type, CONTENT_TYPE_BYTES_MAX).map_err(|why| breach(format!("content-type: {why}")))?;
            draft.content_type = content_type;
        }
        if let Some(key) = patch.ordering_key {
            draft.ordering_key = Some(key.parse().map_err(|e| breach(format!("ordering-key: {e}")))?);
        }
        if let Some(data) = patch.data {
            if data.len() > limits.output_bytes {
                return Err(Fault::new(
                    FaultClass::Output,
                    format!("an output of {} bytes; the limit output_bytes_max is {}", data.len(), limits.output_bytes),
                ));
            }
            draft.body = Some(data);
        }
        for name in &patch.remove_headers {
            draft.headers.retain(|header| !header.name.eq_ignore_ascii_case(name));
        }
        for header in patch.set_headers {
            let header = checked_header(header)?;
            set(&mut draft.headers, header);
        }
        for attribute in patch.set_attributes {
            check_attribute(&attribute)?;
            set(&mut draft.attributes, attribute);
        }
        at_most("set-headers", draft.headers.len(), HEADERS_MAX)?;
        at_most("set-attributes", draft.attributes.len(), ATTRIBUTES_MAX)?;
        Ok(draft)
    }

    /// The outputs that `patches` make of this draft: one keeps its place, several are numbered from 1.
    ///
    /// # Errors
    /// A [`Fault`] if the list is empty, too long, or one of its patches breaks the contract.
    pub fn split(&self, patches: Vec<Patch>, limits: &CallLimits) -> Result<Vec<Self>, Fault> {
        let count = patches.len();
        if count == 0 {
            return Err(breach("a transform returned an empty list; answer drop with a reason"));
        }
        if count > limits.outputs {
            return Err(Fault::new(
                FaultClass::Output,
                format!("{count} outputs; the limit outputs_max is {}", limits.outputs),
            ));
        }
        patches.into_iter().map(|patch| self.patched(patch, limits)).collect()
    }

    /// What the request of this draft differs in from the plain event, with a target's overrides.
    ///
    /// # Errors
    /// A [`Fault`] if an override breaks the contract.
    pub fn request(&self, event: &Event, overrides: Overrides) -> Result<RequestParts, Fault> {
        Ok(RequestParts {
            event_type: differs(self.event_type.as_str(), event.event_type.as_str()),
            content_type: differs(&self.content_type, &event.content_type),
            method: overrides.method.map(checked_method).transpose()?,
            path: overrides.path.map(checked_path).transpose()?,
            query: overrides.query.map(checked_query).transpose()?,
            headers: self.headers.clone(),
            envelope: None,
        })
    }
}

/// Numbers the outputs of a finished pass by their place: 1 to N, or 0 for a list of one.
pub fn number_outputs(drafts: &mut [Draft]) {
    if drafts.len() == 1 {
        drafts[0].output = 0;
        return;
    }
    for (place, draft) in (1_u32..).zip(drafts) {
        draft.output = place;
    }
}

/// The texts of an event that every view of it shows; made once per pass.
#[derive(Clone, Debug)]
pub struct ViewTexts {
    id: String,
    received_at: String,
}

impl ViewTexts {
    /// The texts of `event`.
    pub fn of(event: &Event) -> Self {
        Self { id: event.id.to_string(), received_at: event.received_at.to_string() }
    }
}

/// The inbound headers of `event` that a step names.
pub fn named_headers<'a>(event: &'a Event, names: &[String]) -> Cow<'a, [Header]> {
    if event.headers.iter().all(|header| names.contains(&header.name)) {
        return Cow::Borrowed(&event.headers);
    }
    Cow::Owned(event.headers.iter().filter(|header| names.contains(&header.name)).cloned().collect())
}

fn breach(message: impl Into<String>) -> Fault {
    Fault::new(FaultClass::Contract, message)
}

fn differs(ours: &str, events: &str) -> Option<String> {
    (ours != events).then(|| ours.to_owned())
}

fn set(list: &mut Vec<Header>, item: Header) {
    match list.iter_mut().find(|known| known.name == item.name) {
        Some(known) => known.value = item.value,
        None => list.push(item),
    }
}

fn at_most(what: &str, count: usize, max: usize) -> Result<(), Fault> {
    if count > max { Err(breach(format!("{what}: {count} entries, at most {max}"))) } else { Ok(()) }
}

fn checked_header(header: Header) -> Result<Header, Fault> {
    let name = checked_name(&header.name).map_err(|why| breach(format!("set-headers: {why}")))?;
    check_value(&header.value, VALUE_BYTES_MAX).map_err(|why| breach(format!("{name}: {why}")))?;
    Ok(Header { name, value: header.value })
}

fn check_attribute(attribute: &Header) -> Result<(), Fault> {
    if attribute.name.is_empty() || attribute.name.len() > NAME_BYTES_MAX {
        return Err(breach(format!("set-attributes: {:?} is no name", clip(&attribute.name))));
    }
    if attribute.value.len() > VALUE_BYTES_MAX {
        return Err(breach(format!(
            "set-attributes: {:?} holds {} bytes, at most {VALUE_BYTES_MAX}",
            clip(&attribute.name),
            attribute.value.len()
        )));
    }
    Ok(())
}

fn checked_method(method: String) -> Result<String, Fault> {
    match method.as_str() {
        "POST" | "PUT" | "PATCH" | "DELETE" | "GET" => Ok(method),
        _ => Err(breach(format!("method: {:?} is none of POST, PUT, PATCH, DELETE, GET", clip(&method)))),
    }
}

/// A path stays below the destination's own: no `..`, no host, no query.
fn checked_path(path: String) -> Result<String, Fault> {
    let printable = path.bytes().all(|b| b.is_ascii_graphic());
    let climbs = path.split('/').any(|part| {
        let part = part.to_ascii_lowercase().replace("%2e", ".");
        part == "." || part == ".."
    });
    let encodes_a_slash = {
        let low = path.to_ascii_lowercase();
        low.contains("%2f") || low.contains("%5c")
    };
    if !printable || climbs || encodes_a_slash || path.contains(['?', '#', '\\']) || path.starts_with("//") {
        return Err(breach(format!("path: {:?} must stay below the destination's own path", clip(&path))));
    }
    Ok(path)
}

fn checked_query(query: String) -> Result<String, Fault> {
    if query.bytes().all(|b| b.is_ascii_graphic()) && !query.contains('#') {
        Ok(query)
    } else {
        Err(breach(format!("query: {:?} must be percent-encoded", clip(&query))))
    }
}

/// Enough of a guest's text to find it again.
fn clip(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::id::{EventId, TenantId};
    use crate::time::Timestamp;
    use uuid::Uuid;

    pub(crate) fn event() -> Event {
        Event {
            id: EventId::from_uuid(Uuid::from_u128(1)),
            tenant: TenantId::from_uuid(Uuid::from_u128(2)),
            source: "api".to_owned(),
            external_id: None,
            ordering_key: None,
            event_type: "order.created".parse().expect("a type"),
            content_type: "application/json".to_owned(),
            headers: vec![header("x-a", "1"), header("x-b", "2")],
            body: Bytes::from_static(b"{}"),
            received_at: Timestamp::from_ms(0),
        }
    }

    pub(crate) fn header(name: &str, value: &str) -> Header {
        Header { name: name.to_owned(), value: value.to_owned() }
    }

    fn patched(patch: Patch) -> Result<Draft, Fault> {
        Draft::of(&event()).patched(patch, &CallLimits::default())
    }

    #[test]
    fn an_empty_patch_changes_nothing() {
        let draft = patched(Patch::default()).expect("a patch");
        assert!(draft.body.is_none());
        assert!(draft.request(&event(), Overrides::default()).expect("no overrides").is_plain());
    }

    #[test]
    fn promise_8_a_plugin_cannot_set_a_header_of_the_host() {
        for name in ["webhook-signature", "Host", "CONTENT-LENGTH", "authorization", "te", "weft-event-type", "a b", ""]
        {
            let fault = patched(Patch { set_headers: vec![header(name, "x")], ..Patch::default() });
            assert_eq!(fault.expect_err(name).class, FaultClass::Contract);
        }
        let fault = patched(Patch { set_headers: vec![header("x-a", "1\r\nhost: b")], ..Patch::default() });
        assert!(fault.is_err(), "a line break must not smuggle in a header");
    }

    #[test]
    fn promise_8_an_override_stays_below_the_destinations_path() {
        for path in ["../admin", "a/%2e%2E/b", "//evil.example/", "a?b", "a\\b", "a#b", "a b", "a%2fb"] {
            let overrides = Overrides { path: Some(path.to_owned()), ..Overrides::default() };
            assert!(Draft::of(&event()).request(&event(), overrides).is_err(), "{path}");
        }
        let overrides = Overrides { path: Some("orders/7".to_owned()), ..Overrides::default() };
        assert!(Draft::of(&event()).request(&event(), overrides).is_ok());
    }

    #[test]
    fn promise_5_outputs_are_bounded_in_number_and_size() {
        let limits = CallLimits { outputs: 2, output_bytes: 4, ..CallLimits::default() };
        let draft = Draft::of(&event());
        assert_eq!(draft.split(vec![], &limits).expect_err("empty").class, FaultClass::Contract);
        let three = draft.split(vec![Patch::default(); 3], &limits);
        assert_eq!(three.expect_err("too many").class, FaultClass::Output);
        let long = Patch { data: Some(Bytes::from_static(b"12345")), ..Patch::default() };
        assert_eq!(draft.split(vec![long], &limits).expect_err("too long").class, FaultClass::Output);
    }

    #[test]
    fn promise_3_outputs_are_numbered_by_place_and_a_list_of_one_is_no_split() {
        let mut drafts = vec![Draft::of(&event()); 3];
        number_outputs(&mut drafts);
        assert_eq!(drafts.iter().map(|d| d.output).collect::<Vec<_>>(), [1, 2, 3]);
        number_outputs(&mut drafts[1..2]);
        assert_eq!(drafts[1].output, 0);
    }

    #[test]
    fn promise_4_a_patch_sets_the_key_and_a_bad_key_is_the_plugins_fault() {
        let mut event = event();
        event.ordering_key = Some("order-7".parse().expect("a key"));
        let draft = Draft::of(&event);
        let key_of = |patch| draft.patched(patch, &CallLimits::default()).map(|draft| draft.ordering_key);
        assert_eq!(key_of(Patch::default()), Ok(event.ordering_key.clone()), "an empty patch keeps it");
        let set = |key: &str| Patch { ordering_key: Some(key.to_owned()), ..Patch::default() };
        assert_eq!(key_of(set("customer-1")), Ok(Some("customer-1".parse().expect("a key"))));
        for bad in ["", "a\nb", &"k".repeat(257)] {
            let fault = key_of(set(bad)).expect_err("a fault");
            assert_eq!(fault.class, FaultClass::Contract);
            assert!(fault.message.starts_with("ordering-key: an ordering key "), "{fault}");
        }
        let texts = ViewTexts::of(&event);
        assert_eq!(draft.view(&event, &texts, &[]).ordering_key, Some("order-7"));
    }

    #[test]
    fn a_guest_sees_text_only_where_type_and_bytes_agree() {
        let mut event = event();
        let texts = ViewTexts::of(&event);
        let is_text_view =
            |event: &Event| matches!(Draft::of(event).view(event, &texts, &[]).data, PayloadView::Text(_));
        assert!(is_text_view(&event));
        event.body = Bytes::from_static(b"\xff");
        assert!(!is_text_view(&event));
        event.body = Bytes::from_static(b"{}");
        event.content_type = "application/octet-stream".to_owned();
        assert!(!is_text_view(&event));
    }

    #[test]
    fn promise_8_a_step_sees_only_the_headers_that_it_names() {
        let event = event();
        assert_eq!(named_headers(&event, &["x-b".to_owned()]).as_ref(), [header("x-b", "2")]);
        assert!(named_headers(&event, &[]).is_empty());
    }
}
