//! Deliveries to receivers in other languages: what the libraries of Standard Webhooks verify there is what Weft signs.

use weft_client::wire::Event;
use weft_tests::{Destination, Foreign, Language, Receiver, Site, Tenant, Weft, audit, order};

#[path = "../../examples/receivers/rust/webhook_do.rs"]
#[expect(unreachable_pub, reason = "it is an example, for whoever copies it into a crate")]
mod webhook_do;

const FORMATS: [&str; 4] = ["raw", "standard", "cloudevents", "webhook-do"];
const ORDERS: usize = 5;

async fn accepts_every_delivery(language: Language) {
    // It lends its secret.
    let known = Receiver::start().await;
    let mut foreign = Foreign::start(language, &known.secret()).await;
    let shop = FORMATS.into_iter().fold(Tenant::named("shop"), |shop, format| {
        let destination = Destination::elsewhere(format, foreign.address(), &known);
        shop.sends_to(
            destination.with(&format!("format = \"{format}\"")).with(r#"signatures = ["v1a", "v1", "github"]"#),
        )
    });
    let site = Site::of([shop]);
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    for number in 1..=ORDERS {
        let id = shop.send(order(number)).await;
        let mut accepted = foreign.accepted(FORMATS.len()).await;
        accepted.sort();
        let again = format!("again {id}");
        assert_eq!(accepted, [again.clone(), again.clone(), again, format!("new {id}")], "one id for all destinations");
        let event = shop.delivered(&id).await;
        assert!(event.deliveries.iter().all(|delivery| delivery.attempts.len() == 1));
    }
    weft.stop().await;
    assert_eq!(audit(&site).await.deliveries.delivered, (ORDERS * FORMATS.len()) as u64);
}

async fn refuses_what_another_secret_signed(language: Language) {
    let (known, other) = (Receiver::start().await, Receiver::start().await);
    let foreign = Foreign::start(language, &known.secret()).await;
    let destination = Destination::elsewhere("crm", foreign.address(), &other);
    let site = Site::of([Tenant::named("shop").sends_to(destination)]);
    let weft = Weft::start(&site).await;
    let id = weft.tenant("shop").send(order(1)).await;
    let event: Event = weft.tenant("shop").after_attempts(&id, 1).await;
    let attempt = format!("{:?}", event.deliveries[0].attempts[0]);
    assert!(attempt.contains("401"), "{attempt}");
    weft.stop().await;
}

/// Sends an order with a signature inside its body, and waits until it is delivered; answers its id.
async fn delivered_with_a_signature(destination: Destination) -> String {
    let site = Site::of([Tenant::named("shop").sends_to(destination.with(r#"format = "webhook-do""#))]);
    let weft = Weft::start(&site).await;
    let id = weft.tenant("shop").send(order(1)).await;
    weft.tenant("shop").delivered(&id).await;
    weft.stop().await;
    id
}

#[tokio::test]
async fn promise_3_a_signature_inside_a_body_verifies_in_rust() {
    let crm = Receiver::start().await;
    delivered_with_a_signature(Destination::at("crm", &crm)).await;
    let request = crm.got(1).await.remove(0);
    let body = std::str::from_utf8(&request.body).expect("JSON is text");
    assert!(webhook_do::is_verified(body, &crm.secret()), "{body}");
    assert!(!webhook_do::is_verified(&body.replace("ord_1", "ord_2"), &crm.secret()));
    assert!(!webhook_do::is_verified(body, &Receiver::start().await.secret()));
}

#[tokio::test]
#[ignore = "needs JavaScript and Python: `cargo xtask test receivers`"]
async fn promise_3_a_signature_inside_a_body_verifies_in_javascript_and_python() {
    for language in [Language::JavaScript, Language::Python] {
        let known = Receiver::start().await;
        let variables = [("FORMAT", "webhook-do")];
        let mut foreign = Foreign::start_with(language, &known.secret(), &variables).await;
        let id = delivered_with_a_signature(Destination::elsewhere("crm", foreign.address(), &known)).await;
        assert_eq!(foreign.accepted(1).await, [format!("new {id}")]);
    }
}

#[tokio::test]
#[ignore = "needs libraries of JavaScript: `cargo xtask test receivers`"]
async fn promise_3_the_javascript_library_accepts_every_delivery_in_every_format() {
    accepts_every_delivery(Language::JavaScript).await;
}

#[tokio::test]
#[ignore = "needs libraries of Python: `cargo xtask test receivers`"]
async fn promise_3_the_python_library_accepts_every_delivery_in_every_format() {
    accepts_every_delivery(Language::Python).await;
}

#[tokio::test]
#[ignore = "needs libraries of JavaScript and Python: `cargo xtask test receivers`"]
async fn promise_3_libraries_refuse_what_another_secret_signed() {
    for language in [Language::JavaScript, Language::Python] {
        refuses_what_another_secret_signed(language).await;
    }
}
