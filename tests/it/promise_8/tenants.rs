//! What is one tenant's is not there for another, in any way that it can be asked for.

use weft_client::wire::{DeadLetterFilter, DeadLetterQuery, Problem, ReplayRequest, ReplayVerdict};
use weft_client::{ClientError, SendEvent};
use weft_tests::{Answer, Destination, Order, Receiver, Site, Tenant, Weft, audit, order};

/// Why a call was refused.
fn refusal<T: std::fmt::Debug>(answer: Result<T, ClientError>) -> Problem {
    match answer {
        Err(ClientError::Refused(problem)) => *problem,
        other => panic!("no refusal: {other:?}"),
    }
}

/// The detail of a refusal without the name that was asked for.
fn detail(problem: &Problem, asked: &str) -> (u16, String) {
    (problem.status, problem.detail.replace(asked, "…"))
}

#[tokio::test]
async fn promise_8_events_and_dead_letters_of_a_tenant_are_not_there_for_another() {
    let (crm, ledger) = (Receiver::start().await, Receiver::start().await);
    crm.answer(Answer::Status(500));
    let shop = Tenant::named("shop").sends_to(Destination::at("crm", &crm).with("retry_waits = []"));
    let bank = Tenant::named("bank").sends_to(Destination::at("ledger", &ledger));
    let site = Site::of([shop, bank]);
    let weft = Weft::start(&site).await;
    let (shop, bank) = (weft.tenant("shop"), weft.tenant("bank"));
    let id = shop.send(order(1)).await;
    let event = shop.until(&id, "its dead letter", |event| event.deliveries[0].state.word() == "dead").await;
    let delivery = &event.deliveries[0].id;

    let others = bank.send(order(2)).await;
    let unused = |id: &str| format!("{}0000", &id[..id.len() - 4]);
    for id in [&id, delivery] {
        let theirs = refusal(bank.client().event(id).await);
        let nobodys = refusal(bank.client().event(&unused(id)).await);
        assert_eq!(detail(&theirs, id), detail(&nobodys, &unused(id)));
        assert_eq!(theirs.status, 404);
    }
    assert_eq!(bank.dead_letters().await, []);
    let of_crm = DeadLetterQuery { destination: Some("crm".to_owned()), ..DeadLetterQuery::default() };
    assert_eq!(refusal(bank.client().dead_letters(&of_crm).await).status, 404);

    let ids = ReplayRequest { ids: vec![id.clone(), delivery.clone()], ..ReplayRequest::default() };
    let report = bank.try_replay(&ids).await.expect("an answer");
    assert!(report.results.iter().all(|result| result.verdict == ReplayVerdict::NotFound), "{report:?}");
    let all = ReplayRequest { all: true, filter: DeadLetterFilter::default(), ..ReplayRequest::default() };
    let report = bank.try_replay(&all).await.expect("an answer");
    assert_eq!((report.matched, report.started), (0, 0), "{report:?}");

    assert_eq!(shop.dead_letters().await.len(), 1, "it is still the shop's");
    bank.delivered(&others).await;
    weft.stop().await;
    assert_eq!(audit(&site).await.replays, 0);
}

#[tokio::test]
async fn promise_8_destinations_and_their_secrets_are_not_there_for_another() {
    let (crm, ledger) = (Receiver::start().await, Receiver::start().await);
    let shop = Tenant::named("shop").sends_to(Destination::at("crm", &crm));
    let bank = Tenant::named("bank").sends_to(Destination::at("ledger", &ledger));
    let site = Site::of([shop, bank]);
    let weft = Weft::start(&site).await;
    let (shop, bank) = (weft.tenant("shop"), weft.tenant("bank"));

    let seen = bank.client().destinations().await.expect("a list").destinations;
    assert_eq!(seen.iter().map(|seen| (&*seen.tenant, &*seen.name)).collect::<Vec<_>>(), [("bank", "ledger")]);
    for name in ["crm", "no-such"] {
        let client = bank.client();
        let refusals = [
            refusal(client.destination_secrets(name).await),
            refusal(client.disable_destination(name).await),
            refusal(client.enable_destination(name).await),
        ];
        for problem in refusals {
            let told = detail(&problem, name);
            assert_eq!(told, (404, "there is no destination \"…\" (known: ledger)".to_owned()));
        }
    }
    assert_eq!(shop.client().destination_secrets("crm").await.expect("its own").secrets, [crm.secret()]);
    let id = shop.send(order(1)).await;
    shop.delivered(&id).await;
    weft.stop().await;
}

#[tokio::test]
async fn promise_8_the_keys_of_two_tenants_events_do_not_meet() {
    let (crm, ledger) = (Receiver::start().await, Receiver::start().await);
    let shop = Tenant::named("shop").sends_to(Destination::at("crm", &crm));
    let bank = Tenant::named("bank").sends_to(Destination::at("ledger", &ledger));
    let site = Site::of([shop, bank]);
    let weft = Weft::start(&site).await;
    let (shop, bank) = (weft.tenant("shop"), weft.tenant("bank"));
    let first = shop.try_send(&Order::keyed(1)).await.expect("accepted");
    let same = SendEvent { idempotency_key: Some("order-1".to_owned()), ..SendEvent::json(order(2)) };
    let second = bank.client().send(same).await.expect("neither a duplicate nor a conflict");
    assert!(!second.duplicate);
    assert_ne!(first.id, second.id);
    shop.delivered(&first.id).await;
    bank.delivered(&second.id).await;
    weft.stop().await;
    assert_eq!(audit(&site).await.events.routed, 2);
}
