//! Two tenants under load, as every fault meets them: one without steps, one whose events are split.

use weft_tests::{Answer, Destination, Engine, Load, Receiver, Request, Site, Step, Tenant, audit, order, within};

use crate::ledger::{Ledger, drain, lines, whole};

/// Senders of each tenant.
const SENDERS: usize = 4;

/// The receivers, and what was acknowledged.
pub(super) struct Orders {
    crm: Receiver,
    items: Receiver,
    plain: Ledger,
    piped: Ledger,
}

/// The loads of both tenants.
pub(super) struct Loads {
    plain: Load,
    piped: Load,
}

impl Orders {
    pub(super) async fn none() -> Self {
        let (crm, items) = (Receiver::start().await, Receiver::start().await);
        Self { crm, items, plain: Ledger::default(), piped: Ledger::default() }
    }

    /// Two tenants that send to these receivers.
    pub(super) fn tenants(&self) -> [Tenant; 2] {
        let plain = Tenant::named("plain").sends_to(Destination::at("crm", &self.crm));
        let piped = Tenant::named("piped")
            .sends_to(Destination::at("items", &self.items))
            .runs(Step::of("split-array").with(r#"config = { pointer = "/data/lines" }"#));
        [plain, piped]
    }

    /// Sends orders of both tenants from now on.
    pub(super) fn begin(&mut self, engine: &Engine<'_>) -> Loads {
        self.begin_on(engine, engine)
    }

    /// The same, those of the one tenant to one engine and those of the other to another.
    pub(super) fn begin_on(&mut self, plain: &Engine<'_>, piped: &Engine<'_>) -> Loads {
        Loads {
            plain: self.plain.begin(&plain.tenant("plain"), SENDERS),
            piped: self.piped.begin(&piped.tenant("piped"), SENDERS),
        }
    }

    /// Lets the receivers take requests and not answer, or answer again.
    pub(super) fn are_held(&self, held: bool) {
        for receiver in [&self.crm, &self.items] {
            receiver.answer(if held { Answer::Silence } else { Answer::Status(204) });
        }
    }

    /// Waits until no sender gets an answer that is good, and writes down what was.
    pub(super) async fn all_refused(&mut self, loads: Loads) {
        for load in [&loads.plain, &loads.piped] {
            assert!(!load.acknowledged(usize::MAX).await, "senders stop when they are refused");
        }
        self.end(loads).await;
    }

    /// Ends both loads, and writes down what was acknowledged.
    pub(super) async fn end(&mut self, loads: Loads) {
        self.plain.end(loads.plain).await;
        self.piped.end(loads.piped).await;
    }

    /// Sends what was refused again, waits until everything is delivered, and proves that nothing is missing or changed.
    pub(super) async fn settle(mut self, engine: Engine<'_>, site: &Site) {
        let callers = (engine.tenant("plain"), engine.tenant("piped"));
        drain(engine, [(&mut self.plain, &callers.0), (&mut self.piped, &callers.1)]).await;
        self.plain.compare_with(&self.crm, whole);
        self.piped.compare_with(&self.items, lines);
        let counted = audit(site).await;
        assert_eq!(counted.events.routed, self.plain.orders() + self.piped.orders());
        assert_eq!(counted.deliveries.delivered, self.plain.orders() + 3 * self.piped.orders());
        assert_eq!((counted.events.received, counted.deliveries.pending), (0, 0));
    }
}

impl Loads {
    /// Waits until so many orders of each tenant are acknowledged.
    pub(super) async fn acknowledged(&self, count: usize) {
        for load in [&self.plain, &self.piped] {
            assert!(load.acknowledged(count).await, "the senders were refused");
        }
    }
}

/// Proves that a sender is told what to do, and a balancer that it should look elsewhere.
pub(super) async fn is_refused_for_now(engine: &Engine<'_>, site: &Site) {
    let refused = Request::event(&site.key("plain"), order(0)).send(engine.address()).await;
    let problem = refused.problem();
    assert_eq!((problem.status, problem.word()), (503, "store-unavailable"), "{problem:?}");
    assert!(refused.head.contains("retry-after: "), "{}", refused.head);
    assert_eq!(Request::new("GET", "/healthz").send(engine.address()).await.status, 200, "it lives");
    let ready = Request::new("GET", "/readyz").send(engine.address()).await;
    assert_eq!(ready.status, 503, "{}", ready.body);
}

/// Waits until a balancer is told to come back.
pub(super) async fn is_ready_again(engine: &Engine<'_>) {
    within("the engine is ready again", answers_ready_with(engine, 200)).await;
}

/// Waits until a balancer is told to look elsewhere, with nothing but its own question.
pub(super) async fn is_not_ready(engine: &Engine<'_>) {
    within("the engine says that it is not ready", answers_ready_with(engine, 503)).await;
}

async fn answers_ready_with(engine: &Engine<'_>, status: u16) {
    while Request::new("GET", "/readyz").send(engine.address()).await.status != status {}
}
