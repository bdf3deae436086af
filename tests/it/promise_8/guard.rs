//! What Weft may dial is asked when it dials, whatever the configuration says.

use weft_tests::{Destination, Listener, Program, Receiver, Rewritten, Site, Tenant, audit, order};

/// The allowance under which all other tests reach their receivers.
const ALLOWANCE: &str = "allow = [\"127.0.0.1/32\"]";

#[tokio::test]
async fn promise_8_addresses_that_are_not_public_are_refused_in_the_configuration() {
    let crm = Receiver::start().await;
    let site = Site::of([Tenant::named("shop").sends_to(Destination::at("crm", &crm))]);
    let literals = [
        crm.url(),
        "http://2130706433/hook".to_owned(),
        "http://0x7f.1/hook".to_owned(),
        "http://[::1]/hook".to_owned(),
        "http://[::ffff:127.0.0.1]/hook".to_owned(),
        "http://0.0.0.0/hook".to_owned(),
        "http://10.1.2.3/hook".to_owned(),
        "http://169.254.169.254/latest/meta-data".to_owned(),
    ];
    for literal in literals {
        let rewritten = Rewritten::of(&site).with(ALLOWANCE, "allow = []").with(&crm.url(), &literal);
        let said = Program::run(&["config", "check"], rewritten.path(), &[]).ended().await;
        assert_eq!(said.code, Some(1), "{literal}: {said:?}");
        let line = format!("rewritten.toml:{}: ", rewritten.line_of("url = "));
        for words in [&*line, "tenant[0].destination[0].url", "network.allow"] {
            assert!(said.stdout.contains(words), "{literal}: {words:?} is missing: {}", said.stdout);
        }
    }
}

#[tokio::test]
async fn promise_8_a_name_that_leads_to_a_private_address_is_refused_when_it_is_dialled() {
    let crm = Receiver::start().await;
    let site = Site::of([Tenant::named("shop").sends_to(Destination::at("crm", &crm).with("retry_waits = []"))]);
    let named = crm.url().replace("127.0.0.1", "localhost");
    let guarded = Rewritten::of(&site).with(&crm.url(), &named);

    let weft = guarded.with(ALLOWANCE, "allow = []").start().await;
    let shop = weft.tenant("shop");
    let id = shop.send(order(1)).await;
    let event = shop.until(&id, "its end", |event| event.deliveries[0].state.word() == "dead").await;
    let [attempt] = &event.deliveries[0].attempts[..] else { panic!("one attempt: {event:?}") };
    assert_eq!((&*attempt.outcome, attempt.status), ("forbidden", None));
    assert!(attempt.detail.contains("loopback"), "{}", attempt.detail);
    assert_eq!(crm.so_far().len(), 0, "nothing came");
    weft.stop().await;

    // The same name with the allowance: it was the guard that refused.
    let weft = Rewritten::of(&site).with(&crm.url(), &named).start().await;
    let shop = weft.tenant("shop");
    let id = shop.send(order(2)).await;
    shop.delivered(&id).await;
    weft.stop().await;
    audit(&site).await;
}

#[tokio::test]
async fn promise_8_a_redirect_is_not_followed() {
    let inside = Receiver::start().await;
    let site = Site::of([Tenant::named("shop").sends_to(Destination::at("crm", &inside).with("retry_waits = []"))]);
    for status in [301, 302, 303, 307, 308] {
        let outside = Listener::answering(status, &[("location", inside.url())]).await;
        let url = format!("http://{}/hook", outside.address());
        let weft = Rewritten::of(&site).with(&inside.url(), &url).start().await;
        let shop = weft.tenant("shop");
        let id = shop.send(order(1)).await;
        let event = shop.until(&id, "its end", |event| event.deliveries[0].state.word() == "dead").await;
        let attempts = &event.deliveries[0].attempts;
        assert_eq!(attempts.len(), 1, "{attempts:?}");
        assert_eq!((&*attempts[0].outcome, attempts[0].status), ("rejected", Some(status)));
        assert_eq!(outside.got(1).await.len(), 1);
        weft.stop().await;
    }
    assert_eq!(inside.so_far().len(), 0, "nobody was sent on");
    audit(&site).await;
}
