//! A store with an example of everything that can wait or be over, and enough of each that it takes many batches.

use weft_client::wire::{DeadLetterQuery, ReplayRequest};
use weft_tests::{Answer, Destination, Engine, Order, Receiver, Site, Step, Tenant, audit, within};

use crate::ledger::{Ledger, drain, lines, whole};

/// Orders of the tenant without steps.
const PLAIN: usize = 2_500;
/// Orders of the tenant whose events are split: three dead letters each.
const PIPED: usize = 500;
/// Dead letters that are replayed, and whose replays wait.
const REPLAYED: u32 = 200;
/// Attempts that a receiver has refused, and that will be repeated.
const REFUSED: usize = 500;
/// Orders that are sent when all is over.
const AFTER: usize = 20;
/// Senders of each tenant.
const SENDERS: usize = 16;

/// The receivers, and what was acknowledged.
pub(super) struct Backlog {
    /// Refuses for now.
    crm: Receiver,
    /// Takes everything.
    archive: Receiver,
    /// Refuses for good.
    items: Receiver,
    plain: Ledger,
    piped: Ledger,
}

impl Backlog {
    pub(super) async fn none() -> Self {
        let (crm, archive, items) = (Receiver::start().await, Receiver::start().await, Receiver::start().await);
        crm.answer(Answer::Status(503));
        items.answer(Answer::Status(404));
        Self { crm, archive, items, plain: Ledger::default(), piped: Ledger::default() }
    }

    /// Two tenants that send to these receivers.
    pub(super) fn tenants(&self) -> [Tenant; 2] {
        // What is refused waits again and again until the receiver accepts, never long.
        let patient = r#"retry_waits = { first = "5s", longest = "5s", attempts = 60 }"#;
        let plain = Tenant::named("plain")
            .sends_to(Destination::at("crm", &self.crm).with(patient))
            .sends_to(Destination::at("archive", &self.archive));
        let piped = Tenant::named("piped")
            .sends_to(Destination::at("items", &self.items).with(r#"give_up_on = ["404"]"#))
            .runs(Step::of("dedupe").with(r#"grants = ["kv"]"#).with(r#"config = { key = "/data/id" }"#))
            .runs(Step::of("split-array").with(r#"config = { pointer = "/data/lines" }"#));
        [plain, piped]
    }

    /// Lets an engine take many orders and do what can be done, and kills it with the rest before it.
    pub(super) async fn pile_up(&mut self, site: &Site) {
        let engine = Engine::start(site).await;
        let (plain, piped) = (engine.tenant("plain"), engine.tenant("piped"));
        let loads = (self.plain.begin(&plain, SENDERS), self.piped.begin(&piped, SENDERS));
        assert!(loads.1.acknowledged(PIPED).await, "the senders were refused");
        self.piped.end(loads.1).await;
        assert!(loads.0.acknowledged(PLAIN).await, "the senders were refused");
        self.plain.end(loads.0).await;
        self.crm.got(REFUSED).await;

        let all = ReplayRequest { all: true, dry_run: true, ..ReplayRequest::default() };
        let dead = async { while piped.try_replay(&all).await.expect("a count").matched < 3 * self.piped.orders() {} };
        within("all lines are dead letters", dead).await;
        self.items.answer(Answer::Silence);
        let some = DeadLetterQuery { limit: Some(REPLAYED), ..DeadLetterQuery::default() };
        let letters = within("some dead letters", piped.client().dead_letters(&some)).await.expect("a list").letters;
        let ids = letters.into_iter().map(|letter| letter.id).collect();
        let report = piped.try_replay(&ReplayRequest { ids, ..ReplayRequest::default() }).await.expect("an answer");
        assert_eq!(report.started, u64::from(REPLAYED), "{report:?}");
        engine.kill().await;
    }

    /// Lets the receivers accept, waits until everything is delivered, and proves that nothing is missing, changed or forgotten.
    pub(super) async fn settle(mut self, engine: Engine<'_>, site: &Site) {
        for receiver in [&self.crm, &self.items] {
            receiver.answer(Answer::Status(204));
        }
        let callers = (engine.tenant("plain"), engine.tenant("piped"));
        let again = callers.0.try_send(&Order::keyed(0)).await.expect("an answer");
        assert!(again.duplicate, "the key of an order is known: {again:?}");
        let load = self.plain.begin(&callers.0, SENDERS);
        assert!(load.acknowledged(AFTER).await, "the senders were refused");
        self.plain.end(load).await;
        drain(engine, [(&mut self.plain, &callers.0), (&mut self.piped, &callers.1)]).await;
        for receiver in [&self.crm, &self.archive] {
            self.plain.compare_with(receiver, whole);
            assert_eq!(self.plain.under_way(receiver).await, 0, "each order was accepted");
        }
        self.piped.compare_with(&self.items, lines);
        let counted = audit(site).await;
        let (plain, piped, replayed) = (self.plain.orders(), self.piped.orders(), u64::from(REPLAYED));
        assert_eq!(counted.events.routed, plain + piped);
        assert_eq!((counted.deliveries.delivered, counted.deliveries.dead), (2 * plain + replayed, 3 * piped));
        assert_eq!((counted.events.received, counted.deliveries.pending, counted.replays), (0, 0, replayed));
    }
}
