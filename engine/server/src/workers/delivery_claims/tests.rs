//! What claims take out of a real store, and what they do not ask it.

use std::collections::HashMap;
use std::sync::Arc;

use tempfile::TempDir;
use uuid::Uuid;
use weft_core::delivery::RequestParts;
use weft_core::destination::{Destination, DestinationKind, DestinationStatus, DisabledReason, HttpTarget, Timeouts};
use weft_core::event::{Event, NewEvent};
use weft_core::id::TenantId;
use weft_core::plan::BodyRef;
use weft_core::retry::LIFETIME;
use weft_store::catalog::{Declaration, DeclaredDestination, DeclaredTenant};
use weft_store::work::{FirstWay, KeepEvent, NewDelivery};
use weft_store::{StoreAt, StoreOptions};

use super::*;
use crate::catalog::{Catalog, Tenant};
use crate::workers::claims_wake::ClaimsWake;
use crate::workers::lease::LeaseTerm;
use crate::workers::outbox::{AttemptSlot, Outbox, OutboxLimits};
use crate::workers::pass_queue::{PassLimits, PassQueue};
use crate::workers::survey::Survey;

const START: Timestamp = Timestamp::from_ms(1_760_000_000_000);

/// A store with so many destinations, and everybody who takes deliveries out of it.
struct Scene {
    _folder: TempDir,
    store: Store,
    catalog: CurrentCatalog,
    hand_over: HandOver,
    clock: Clock,
    claims: DeliveryClaims,
    survey: Survey,
}

fn uuid(number: u128) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + number)
}

fn destination(number: u128) -> DestinationId {
    DestinationId::from_uuid(uuid(number))
}

fn known(number: u128) -> Destination {
    Destination {
        id: destination(number),
        name: format!("d{number}").parse().expect("a name"),
        kind: DestinationKind::Http(HttpTarget::plain("http://127.0.0.1:9/".parse().expect("a URL"), vec![])),
        events: Vec::new(),
        labels: Vec::new(),
        status: DestinationStatus::Active,
        retry: Default::default(),
        timeouts: Timeouts { connect: Duration::from_secs(1), total: Duration::from_secs(1) },
    }
}

impl Scene {
    async fn with_destinations(count: u128) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let at = StoreAt::Sqlite(folder.path().join("weft.db"));
        let store = Store::open(&StoreOptions::new(at, START)).await.expect("the store opens");
        let (id, name) = (TenantId::from_uuid(uuid(0)), "shop".parse().expect("a name"));
        let destinations: Vec<_> = (1..=count).map(known).collect();
        let declared = destinations.iter().map(|it| DeclaredDestination { fresh: it.id, name: it.name.clone() });
        let declared = DeclaredTenant { fresh: id, name, keys: Vec::new(), destinations: declared.collect() };
        let name = declared.name.clone();
        let declaration = Declaration { tenants: vec![declared], operator_keys: Vec::new() };
        store.declare(declaration, START).await.expect("the catalog");
        let tenant = Tenant {
            id,
            name,
            type_pointer: String::new(),
            pipeline: Default::default(),
            step_secrets: Default::default(),
            headers: Vec::new(),
            destinations: destinations.into(),
        };
        let catalog = Catalog::new(vec![tenant], HashMap::new()).expect("a catalog");
        let catalog = CurrentCatalog::new(catalog);
        let hand_over = HandOver {
            outbox: Outbox::new(OutboxLimits {
                waiting: 1_024,
                waiting_per_destination: 256,
                bytes: 1 << 20,
                attempts: 64,
                attempts_slow: 128,
                attempts_per_destination: 16,
            }),
            passes: PassQueue::new(PassLimits { waiting: 1, bytes: 1, threads: 1 }),
            claims: ClaimsWake::default(),
            term: LeaseTerm { owner: store.start_number(), lasts: Duration::from_secs(600) },
        };
        let clock = Clock::manual(START);
        let claims = DeliveryClaims::new(store.clone(), catalog.clone(), hand_over.clone(), clock.clone(), 1 << 20);
        let survey = Survey::new(store.clone(), catalog.clone(), hand_over.clone(), clock.clone());
        Self { _folder: folder, store, catalog, hand_over, clock, claims, survey }
    }

    /// Stores a delivery that is due in so many seconds, and tells nobody.
    async fn keep(&self, number: u128, seconds: u64) {
        let event = Event {
            id: self.clock.fresh(),
            tenant: TenantId::from_uuid(uuid(0)),
            source: "api".to_owned(),
            external_id: None,
            ordering_key: None,
            event_type: "a".parse().expect("a type"),
            content_type: "text/plain".to_owned(),
            headers: Vec::new(),
            body: "x".into(),
            received_at: START,
        };
        let delivery = NewDelivery {
            id: self.clock.fresh(),
            destination: destination(number),
            output: 0,
            body: BodyRef::Event,
            request: RequestParts::default(),
            ordering_key: None,
            planned_at: START,
            due_at: START.plus(Duration::from_secs(seconds)),
            ends_at: START.plus(LIFETIME),
            lease: None,
        };
        let new = NewEvent { event: Arc::new(event), dedupe: None };
        let keep = KeepEvent { new, way: FirstWay::Routed(vec![delivery]) };
        self.store.keep(vec![keep], START).await.expect("keep");
    }

    async fn claim(&self) -> usize {
        self.claims.tick().await.expect("a claim")
    }

    /// Claims until nothing more is due; answers how much was.
    async fn claim_all(&self) -> usize {
        let mut all = 0;
        loop {
            match self.claim().await {
                0 => return all,
                count => all += count,
            }
        }
    }

    /// Begins so many attempts.
    async fn begin(&self, count: usize) -> Vec<AttemptSlot> {
        let mut begun = Vec::new();
        while begun.len() < count {
            begun.push(self.hand_over.outbox.take().await.expect("the outbox is open").1);
        }
        begun
    }
}

#[tokio::test]
async fn what_is_due_is_claimed_at_once_and_the_rest_when_its_time_has_come() {
    let mut scene = Scene::with_destinations(3).await;
    for (number, seconds) in [(1, 0), (1, 60), (2, 30), (1, 0)] {
        scene.keep(number, seconds).await;
    }
    assert!(!scene.survey.tick().await.expect("a walk"), "three are few");
    assert_eq!(scene.claim_all().await, 2);
    let next = || scene.hand_over.claims.agenda().next();
    assert_eq!(next(), Some(START.plus(Duration::from_secs(30))));
    scene.clock.advance(Duration::from_secs(30));
    assert_eq!((scene.claim_all().await, next()), (1, Some(START.plus(Duration::from_secs(60)))));
    scene.clock.advance(Duration::from_secs(30));
    assert_eq!((scene.claim_all().await, next()), (1, None));
}

#[tokio::test]
async fn promise_7_the_store_is_not_asked_for_what_is_not_due_or_has_no_place() {
    let mut scene = Scene::with_destinations(3).await;
    for _ in 0..20 {
        scene.keep(1, 0).await;
    }
    scene.keep(2, 60).await;
    assert!(!scene.survey.tick().await.expect("a walk"));
    // Destination 1 answers nothing: four attempts hang, and what was at hand beside them goes back.
    assert_eq!(scene.claim_all().await, 20);
    let hang = scene.begin(4).await;
    for _ in 0..4 {
        drop(scene.hand_over.outbox.look());
    }
    scene.hand_over.outbox.fell_behind([destination(1)]);
    scene.store.close().await;
    scene.clock.advance(Duration::from_secs(59));
    assert_eq!(scene.claim().await, 0, "a store that is closed would have refused to answer");
    scene.clock.advance(Duration::from_secs(1));
    assert!(scene.claims.tick().await.is_err(), "what is due is asked for");
    drop(hang);
}

#[tokio::test]
async fn what_a_disabled_destination_holds_is_claimed_once_it_is_enabled() {
    let mut scene = Scene::with_destinations(2).await;
    scene.catalog.set_status(destination(1), DestinationStatus::Disabled(DisabledReason::Operator));
    scene.keep(1, 0).await;
    assert!(!scene.survey.tick().await.expect("a walk"));
    scene.hand_over.outbox.fell_behind([destination(1)]);
    assert_eq!((scene.claim_all().await, scene.hand_over.outbox.waiting()), (0, 0));
    scene.catalog.set_status(destination(1), DestinationStatus::Active);
    scene.hand_over.claims.deliveries_due(destination(1), scene.clock.now());
    assert_eq!(scene.claim_all().await, 1);
}

#[tokio::test]
async fn what_waits_at_many_destinations_is_found_page_by_page() {
    let mut scene = Scene::with_destinations(300).await;
    for number in 1..=300 {
        scene.keep(number, 0).await;
    }
    assert!(scene.survey.tick().await.expect("a walk"), "there is another page");
    let first = scene.claim_all().await;
    assert!((1..300).contains(&first), "{first}");
    assert!(!scene.survey.tick().await.expect("a walk"));
    assert_eq!(first + scene.claim_all().await, 300);
    assert!(scene.survey.tick().await.expect("a walk"), "the next walk begins anew");
}

#[tokio::test]
async fn a_claim_that_failed_is_made_again() {
    let mut scene = Scene::with_destinations(1).await;
    scene.keep(1, 0).await;
    assert!(!scene.survey.tick().await.expect("a walk"));
    scene.store.close().await;
    assert!(scene.claims.tick().await.is_err());
    assert_eq!(scene.hand_over.outbox.waiting(), 0, "its places are free again");
    assert!(scene.claims.tick().await.is_err(), "and it is asked for again");
}
