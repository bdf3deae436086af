//! What a destination's own configuration makes of its requests.

use http::StatusCode;
use weft_core::attempt::AttemptOutcome;
use weft_core::delivery::RequestParts;
use weft_core::destination::{HttpTarget, Method};
use weft_core::event::Header;
use weft_core::request_header::OwnHeader;
use weft_outbound::PreparedTarget;

use super::receiver::{Receiver, status};
use super::{PATIENT, SECRET, send_parts, sender};

fn plain(receiver: &Receiver) -> HttpTarget {
    let url = format!("http://{}/hook", receiver.address);
    HttpTarget::plain(url.parse().expect("a URL"), vec![SECRET.parse().expect("a secret")])
}

fn header(name: &str, value: &str) -> OwnHeader {
    OwnHeader::new(name.to_owned(), value.to_owned())
}

#[tokio::test]
async fn promise_8_a_destinations_method_headers_and_credentials_are_sent_and_no_plugin_replaces_them() {
    let receiver = Receiver::healthy(SECRET).await;
    let headers = vec![header("x-team", "sales"), header("authorization", "Bearer token")];
    let target = HttpTarget { method: Method::Put, headers, ..plain(&receiver) };
    let target = PreparedTarget::new(&target, PATIENT).expect("a usable target");
    let theirs = Header { name: "x-team".to_owned(), value: "theirs".to_owned() };
    let parts = RequestParts { headers: vec![theirs], ..RequestParts::default() };
    let report = send_parts(&sender(&["127.0.0.1/32"]), &target, &parts).await;
    assert_eq!(report.outcome, AttemptOutcome::Accepted { status: 204 });
    let got = receiver.got();
    assert_eq!(got[0].method, "PUT");
    assert_eq!((got[0].header("x-team"), got[0].header("authorization")), (vec!["sales"], vec!["Bearer token"]));
    assert!(!format!("{target:?}").contains("Bearer token"), "{target:?}");

    // What one delivery asks for is its own.
    let parts = RequestParts { method: Some("PATCH".to_owned()), ..RequestParts::default() };
    send_parts(&sender(&["127.0.0.1/32"]), &target, &parts).await;
    assert_eq!(receiver.got()[1].method, "PATCH");
}

#[tokio::test]
async fn a_destination_says_which_answers_accept() {
    let receiver = Receiver::start(SECRET, || status(StatusCode::CONFLICT, "")).await;
    let success = vec!["204".parse().expect("a range"), "409".parse().expect("a range")].into();
    let target = PreparedTarget::new(&HttpTarget { success, ..plain(&receiver) }, PATIENT).expect("a usable target");
    let report = send_parts(&sender(&["127.0.0.1/32"]), &target, &RequestParts::default()).await;
    assert_eq!((report.outcome, report.response), (AttemptOutcome::Accepted { status: 409 }, None));
    let receiver = Receiver::start(SECRET, || status(StatusCode::OK, "")).await;
    let target = HttpTarget { success: vec!["204".parse().expect("a range")].into(), ..plain(&receiver) };
    let target = PreparedTarget::new(&target, PATIENT).expect("a usable target");
    let report = send_parts(&sender(&["127.0.0.1/32"]), &target, &RequestParts::default()).await;
    assert_eq!(report.outcome, AttemptOutcome::Rejected { status: 200, retry_after: None });
}
