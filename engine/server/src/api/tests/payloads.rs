//! What is refused at the door, and how: each refusal names the header or place and the rule.

use super::served::{SHOP, Sent, Served};

#[tokio::test]
async fn a_request_that_breaks_a_rule_is_told_which_one_and_stores_nothing() {
    let served = Served::alone().await;
    let bare = || Sent::to("POST", "/v1/events").key(SHOP);
    let json = |body: &str| Sent::event(body.as_bytes());
    let good = r#"{"type":"a"}"#;
    let long = "k".repeat(257);
    for (what, sent, status, word, key) in [
        ("cut off", json(r#"{"type":"a""#), 400, "malformed-json", "content-type"),
        ("no JSON", json("type=a"), 400, "malformed-json", "content-type"),
        ("empty", json(""), 400, "malformed-json", "content-type"),
        ("two values", json("{} {}"), 400, "malformed-json", "content-type"),
        ("not UTF-8", Sent::event(b"{\"type\":\"\xff\"}"), 400, "malformed-json", "content-type"),
        ("too deep", json(&"[".repeat(200)), 400, "malformed-json", "content-type"),
        ("broken, with a type", json("{").header("weft-event-type", "a"), 400, "malformed-json", "content-type"),
        ("no type", json("{}"), 422, "event-type-missing", "/type"),
        ("a number as type", json(r#"{"type":7}"#), 422, "event-type-missing", "/type"),
        ("a bad type", json(r#"{"type":"new order"}"#), 422, "event-type-invalid", "/type"),
        (
            "a bad type header",
            json(good).header("weft-event-type", "new order"),
            422,
            "event-type-invalid",
            "weft-event-type",
        ),
        ("no content type", bare().body(good), 415, "content-type-missing", "content-type"),
        ("a bad content type", bare().header("content-type", "json").body(good), 422, "invalid-header", "content-type"),
        (
            "what curl -d says",
            bare().header("content-type", "application/x-www-form-urlencoded").body(good),
            422,
            "event-type-missing",
            "weft-event-type",
        ),
        (
            "an empty ordering key",
            json(good).header("weft-ordering-key", ""),
            422,
            "invalid-header",
            "weft-ordering-key",
        ),
        (
            "a long ordering key",
            json(good).header("weft-ordering-key", &long),
            422,
            "invalid-header",
            "weft-ordering-key",
        ),
        ("a tab in a key", json(good).header("weft-ordering-key", "a\tb"), 422, "invalid-header", "weft-ordering-key"),
        (
            "two ordering keys",
            json(good).header("weft-ordering-key", "1").header("weft-ordering-key", "2"),
            422,
            "invalid-header",
            "weft-ordering-key",
        ),
        ("an empty key", json(good).header("idempotency-key", ""), 422, "invalid-header", "idempotency-key"),
        ("a long key", json(good).header("idempotency-key", &long), 422, "invalid-header", "idempotency-key"),
        ("a long id", json(good).header("weft-event-id", &long), 422, "invalid-header", "weft-event-id"),
        ("an id of bytes", json(good).header("weft-event-id", "größe"), 422, "invalid-header", "weft-event-id"),
        (
            "two ids",
            json(good).header("weft-event-id", "1").header("weft-event-id", "2"),
            422,
            "invalid-header",
            "weft-event-id",
        ),
        ("a large body", Sent::event(vec![b' '; 65_537]), 413, "body-too-large", "event_body_bytes_max"),
    ] {
        let answer = served.send(sent).await;
        assert_eq!(answer.refused(), (status, word.to_owned(), key.to_owned()), "{what}: {answer:?}");
    }
    assert_eq!(served.stop().await.events, Default::default());
}

#[tokio::test]
async fn malformed_json_is_refused_with_its_line_and_column() {
    let served = Served::alone().await;
    let problem = served.event("{\n  \"type\": \"a\",\n  \"n\": 01\n}").await.problem();
    assert_eq!((problem.line, problem.column), (Some(3), Some(9)));
    assert!(problem.detail.contains("line 3 column 9"), "{problem:?}");
    let problem = served.send(Sent::event(b"{\n\"a\xc3\x28\"}")).await.problem();
    assert_eq!((problem.line, problem.column), (Some(2), Some(3)));
    served.stop().await;
}

#[tokio::test]
async fn a_body_of_the_largest_size_is_taken_and_one_byte_more_is_not_however_it_is_sent() {
    let served = Served::alone().await;
    let largest = |bytes: usize| {
        let mut body = br#"{"type":"a"}"#.to_vec();
        body.resize(bytes, b' ');
        body
    };
    let chunked = |body: &[u8]| {
        let head = format!(
            "POST /v1/events HTTP/1.1\r\nhost: weft\r\nconnection: close\r\nauthorization: Bearer {SHOP}\r\n\
             content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n",
            body.len()
        );
        [head.as_bytes(), body, b"\r\n0\r\n\r\n"].concat()
    };
    assert_eq!(served.send(Sent::event(largest(65_536))).await.status, 202);
    assert_eq!(served.raw(&chunked(&largest(65_536))).await.status, 202);
    assert_eq!(served.raw(&chunked(&largest(65_537))).await.refused().1, "body-too-large");
    // Far more than the limit: the sender still gets to read why.
    assert_eq!(served.send(Sent::event(largest(4 << 20))).await.refused().1, "body-too-large");
    assert_eq!(served.raw(&chunked(&largest(4 << 20))).await.refused().1, "body-too-large");
    assert_eq!(served.stop().await.events.routed, 2);
}
