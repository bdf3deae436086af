//! Requests that are not what they should be.

use weft_client::wire::Problem;
use weft_tests::{Answered, Destination, Receiver, Request, Site, Tenant, Weft, audit, order};

/// An engine with one good tenant, which must be none the worse for what it was sent.
struct Desk {
    receiver: Receiver,
    site: Site,
}

impl Desk {
    async fn open() -> Self {
        let receiver = Receiver::start().await;
        let tenant = |name| Tenant::named(name).sends_to(Destination::at("crm", &receiver));
        let site = Site::of([tenant("shop"), tenant("bank")]);
        Self { receiver, site }
    }

    fn event(&self, body: impl AsRef<[u8]>) -> Request {
        Request::event(&self.site.key("shop"), body)
    }

    /// Holds that a good event is delivered, and that it is the only one in the store.
    async fn close(&self, weft: Weft<'_>) {
        let shop = weft.tenant("shop");
        let id = shop.send(order(1)).await;
        shop.delivered(&id).await;
        weft.stop().await;
        let counted = audit(&self.site).await;
        assert_eq!((counted.events.routed, counted.events.received, counted.bodies), (1, 0, 1), "{counted:?}");
        assert_eq!(self.receiver.so_far().len(), 1);
    }
}

#[track_caller]
fn assert_problem(answered: &Answered, status: u16, word: &str, words: &[&str]) -> Problem {
    let problem = answered.problem();
    assert_eq!((problem.status, problem.word()), (status, word), "{answered:?}");
    for word in words {
        assert!(problem.detail.contains(word), "{word:?} is missing: {}", problem.detail);
    }
    problem
}

#[tokio::test]
async fn malformed_json_is_refused_with_line_and_column() {
    let desk = Desk::open().await;
    let weft = Weft::start(&desk.site).await;
    let cases = [
        ("{\"type\": \"a\",\n  oops}", 2, 3),
        ("", 1, 0),
        ("{\"type\": \"a\"", 1, 12),
        ("{\"type\": \"a\"} {}", 1, 15),
        ("{\"type\": \"a\",}", 1, 14),
        ("[1, 2,\n3,\n4", 3, 1),
    ];
    for (body, line, column) in cases {
        let answered = desk.event(body).send(weft.address()).await;
        let problem = assert_problem(&answered, 400, "malformed-json", &["another content-type"]);
        assert_eq!((problem.line, problem.column), (Some(line), Some(column)), "{body:?}: {}", problem.detail);
    }
    let answered = desk.event(b"{\"type\": \"a\",\n \"b\": \"\xff\"}").send(weft.address()).await;
    let problem = assert_problem(&answered, 400, "malformed-json", &["UTF-8"]);
    assert_eq!((problem.line, problem.column), (Some(2), Some(8)), "{}", problem.detail);
    let deep = format!("{}1{}", "[".repeat(200_000), "]".repeat(200_000));
    let answered = desk.event(deep).send(weft.address()).await;
    assert_problem(&answered, 400, "malformed-json", &["deep"]);
    desk.close(weft).await;
}

#[tokio::test]
async fn an_event_without_a_usable_type_is_refused_with_the_place_where_it_was_sought() {
    let desk = Desk::open().await;
    let weft = Weft::start(&desk.site).await;
    let cases = [
        (r#"{"data":{}}"#, "event-type-missing", "nothing at /type"),
        (r#"{"type":7}"#, "event-type-missing", "a number at /type"),
        (r#"{"type":null}"#, "event-type-missing", "null at /type"),
        (r#"{"type":{"a":1}}"#, "event-type-missing", "an object at /type"),
        (r#"["type"]"#, "event-type-missing", "nothing at /type"),
        (r#"{"type":"order created"}"#, "event-type-invalid", "/type"),
        (r#"{"type":""}"#, "event-type-invalid", "/type"),
    ];
    for (body, word, words) in cases {
        let answered = desk.event(body).send(weft.address()).await;
        let problem = assert_problem(&answered, 422, word, &[words]);
        assert_eq!(problem.key.as_deref(), Some("/type"), "{body}");
    }
    desk.close(weft).await;
}

#[tokio::test]
async fn a_header_that_breaks_its_rule_is_named() {
    let desk = Desk::open().await;
    let weft = Weft::start(&desk.site).await;
    let long = "k".repeat(257);
    let cases = [
        ("weft-event-type", "order created", "event-type-invalid"),
        ("idempotency-key", "", "invalid-header"),
        ("idempotency-key", &*long, "invalid-header"),
        ("weft-event-id", &*long, "invalid-header"),
        ("weft-ordering-key", "", "invalid-header"),
        ("weft-ordering-key", &*long, "invalid-header"),
        ("weft-ordering-key", "a\tb", "invalid-header"),
        ("weft-tenant", "Not A Name", "invalid-header"),
    ];
    for (name, value, word) in cases {
        let answered = desk.event(order(1)).header(name, value).send(weft.address()).await;
        let problem = assert_problem(&answered, 422, word, &[name]);
        assert_eq!(problem.key.as_deref(), Some(name));
    }
    let key = desk.site.key("shop");
    let bare = Request::new("POST", "/v1/events").key(&key).body(order(1));
    assert_problem(&bare.send(weft.address()).await, 415, "content-type-missing", &["content-type: application/json"]);
    let odd = bare.header("content-type", "json");
    assert_problem(&odd.send(weft.address()).await, 422, "invalid-header", &["content-type"]);
    let text = Request::new("POST", "/v1/events").key(&key).header("content-type", "text/plain").body("hello");
    assert_problem(&text.send(weft.address()).await, 422, "event-type-missing", &["weft-event-type"]);
    desk.close(weft).await;
}

#[tokio::test]
async fn an_event_for_the_wrong_tenant_is_refused() {
    let desk = Desk::open().await;
    let weft = Weft::start(&desk.site).await;
    let as_shop = desk.event(order(1)).header("weft-tenant", "bank");
    let answered = as_shop.send(weft.address()).await;
    let problem = assert_problem(&answered, 403, "not-allowed", &["shop's"]);
    assert_eq!(problem.key.as_deref(), Some("weft-tenant"));
    let operators = || Request::event(&desk.site.operator_key(), order(1));
    let unknown = operators().header("weft-tenant", "nobody").send(weft.address()).await;
    assert_problem(&unknown, 422, "invalid-header", &["there is no tenant nobody"]);
    let nobodys = operators().send(weft.address()).await;
    assert_problem(&nobodys, 422, "invalid-header", &["weft-tenant"]);
    desk.close(weft).await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_with_the_limits_name() {
    let desk = Desk::open().await;
    let weft = Weft::start(&desk.site).await;
    let body = |bytes: usize| format!("{{\"type\":\"big\",\"data\":\"{}\"}}", "x".repeat(bytes));
    let words = ["event_body_bytes_max", "1048576"];
    for bytes in [1 << 20, 4 << 20] {
        let answered = desk.event(body(bytes)).send(weft.address()).await;
        let problem = assert_problem(&answered, 413, "body-too-large", &words);
        assert_eq!(problem.key.as_deref(), Some("event_body_bytes_max"));
    }
    // Of unknown length: in chunks, the second of which is too much.
    let chunk = "x".repeat(600 << 10);
    let chunks = format!("{0:x}\r\n{chunk}\r\n{0:x}\r\n{chunk}\r\n0\r\n\r\n", chunk.len());
    let answered = Chunked { key: desk.site.key("shop"), chunks }.send(&weft).await;
    assert_problem(&answered, 413, "body-too-large", &words);
    desk.close(weft).await;
}

/// An event in chunks, written word for word.
struct Chunked {
    key: String,
    chunks: String,
}

impl Chunked {
    async fn send(&self, weft: &Weft<'_>) -> Answered {
        let request = Request::new("POST", "/v1/events").key(&self.key).header("content-type", "application/json");
        request.header("transfer-encoding", "chunked").raw_body(&self.chunks).send(weft.address()).await
    }
}

#[tokio::test]
async fn half_a_request_stores_nothing() {
    let desk = Desk::open().await;
    let weft = Weft::start(&desk.site).await;
    let body = order(7);
    for bytes in [0, 1, body.len() / 2, body.len() - 1] {
        let connection = desk.event(&body).begin(weft.address(), bytes).await;
        drop(connection);
    }
    // Broken off in good order: the sender stops, and listens for what is said to that.
    let answered = desk.event(&body).send_part(weft.address(), body.len() / 2).await;
    let problem = assert_problem(&answered, 400, "body-incomplete", &["nothing was stored"]);
    assert!(problem.detail.contains(&(body.len() / 2).to_string()), "{}", problem.detail);
    let broken = Chunked { key: desk.site.key("shop"), chunks: "not a length\r\n".to_owned() };
    assert_eq!(broken.send(&weft).await.status, 400);
    desk.close(weft).await;
}

#[tokio::test]
async fn a_route_or_method_that_is_not_there_is_named() {
    let desk = Desk::open().await;
    let weft = Weft::start(&desk.site).await;
    let key = desk.site.key("shop");
    let ask = async |method, path| Request::new(method, path).key(&key).send(weft.address()).await;
    let words = ["there is no route GET /v1/no-such"];
    assert_problem(&ask("GET", "/v1/no-such").await, 404, "not-found", &words);
    let answered = ask("DELETE", "/v1/events").await;
    assert_problem(&answered, 405, "method-not-allowed", &["DELETE", "allow"]);
    assert!(answered.head.contains("allow: post"), "{answered:?}");
    assert_problem(&ask("GET", "/v1/events/evt_1").await, 422, "invalid-parameter", &["evt_1"]);
    assert_problem(&ask("GET", "/v1/dead-letters?limit=0").await, 422, "invalid-parameter", &["limit"]);
    assert_problem(&ask("GET", "/v1/dead-letters?colour=red").await, 422, "invalid-parameter", &["colour"]);
    desk.close(weft).await;
}

#[tokio::test]
async fn a_body_with_unknown_missing_or_wrong_keys_is_refused_with_the_place() {
    let desk = Desk::open().await;
    let weft = Weft::start(&desk.site).await;
    let (key, operators) = (desk.site.key("shop"), desk.site.operator_key());
    let cases = [
        ("/v1/dead-letters/replay", &key, "{\n \"idz\": []}", "unknown field `idz`"),
        ("/v1/dead-letters/replay", &key, "{\"ids\": [7]}", "invalid type"),
        ("/v1/dead-letters/replay", &key, "{\"ids\": ", "EOF"),
        ("/v1/plugins/stamp/activate", &operators, "{}", "missing field `digest`"),
    ];
    for (path, key, body, words) in cases {
        let answered = Request::new("POST", path).key(key).body(body).send(weft.address()).await;
        let problem = assert_problem(&answered, 422, "invalid-body", &[words]);
        assert!(problem.line.is_some() && problem.column.is_some(), "{answered:?}");
    }
    let nothing = Request::new("POST", "/v1/dead-letters/replay").key(&key).body("{}").send(weft.address()).await;
    assert_problem(&nothing, 422, "invalid-body", &["nothing is named"]);
    desk.close(weft).await;
}

#[tokio::test]
async fn what_is_no_http_is_hung_up_on() {
    let desk = Desk::open().await;
    let weft = Weft::start(&desk.site).await;
    for words in [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], b"hello\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"] {
        let told = Request::say(weft.address(), words).await;
        assert!(told.is_empty() || told.starts_with("HTTP/1.1 4") || told.starts_with("HTTP/1.1 505"), "{told:?}");
    }
    desk.close(weft).await;
}
