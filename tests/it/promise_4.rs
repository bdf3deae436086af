//! Promise 4: order on request. What has an ordering key goes one after the other, and nothing else waits for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use weft_client::SendEvent;
use weft_client::wire::Event;
use weft_private_postgres::{Durability, Options, PrivatePostgres};
use weft_tests::{
    Answer, Caller, Destination, Engine, Received, Receiver, Site, Step, Tenant, Weft, audit, order, within,
};

/// Sends order `number` under an ordering key; answers its id.
async fn send(caller: &Caller, number: usize, key: &str) -> String {
    let event = SendEvent { ordering_key: Some(key.to_owned()), ..SendEvent::json(order(number)) };
    within("an answer", caller.client().send(event)).await.expect("accepted").id
}

/// The number of an order, and of its line if that is all there is.
fn number(received: &Received) -> (usize, u64) {
    let text = std::str::from_utf8(&received.body).expect("text");
    let at = |word: &str| {
        let from = text.find(word).expect("an order") + word.len();
        text[from..].chars().take_while(char::is_ascii_digit).collect::<String>().parse::<usize>().expect("a number")
    };
    match text.contains("\"type\"") {
        true => (at("ord_"), 0),
        false => (at("-"), at("\"n\":") as u64),
    }
}

fn numbers(received: &[Received]) -> Vec<usize> {
    received.iter().map(|it| number(it).0).collect()
}

#[tokio::test]
async fn promise_4_a_retry_holds_its_key_at_its_own_destination_and_nothing_else() {
    let (crm, archive) = (Receiver::of_any_time().await, Receiver::of_any_time().await);
    crm.answer_first([Answer::Status(503)]);
    let shop = Tenant::named("shop");
    let shop = shop.sends_to(Destination::at("crm", &crm)).sends_to(Destination::at("archive", &archive));
    let site = Site::of([shop]);
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    let first = send(&shop, 1, "customer-1").await;
    let is_tried = |event: &Event| event.deliveries.iter().any(|it| it.destination == "crm" && it.attempts.len() == 1);
    shop.until(&first, "the first attempt", is_tried).await;
    let mut ids = vec![first];
    for number in 2..=4 {
        ids.push(send(&shop, number, "customer-1").await);
    }
    let other = send(&shop, 5, "customer-2").await;
    let free = shop.send(order(6)).await;
    shop.delivered(&other).await;
    shop.delivered(&free).await;
    archive.accepted(6).await;
    assert_eq!(crm.so_far().len(), 3, "1, 5 and 6");
    let trace = shop.trace(&ids[1]).await;
    assert_eq!(trace.ordering_key.as_deref(), Some("customer-1"));
    let behind: Vec<_> = trace.deliveries.iter().map(|it| (it.destination.as_str(), it.behind)).collect();
    assert!(behind.contains(&("crm", true)) && behind.contains(&("archive", false)), "{behind:?}");

    weft.advance(Duration::from_secs(5));
    for id in &ids {
        shop.delivered(id).await;
    }
    let keyed: Vec<_> = numbers(&crm.so_far()).into_iter().filter(|number| *number <= 4).collect();
    assert_eq!(keyed, [1, 1, 2, 3, 4]);
    let keyed: Vec<_> = numbers(&archive.so_far()).into_iter().filter(|number| *number <= 4).collect();
    assert_eq!(keyed, [1, 2, 3, 4]);
    weft.stop().await;
    audit(&site).await;
}

#[tokio::test]
async fn promise_4_a_dead_letter_lets_the_next_go_and_its_replay_enters_at_the_end() {
    let crm = Receiver::of_any_time().await;
    crm.answer_first([Answer::Status(503)]);
    let site = Site::of([Tenant::named("shop").sends_to(Destination::at("crm", &crm).with("retry_waits = []"))]);
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    let dead = send(&shop, 1, "k").await;
    let last = send(&shop, 2, "k").await;
    shop.delivered(&last).await;
    crm.answer(Answer::Silence);
    let held = send(&shop, 3, "k").await;
    crm.got(3).await;
    let letters = shop.dead_letters().await;
    shop.replay(&letters[0].id).await;
    assert!(shop.trace(&dead).await.deliveries.iter().any(|it| it.behind), "it waits for 3");
    crm.answer(Answer::Status(204));
    shop.delivered(&held).await;
    crm.accepted(3).await;
    assert_eq!(numbers(&crm.so_far()), [1, 2, 3, 1]);
    let is_over = |event: &Event| event.deliveries.iter().all(|it| it.state.word() != "pending");
    shop.until(&dead, "the replay", is_over).await;
    weft.stop().await;
    audit(&site).await;
}

#[tokio::test]
async fn promise_4_a_key_that_a_plugin_sets_orders_what_it_planned() {
    let crm = Receiver::of_any_time().await;
    crm.answer(Answer::Silence);
    let step = Step::of("hostile").with(r#"roles = ["transform"]"#).with(r#"config = { do = "ordering-key" }"#);
    let site = Site::of([Tenant::named("shop").sends_to(Destination::at("crm", &crm)).runs(step)]);
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    let mut ids = Vec::new();
    for number in 1..=4 {
        ids.push(shop.send(order(number)).await);
        let id = &ids[number - 1];
        shop.until(id, "the pass", |event| event.state.word() == "routed").await;
    }
    crm.got(1).await;
    let trace = shop.trace(&ids[3]).await;
    assert_eq!((trace.ordering_key, trace.deliveries[0].ordering_key.as_deref()), (None, Some("key")));
    assert!(trace.deliveries[0].behind);
    assert_eq!(crm.so_far().len(), 1, "the others wait for the first");
    crm.answer(Answer::Status(204));
    for id in &ids {
        shop.delivered(id).await;
    }
    assert_eq!(numbers(&crm.so_far()), [1, 2, 3, 4]);
    weft.stop().await;
    audit(&site).await;
}

/// Kills of a run; as many more at the end as it takes to be sure that nothing is left.
const KILLS: usize = 6;
/// Acknowledged events between two kills.
const BETWEEN: usize = 40;
const KEYS: usize = 4;

/// Senders of one key each, which wait for each answer, and go on where they were after a kill.
struct Senders {
    next: HashMap<usize, usize>,
    acknowledged: Arc<watch::Sender<usize>>,
    running: JoinSet<(usize, usize)>,
}

impl Senders {
    fn begin(&mut self, caller: &Caller) {
        for key in 0..KEYS {
            let (caller, acknowledged) = (caller.clone(), self.acknowledged.clone());
            let mut next = self.next.get(&key).copied().unwrap_or(key * 100_000 + 1);
            self.running.spawn(async move {
                loop {
                    let event = SendEvent {
                        ordering_key: Some(format!("key-{key}")),
                        idempotency_key: Some(format!("order-{next}")),
                        ..SendEvent::json(order(next))
                    };
                    if caller.client().send(event).await.is_err() {
                        return (key, next);
                    }
                    next += 1;
                    acknowledged.send_modify(|count| *count += 1);
                }
            });
        }
    }

    async fn end(&mut self) {
        let ended = async {
            while let Some(ended) = self.running.join_next().await {
                let (key, next) = ended.expect("a sender");
                self.next.insert(key, next);
            }
        };
        within("the senders end", ended).await;
    }
}

async fn kills_keep_the_order(site: impl FnOnce(Site) -> Site) {
    let (plain, piped) = (Receiver::start().await, Receiver::start().await);
    // Now and then one is refused, so that a key is held at its destination.
    let refusals = || (0..40).map(|n| Answer::Status(if n % 8 == 7 { 503 } else { 204 }));
    plain.answer_first(refusals());
    piped.answer_first(refusals());
    let to = |name: &str, receiver| Destination::at(name, receiver).with(r#"retry_waits = ["100ms", "100ms", "1s"]"#);
    let tenants = [
        Tenant::named("plain").sends_to(to("crm", &plain)),
        Tenant::named("piped")
            .sends_to(to("items", &piped))
            .runs(Step::of("split-array").with(r#"config = { pointer = "/data/lines" }"#)),
    ];
    let site = site(Site::of(tenants));
    let new = || Senders { next: HashMap::new(), acknowledged: Arc::default(), running: JoinSet::new() };
    let (mut of_plain, mut of_piped) = (new(), new());
    for kill in 1..=KILLS {
        let engine = Engine::start(&site).await;
        of_plain.begin(&engine.tenant("plain"));
        of_piped.begin(&engine.tenant("piped"));
        for senders in [&of_plain, &of_piped] {
            let mut acknowledged = senders.acknowledged.subscribe();
            let enough = acknowledged.wait_for(|count| *count >= kill * BETWEEN);
            within("acknowledged events", enough).await.expect("the senders hold the other end");
        }
        engine.kill().await;
        of_plain.end().await;
        of_piped.end().await;
    }
    let engine = Engine::start(&site).await;
    engine.operator().drained().await;
    engine.stop().await;
    for (receiver, senders, lines) in [(&plain, &of_plain, 1), (&piped, &of_piped, 3)] {
        let mut last: HashMap<usize, (usize, u64)> = HashMap::new();
        let mut different = std::collections::HashSet::new();
        for received in receiver.so_far() {
            let number = number(&received);
            let before = last.insert(number.0 / 100_000, number).unwrap_or_default();
            assert!(before <= number, "{number:?} came after {before:?}");
            different.insert(number);
        }
        let sent: usize = senders.next.iter().map(|(key, next)| next - key * 100_000 - 1).sum();
        // What was not answered may be stored all the same.
        assert!((sent * lines..=(sent + KEYS) * lines).contains(&different.len()), "{} of {sent}", different.len());
    }
    audit(&site).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_4_kills_under_load_keep_the_order_of_every_key() {
    kills_keep_the_order(|site| site).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_4_kills_under_load_keep_the_order_of_every_key_on_postgres() {
    // As durable as in production: the program refuses any other.
    let server = PrivatePostgres::start(&Options::new(Durability::Full)).unwrap_or_else(|error| panic!("{error}"));
    server.create_database("weft").expect("an empty server");
    kills_keep_the_order(|site| site.on(&server.url("weft"))).await;
}
