//! What a restart must not lose, hurry or repeat.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use weft_client::wire::DeliveryState;
use weft_tests::{Answer, Destination, Receiver, Site, Tenant, Weft, audit, order, within};

#[tokio::test]
async fn promise_2_a_restart_between_two_attempts_continues_the_schedule() {
    let crm = Receiver::of_any_time().await;
    crm.answer_first([Answer::Status(503), Answer::Status(503)]);
    let site = Site::of([Tenant::named("shop").sends_to(Destination::at("crm", &crm))]);
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    let id = shop.send(order(1)).await;
    shop.after_attempts(&id, 1).await;
    weft.advance(Duration::from_secs(5));
    let before = shop.after_attempts(&id, 2).await;
    let due = weft.now().plus(Duration::from_secs(300));

    let weft = weft.restart().await;
    let shop = weft.tenant("shop");
    let after = shop.trace(&id).await;
    assert_eq!(after.deliveries[0].state, DeliveryState::Pending { due_at: due, leased: false });
    assert_eq!(after.deliveries[0].attempts, before.deliveries[0].attempts);
    weft.advance(Duration::from_secs(299));
    let marker = shop.send(order(2)).await;
    shop.delivered(&marker).await;
    assert_eq!(shop.trace(&id).await.deliveries[0].attempts.len(), 2, "it is not due yet");
    weft.advance(Duration::from_secs(1));
    let event = shop.delivered(&id).await;
    let numbers: Vec<_> = event.deliveries[0].attempts.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    weft.stop().await;
    audit(&site).await;
}

#[tokio::test]
async fn promise_2_a_graceful_stop_gives_back_what_waits_and_the_next_start_delivers_at_once() {
    const ORDERS: usize = 12;
    let crm = Receiver::start().await;
    crm.answer(Answer::Silence);
    // One attempt at a time: the others wait in memory under leases of a minute.
    let site = Site::of([Tenant::named("shop").sends_to(Destination::at("crm", &crm))])
        .limit("attempts_per_destination_max", 1);
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    let mut ids = Vec::new();
    for number in 0..ORDERS {
        ids.push(shop.send(order(number)).await);
    }
    crm.got(1).await;
    // What is under way finishes, even if its answer comes while the engine winds down; what waits goes back.
    let answer_late = answer_once_closed(weft.address(), &crm);
    let (clock, ()) = tokio::join!(weft.stop(), answer_late);
    let counted = audit(&site).await;
    assert_eq!(counted.deliveries.delivered, crm.accepted_so_far() as u64, "what was answered is recorded");
    assert_eq!(counted.deliveries.pending + counted.deliveries.delivered, ORDERS as u64);

    // The clock stands still: a lease could not end, and the start voids those of others.
    let weft = Weft::start_on(&site, clock).await;
    for id in &ids {
        let event = weft.tenant("shop").delivered(id).await;
        assert_eq!(event.deliveries[0].attempts.len(), 1, "nothing is sent twice");
    }
    weft.stop().await;
    assert_eq!(crm.so_far().len(), ORDERS);
    audit(&site).await;
}

/// Lets the receiver answer once the API takes no more connections.
async fn answer_once_closed(api: SocketAddr, receiver: &Receiver) {
    within("the API closes", async { while TcpStream::connect(api).await.is_ok() {} }).await;
    receiver.answer(Answer::Status(204));
}
