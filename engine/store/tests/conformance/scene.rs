//! A store with one tenant and three destinations, and short ways to say what happens to it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;
use weft_core::attempt::{Attempt, AttemptOutcome};
use weft_core::decide::NextStep;
use weft_core::delivery::{DeadDelivery, RequestParts};
use weft_core::event::{DedupeKey, Event, NewEvent};
use weft_core::id::{DeliveryId, DestinationId, EventId, KeyId, ReplayId, TenantId};
use weft_core::plan::BodyRef;
use weft_core::time::Timestamp;
use weft_core::trace::PassTrace;
use weft_store::Store;
use weft_store::catalog::{Catalog, Declaration, DeclaredDestination, DeclaredKey, DeclaredTenant};
use weft_store::check::{CheckReport, Finding};
use weft_store::history::{DeliveryState, EventRecord};
use weft_store::replay::NewEventReplay;
use weft_store::work::{
    DeliveryWork, Finished, FinishedAttempt, FinishedPass, FirstWay, Ingested, KeepEvent, Lease, NewDelivery, PassEnd,
    PassKey, PassWork, Want,
};

use crate::engine::Engine;

pub(crate) const START: i64 = 1_760_000_000_000;
pub(crate) const LEASE_MS: i64 = 60_000;
pub(crate) const LIFETIME: Duration = Duration::from_hours(7 * 24);

/// The time `ms` after the scene's beginning.
pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(START + ms)
}

/// A made-up id: the n-th.
pub(crate) fn uuid(n: u128) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + n)
}

pub(crate) fn tenant(n: u128) -> TenantId {
    TenantId::from_uuid(uuid(n))
}

pub(crate) fn destination(n: u128) -> DestinationId {
    DestinationId::from_uuid(uuid(n))
}

pub(crate) fn replay_id(n: u128) -> ReplayId {
    ReplayId::from_uuid(uuid(n))
}

/// A store on the engine `E`.
pub(crate) struct Scene<E> {
    pub(crate) store: Store,
    pub(crate) engine: Arc<E>,
}

impl<E: Engine> Scene<E> {
    /// Tenants `acme` (1) with destinations `a`, `b`, `c` (1, 2, 3) and `globex` (2) with `x` (4).
    pub(crate) async fn new() -> Self {
        let engine = Arc::new(E::fresh());
        let store = engine.open(at(0)).await;
        let scene = Self { store, engine };
        scene.store.declare(declaration(), at(0)).await.expect("the catalog");
        scene
    }

    /// The same store under a new start of the engine, after a clean stop.
    pub(crate) async fn restarted(self, now: Timestamp) -> Self {
        self.store.close().await;
        let store = self.engine.open(now).await;
        Self { store, engine: self.engine }
    }

    /// A lease of this start from `now` on.
    pub(crate) fn lease(&self, now: Timestamp) -> Lease {
        Lease { owner: self.store.start_number(), until: now.plus(Duration::from_millis(LEASE_MS as u64)) }
    }

    pub(crate) async fn keep(&self, events: Vec<KeepEvent>) -> Vec<Ingested> {
        self.keep_at(events, at(0)).await
    }

    pub(crate) async fn keep_at(&self, events: Vec<KeepEvent>, now: Timestamp) -> Vec<Ingested> {
        self.store.keep(events, now).await.expect("keep")
    }

    pub(crate) async fn claim_passes(&self, limit: u32, now: Timestamp) -> Vec<PassWork> {
        self.store.claim_passes(limit, self.lease(now), now).await.expect("claim passes")
    }

    /// Claims up to 100 deliveries of one destination.
    pub(crate) async fn claim(&self, n: u128, now: Timestamp) -> Vec<DeliveryWork> {
        let wants = vec![Want { destination: destination(n), count: 100 }];
        self.store.claim_deliveries(wants, self.lease(now), now).await.expect("claim deliveries")
    }

    pub(crate) async fn finish(&self, pass: FinishedPass) -> Finished {
        self.store.finish_passes(vec![pass]).await.expect("finish passes").remove(0)
    }

    pub(crate) async fn record(&self, attempt: FinishedAttempt) -> Finished {
        self.store.record(vec![attempt]).await.expect("record").remove(0)
    }

    pub(crate) async fn event(&self, id: EventId) -> EventRecord {
        self.store.event(None, id).await.expect("read the event").expect("the event is stored")
    }

    pub(crate) async fn delivery_state(&self, event: EventId, id: DeliveryId) -> DeliveryState {
        let record = self.event(event).await;
        record.deliveries.into_iter().find(|it| it.id == id).expect("the delivery is stored").state
    }

    pub(crate) async fn check(&self) -> CheckReport {
        let mut snapshot = Store::open_snapshot(self.engine.options(at(0)).at).await.expect("a snapshot");
        snapshot.check().await.expect("check")
    }

    /// Every scene must end with tables that fulfil the promises.
    pub(crate) async fn is_sound(&self) {
        let report = self.check().await;
        assert!(report.findings.is_empty(), "{:#?}", report.findings);
    }

    /// Runs statements beside the store, to plant faults.
    pub(crate) async fn sql(&self, statements: &str) {
        self.engine.sql(statements).await;
    }

    /// How many rows some tables have together.
    pub(crate) async fn rows(&self, tables: &[&str]) -> i64 {
        let mut sum = 0;
        for table in tables {
            let count = self.engine.ask(&format!("SELECT count(*) FROM {table}")).await;
            sum += count.parse::<i64>().expect("a number of rows");
        }
        sum
    }

    /// Sound tables with every kind of row: a delivered, a dead and a pending delivery of event 10, a dead event 11 with a
    /// routed replay, a waiting event 12, a dropped event 13.
    pub(crate) async fn with_every_row() -> Self {
        let scene = Self::new().await;
        scene.keep(vec![routed(10, &[1, 2, 3])]).await;
        let work = scene.claim(1, at(0)).await.remove(0);
        scene.record(attempted(&work, rejected(500), NextStep::Retry(at(10)), at(0))).await;
        let work = scene.claim(1, at(10)).await.remove(0);
        scene.record(attempted(&work, accepted(), NextStep::Delivered, at(10))).await;
        let work = scene.claim(2, at(0)).await.remove(0);
        let dead = NextStep::Dead(DeadDelivery::Exhausted);
        scene.record(attempted(&work, rejected(500), dead, at(0))).await;
        let dead = scene.dead_event(11, at(0)).await;
        let replay = NewEventReplay { replay: replay_id(70), event: dead, tenant: None };
        scene.store.replay_events(vec![replay], at(0)).await.expect("replay");
        let pass = scene.claim_passes(1, at(0)).await.remove(0);
        let mut planned = delivery(11, 1);
        planned.body = BodyRef::New(0);
        let end = PassEnd::Routed { bodies: vec!["x".into()], deliveries: vec![planned] };
        scene.finish(finished(&pass, end, at(0))).await;
        scene.keep(vec![waiting(12), kept(event(13), FirstWay::NoDestination)]).await;
        scene.claim(3, at(0)).await;
        scene.is_sound().await;
        scene
    }

    /// Plants a fault, in which `{key}` is the column that names a row, and answers what the check says of it.
    pub(crate) async fn said(&self, fault: &str) -> Vec<String> {
        self.sql(&fault.replace("{key}", E::KEY)).await;
        self.check().await.findings.iter().map(Finding::to_string).collect()
    }

    /// Makes one dead event (its only pass refuses it) and answers its id.
    pub(crate) async fn dead_event(&self, n: u128, now: Timestamp) -> EventId {
        self.keep_at(vec![waiting(n)], now).await;
        let work = self.claim_passes(1, now).await.remove(0);
        let end = PassEnd::Dead { step: Some("check".to_owned()), reason: "no customer".to_owned() };
        assert_eq!(self.finish(finished(&work, end, now)).await, Finished::Done);
        work.event.id
    }

    /// Makes one dead delivery of an event kept with it, and answers both.
    pub(crate) async fn dead_delivery(&self, n: u128, to: u128, now: Timestamp) -> (EventId, DeliveryId) {
        self.keep_at(vec![routed(n, &[to])], now).await;
        let work = self.claim(to, now).await.remove(0);
        let next = NextStep::Dead(DeadDelivery::Exhausted);
        assert_eq!(self.record(attempted(&work, rejected(503), next, now)).await, Finished::Done);
        (work.event, work.id)
    }
}

pub(crate) fn declaration() -> Declaration {
    let name = |text: &str| text.parse().expect("a name");
    let to = |n: u128, text: &str| DeclaredDestination { fresh: destination(n), name: name(text) };
    let key = |n: u128, text: &str, byte: u8| DeclaredKey {
        fresh: KeyId::from_uuid(uuid(n)),
        name: name(text),
        hash: [byte; 32],
    };
    Declaration {
        tenants: vec![
            DeclaredTenant {
                fresh: tenant(1),
                name: name("acme"),
                keys: vec![key(1, "main", 1)],
                destinations: vec![to(1, "a"), to(2, "b"), to(3, "c")],
            },
            DeclaredTenant {
                fresh: tenant(2),
                name: name("globex"),
                keys: vec![key(2, "main", 2)],
                destinations: vec![to(4, "x")],
            },
        ],
        operator_keys: vec![key(3, "operator", 3)],
    }
}

/// The status of a destination by name, over all tenants.
pub(crate) fn status_of(catalog: &Catalog, name: &str) -> weft_core::destination::DestinationStatus {
    let all = catalog.tenants.iter().flat_map(|tenant| &tenant.destinations);
    all.into_iter().find(|it| it.name.as_str() == name).expect("a declared destination").status
}

/// The n-th event of acme.
pub(crate) fn event(n: u128) -> Arc<Event> {
    Arc::new(Event {
        id: EventId::from_uuid(uuid(n)),
        tenant: tenant(1),
        source: "api".to_owned(),
        external_id: None,
        ordering_key: None,
        event_type: "order.created".parse().expect("a type"),
        content_type: "application/json".to_owned(),
        headers: Vec::new(),
        body: Bytes::from(format!("{{\"order\":{n}}}")),
        received_at: at(0),
    })
}

pub(crate) fn kept(event: Arc<Event>, way: FirstWay) -> KeepEvent {
    KeepEvent { new: NewEvent { event, dedupe: None }, way }
}

/// The n-th event, waiting for a pass.
pub(crate) fn waiting(n: u128) -> KeepEvent {
    kept(event(n), FirstWay::Pass { lease: None })
}

/// The n-th event, routed at once; its deliveries are free.
pub(crate) fn routed(n: u128, to: &[u128]) -> KeepEvent {
    kept(event(n), FirstWay::Routed(to.iter().map(|to| delivery(n, *to)).collect()))
}

/// The delivery of the n-th event for a destination.
pub(crate) fn delivery(n: u128, to: u128) -> NewDelivery {
    NewDelivery {
        id: DeliveryId::from_uuid(uuid(n * 1_000 + to)),
        destination: destination(to),
        output: 0,
        body: BodyRef::Event,
        request: RequestParts::default(),
        ordering_key: None,
        planned_at: at(0),
        due_at: at(0),
        ends_at: at(0).plus(LIFETIME),
        lease: None,
    }
}

/// The n-th event with the body of another, as a sender's retry brings it.
pub(crate) fn same_body(n: u128, of: u128) -> KeepEvent {
    kept(Event { body: event(of).body.clone(), ..(*event(n)).clone() }.into(), FirstWay::Pass { lease: None })
}

pub(crate) fn with_key(mut keep: KeepEvent, key: &str) -> KeepEvent {
    let body_digest = *weft_core::digest::Digest::of(&keep.new.event.body).as_bytes();
    keep.new.dedupe = Some(DedupeKey { key: key.to_owned(), body_digest });
    keep
}

pub(crate) fn rejected(status: u16) -> AttemptOutcome {
    AttemptOutcome::Rejected { status, retry_after: None }
}

pub(crate) fn accepted() -> AttemptOutcome {
    AttemptOutcome::Accepted { status: 200 }
}

/// An attempt at a claimed delivery that took 5 ms.
pub(crate) fn attempted(
    work: &DeliveryWork,
    outcome: AttemptOutcome,
    next: NextStep,
    started_at: Timestamp,
) -> FinishedAttempt {
    let took = Duration::from_millis(5);
    let attempt = Attempt { number: work.number, started_at, took, outcome, response: None };
    let DeliveryWork { id: delivery, destination, lease, .. } = *work;
    FinishedAttempt { delivery, destination, ordering_key: work.ordering_key.clone(), lease, attempt, next }
}

/// A claimed pass that took 2 ms.
pub(crate) fn finished(work: &PassWork, end: PassEnd, started_at: Timestamp) -> FinishedPass {
    FinishedPass {
        key: PassKey { event: work.event.id, replay: work.replay },
        tenant: work.event.tenant,
        ordering_key: work.event.ordering_key.clone(),
        number: work.number,
        lease: work.lease,
        started_at,
        ended_at: started_at.plus(Duration::from_millis(2)),
        trace: PassTrace::default(),
        kv: Vec::new(),
        end,
    }
}
