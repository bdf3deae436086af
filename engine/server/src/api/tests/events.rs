//! Events that are accepted, repeated, looked at, or only half sent.

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use weft_client::wire::{Accepted, Event};

use super::served::{DEPOT, SHOP, Sent, Served};

#[tokio::test]
async fn promise_9_what_was_sent_is_shown_as_it_was_sent() {
    let served = Served::alone().await;
    let body = "{\n  \"type\" : \"order.created\", \"größe\": 1 }";
    let sent = Sent::event(body).header("content-type", "ignored").header("weft-event-id", "o-1");
    assert_eq!(served.send(sent).await.refused().2, "content-type", "two content types contradict each other");
    let accepted = served.send(Sent::event(body).header("weft-event-id", "o-1")).await;
    assert_eq!(accepted.status, 202);
    assert_eq!(accepted.header("content-type"), Some("application/json"));
    let Accepted { id, duplicate } = accepted.granted();
    assert!(!duplicate && id.starts_with("evt_"));
    let event: Event = served.get(SHOP, &format!("/v1/events/{id}")).await.granted();
    assert_eq!((event.tenant.as_str(), event.source.as_str()), ("shop", "api"));
    assert_eq!((event.event_type.as_str(), event.content_type.as_str()), ("order.created", "application/json"));
    assert_eq!((event.external_id.as_deref(), event.body_bytes), (Some("o-1"), body.len() as u64));
    assert_eq!(event.received_at, served.clock.now());
    let places: Vec<_> = event.deliveries.iter().map(|delivery| delivery.destination.as_str()).collect();
    assert_eq!(places.len(), 2, "{places:?}");
    let of_delivery = served.get(SHOP, &format!("/v1/events/{}", event.deliveries[0].id)).await;
    assert_eq!(of_delivery.granted::<Event>().id, id);
    served.stop().await;
}

#[tokio::test]
async fn a_payload_that_is_not_json_comes_in_under_a_type_of_its_header() {
    let served = Served::alone().await;
    let sent = Sent::to("POST", "/v1/events")
        .key(SHOP)
        .header("content-type", "Image/PNG")
        .header("weft-event-type", "photo.taken")
        .body(vec![0xff, 0, 0x89]);
    let Accepted { id, .. } = served.send(sent).await.granted();
    let event: Event = served.get(SHOP, &format!("/v1/events/{id}")).await.granted();
    assert_eq!((event.event_type.as_str(), event.content_type.as_str()), ("photo.taken", "Image/PNG"));
    let header_wins = Sent::event(r#"{"type":"in.payload"}"#).header("weft-event-type", "in.header");
    let Accepted { id, .. } = served.send(header_wins).await.granted();
    assert_eq!(served.get(SHOP, &format!("/v1/events/{id}")).await.json()["event_type"], "in.header");
    served.stop().await;
}

#[tokio::test]
async fn a_repeated_event_gets_the_first_answer_and_another_body_a_conflict() {
    let served = Served::alone().await;
    let sent = |body: &str, name| Sent::event(body).header(name, "k-1");
    for name in ["idempotency-key", "weft-event-id"] {
        let first: Accepted = served.send(sent(r#"{"type":"a"}"#, name)).await.granted();
        let again: Accepted = served.send(sent(r#"{"type":"a"}"#, name)).await.granted();
        assert_eq!((again.id.as_str(), again.duplicate), (first.id.as_str(), true));
        let other = served.send(sent(r#"{"type":"b"}"#, name)).await;
        assert_eq!((other.status, other.problem().event_id), (409, Some(first.id)));
    }
    assert_eq!(served.stop().await.events.routed, 2, "the two kinds of key are apart");
}

#[tokio::test]
async fn promise_8_another_tenants_event_is_as_if_it_were_not_there() {
    let served = Served::alone().await;
    let Accepted { id, .. } = served.event(r#"{"type":"a"}"#).await.granted();
    let path = format!("/v1/events/{id}");
    let theirs = served.get(DEPOT, &path).await.problem();
    let nobodys = "evt_01h455vb4pex5vsknk084sn02q";
    let unknown = served.get(DEPOT, &format!("/v1/events/{nobodys}")).await.problem();
    assert_eq!((theirs.status, theirs.detail.replace(&id, nobodys)), (404, unknown.detail));
    assert_eq!(served.get(&served.operator, &path).await.status, 200);
    assert_eq!(served.get(SHOP, "/v1/events/order-1").await.refused().0, 422);
    served.stop().await;
}

#[tokio::test]
async fn promise_1_half_a_request_stores_nothing() {
    let served = Served::alone().await;
    for half in ["", "{\"type\":", "{\"type\":\"a\"}"] {
        let mut stream = TcpStream::connect(served.address()).await.expect("it listens");
        let head = format!(
            "POST /v1/events HTTP/1.1\r\nhost: weft\r\nauthorization: Bearer {SHOP}\r\n\
             content-type: application/json\r\ncontent-length: 100\r\n\r\n{half}"
        );
        stream.write_all(head.as_bytes()).await.expect("it reads");
        drop(stream);
    }
    // Whole requests on later connections are answered as ever.
    assert_eq!(served.event(r#"{"type":"a"}"#).await.status, 202);
    assert_eq!(served.stop().await.events.routed, 1);
}
