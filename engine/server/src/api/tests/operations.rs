//! What people do to a running engine: look, enable, disable, replay.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use weft_client::wire::{
    Accepted, DeadLetterPage, Destination, DestinationSecrets, DestinationStatus, Destinations, ReplayReport,
};

use super::served::{DEPOT, SHOP, Sent, Served};

/// A receiver that is gone for good: it answers 410 to everything.
async fn gone() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
        }
    });
    address
}

/// Sends an event to a receiver that is gone, and waits until both of its deliveries are dead.
async fn two_dead(served: &Served) -> (String, DeadLetterPage) {
    let Accepted { id, .. } = served.event(r#"{"type":"order.created"}"#).await.granted();
    loop {
        let page: DeadLetterPage = served.get(SHOP, "/v1/dead-letters").await.granted();
        if page.letters.len() == 2 {
            return (id, page);
        }
    }
}

#[tokio::test]
async fn dead_letters_are_listed_with_their_reason_filtered_and_paged() {
    let served = Served::start(gone().await).await;
    let (id, page) = two_dead(&served).await;
    for letter in &page.letters {
        assert_eq!((letter.event_id.as_str(), letter.reason.as_str(), letter.attempts), (id.as_str(), "gone", Some(1)));
        assert!(letter.id.starts_with("dlv_") && letter.tenant == "shop" && letter.event_type == "order.created");
    }
    let count = async |key: &str, query: &str| {
        let page: DeadLetterPage = served.get(key, &format!("/v1/dead-letters?{query}")).await.granted();
        page.letters.len()
    };
    assert_eq!(count(SHOP, "destination=crm").await, 1);
    assert_eq!(count(SHOP, "kind=event").await, 0);
    assert_eq!(count(SHOP, "kind=delivery&reason=gone&since=2020-01-01T00:00:00Z").await, 2);
    assert_eq!(count(SHOP, "until=2020-01-01T00:00:00Z").await, 0);
    assert_eq!(count(DEPOT, "").await, 0);
    assert_eq!(count(&served.operator, "").await, 2);

    let first: DeadLetterPage = served.get(SHOP, "/v1/dead-letters?limit=1").await.granted();
    let cursor = first.next_cursor.expect("there is another");
    let second: DeadLetterPage = served.get(SHOP, &format!("/v1/dead-letters?limit=1&cursor={cursor}")).await.granted();
    assert_eq!([&first.letters[..], &second.letters[..]].concat(), page.letters);
    served.stop().await;
}

#[tokio::test]
async fn a_query_that_says_nothing_sensible_is_refused() {
    let served = Served::alone().await;
    for (query, key) in [
        ("destnation=crm", "query"),
        ("kind=letter", "query"),
        ("since=yesterday", "query"),
        ("limit=many", "query"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("cursor=5", "cursor"),
    ] {
        let answer = served.get(SHOP, &format!("/v1/dead-letters?{query}")).await;
        assert_eq!(answer.refused(), (422, "invalid-parameter".to_owned(), key.to_owned()), "{query}");
    }
    let unknown = served.get(SHOP, "/v1/dead-letters?destination=billing").await.problem();
    assert_eq!(unknown.status, 404);
    assert!(unknown.detail.contains("known: crm, audit"), "{unknown:?}");
    served.stop().await;
}

#[tokio::test]
async fn replays_are_counted_started_once_and_reported_one_by_one() {
    let served = Served::start(gone().await).await;
    let (event, page) = two_dead(&served).await;
    let replay = async |key: &str, body: String| {
        served.post(key, "/v1/dead-letters/replay", &body).await.granted::<ReplayReport>()
    };
    let counted = replay(SHOP, r#"{"all":true,"dry_run":true}"#.to_owned()).await;
    assert_eq!((counted.matched, counted.started, counted.results.len()), (2, 0, 0));

    let (crm, audit) = (&page.letters[0].id, &page.letters[1].id);
    let theirs = replay(DEPOT, format!(r#"{{"ids":["{crm}"]}}"#)).await;
    assert_eq!(serde_json::to_value(&theirs.results).expect("JSON")[0]["result"], "not-found");

    let report = replay(SHOP, format!(r#"{{"ids":["{event}","{crm}","{crm}"]}}"#)).await;
    let results = serde_json::to_value(&report.results).expect("JSON");
    assert_eq!((report.matched, report.started), (3, 1));
    assert_eq!((&results[0]["result"], &results[0]["state"]), (&"not-dead".into(), &"routed".into()));
    assert_eq!(results[1]["result"], "started");
    let twice = (&results[2]["result"], &results[2]["replay"]);
    assert_eq!(twice, (&"already-replayed".into(), &results[1]["replay"]), "named twice, replayed once");

    let again = replay(SHOP, format!(r#"{{"ids":["{crm}"]}}"#)).await;
    let again = serde_json::to_value(&again.results).expect("JSON");
    assert_eq!((&again[0]["result"], &again[0]["replay"]), (&"already-replayed".into(), &results[1]["replay"]));

    let rest = replay(SHOP, r#"{"all":true,"filter":{"kind":"delivery"}}"#.to_owned()).await;
    assert!(rest.results.iter().any(|result| result.id == *audit), "{rest:?}");
    assert_eq!(rest.next_cursor, None);
    served.stop().await;
}

#[tokio::test]
async fn a_wish_for_replays_that_is_not_clear_is_refused_and_replays_nothing() {
    let served = Served::alone().await;
    for (body, key) in [
        ("", "ids"),
        ("{}", "ids"),
        (r#"{"ids":[]}"#, "ids"),
        (r#"{"ids":["evt_01h455vb4pex5vsknk084sn02q"],"all":true}"#, "ids"),
        (r#"{"ids":["evt_01h455vb4pex5vsknk084sn02q"],"filter":{"reason":"gone"}}"#, "filter"),
    ] {
        let answer = served.post(SHOP, "/v1/dead-letters/replay", body).await;
        assert_eq!(answer.refused(), (422, "invalid-body".to_owned(), key.to_owned()), "{body}");
    }
    for body in [r#"{"all":true,"filter":{"destnation":"crm"}}"#, r#"{"al":true}"#, "[]", "all"] {
        assert_eq!(served.post(SHOP, "/v1/dead-letters/replay", body).await.refused().1, "invalid-body", "{body}");
    }
    let many = format!(r#"{{"ids":[{}"x"]}}"#, r#""x","#.repeat(1_000));
    assert_eq!(served.post(SHOP, "/v1/dead-letters/replay", &many).await.refused().2, "ids");
    let stranger = served.post(SHOP, "/v1/dead-letters/replay", r#"{"ids":["dst_1"]}"#).await;
    assert_eq!(stranger.refused().1, "invalid-parameter");
    served.stop().await;
}

#[tokio::test]
async fn a_destination_is_disabled_and_enabled_by_its_owner_or_the_operator() {
    let served = Served::alone().await;
    let change = async |key: &str, path: &str| served.post(key, path, "").await.granted::<Destination>().status;
    let by_hand = DestinationStatus::Disabled { reason: "operator".to_owned() };
    assert_eq!(change(SHOP, "/v1/destinations/crm/disable").await, by_hand);
    let list: Destinations = served.get(SHOP, "/v1/destinations").await.granted();
    assert_eq!(list.destinations[1].status, by_hand);
    let Accepted { id, .. } = served.event(r#"{"type":"a"}"#).await.granted();
    let trace = served.get(SHOP, &format!("/v1/events/{id}")).await.json();
    assert_eq!(trace["deliveries"].as_array().map(Vec::len), Some(1), "a disabled destination gets nothing");

    assert_eq!(served.post(DEPOT, "/v1/destinations/crm/enable", "").await.refused().0, 404);
    assert_eq!(change(&served.operator, "/v1/destinations/crm/enable").await, DestinationStatus::Active);
    let both = served.post(&served.operator, "/v1/destinations/audit/disable", "").await;
    assert_eq!(both.refused(), (422, "invalid-header".to_owned(), "weft-tenant".to_owned()), "two have an audit");
    let depots =
        Sent::to("POST", "/v1/destinations/audit/disable").key(&served.operator).header("weft-tenant", "depot");
    assert_eq!(served.send(depots).await.granted::<Destination>().tenant, "depot");
    served.stop().await;
}

#[tokio::test]
async fn promise_8_a_url_is_shown_without_its_query_and_a_secret_to_its_owner_only() {
    let served = Served::alone().await;
    let list = served.get(SHOP, "/v1/destinations").await;
    assert!(list.body.contains("/hook\"") && !list.body.contains("hush"), "{list:?}");
    let own: DestinationSecrets = served.get(SHOP, "/v1/destinations/crm/secret").await.granted();
    assert!(own.secrets.len() == 1 && own.secrets[0].starts_with("whsec_"), "one was made at the start");
    assert_eq!(format!("{own:?}"), "DestinationSecrets(1 of them)");
    let again: DestinationSecrets = served.get(&served.operator, "/v1/destinations/crm/secret").await.granted();
    assert_eq!(again, own);
    assert_eq!(served.get(DEPOT, "/v1/destinations/crm/secret").await.refused().0, 404);
    served.stop().await;
}

#[tokio::test]
async fn plugins_that_are_not_there_are_not_found() {
    let served = Served::alone().await;
    let operator = served.operator.clone();
    let list = served.get(&operator, "/v1/plugins").await.json();
    assert_eq!((&list["plugins"], &list["folder"]["files"]), (&serde_json::json!([]), &serde_json::json!([])));
    assert_eq!(
        served.get(SHOP, "/v1/plugins").await.json(),
        serde_json::json!({"plugins": []}),
        "no folder for tenants"
    );
    let activate = served.post(&operator, "/v1/plugins/json-filter/activate", r#"{"digest":"3f"}"#).await;
    assert_eq!(activate.refused().0, 404);
    assert_eq!(served.post(&operator, "/v1/plugins/json-filter/rollback", "").await.refused().0, 404);
    assert_eq!(served.post(&operator, "/v1/plugins/Not%20A%20Name/rollback", "").await.refused().0, 404);
    assert_eq!(served.post(&operator, "/v1/plugins/reload", "").await.json()["files"], serde_json::json!([]));
    served.stop().await;
}

#[tokio::test]
async fn metrics_count_what_was_accepted_and_what_was_refused() {
    let served = Served::alone().await;
    served.event(r#"{"type":"a"}"#).await.json();
    served.event("{").await.problem();
    let text = served.get(&served.operator, "/metrics").await.body;
    for line in ["weft_events_accepted_total 1", "weft_requests_refused_total{reason=\"malformed-json\"} 1"] {
        assert!(text.contains(line), "{text}");
    }
    served.stop().await;
}
