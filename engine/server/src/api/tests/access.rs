//! Who gets in, and where.

use weft_client::wire::{Accepted, Destinations};

use super::served::{DEPOT, SHOP, Sent, Served};

const ROUTES: [(&str, &str); 14] = [
    ("POST", "/v1/events"),
    ("GET", "/v1/events/evt_01h455vb4pex5vsknk084sn02q"),
    ("GET", "/v1/dead-letters"),
    ("POST", "/v1/dead-letters/replay"),
    ("GET", "/v1/destinations"),
    ("POST", "/v1/destinations/crm/enable"),
    ("POST", "/v1/destinations/crm/disable"),
    ("GET", "/v1/destinations/crm/secret"),
    ("GET", "/v1/plugins"),
    ("POST", "/v1/plugins/reload"),
    ("POST", "/v1/plugins/operator%2Fx/versions"),
    ("POST", "/v1/plugins/operator%2Fx/activate"),
    ("POST", "/v1/plugins/operator%2Fx/rollback"),
    ("GET", "/metrics"),
];

#[tokio::test]
async fn promise_8_nothing_but_health_answers_without_a_key() {
    let served = Served::alone().await;
    for (method, path) in ROUTES {
        for (authorization, word) in [
            (None, "key-missing"),
            (Some("Basic c2hvcDpzaG9w"), "key-missing"),
            (Some("Bearer "), "key-missing"),
            (Some("Bearer schlüssel"), "key-missing"),
            (Some("Bearer key-of-nobody-0123456789abcdefghijklmno"), "key-unknown"),
        ] {
            let sent = Sent::to(method, path);
            let sent = authorization.iter().fold(sent, |sent, value| sent.header("authorization", value));
            let answer = served.send(sent).await;
            assert_eq!(answer.refused(), (401, word.to_owned(), "authorization".to_owned()), "{method} {path}");
            assert_eq!(answer.header("www-authenticate"), Some("bearer"), "{answer:?}");
            assert!(!answer.body.contains("nobody"), "a key is never quoted");
        }
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(served.send(Sent::to("GET", path)).await.status, 200, "{path}");
    }
    assert_eq!(served.stop().await.events, Default::default());
}

#[tokio::test]
async fn promise_8_what_is_the_operators_is_refused_to_tenants() {
    let served = Served::alone().await;
    for (method, path) in &ROUTES[9..] {
        let answer = served.send(Sent::to(method, path).key(SHOP)).await;
        assert_eq!(answer.refused().0, 403, "{method} {path}: {answer:?}");
    }
    served.stop().await;
}

#[tokio::test]
async fn the_operator_acts_for_the_tenant_that_it_names_and_a_tenant_for_itself_only() {
    let served = Served::alone().await;
    let event = |key: &str| {
        let sent = Sent::to("POST", "/v1/events").key(key).header("content-type", "application/json");
        sent.body(r#"{"type":"a"}"#)
    };
    let operator = served.operator.clone();
    let unnamed = served.send(event(&operator)).await;
    assert_eq!(unnamed.refused(), (422, "invalid-header".to_owned(), "weft-tenant".to_owned()));
    for unknown in ["nobody", "Not A Name"] {
        let answer = served.send(event(&operator).header("weft-tenant", unknown)).await;
        assert_eq!(answer.refused(), (422, "invalid-header".to_owned(), "weft-tenant".to_owned()));
    }
    let Accepted { id, .. } = served.send(event(&operator).header("weft-tenant", "depot")).await.granted();
    assert_eq!(served.get(DEPOT, &format!("/v1/events/{id}")).await.json()["tenant"], "depot");

    assert_eq!(served.send(event(SHOP).header("weft-tenant", "shop")).await.status, 202);
    for other in ["depot", "warehouse"] {
        let answer = served.send(event(SHOP).header("weft-tenant", other)).await;
        assert_eq!((answer.status, answer.problem().detail.contains(other)), (403, false), "{answer:?}");
    }
    served.stop().await;
}

#[tokio::test]
async fn promise_8_everybody_sees_their_own_destinations() {
    let served = Served::alone().await;
    let seen = async |sent: Sent| {
        let list: Destinations = served.send(sent).await.granted();
        list.destinations.into_iter().map(|seen| format!("{}/{}", seen.tenant, seen.name)).collect::<Vec<_>>()
    };
    let list = || Sent::to("GET", "/v1/destinations");
    assert_eq!(seen(list().key(SHOP)).await, ["shop/audit", "shop/crm"]);
    assert_eq!(seen(list().key(DEPOT)).await, ["depot/audit"]);
    assert_eq!(seen(list().key(&served.operator)).await, ["depot/audit", "shop/audit", "shop/crm"]);
    assert_eq!(seen(list().key(&served.operator).header("weft-tenant", "depot")).await, ["depot/audit"]);
    served.stop().await;
}

#[tokio::test]
async fn routes_that_do_not_exist_and_methods_that_do_not_fit_are_problems() {
    let served = Served::alone().await;
    for path in ["/", "/v1", "/v1/event", "/v2/events", "/v1/destinations/crm/explode"] {
        let problem = served.get(SHOP, path).await.problem();
        assert_eq!((problem.status, problem.word()), (404, "not-found"), "{path}");
        assert!(problem.detail.contains(path), "{problem:?}");
    }
    let wrong = served.send(Sent::to("DELETE", "/v1/events").key(SHOP)).await;
    assert_eq!((wrong.refused().1.as_str(), wrong.header("allow")), ("method-not-allowed", Some("post")));
    served.stop().await;
}
