//! Signatures: what receivers hold against the bytes that they got.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, UnparsedPublicKey};
use weft_tests::{Destination, Received, Receiver, Site, Tenant, Weft, audit, order};

/// Whether the only `v1a` token of a request verifies with a public key `whpk_…`.
fn verifies(request: &Received, public_key: &str) -> bool {
    let decoded = |text: &str| STANDARD.decode(text).expect("base64");
    let tokens = request.header("webhook-signature").split(' ');
    let token = tokens.filter_map(|token| token.strip_prefix("v1a,")).next().expect("a token of v1a");
    let id_and_time = format!("{}.{}.", request.webhook_id(), request.timestamp());
    let key = UnparsedPublicKey::new(&ED25519, decoded(public_key.strip_prefix("whpk_").expect("a public key")));
    key.verify(&[id_and_time.as_bytes(), &request.body].concat(), &decoded(token)).is_ok()
}

async fn public_key(weft: &Weft<'_>) -> String {
    let found = weft.tenant("shop").destination("crm").await;
    let [key] = &found.public_keys[..] else { panic!("one key, not {:?}", found.public_keys) };
    key.clone()
}

#[tokio::test]
async fn promise_3_an_asymmetric_signature_goes_beside_the_symmetric_and_its_key_outlives_the_engine() {
    let crm = Receiver::start().await;
    let destination = Destination::at("crm", &crm).with(r#"signatures = ["v1", "v1a"]"#);
    let site = Site::of([Tenant::named("shop").sends_to(destination)]);
    let weft = Weft::start(&site).await;
    let key = public_key(&weft).await;
    let id = weft.tenant("shop").send(order(1)).await;
    weft.tenant("shop").delivered(&id).await;
    let weft = weft.restart().await;
    assert_eq!(public_key(&weft).await, key);
    let id = weft.tenant("shop").send(order(2)).await;
    weft.tenant("shop").delivered(&id).await;
    // The library that receivers use knows `v1` alone, and has accepted both.
    for request in crm.got(2).await {
        assert!(request.header("webhook-signature").starts_with("v1,"));
        assert!(verifies(&request, &key));
        let changed = Received { body: order(3), ..request };
        assert!(!verifies(&changed, &key));
    }
    weft.stop().await;
    audit(&site).await;
}

#[tokio::test]
async fn promise_3_signatures_as_others_make_them_go_beside_the_standard_one() {
    let crm = Receiver::start().await;
    let own = r#"{ header = "X-Acme", signed = "{id}.{body}", value = "k1 {hmac}", encoding = "base64" }"#;
    let destination = Destination::at("crm", &crm).with(&format!(r#"signatures = ["v1", "github", "stripe", {own}]"#));
    let site = Site::of([Tenant::named("shop").sends_to(destination)]);
    let weft = Weft::start(&site).await;
    let id = weft.tenant("shop").send(order(1)).await;
    weft.tenant("shop").delivered(&id).await;
    let request = crm.got(1).await.remove(0);
    let timestamp = request.timestamp();
    for (header, start, hmac_chars) in [
        ("x-hub-signature-256", "sha256=".to_owned(), 64),
        ("stripe-signature", format!("t={timestamp},v1="), 64),
        ("x-acme", "k1 ".to_owned(), 44),
    ] {
        let value = request.header(header);
        assert!(value.starts_with(&start) && value.len() == start.len() + hmac_chars, "{header}: {value}");
    }
    weft.stop().await;
    audit(&site).await;
}
