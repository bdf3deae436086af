//! What walks are about: two tenants, four destinations, two plugins, and events, plans and attempts made by chance.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;
use weft_core::attempt::{Attempt, AttemptOutcome, ResponseSample, Waiting};
use weft_core::decide::NextStep;
use weft_core::delivery::{DeadDelivery, RequestParts};
use weft_core::digest::Digest;
use weft_core::event::{DedupeKey, Event, Header, NewEvent};
use weft_core::id::{DeliveryId, DestinationId, EventId, KeyId, TenantId};
use weft_core::name::PluginRef;
use weft_core::ordering_key::OrderingKey;
use weft_core::plan::BodyRef;
use weft_core::time::Timestamp;
use weft_store::catalog::{Declaration, DeclaredDestination, DeclaredKey, DeclaredTenant};
use weft_store::work::{Lease, NewDelivery, PassEnd};

use crate::dice::Dice;

/// When walks begin.
pub(crate) const BEGINNING: i64 = 1_760_000_000_000;

/// How long leases hold.
pub(crate) const LEASE: Duration = Duration::from_secs(60);

/// A destination of the scenery: its number, its tenant's, its name.
pub(crate) const DESTINATIONS: [(u128, u128, &str); 4] = [(1, 1, "a"), (2, 1, "b"), (3, 1, "c"), (4, 2, "x")];

/// How many tenants there are, numbered from 1.
pub(crate) const TENANTS: u64 = 2;

/// Plugins that keep something: two with one name.
pub(crate) const PLUGINS: [&str; 2] = ["operator/count", "count"];

/// The keys under which they do.
pub(crate) const KEYS: [&str; 4] = ["k", "K", "k\0", "schl\u{fc}ssel"];

pub(crate) fn plugin(place: usize) -> PluginRef {
    PLUGINS[place].parse().expect("a plugin")
}

pub(crate) fn tenant(n: u128) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0001_0000 + n))
}

pub(crate) fn tenant_name(id: TenantId) -> &'static str {
    if id == tenant(1) { "acme" } else { "globex" }
}

pub(crate) fn destination(n: u128) -> DestinationId {
    DestinationId::from_uuid(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0002_0000 + n))
}

pub(crate) fn destination_name(id: DestinationId) -> &'static str {
    DESTINATIONS.into_iter().find(|(n, ..)| destination(*n) == id).expect("a destination of the scenery").2
}

/// Everything, without the destinations that `is_declared` refuses.
pub(crate) fn declaration(is_declared: impl Fn(DestinationId) -> bool) -> Declaration {
    let of = |owner: u128| DeclaredTenant {
        fresh: tenant(owner),
        name: tenant_name(tenant(owner)).parse().expect("a name"),
        keys: vec![DeclaredKey {
            fresh: KeyId::from_uuid(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0003_0000 + owner)),
            name: "main".parse().expect("a name"),
            hash: [u8::try_from(owner).expect("small"); 32],
        }],
        destinations: DESTINATIONS
            .into_iter()
            .filter(|(n, tenant, _)| *tenant == owner && is_declared(destination(*n)))
            .map(|(n, _, name)| DeclaredDestination { fresh: destination(n), name: name.parse().expect("a name") })
            .collect(),
    };
    Declaration { tenants: vec![of(1), of(2)], operator_keys: Vec::new() }
}

/// Fresh ids, in the order in which they are made, as version 7 has them: the time in front.
#[derive(Debug, Default)]
pub(crate) struct Ids(u64);

impl Ids {
    pub(crate) fn fresh(&mut self, now: Timestamp) -> Uuid {
        self.0 += 1;
        let time = u128::try_from(now.as_ms()).expect("after the epoch") << 80;
        Uuid::from_u128(time | 0x7000_8000_0000_0000_0000 | u128::from(self.0))
    }
}

fn headers(dice: &mut Dice) -> Vec<Header> {
    let header = |n: u64| Header { name: format!("x-{n}"), value: "größer \"und\" \\ kleiner".to_owned() };
    (0..dice.below(3)).map(header).collect()
}

fn body(dice: &mut Dice) -> Bytes {
    // Few different ones, so that keys meet their own body as well as others'; now and then a large one, or none.
    match dice.below(12) {
        0 => Bytes::new(),
        1 => Bytes::from(vec![0xc3; usize::try_from(dice.between(1, 20_000)).expect("small")]),
        n => Bytes::from(format!("{{\"order\":{}}}", n % 3)),
    }
}

/// Mostly none; else one of few, so that lanes become long.
fn ordering_key(dice: &mut Dice) -> Option<OrderingKey> {
    dice.chance(40).then(|| ["order-1", "ürder/2", "3"][dice.place(3)].parse().expect("a key"))
}

/// An event of `owner`, perhaps with an idempotency key.
pub(crate) fn event(dice: &mut Dice, ids: &mut Ids, owner: u128, now: Timestamp) -> NewEvent {
    let event = Event {
        id: EventId::from_uuid(ids.fresh(now)),
        tenant: tenant(owner),
        source: if dice.chance(90) { "api" } else { "stripe" }.to_owned(),
        ordering_key: ordering_key(dice),
        external_id: dice.chance(30).then(|| format!("o-{}", dice.below(50))),
        event_type: if dice.chance(50) { "order.created" } else { "order.paid" }.parse().expect("a type"),
        content_type: "application/json".to_owned(),
        headers: headers(dice),
        body: body(dice),
        received_at: now,
    };
    let key = dice.chance(50).then(|| DedupeKey {
        key: format!("key:{}", dice.below(40)),
        body_digest: *Digest::of(&event.body).as_bytes(),
    });
    NewEvent { event: Arc::new(event), dedupe: key }
}

fn request(dice: &mut Dice) -> RequestParts {
    if dice.chance(70) {
        return RequestParts::default();
    }
    RequestParts {
        event_type: dice.chance(50).then(|| "order.changed".to_owned()),
        content_type: dice.chance(30).then(|| "text/plain".to_owned()),
        path: dice.chance(50).then(|| "/a?b".to_owned()),
        headers: headers(dice),
        ..RequestParts::default()
    }
}

/// Deliveries to different places; `bodies` is how many bodies there are to choose from.
pub(crate) fn deliveries(
    dice: &mut Dice,
    ids: &mut Ids,
    owner: u128,
    now: Timestamp,
    bodies: usize,
    lease: Lease,
) -> Vec<NewDelivery> {
    let mut planned = Vec::new();
    for (n, ..) in DESTINATIONS.into_iter().filter(|(_, tenant, _)| *tenant == owner) {
        for output in 0..dice.below(3) {
            let lifetime = [60, 600, 7 * 24 * 3600][dice.place(3)];
            let new = NewDelivery {
                id: DeliveryId::from_uuid(ids.fresh(now)),
                destination: destination(n),
                output: u32::try_from(output).expect("small"),
                body: if bodies == 0 || dice.chance(30) { BodyRef::Event } else { BodyRef::New(dice.place(bodies)) },
                request: request(dice),
                ordering_key: ordering_key(dice),
                planned_at: now,
                due_at: now.plus(Duration::from_millis(if dice.chance(70) { 0 } else { dice.below(90_000) })),
                ends_at: now.plus(Duration::from_secs(lifetime)),
                lease: dice.chance(30).then_some(lease),
            };
            planned.push(new);
        }
    }
    planned
}

/// How a pass ends.
pub(crate) fn end(dice: &mut Dice, ids: &mut Ids, owner: u128, now: Timestamp, lease: Lease) -> PassEnd {
    let step = dice.chance(70).then(|| "check".to_owned());
    match dice.below(10) {
        0..5 => {
            let bodies: Vec<_> = (0..dice.below(4)).map(|_| body(dice)).collect();
            let deliveries = deliveries(dice, ids, owner, now, bodies.len(), lease);
            PassEnd::Routed { bodies, deliveries }
        }
        5 => PassEnd::Dropped { step, reason: "not wanted".to_owned() },
        6..8 => PassEnd::Dead { step, reason: "no customer".to_owned() },
        _ => PassEnd::Retry { at: now.plus(Duration::from_millis(dice.below(90_000))) },
    }
}

/// An attempt that ended just now, and what comes next.
pub(crate) fn attempt(dice: &mut Dice, number: u32, now: Timestamp) -> (Attempt, NextStep) {
    let took = Duration::from_micros(dice.below(3_000_000));
    let outcome = match dice.below(10) {
        0..4 => AttemptOutcome::Accepted { status: 204 },
        4..7 => AttemptOutcome::Rejected {
            status: 503,
            retry_after: dice.chance(30).then(|| Duration::from_secs(dice.below(90))),
        },
        7 => AttemptOutcome::TimedOut {
            waiting_for: if dice.chance(50) { Waiting::Connection } else { Waiting::Response },
        },
        8 => AttemptOutcome::Unreachable { reason: "no route".to_owned() },
        _ => AttemptOutcome::Forbidden { reason: "10.0.0.1 is private".to_owned() },
    };
    let response = dice.chance(50).then(|| ResponseSample { headers: headers(dice), body: body(dice) });
    let next = match &outcome {
        AttemptOutcome::Accepted { .. } => NextStep::Delivered,
        AttemptOutcome::Rejected { .. }
        | AttemptOutcome::TimedOut { .. }
        | AttemptOutcome::Unreachable { .. }
        | AttemptOutcome::Forbidden { .. }
            if dice.chance(60) =>
        {
            NextStep::Retry(now.plus(Duration::from_millis(dice.below(120_000))))
        }
        AttemptOutcome::Rejected { .. }
        | AttemptOutcome::TimedOut { .. }
        | AttemptOutcome::Unreachable { .. }
        | AttemptOutcome::Forbidden { .. } => NextStep::Dead(DeadDelivery::ALL[dice.place(DeadDelivery::ALL.len())]),
    };
    (Attempt { number, started_at: now.minus(took), took, outcome, response }, next)
}
