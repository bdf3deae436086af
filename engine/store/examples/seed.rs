//! Fills a store, for benches: events that were delivered long ago, and deliveries that wait.
//!
//! `cargo run --release -p weft-store --example seed -- --store weft.db --events 10000000 --waiting slow=1000000`
//!
//! Everything goes through the store's own operations, in large batches, as an engine would have written it; `weft check`
//! finds nothing. An engine whose configuration declares the same names goes on with it. Prints one JSON object.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use clap::Parser;
use uuid::Uuid;
use weft_core::attempt::{Attempt, AttemptOutcome};
use weft_core::decide::NextStep;
use weft_core::delivery::RequestParts;
use weft_core::destination::{DestinationStatus, DisabledReason};
use weft_core::event::{Event, NewEvent};
use weft_core::id::{DeliveryId, DestinationId, EventId, TenantId};
use weft_core::name::Name;
use weft_core::plan::BodyRef;
use weft_core::time::Timestamp;
use weft_store::catalog::{Declaration, DeclaredDestination, DeclaredTenant, TenantRecord};
use weft_store::work::{Finished, FinishedAttempt, FirstWay, Ingested, KeepEvent, Lease, NewDelivery};
use weft_store::{PostgresAt, Store, StoreAt, StoreOptions};

/// Events of one commit: large, because nobody waits for an answer.
const BATCH: u64 = 5_000;

/// Deliveries that are due in the future are due within this time, evenly.
const SPREAD: Duration = Duration::from_hours(1);

/// How long a delivery may wait, as the engine plans it.
const LIFETIME: Duration = Duration::from_hours(7 * 24);

#[derive(Parser)]
struct Options {
    /// The store's file, or `postgres://…`: a database that exists
    #[arg(long, value_parser = store_at)]
    store: StoreAt,
    /// Whose events these are
    #[arg(long, default_value = "bench")]
    tenant: Name,
    /// Events that were delivered
    #[arg(long, default_value_t = 0)]
    events: u64,
    /// Where they were delivered to
    #[arg(long, default_value = "e1")]
    delivered_to: Name,
    /// How long ago that was
    #[arg(long, default_value_t = 0)]
    age_hours: u64,
    /// Bytes of each body
    #[arg(long, default_value_t = 64)]
    body_bytes: usize,
    /// `destination=count`, due now, or `destination=count@seconds`, due in that time and the hour after it; may be repeated
    #[arg(long, value_parser = backlog)]
    waiting: Vec<Backlog>,
    /// A destination to disable, so that what waits for it is held; may be repeated
    #[arg(long)]
    disabled: Vec<Name>,
}

fn store_at(text: &str) -> Result<StoreAt, Infallible> {
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        // The name of an engine that has none.
        let node = "weft".parse().expect("a constant name");
        return Ok(PostgresAt { url: text.to_owned(), node }.into());
    }
    Ok(PathBuf::from(text).into())
}

/// Deliveries that wait for one destination.
#[derive(Clone)]
struct Backlog {
    destination: Name,
    count: u64,
    due_in: Option<Duration>,
}

fn backlog(text: &str) -> Result<Backlog, String> {
    let rule = || format!("`{text}` is neither destination=count nor destination=count@seconds");
    let (destination, amount) = text.split_once('=').ok_or_else(rule)?;
    let (count, seconds) = amount.split_once('@').map_or((amount, None), |(count, seconds)| (count, Some(seconds)));
    let due_in = seconds.map(|seconds| seconds.parse().map(Duration::from_secs)).transpose().map_err(|_| rule())?;
    let destination = destination.parse().map_err(|error| format!("`{destination}`: {error}"))?;
    Ok(Backlog { destination, count: count.parse().map_err(|_| rule())?, due_in })
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::parse();
    let (now, began) = clock();
    let then = now.minus(Duration::from_hours(options.age_hours));
    // Opened then and alive now, so that either time has its place in the store.
    let store = Store::open(&StoreOptions::new(&options.store, then)).await?;
    store.keep_alive(now).await?;
    let mut seed = Seed::new(&store, &options, now).await?;
    seed.deliver(&options, then).await?;
    for backlog in &options.waiting {
        seed.wait(backlog, options.body_bytes, now).await?;
    }
    for name in &options.disabled {
        let held = DestinationStatus::Disabled(DisabledReason::Operator);
        store.set_destination_status(seed.destination(name)?, held, now).await?;
    }
    store.close().await;
    let waiting: u64 = options.waiting.iter().map(|backlog| backlog.count).sum();
    let seconds = began.elapsed().as_secs_f64();
    println!(r#"{{"events":{},"deliveries_waiting":{waiting},"seconds":{seconds:.1}}}"#, options.events + waiting);
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "what is seeded must be as old as the engine's clock says")]
fn clock() -> (Timestamp, Instant) {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (Timestamp::from_ms(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)), Instant::now())
}

/// A store that is being filled.
struct Seed<'a> {
    store: &'a Store,
    tenant: TenantRecord,
    /// Ids made so far.
    made: u64,
}

impl<'a> Seed<'a> {
    /// Declares the tenant and every destination that the options name.
    async fn new(store: &'a Store, options: &Options, now: Timestamp) -> Result<Self, Box<dyn std::error::Error>> {
        // Counted by the store's starts, so that a second seed of the same store makes other ids.
        let mut seed = Seed { store, tenant: nobody(&options.tenant), made: 0 };
        let backlogs = options.waiting.iter().map(|backlog| &backlog.destination);
        let mut names: Vec<&Name> =
            [&options.delivered_to].into_iter().chain(backlogs).chain(&options.disabled).collect();
        names.sort_unstable();
        names.dedup();
        let destinations = names
            .into_iter()
            .map(|name| DeclaredDestination { fresh: DestinationId::from_uuid(seed.uuid(now)), name: name.clone() })
            .collect();
        let tenant = DeclaredTenant {
            fresh: TenantId::from_uuid(seed.uuid(now)),
            name: options.tenant.clone(),
            keys: Vec::new(),
            destinations,
        };
        let catalog = store.declare(Declaration { tenants: vec![tenant], operator_keys: Vec::new() }, now).await?;
        let declared = catalog.tenants.into_iter().find(|tenant| tenant.name == options.tenant);
        seed.tenant = declared.ok_or("the tenant that was declared is not there")?;
        Ok(seed)
    }

    /// An id as the clock makes them: growing, with chance behind.
    fn uuid(&mut self, at: Timestamp) -> Uuid {
        self.made += 1;
        let start = u64::try_from(self.store.start_number()).unwrap_or_default();
        let chance = ((start << 40) | self.made).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let ms = u64::try_from(at.as_ms()).unwrap_or_default();
        let (version, counted) = (0x7000, (self.made / 64) & 0xfff);
        let variant = 1 << 63;
        Uuid::from_u64_pair((ms << 16) | version | counted, (chance >> 2) | variant)
    }

    fn destination(&self, name: &Name) -> Result<DestinationId, String> {
        let found = self.tenant.destinations.iter().find(|known| known.name == *name);
        found.map(|known| known.id).ok_or_else(|| format!("no destination {name}: name it in --waiting as well"))
    }

    /// Keeps events and records their deliveries, each batch beside the one before, as a busy engine does.
    async fn deliver(&mut self, options: &Options, at: Timestamp) -> Result<(), Box<dyn std::error::Error>> {
        let to = self.destination(&options.delivered_to)?;
        let lease = Lease { owner: self.store.start_number(), until: at.plus(Duration::from_secs(60)) };
        let mut before = Vec::new();
        let mut left = options.events;
        while left > 0 {
            let count = left.min(BATCH);
            let events: Vec<_> =
                (0..count).map(|_| self.event(options.body_bytes, at, (to, at, Some(lease)))).collect();
            let after = events.iter().flat_map(|event| delivered(event, lease, at)).collect();
            let record = self.store.record(std::mem::replace(&mut before, after));
            let (kept, recorded) = tokio::join!(self.store.keep(events, at), record);
            all_kept(&kept?)?;
            all_recorded(&recorded?)?;
            left -= count;
        }
        all_recorded(&self.store.record(before).await?)
    }

    /// Keeps events whose deliveries nobody works on.
    async fn wait(
        &mut self,
        backlog: &Backlog,
        body_bytes: usize,
        now: Timestamp,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let to = self.destination(&backlog.destination)?;
        let mut made = 0;
        while made < backlog.count {
            let count = (backlog.count - made).min(BATCH);
            let events = (made..made + count).map(|number| {
                let part = SPREAD.mul_f64(number as f64 / backlog.count as f64);
                let due_at = backlog.due_in.map_or(now, |due_in| now.plus(due_in).plus(part));
                self.event(body_bytes, now, (to, due_at, None))
            });
            let events = events.collect();
            all_kept(&self.store.keep(events, now).await?)?;
            made += count;
        }
        Ok(())
    }

    /// An event with one delivery.
    fn event(
        &mut self,
        body_bytes: usize,
        at: Timestamp,
        (destination, due_at, lease): (DestinationId, Timestamp, Option<Lease>),
    ) -> KeepEvent {
        let event = Event {
            id: EventId::from_uuid(self.uuid(at)),
            tenant: self.tenant.id,
            source: "api".to_owned(),
            external_id: None,
            ordering_key: None,
            event_type: "seed".parse().expect("a constant event type"),
            content_type: "application/json".to_owned(),
            headers: Vec::new(),
            body: body(self.made, body_bytes),
            received_at: at,
        };
        let delivery = NewDelivery {
            id: DeliveryId::from_uuid(self.uuid(at)),
            destination,
            output: 0,
            body: BodyRef::Event,
            request: RequestParts::default(),
            ordering_key: None,
            planned_at: at,
            due_at,
            ends_at: at.plus(LIFETIME),
            lease,
        };
        KeepEvent { new: NewEvent { event: Arc::new(event), dedupe: None }, way: FirstWay::Routed(vec![delivery]) }
    }
}

/// The tenant before it is declared.
fn nobody(name: &Name) -> TenantRecord {
    let id = TenantId::from_uuid(Uuid::nil());
    TenantRecord { id, name: name.clone(), declared: false, keys: Vec::new(), destinations: Vec::new() }
}

/// JSON of at least `bytes` bytes. It carries no mark of the load generator, so that a sink does not count it.
fn body(number: u64, bytes: usize) -> Bytes {
    let start = format!(r#"{{"seed":{number},"padding":""#);
    let padding = "x".repeat(bytes.saturating_sub(start.len() + 2));
    Bytes::from(format!(r#"{start}{padding}"}}"#))
}

/// What the engine records of deliveries that were accepted at once.
fn delivered(event: &KeepEvent, lease: Lease, at: Timestamp) -> Vec<FinishedAttempt> {
    let planned = match &event.way {
        FirstWay::Routed(planned) => planned.as_slice(),
        FirstWay::Pass { .. } | FirstWay::NoDestination => &[],
    };
    let attempt = |delivery: &NewDelivery| FinishedAttempt {
        delivery: delivery.id,
        destination: delivery.destination,
        ordering_key: None,
        lease,
        attempt: Attempt {
            number: 1,
            started_at: at,
            took: Duration::from_micros(700),
            outcome: AttemptOutcome::Accepted { status: 204 },
            response: None,
        },
        next: NextStep::Delivered,
    };
    planned.iter().map(attempt).collect()
}

fn all_kept(ingested: &[Ingested]) -> Result<(), Box<dyn std::error::Error>> {
    let new = ingested.iter().all(|ingested| *ingested == Ingested::New);
    if new { Ok(()) } else { Err("an event was there already: seed a fresh store".into()) }
}

fn all_recorded(finished: &[Finished]) -> Result<(), Box<dyn std::error::Error>> {
    let done = finished.iter().all(|finished| *finished == Finished::Done);
    if done { Ok(()) } else { Err("a lease was lost while nobody else works on the store".into()) }
}
