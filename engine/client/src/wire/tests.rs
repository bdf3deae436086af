//! What is written is read back the same, and looks as programs in other languages rely on.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use weft_core::contract::{LogLevel, LogLine, Role};
use weft_core::delivery::RequestParts;
use weft_core::event::Header;
use weft_core::time::Timestamp;
use weft_core::trace::{Answer, RoleAnswer, StepTrace};

use super::*;

const AT: Timestamp = Timestamp::from_ms(1_700_000_000_123);
const SHOWN: &str = "2023-11-14T22:13:20.123Z";

/// Writes `value`, compares it with `shown`, and reads it back.
fn looks<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T, shown: Value) {
    assert_eq!(serde_json::to_value(value).expect("it can be written"), shown);
    let read: T = serde_json::from_value(shown).expect("it can be read");
    assert_eq!(&read, value);
}

#[test]
fn an_accepted_event_is_its_id_and_whether_it_was_there() {
    looks(&Accepted { id: "evt_1".to_owned(), duplicate: false }, json!({"id": "evt_1", "duplicate": false}));
}

#[test]
fn states_are_named_and_carry_what_belongs_to_them() {
    looks(
        &EventState::Received { passes: 1, due_at: AT, leased: false },
        json!({"name": "received", "passes": 1, "due_at": SHOWN, "leased": false}),
    );
    looks(&EventState::Routed { at: AT, deliveries: 2 }, json!({"name": "routed", "at": SHOWN, "deliveries": 2}));
    looks(
        &EventState::Dropped { at: AT, step: None, reason: "no-destination".to_owned() },
        json!({"name": "dropped", "at": SHOWN, "reason": "no-destination"}),
    );
    looks(
        &EventState::Dead {
            at: AT,
            step: Some("f".to_owned()),
            reason: "r".to_owned(),
            replayed_by: Some("rpl_1".to_owned()),
        },
        json!({"name": "dead", "at": SHOWN, "step": "f", "reason": "r", "replayed_by": "rpl_1"}),
    );
    for (state, word) in [
        (DeliveryState::Pending { due_at: AT, leased: true }, "pending"),
        (DeliveryState::Delivered { at: AT }, "delivered"),
        (DeliveryState::Dead { at: AT, reason: "gone".to_owned(), replayed_by: None }, "dead"),
        (DeliveryState::Dropped { at: AT, reason: "r".to_owned() }, "dropped"),
        (DeliveryState::Cancelled { at: AT, reason: "r".to_owned() }, "cancelled"),
    ] {
        assert_eq!(state.word(), word);
        let shown = serde_json::to_value(&state).expect("it can be written");
        assert_eq!(shown["name"], word);
        looks(&state, shown);
    }
}

#[test]
fn a_trace_reads_back_whole() {
    let header = |name: &str| Header { name: name.to_owned(), value: "v".to_owned() };
    let step = StepTrace {
        step: "keep".to_owned(),
        plugin: "operator/json-filter".to_owned(),
        version: "ab".repeat(32),
        output: 0,
        answers: vec![RoleAnswer { role: Role::Filter, answer: Answer::Dropped { reason: "small".to_owned() } }],
        took_us: 41,
        memory_bytes: 1_048_576,
        kv: Vec::new(),
        attributes: vec![header("region")],
        logs: vec![LogLine { level: LogLevel::Info, message: "hello".to_owned() }],
    };
    let pass = Pass {
        replay: Some("rpl_1".to_owned()),
        number: 1,
        result: "routed".to_owned(),
        started_at: AT,
        ended_at: AT,
        steps: vec![step],
        notes: vec!["crm is disabled".to_owned()],
    };
    let attempt = Attempt {
        number: 1,
        started_at: AT,
        took_us: 1_500,
        outcome: "rejected".to_owned(),
        status: Some(503),
        detail: "rejected with 503".to_owned(),
        retry_after_s: Some(30),
        response: Some(ResponseSample { headers: vec![header("server")], body: "busy".to_owned(), body_bytes: 4 }),
    };
    let delivery = Delivery {
        id: "dlv_1".to_owned(),
        webhook_id: "evt_1-2".to_owned(),
        replay: None,
        pass: 1,
        output: 2,
        destination: "crm".to_owned(),
        request: RequestParts { method: Some("PUT".to_owned()), ..RequestParts::default() },
        ordering_key: Some("customer-1".to_owned()),
        body_bytes: 7,
        planned_at: AT,
        ends_at: AT,
        state: DeliveryState::Pending { due_at: AT, leased: false },
        behind: true,
        attempts: vec![attempt],
    };
    let state = EventState::Routed { at: AT, deliveries: 1 };
    let event = Event {
        id: "evt_1".to_owned(),
        tenant: "shop".to_owned(),
        source: "api".to_owned(),
        external_id: Some("o-1".to_owned()),
        ordering_key: None,
        event_type: "order.created".to_owned(),
        content_type: "application/json".to_owned(),
        headers: vec![header("x-github-event")],
        body_bytes: 7,
        received_at: AT,
        replays: vec![Replay {
            id: "rpl_1".to_owned(),
            delivery: None,
            created_at: AT,
            state: state.clone(),
            behind: false,
        }],
        state,
        behind: false,
        passes: vec![pass],
        deliveries: vec![delivery],
    };
    let shown = serde_json::to_value(&event).expect("it can be written");
    assert_eq!(
        shown["passes"][0]["steps"][0]["answers"][0],
        json!({"role": "filter", "answer": "dropped", "reason": "small"})
    );
    assert_eq!(shown["deliveries"][0]["behind"], true);
    assert!(
        shown.get("behind").is_none() && shown.get("ordering_key").is_none(),
        "without a key nothing is said of order"
    );
    looks(&event, shown);
}

#[test]
fn a_reader_passes_over_fields_that_it_does_not_know() {
    let accepted: Accepted =
        serde_json::from_value(json!({"id": "evt_1", "duplicate": true, "later": 1})).expect("read");
    assert!(accepted.duplicate);
}

#[test]
fn a_wish_with_a_word_that_nobody_knows_is_refused_rather_than_misunderstood() {
    for wish in [
        json!({"all": true, "filter": {"destnation": "crm"}}),
        json!({"all": true, "kind": "event"}),
        json!({"ids": ["dlv_1"], "dryrun": true}),
    ] {
        assert!(serde_json::from_value::<ReplayRequest>(wish.clone()).is_err(), "{wish}");
    }
    assert!(serde_json::from_value::<ActivateRequest>(json!({"digest": "3f", "pin": true})).is_err());
}

#[test]
fn a_query_is_written_as_pairs_and_means_the_same_filter() {
    let query = DeadLetterQuery {
        destination: Some("crm".to_owned()),
        kind: Some(DeadLetterKind::Delivery),
        reason: Some("gone".to_owned()),
        since: Some(AT),
        until: Some(AT),
        include_replayed: true,
        limit: Some(5),
        cursor: Some("1_ab".to_owned()),
    };
    let mut as_json = serde_json::Map::new();
    for (name, value) in query.pairs() {
        let typed = match name {
            "limit" => json!(value.parse::<u32>().expect("a number")),
            "include_replayed" => json!(value == "true"),
            _ => json!(value),
        };
        as_json.insert(name.to_owned(), typed);
    }
    let read: DeadLetterQuery = serde_json::from_value(Value::Object(as_json)).expect("every pair is a field");
    assert_eq!(read, query);
    assert!(DeadLetterQuery::default().pairs().is_empty());
    let filter = serde_json::to_value(query.filter()).expect("it can be written");
    assert_eq!(
        filter,
        json!({"destination": "crm", "kind": "delivery", "reason": "gone", "since": SHOWN, "until": SHOWN})
    );
}

#[test]
fn results_and_statuses_stand_beside_what_they_belong_to() {
    looks(
        &ReplayResult { id: "dlv_1".to_owned(), verdict: ReplayVerdict::NotDead { state: "delivered".to_owned() } },
        json!({"id": "dlv_1", "result": "not-dead", "state": "delivered"}),
    );
    looks(
        &PluginVersion {
            digest: "ab".to_owned(),
            component_bytes: 9,
            first_seen_at: AT,
            state: VersionState::Ready { roles: vec![Role::Filter] },
            rolled_back: false,
        },
        json!({"digest": "ab", "component_bytes": 9, "first_seen_at": SHOWN, "state": "ready", "roles": ["filter"], "rolled_back": false}),
    );
    looks(
        &Destination {
            id: "dst_1".to_owned(),
            tenant: "shop".to_owned(),
            name: "crm".to_owned(),
            kind: "http".to_owned(),
            url: "https://example.com/".to_owned(),
            events: vec!["*".to_owned()],
            labels: Vec::new(),
            format: weft_core::envelope::BodyFormat::CloudeventsBinary,
            public_keys: vec!["whpk_abc".to_owned()],
            status: DestinationStatus::Disabled { reason: "gone".to_owned() },
            waiting_since: Some(AT),
        },
        json!({
            "id": "dst_1", "tenant": "shop", "name": "crm", "kind": "http", "url": "https://example.com/", "events": ["*"],
            "format": "cloudevents-binary", "public_keys": ["whpk_abc"],
            "status": "disabled", "reason": "gone", "waiting_since": SHOWN
        }),
    );
}

#[test]
fn a_problem_reads_as_one_line() {
    let problem = Problem {
        kind: format!("{PROBLEM_TYPE_PREFIX}body-too-large"),
        title: "the body is too large".to_owned(),
        status: 413,
        detail: "the body has 9 bytes: send less".to_owned(),
        key: Some("event_body_bytes_max".to_owned()),
        rule: Some("at most 5 bytes".to_owned()),
        ..Problem::default()
    };
    assert_eq!(problem.word(), "body-too-large");
    assert_eq!(problem.to_string(), "413 the body is too large: the body has 9 bytes: send less (at most 5 bytes)");
    looks(
        &problem,
        json!({
            "type": "urn:weft:problem:body-too-large", "title": "the body is too large", "status": 413,
            "detail": "the body has 9 bytes: send less", "key": "event_body_bytes_max", "rule": "at most 5 bytes"
        }),
    );
}

#[test]
fn promise_8_secrets_are_not_shown_by_debug() {
    let secrets = DestinationSecrets { secrets: vec!["whsec_abc".to_owned()], public_keys: Vec::new() };
    assert_eq!(format!("{secrets:?}"), "DestinationSecrets(1 of them)");
}
