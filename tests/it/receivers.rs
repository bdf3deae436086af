//! Deliveries to receivers in other languages: what the libraries of Standard Webhooks verify there is what Weft signs.

use weft_client::wire::Event;
use weft_tests::{Destination, Foreign, Language, Receiver, Site, Tenant, Weft, audit, order};

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
