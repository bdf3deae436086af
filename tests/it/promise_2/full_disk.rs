//! A store that cannot write: nothing is promised, nothing is lost, and no restart is needed.

use weft_tests::{Answer, Caller, Destination, Engine, Order, Receiver, Site, Tenant, audit};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_2_a_full_disk_refuses_events_and_recovers_without_a_restart() {
    let crm = Receiver::start().await;
    crm.answer(Answer::Silence);
    let site = Site::of([Tenant::named("shop").sends_to(Destination::at("crm", &crm))]);
    let engine = Engine::start(&site).await;
    let shop = engine.tenant("shop");
    let before = shop.try_send(&Order::keyed(1)).await.expect("accepted");
    crm.got(1).await;

    // The answer to an attempt comes while nothing can be written.
    engine.limit_file_size(Some(0));
    refused_for_now(&shop, &Order::keyed(2)).await;
    crm.answer(Answer::Status(204));
    crm.accepted(1).await;
    refused_for_now(&shop, &Order::keyed(2)).await;

    engine.limit_file_size(None);
    let after = shop.try_send(&Order::keyed(2)).await.expect("accepted");
    assert!(!after.duplicate, "what was refused was not stored");
    shop.delivered(&before.id).await;
    shop.delivered(&after.id).await;
    engine.stop().await;

    assert_eq!(crm.so_far().len(), 2, "the receiver that had accepted was not asked again");
    let counted = audit(&site).await;
    assert_eq!((counted.events.routed, counted.deliveries.delivered), (2, 2));
}

async fn refused_for_now(caller: &Caller, order: &Order) {
    let refused = caller.try_send(order).await.expect_err("nothing can be stored");
    let problem = refused.problem().expect("an answer");
    assert_eq!((problem.status, problem.word()), (503, "store-unavailable"));
}
