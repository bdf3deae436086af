//! Destinations that want nothing any more, for a while or for good: what waits for them is held.

use std::time::Duration;

use weft_client::wire::{DestinationStatus, Event};
use weft_tests::{Answer, Destination, Receiver, Site, Step, Tenant, Weft, audit, order};

fn word(event: &Event) -> &str {
    event.deliveries[0].state.word()
}

#[tokio::test]
async fn promise_2_a_destination_that_answers_410_is_disabled_and_what_waits_is_held_until_it_is_enabled() {
    let crm = Receiver::start().await;
    let site = Site::of([Tenant::named("shop").sends_to(Destination::at("crm", &crm))]);
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    // One that will be retried, one that is told to go away.
    crm.answer_first([Answer::Status(503), Answer::Status(410)]);
    let held = shop.send(order(1)).await;
    shop.after_attempts(&held, 1).await;
    let gone = shop.send(order(2)).await;
    let event = shop.until(&gone, "its death", |event| word(event) == "dead").await;
    assert!(format!("{:?}", event.deliveries[0].state).contains("gone"));
    let disabled = DestinationStatus::Disabled { reason: "gone".to_owned() };
    shop.until_destination("crm", |destination| destination.status == disabled).await;

    // Due, but held; and a new event finds nobody who wants it.
    weft.advance(Duration::from_secs(10));
    let unwanted = shop.send(order(3)).await;
    let event = shop.until(&unwanted, "its end", |event| event.state.word() == "dropped").await;
    assert!(event.deliveries.is_empty());
    assert_eq!(word(&shop.trace(&held).await), "pending");
    assert_eq!(crm.so_far().len(), 2);
    // A disabled destination stays so over a restart.
    let weft = weft.restart().await;
    let shop = weft.tenant("shop");
    shop.until_destination("crm", |destination| destination.status == disabled).await;

    shop.enable("crm").await;
    shop.until(&held, "its delivery", |event| word(event) == "delivered").await;
    let next = shop.send(order(4)).await;
    shop.delivered(&next).await;
    weft.stop().await;
    let counted = audit(&site).await;
    assert_eq!((counted.deliveries.delivered, counted.deliveries.dead, counted.events.dropped), (2, 1, 1));
}

#[tokio::test]
async fn promise_2_what_is_made_for_a_paused_destination_is_held_and_sent_when_it_is_resumed() {
    let (crm, items) = (Receiver::start().await, Receiver::start().await);
    let plain = Tenant::named("plain").sends_to(Destination::at("crm", &crm));
    let split = Step::of("split-array").with(r#"config = { pointer = "/data/lines" }"#);
    let piped = Tenant::named("piped").sends_to(Destination::at("items", &items)).runs(split);
    let site = Site::of([plain, piped]);
    let weft = Weft::start(&site).await;
    let pairs = [("plain", "crm", 1), ("piped", "items", 3)];
    let mut ids = Vec::new();
    for (tenant, destination, _) in pairs {
        let caller = weft.tenant(tenant);
        caller.pause(destination).await;
        let id = caller.send(order(1)).await;
        caller.until(&id, "its deliveries", |event| event.state.word() == "routed").await;
        ids.push(id);
    }
    // A pause holds over a restart, and nothing is sent, whenever it is due.
    let weft = weft.restart().await;
    weft.advance(Duration::from_secs(60));
    for (tenant, destination, count) in pairs {
        weft.tenant(tenant).until_destination(destination, |it| it.status == DestinationStatus::Paused).await;
        let event = weft.tenant(tenant).trace(&ids[usize::from(tenant == "piped")]).await;
        assert_eq!(event.deliveries.len(), count);
        assert!(event.deliveries.iter().all(|it| it.state.word() == "pending" && it.attempts.is_empty()));
    }
    assert_eq!((crm.so_far().len(), items.so_far().len()), (0, 0));
    for (place, (tenant, destination, _)) in pairs.into_iter().enumerate() {
        weft.tenant(tenant).enable(destination).await;
        weft.tenant(tenant).delivered(&ids[place]).await;
    }
    weft.stop().await;
    let counted = audit(&site).await;
    assert_eq!((counted.deliveries.delivered, counted.events.routed), (4, 2));
}

#[tokio::test]
async fn promise_2_what_waits_for_a_destination_that_left_the_file_is_held_until_it_returns() {
    let crm = Receiver::start().await;
    crm.answer_first([Answer::Status(503)]);
    let destination = Destination::at("crm", &crm);
    let mut site = Site::of([Tenant::named("shop").sends_to(destination.clone())]);
    let weft = Weft::start(&site).await;
    let id = weft.tenant("shop").send(order(1)).await;
    weft.tenant("shop").after_attempts(&id, 1).await;
    let clock = weft.stop().await;

    site.change("shop", |shop| shop.without_destination("crm"));
    let weft = Weft::start_on(&site, clock).await;
    weft.advance(Duration::from_secs(10));
    assert_eq!(word(&weft.tenant("shop").trace(&id).await), "pending");
    let clock = weft.stop().await;
    assert_eq!(audit(&site).await.deliveries.pending, 1);

    site.change("shop", |shop| shop.sends_to(destination));
    let weft = Weft::start_on(&site, clock).await;
    weft.tenant("shop").delivered(&id).await;
    weft.stop().await;
    assert_eq!(crm.so_far().len(), 2);
    audit(&site).await;
}

#[tokio::test]
async fn promise_2_what_is_held_dies_at_its_lifetime_and_can_be_replayed() {
    let crm = Receiver::of_any_time().await;
    crm.answer_first([Answer::Status(503)]);
    let site = Site::of([Tenant::named("shop").sends_to(Destination::at("crm", &crm))]);
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    let id = shop.send(order(1)).await;
    let event = shop.after_attempts(&id, 1).await;
    shop.disable("crm").await;
    weft.advance(event.deliveries[0].ends_at.since(weft.now()) + Duration::from_secs(61));
    let event = shop.until(&id, "its death", |event| word(event) == "dead").await;
    assert!(format!("{:?}", event.deliveries[0].state).contains("lifetime"));
    assert_eq!(crm.so_far().len(), 1);
    let letters = shop.dead_letters().await;
    shop.enable("crm").await;
    shop.replay(&letters[0].id).await;
    crm.accepted(1).await;
    weft.operator().drained().await;
    weft.stop().await;
    audit(&site).await;
}
