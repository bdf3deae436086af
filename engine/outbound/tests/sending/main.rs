//! Attempts against real receivers on 127.0.0.1.

mod own_requests;
mod receiver;

use std::time::Duration;

use bytes::Bytes;
use http::header::{LOCATION, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use receiver::{Receiver, one_connection, status};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use weft_core::attempt::{AttemptOutcome, Waiting};
use weft_core::delivery::RequestParts;
use weft_core::destination::{HttpTarget, Timeouts};
use weft_core::event::Header;
use weft_core::time::Timestamp;
use weft_outbound::{AddressGuard, OutgoingRequest, PreparedTarget, SendReport, Sender, SenderConfig};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OLDER_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const BODY: &str = r#"{"type":"order.created","größe":"½"}"#;
const RESPONSE_BYTES_MAX: usize = 4096;

/// Long enough never to pass where a test is not about time.
const PATIENT: Timeouts = Timeouts { connect: Duration::from_secs(60), total: Duration::from_secs(60) };
/// The limit itself is the behaviour under test.
const IMPATIENT: Timeouts = Timeouts { connect: Duration::from_millis(200), total: Duration::from_millis(200) };

fn sender(allowed: &[&str]) -> Sender {
    let allowed = allowed.iter().map(|block| block.parse().expect("a block")).collect();
    Sender::new(SenderConfig {
        guard: AddressGuard::new(allowed),
        response_bytes_max: RESPONSE_BYTES_MAX,
        user_agent: "Weft/0.1.0".to_owned(),
    })
    .expect("a sender")
}

fn target(url: &str, secrets: &[&str], timeouts: Timeouts) -> PreparedTarget {
    let secrets = secrets.iter().map(|secret| secret.parse().expect("a secret")).collect();
    PreparedTarget::new(&HttpTarget::plain(url.parse().expect("a URL"), secrets), timeouts).expect("a usable URL")
}

#[expect(clippy::disallowed_methods, reason = "the verifying library compares with the time of day")]
fn now() -> Timestamp {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    Timestamp::from_ms(i64::try_from(since_epoch.as_millis()).expect("before the end of time"))
}

async fn send_parts(sender: &Sender, target: &PreparedTarget, parts: &RequestParts) -> SendReport {
    sender
        .send(OutgoingRequest {
            target,
            webhook_id: "evt_01h2xcejqtf2nbrexx3vqjhp41",
            event_type: parts.event_type.as_deref().unwrap_or("order.created"),
            content_type: parts.content_type.as_deref().unwrap_or("application/json"),
            headers: &[],
            parts,
            body: Bytes::from_static(BODY.as_bytes()),
            now: now(),
        })
        .await
}

async fn send(url: &str, timeouts: Timeouts) -> SendReport {
    let target = target(url, &[SECRET], timeouts);
    send_parts(&sender(&["127.0.0.1/32"]), &target, &RequestParts::default()).await
}

/// Reads until the body that every test sends has come: unread bytes would turn a hang-up into a reset.
async fn read_request(stream: &mut TcpStream) {
    let mut request = Vec::new();
    while !request.ends_with(BODY.as_bytes()) {
        assert!(stream.read_buf(&mut request).await.expect("bytes") > 0, "the sender hung up: {request:?}");
    }
}

fn unreachable_reason(report: &SendReport) -> &str {
    let AttemptOutcome::Unreachable { reason } = &report.outcome else { panic!("must be unreachable: {report:?}") };
    reason
}

fn forbidden_reason(report: &SendReport) -> &str {
    let AttemptOutcome::Forbidden { reason } = &report.outcome else { panic!("must be forbidden: {report:?}") };
    reason
}

#[tokio::test]
async fn promise_3_an_attempt_verifies_with_the_library_that_receivers_use() {
    let receiver = Receiver::healthy(SECRET).await;
    let report = send(&format!("http://{}/hooks?k=1", receiver.address), PATIENT).await;
    assert_eq!(report.outcome, AttemptOutcome::Accepted { status: 204 });
    assert_eq!(report.response, None);
    let got = receiver.got();
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].method, "POST");
    assert_eq!(got[0].path_and_query, "/hooks?k=1");
    assert_eq!(got[0].body, BODY);
    let length = BODY.len().to_string();
    for (name, value) in [
        ("webhook-id", "evt_01h2xcejqtf2nbrexx3vqjhp41"),
        ("weft-event-type", "order.created"),
        ("content-type", "application/json"),
        ("content-length", &length),
        ("user-agent", "Weft/0.1.0"),
        ("host", &receiver.address.to_string()),
    ] {
        assert_eq!(got[0].header(name), [value], "{name}");
    }
    assert_eq!(got[0].headers.len(), 8, "{:?}", got[0].headers);
}

#[tokio::test]
async fn a_receiver_with_another_secret_refuses_and_its_words_are_kept() {
    let receiver = Receiver::healthy(OLDER_SECRET).await;
    let report = send(&format!("http://{}/", receiver.address), PATIENT).await;
    assert_eq!(report.outcome, AttemptOutcome::Rejected { status: 401, retry_after: None });
    assert_eq!(report.response.expect("a sample").body, "signature invalid");
    assert!(receiver.got().is_empty());
}

#[tokio::test]
async fn promise_3_while_secrets_rotate_a_receiver_with_either_verifies() {
    for secret in [SECRET, OLDER_SECRET] {
        let receiver = Receiver::healthy(secret).await;
        let target = target(&format!("http://{}/", receiver.address), &[SECRET, OLDER_SECRET], PATIENT);
        let report = send_parts(&sender(&["127.0.0.1/32"]), &target, &RequestParts::default()).await;
        assert_eq!(report.outcome, AttemptOutcome::Accepted { status: 204 });
    }
}

#[tokio::test]
async fn parts_change_method_path_query_types_and_headers() {
    let receiver = Receiver::healthy(SECRET).await;
    let parts = RequestParts {
        event_type: Some("order.changed".to_owned()),
        content_type: Some("text/plain".to_owned()),
        method: Some("PUT".to_owned()),
        path: Some("orders/7".to_owned()),
        query: Some("b=2".to_owned()),
        headers: vec![Header { name: "x-shop".to_owned(), value: "north".to_owned() }],
        ..RequestParts::default()
    };
    let target = target(&format!("http://{}/hooks?a=1", receiver.address), &[SECRET], PATIENT);
    let report = send_parts(&sender(&["127.0.0.1/32"]), &target, &parts).await;
    assert_eq!(report.outcome, AttemptOutcome::Accepted { status: 204 });
    let got = &receiver.got()[0];
    assert_eq!((got.method.as_str(), got.path_and_query.as_str()), ("PUT", "/hooks/orders/7?a=1&b=2"));
    assert_eq!(got.header("weft-event-type"), ["order.changed"]);
    assert_eq!(got.header("content-type"), ["text/plain"]);
    assert_eq!(got.header("x-shop"), ["north"]);
}

#[tokio::test]
async fn promise_8_a_plugins_header_never_replaces_one_of_the_host() {
    let receiver = Receiver::healthy(SECRET).await;
    let forged = ["webhook-id", "webhook-timestamp", "webhook-signature", "host", "user-agent", "weft-event-type"];
    let parts = RequestParts {
        headers: forged.map(|name| Header { name: name.to_owned(), value: "forged".to_owned() }).to_vec(),
        ..RequestParts::default()
    };
    let target = target(&format!("http://{}/", receiver.address), &[SECRET], PATIENT);
    let report = send_parts(&sender(&["127.0.0.1/32"]), &target, &parts).await;
    assert_eq!(report.outcome, AttemptOutcome::Accepted { status: 204 });
    for name in forged {
        let got = receiver.got();
        assert!(got[0].header(name).len() == 1 && got[0].header(name) != ["forged"], "{name}");
    }
}

#[tokio::test]
async fn parts_that_http_cannot_carry_end_the_attempt_and_not_the_engine() {
    let sender = sender(&[]);
    let target = target("http://192.0.2.1/", &[SECRET], PATIENT);
    let header = |name: &str, value: &str| Header { name: name.to_owned(), value: value.to_owned() };
    for parts in [
        RequestParts { method: Some("GE T".to_owned()), ..RequestParts::default() },
        RequestParts { path: Some("a b".to_owned()), ..RequestParts::default() },
        RequestParts { headers: vec![header("x y", "")], ..RequestParts::default() },
        RequestParts { headers: vec![header("x", "1\r\nhost: b")], ..RequestParts::default() },
        RequestParts { content_type: Some("\n".to_owned()), ..RequestParts::default() },
    ] {
        let report = send_parts(&sender, &target, &parts).await;
        assert!(unreachable_reason(&report).starts_with("the request cannot be sent: "), "{report:?}");
    }
}

#[tokio::test]
async fn promise_8_a_redirect_is_an_answer_and_is_not_followed() {
    let inner = Receiver::healthy(SECRET).await;
    let location = format!("http://{}/inner", inner.address);
    for code in [301, 302, 303, 307, 308] {
        let location = HeaderValue::try_from(location.as_str()).expect("a header");
        let outer = Receiver::start(SECRET, move || {
            let mut answer = status(StatusCode::from_u16(code).expect("a status"), "");
            answer.headers_mut().insert(LOCATION, location.clone());
            answer
        })
        .await;
        let report = send(&format!("http://{}/", outer.address), PATIENT).await;
        assert_eq!(report.outcome, AttemptOutcome::Rejected { status: code, retry_after: None });
        let sample = report.response.expect("a sample");
        assert!(sample.headers.iter().any(|h| h.name == "location" && h.value.ends_with("/inner")));
    }
    assert!(inner.got().is_empty(), "a redirect was followed");
}

#[tokio::test]
async fn a_retry_after_is_handed_on_in_both_forms() {
    for (text, least, most) in [("120", 120, 120), ("Fri, 31 Dec 9999 23:59:59 GMT", 3600, u64::MAX)] {
        let receiver = Receiver::start(SECRET, move || {
            let mut answer = status(StatusCode::SERVICE_UNAVAILABLE, "later");
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(text));
            answer
        })
        .await;
        let report = send(&format!("http://{}/", receiver.address), PATIENT).await;
        let AttemptOutcome::Rejected { status: 503, retry_after: Some(wait) } = report.outcome else {
            panic!("must be rejected: {report:?}")
        };
        assert!((least..=most).contains(&wait.as_secs()), "{text}: {wait:?}");
    }
}

#[tokio::test]
async fn attempts_to_one_host_share_its_connection() {
    let receiver = Receiver::healthy(SECRET).await;
    let sender = sender(&["127.0.0.1/32"]);
    for place in 0..20 {
        // Two destinations on one host, by turns.
        let target = target(&format!("http://{}/{}", receiver.address, place % 2), &[SECRET], PATIENT);
        send_parts(&sender, &target, &RequestParts::default()).await;
    }
    let connections: Vec<_> = receiver.got().iter().map(|received| received.connection).collect();
    assert_eq!(connections, [1; 20]);
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_meanwhile_is_replaced() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (hang_up, mut hung_up) = tokio::sync::mpsc::channel(1);
    let receiver = tokio::spawn(async move {
        for _ in 0..3 {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            read_request(&mut stream).await;
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.expect("an answer");
            stream.shutdown().await.expect("the end of the stream");
            hang_up.send(()).await.expect("the test waits");
        }
    });
    let target = target(&format!("http://{address}/"), &[SECRET], PATIENT);
    let sender = sender(&["127.0.0.1/32"]);
    for _ in 0..3 {
        let report = send_parts(&sender, &target, &RequestParts::default()).await;
        assert_eq!(report.outcome, AttemptOutcome::Accepted { status: 204 });
        hung_up.recv().await.expect("the receiver lives");
    }
    receiver.await.expect("no panic");
}

#[tokio::test]
async fn promise_7_a_hanging_receiver_is_given_up_at_the_limit() {
    let (address, hanging) = one_connection(|mut stream: TcpStream| async move {
        // Ends when the sender hangs up.
        let mut request = Vec::new();
        stream.read_to_end(&mut request).await.expect("the sender hangs up");
        request
    })
    .await;
    let report = send(&format!("http://{address}/"), IMPATIENT).await;
    assert_eq!(report.outcome, AttemptOutcome::TimedOut { waiting_for: Waiting::Response });
    assert!(report.took >= IMPATIENT.total);
    let request = hanging.await.expect("no panic");
    assert!(request.ends_with(BODY.as_bytes()), "the receiver had the whole request");
}

#[tokio::test]
async fn promise_7_a_connection_that_does_not_come_up_is_given_up_at_its_own_limit() {
    // TCP connects, the TLS handshake is never answered.
    let (address, hanging) = one_connection(|mut stream: TcpStream| async move {
        stream.read_to_end(&mut Vec::new()).await.expect("the sender hangs up")
    })
    .await;
    let timeouts = Timeouts { connect: IMPATIENT.connect, total: PATIENT.total };
    let report = send(&format!("https://{address}/"), timeouts).await;
    assert_eq!(report.outcome, AttemptOutcome::TimedOut { waiting_for: Waiting::Connection });
    assert!(hanging.await.expect("no panic") > 0, "a handshake had begun");
}

#[tokio::test]
async fn a_slow_answer_may_take_longer_than_the_limit_for_connecting() {
    let (began, begun) = tokio::sync::oneshot::channel();
    let (address, slow) = one_connection(move |mut stream: TcpStream| async move {
        read_request(&mut stream).await;
        // Answers when the sender's limit for connecting has passed for another attempt that began later.
        begun.await.expect("the other attempt ends");
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.expect("an answer");
    })
    .await;
    let (hanging_address, hanging) = one_connection(|mut stream: TcpStream| async move {
        stream.read_to_end(&mut Vec::new()).await.expect("the sender hangs up");
    })
    .await;
    let timeouts = Timeouts { connect: IMPATIENT.connect, total: PATIENT.total };
    let (url, other_url) = (format!("http://{address}/"), format!("https://{hanging_address}/"));
    let (report, ()) = tokio::join!(send(&url, timeouts), async {
        assert!(matches!(send(&other_url, timeouts).await.outcome, AttemptOutcome::TimedOut { .. }));
        began.send(()).expect("the slow receiver waits");
    });
    assert_eq!(report.outcome, AttemptOutcome::Accepted { status: 200 });
    slow.await.expect("no panic");
    hanging.await.expect("no panic");
}

/// Answers one request with `head` and ten bytes, and hangs up.
async fn cut_short(head: &'static str) -> SendReport {
    let (address, _) = one_connection(move |mut stream: TcpStream| async move {
        read_request(&mut stream).await;
        stream.write_all(head.as_bytes()).await.expect("a head");
        stream.write_all(b"0123456789").await.expect("half a body");
    })
    .await;
    send(&format!("http://{address}/"), PATIENT).await
}

#[tokio::test]
async fn promise_2_an_acceptance_cut_short_does_not_count() {
    for head in [
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n64\r\n",
    ] {
        let report = cut_short(head).await;
        assert_eq!(unreachable_reason(&report), "the connection was closed before the answer was complete");
    }
}

#[tokio::test]
async fn a_refusal_cut_short_still_counts() {
    let report = cut_short("HTTP/1.1 410 Gone\r\ncontent-length: 100\r\n\r\n").await;
    assert_eq!(report.outcome, AttemptOutcome::Rejected { status: 410, retry_after: None });
    assert_eq!(report.response.expect("a sample").body, "0123456789");
}

#[tokio::test]
async fn promise_5_an_answer_is_read_up_to_its_bound_and_counts() {
    for (code, accepted) in [(200, true), (500, false)] {
        // Writes until the sender hangs up: it ends only if the sender stops reading.
        let (address, endless) = one_connection(move |mut stream: TcpStream| async move {
            read_request(&mut stream).await;
            let head = format!("HTTP/1.1 {code} X\r\ncontent-length: {}\r\n\r\n", u64::MAX / 2);
            stream.write_all(head.as_bytes()).await.expect("a head");
            while stream.write_all(&[b'x'; 65_536]).await.is_ok() {}
        })
        .await;
        let report = send(&format!("http://{address}/"), PATIENT).await;
        endless.await.expect("no panic");
        assert_eq!(report.outcome.status(), Some(code));
        assert_eq!(matches!(report.outcome, AttemptOutcome::Accepted { .. }), accepted);
        assert_eq!(report.response.map(|sample| sample.body.len()), (!accepted).then_some(RESPONSE_BYTES_MAX));
    }
}

#[tokio::test]
async fn promise_5_ten_megabytes_of_refusal_are_kept_up_to_the_bound() {
    let receiver = Receiver::start(SECRET, || status(StatusCode::BAD_REQUEST, vec![b'x'; 10_000_000])).await;
    let report = send(&format!("http://{}/", receiver.address), PATIENT).await;
    assert_eq!(report.outcome, AttemptOutcome::Rejected { status: 400, retry_after: None });
    assert_eq!(report.response.expect("a sample").body, vec![b'x'; RESPONSE_BYTES_MAX]);
}

#[tokio::test]
async fn promise_5_an_endless_head_is_refused() {
    let (address, endless) = one_connection(|mut stream: TcpStream| async move {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nx: ").await.expect("a head");
        while stream.write_all(&[b'x'; 65_536]).await.is_ok() {}
    })
    .await;
    let report = send(&format!("http://{address}/"), PATIENT).await;
    endless.await.expect("no panic");
    assert_eq!(unreachable_reason(&report), "the head of the answer is too large");
}

#[tokio::test]
async fn promise_9_what_does_not_answer_in_http_is_named() {
    let (address, _) = one_connection(|mut stream: TcpStream| async move {
        read_request(&mut stream).await;
        stream.write_all(b"220 mail.example ESMTP\r\n").await.expect("a greeting");
    })
    .await;
    let report = send(&format!("http://{address}/"), PATIENT).await;
    assert!(unreachable_reason(&report).starts_with("the answer is not HTTP"), "{report:?}");
}

#[tokio::test]
async fn promise_9_a_failure_to_connect_is_named_without_the_query() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let report = send(&format!("http://{closed}/hooks?token=hunter2"), PATIENT).await;
    assert_eq!(unreachable_reason(&report), "connection refused");

    // A label of 64 bytes is no name in DNS: the resolver refuses it without asking anyone.
    let name = format!("{}.example", "a".repeat(64));
    let report = send(&format!("http://{name}/hooks?token=hunter2"), PATIENT).await;
    let reason = unreachable_reason(&report);
    assert!(reason.starts_with(&format!("the name {name} could not be resolved: ")), "{reason}");
    assert!(!reason.contains("hunter2"));
}

#[tokio::test]
async fn promise_8_an_address_is_refused_when_it_is_dialled_however_it_is_spelled() {
    let receiver = Receiver::healthy(SECRET).await;
    let port = receiver.address.port();
    // All but the one address is allowed, so that only its own check can stop it.
    let sender = sender(&["127.0.0.2/32", "10.0.0.0/8"]);
    for host in [
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "localhost",
        "LOCALHOST",
    ] {
        for scheme in ["http", "https"] {
            let target = target(&format!("{scheme}://{host}:{port}/?token=hunter2"), &[SECRET], PATIENT);
            let report = send_parts(&sender, &target, &RequestParts::default()).await;
            let reason = forbidden_reason(&report);
            assert!(!reason.contains("hunter2"), "{reason}");
        }
    }
    assert!(receiver.got().is_empty());
}

#[tokio::test]
async fn a_name_is_dialled_at_those_of_its_addresses_that_are_allowed() {
    let receiver = Receiver::healthy(SECRET).await;
    let target = target(&format!("http://localhost:{}/", receiver.address.port()), &[SECRET], PATIENT);
    let report = send_parts(&sender(&["127.0.0.1/32"]), &target, &RequestParts::default()).await;
    assert_eq!(report.outcome, AttemptOutcome::Accepted { status: 204 });
    assert_eq!(receiver.got()[0].header("host"), [format!("localhost:{}", receiver.address.port())]);
}

/// Where the child process of the next test sends.
const CHILD_URL: &str = "WEFT_TEST_URL";

#[tokio::test]
async fn promise_8_a_proxy_in_the_environment_is_not_used() {
    if let Ok(url) = std::env::var(CHILD_URL) {
        let report = send(&url, PATIENT).await;
        assert_eq!(report.outcome, AttemptOutcome::Accepted { status: 204 });
        return;
    }
    let receiver = Receiver::healthy(SECRET).await;
    let proxy = Receiver::healthy(SECRET).await;
    let mut child = tokio::process::Command::new(std::env::current_exe().expect("this program"));
    child.args(["--exact", "promise_8_a_proxy_in_the_environment_is_not_used"]);
    child.env(CHILD_URL, format!("http://{}/", receiver.address));
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        child.env(name, format!("http://{}", proxy.address));
    }
    child.env_remove("NO_PROXY").env_remove("no_proxy");
    let output = child.output().await.expect("the child runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!((receiver.got().len(), proxy.got().len()), (1, 0));
}
