//! What the store costs on this machine: `cargo run --release -p weft-store --example store_cost [folder] [seconds] [part]`.
//!
//! Events of 1 KiB, everything durable. Compare the single keep with one `fdatasync` of the same disk, and the groups
//! with the numbers of the floor program.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use uuid::Uuid;
use weft_core::attempt::{Attempt, AttemptOutcome};
use weft_core::decide::NextStep;
use weft_core::delivery::RequestParts;
use weft_core::event::{DedupeKey, Event, NewEvent};
use weft_core::id::{DeliveryId, DestinationId, EventId, TenantId};
use weft_core::plan::BodyRef;
use weft_core::time::Timestamp;
use weft_store::catalog::{Declaration, DeclaredDestination, DeclaredTenant};
use weft_store::work::{
    Finished, FinishedAttempt, FinishedPass, FirstWay, Ingested, KeepEvent, Lease, NewDelivery, PassEnd, PassKey, Want,
};
use weft_store::{Store, StoreOptions};

/// Rows of a group: what a busy engine finds waiting at each commit.
const GROUP: usize = 100;

/// Bytes of a payload.
const BODY_BYTES: usize = 1024;

const NOW: Timestamp = Timestamp::from_ms(1_760_000_000_000);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut args = std::env::args().skip(1);
    let folder = args.next().map_or_else(std::env::temp_dir, PathBuf::from).join("weft-store-cost");
    let time = Duration::from_secs(args.next().and_then(|text| text.parse().ok()).unwrap_or(5));
    let part = args.next();
    let wanted = |name: &str| part.as_deref().is_none_or(|part| part == name);
    if wanted("sync") {
        sync(&folder);
    }
    if wanted("single") {
        single(&folder, time).await;
    }
    if wanted("keep") {
        keep_alone(&folder, time, false).await;
        keep_alone(&folder, time, true).await;
    }
    if wanted("record") {
        keep_and_record(&folder, time, 1).await;
        keep_and_record(&folder, time, 10).await;
    }
    if wanted("pass") {
        through_a_pass(&folder, time).await;
    }
    if wanted("callers") {
        callers(&folder, time).await;
    }
    if wanted("claims") {
        claims(&folder).await;
    }
    std::fs::remove_dir_all(&folder).expect("the folder can be removed");
}

#[expect(clippy::disallowed_methods, reason = "this program measures durations")]
fn instant() -> Instant {
    Instant::now()
}

fn fresh(folder: &Path) {
    if folder.exists() {
        std::fs::remove_dir_all(folder).expect("the folder can be emptied");
    }
    std::fs::create_dir_all(folder).expect("the folder can be made");
}

/// Events made one after another, with ids as the clock makes them: growing, with chance behind.
struct Source {
    count: u64,
    body: Bytes,
}

impl Source {
    fn new() -> Self {
        Self { count: 0, body: Bytes::from(vec![b'x'; BODY_BYTES]) }
    }

    fn uuid(&mut self) -> Uuid {
        self.count += 1;
        let chance = self.count.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Uuid::from_u64_pair(0x0190_0000_0000_7000 + ((self.count / 30) << 16), chance)
    }

    fn event(&mut self, fan_out: usize, lease: Option<Lease>, with_key: bool) -> KeepEvent {
        let id = EventId::from_uuid(self.uuid());
        let dedupe = with_key.then(|| DedupeKey { key: id.to_string(), body_digest: [7; 32] });
        let event = Arc::new(Event {
            id,
            tenant: tenant(),
            source: "api".to_owned(),
            external_id: None,
            ordering_key: None,
            event_type: "order.created".parse().expect("a type"),
            content_type: "application/json".to_owned(),
            headers: Vec::new(),
            body: self.body.clone(),
            received_at: NOW,
        });
        let way = match fan_out {
            0 => FirstWay::NoDestination,
            _ => FirstWay::Routed((0..fan_out).map(|to| self.delivery(to, lease)).collect()),
        };
        KeepEvent { new: NewEvent { event, dedupe }, way }
    }

    fn delivery(&mut self, to: usize, lease: Option<Lease>) -> NewDelivery {
        NewDelivery {
            id: DeliveryId::from_uuid(self.uuid()),
            destination: destination(to),
            output: 0,
            body: BodyRef::Event,
            request: RequestParts::default(),
            ordering_key: None,
            planned_at: NOW,
            due_at: NOW,
            ends_at: NOW.plus(Duration::from_hours(168)),
            lease,
        }
    }
}

fn tenant() -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(1))
}

fn destination(n: usize) -> DestinationId {
    DestinationId::from_uuid(Uuid::from_u128(1_000 + n as u128))
}

async fn store(folder: &Path) -> Store {
    fresh(folder);
    let store = Store::open(&StoreOptions::new(folder.join("weft.db"), NOW)).await.expect("the store opens");
    let to = |n: usize| DeclaredDestination { fresh: destination(n), name: format!("d{n}").parse().expect("a name") };
    let acme = DeclaredTenant {
        fresh: tenant(),
        name: "acme".parse().expect("a name"),
        keys: Vec::new(),
        destinations: (0..10).map(to).collect(),
    };
    let declaration = Declaration { tenants: vec![acme], operator_keys: Vec::new() };
    store.declare(declaration, NOW).await.expect("the catalog");
    store
}

fn lease(store: &Store) -> Lease {
    Lease { owner: store.start_number(), until: NOW.plus(Duration::from_secs(60)) }
}

fn delivered(events: &[KeepEvent], lease: Lease) -> Vec<FinishedAttempt> {
    let deliveries = events.iter().flat_map(|event| match &event.way {
        FirstWay::Routed(planned) => planned.as_slice(),
        FirstWay::Pass { .. } | FirstWay::NoDestination => &[],
    });
    let attempt = |new: &NewDelivery| FinishedAttempt {
        delivery: new.id,
        destination: new.destination,
        ordering_key: None,
        lease,
        attempt: Attempt {
            number: 1,
            started_at: NOW,
            took: Duration::from_micros(700),
            outcome: AttemptOutcome::Accepted { status: 200 },
            response: None,
        },
        next: NextStep::Delivered,
    };
    deliveries.map(attempt).collect()
}

/// The CPU time of this process, all threads. Unlike the rate, it hardly depends on what else the machine does.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    // User and system time, in hundredths of a second.
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// When something began, by the clock and by the CPU.
#[derive(Clone, Copy)]
struct Began(Instant, Duration);

impl Began {
    fn now() -> Self {
        Self(instant(), cpu())
    }

    fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    fn line(self, what: &str, count: usize) {
        let (rate, cpu) = (count as f64 / self.elapsed().as_secs_f64(), (cpu() - self.1).as_secs_f64() * 1e6);
        println!("{what:<76} {rate:>10.0} /s  {:>6.1} µs of CPU each", cpu / count as f64);
    }
}

fn quantiles(what: &str, mut took: Vec<Duration>) {
    took.sort();
    let at = |q: f64| took[((took.len() - 1) as f64 * q) as usize].as_secs_f64() * 1e6;
    println!("{what:<76} p50 {:>6.0} µs  p99 {:>6.0} µs", at(0.5), at(0.99));
}

/// Four pages written over and synced, again and again: the ground under a commit.
fn sync(folder: &Path) {
    fresh(folder);
    let mut file = File::create(folder.join("sync")).expect("a file");
    file.write_all(&vec![0; 64 << 20]).expect("room");
    for (what, how) in [("fdatasync", File::sync_data as fn(&File) -> _), ("fsync", File::sync_all)] {
        file.sync_all().expect("sync");
        std::io::Seek::rewind(&mut file).expect("rewind");
        let took = (0..1000).map(|_| {
            let began = instant();
            file.write_all(&[1; 32 << 10]).expect("write");
            how(&file).expect("sync");
            began.elapsed()
        });
        quantiles(&format!("32 KiB written over and {what}"), took.collect());
    }
}

async fn single(folder: &Path, time: Duration) {
    for (what, fan_out) in [("no destination", 0), ("1 delivery", 1)] {
        let store = store(folder).await;
        let mut source = Source::new();
        let (began, mut took) = (instant(), Vec::new());
        while began.elapsed() < time / 2 {
            let event = source.event(fan_out, Some(lease(&store)), false);
            let asked = instant();
            assert_eq!(store.keep(vec![event], NOW).await.expect("keep"), [Ingested::New]);
            took.push(asked.elapsed());
        }
        quantiles(&format!("keep of one event, {what}, one caller"), took);
        store.close().await;
    }
}

async fn keep_alone(folder: &Path, time: Duration, with_key: bool) {
    let store = store(folder).await;
    let mut source = Source::new();
    let (began, mut count) = (Began::now(), 0);
    while began.elapsed() < time {
        let events = (0..GROUP).map(|_| source.event(0, None, with_key)).collect();
        count += store.keep(events, NOW).await.expect("keep").len();
    }
    let key = if with_key { ", with idempotency keys" } else { "" };
    began.line(&format!("keep alone, groups of {GROUP}{key}: events"), count);
    store.close().await;
}

async fn keep_and_record(folder: &Path, time: Duration, fan_out: usize) {
    let store = store(folder).await;
    let mut source = Source::new();
    let lease = lease(&store);
    let (began, mut count) = (Began::now(), 0);
    let mut before = Vec::new();
    while began.elapsed() < time {
        let events: Vec<_> = (0..GROUP).map(|_| source.event(fan_out, Some(lease), false)).collect();
        let after = delivered(&events, lease);
        count += events.len();
        let (kept, recorded) =
            tokio::join!(store.keep(events, NOW), store.record(std::mem::replace(&mut before, after)));
        kept.expect("keep");
        assert!(recorded.expect("record").iter().all(|finished| *finished == Finished::Done));
    }
    began.line(&format!("keep {GROUP} and record the deliveries before, fan-out {fan_out}: events"), count);
    store.record(before).await.expect("record");
    store.close().await;
    let bytes = std::fs::metadata(folder.join("weft.db")).expect("the file").len();
    println!("    file bytes per event {:.0}", bytes as f64 / count as f64);
    tables(folder, count).await;
}

/// What each table and index takes.
async fn tables(folder: &Path, count: usize) {
    use sqlx::{ConnectOptions, Row};
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.join("weft.db")).read_only(true);
    let mut conn = options.connect().await.expect("the file opens");
    let sizes =
        "SELECT name, sum(pgsize) AS bytes, sum(unused) AS unused FROM dbstat GROUP BY name ORDER BY 2 DESC LIMIT 9";
    for row in sqlx::query(sizes).fetch_all(&mut conn).await.expect("dbstat") {
        let (name, bytes, unused): (String, i64, i64) = (row.get(0), row.get(1), row.get(2));
        let per = |bytes: i64| bytes as f64 / count as f64;
        println!("    {name:<32} {:>8.1} bytes per event, {:>6.1} of them unused", per(bytes), per(unused));
    }
}

async fn through_a_pass(folder: &Path, time: Duration) {
    let store = store(folder).await;
    let mut source = Source::new();
    let lease = lease(&store);
    let (began, mut count) = (Began::now(), 0);
    while began.elapsed() < time {
        let mut events: Vec<_> = (0..GROUP).map(|_| source.event(0, None, false)).collect();
        events.iter_mut().for_each(|event| event.way = FirstWay::Pass { lease: Some(lease) });
        let ids: Vec<_> = events.iter().map(|event| event.new.event.id).collect();
        store.keep(events, NOW).await.expect("keep");
        let passes = ids.iter().map(|id| FinishedPass {
            key: PassKey { event: *id, replay: None },
            tenant: tenant(),
            ordering_key: None,
            number: 1,
            lease,
            started_at: NOW,
            ended_at: NOW,
            trace: Default::default(),
            kv: Vec::new(),
            end: PassEnd::Routed { bodies: Vec::new(), deliveries: vec![source.delivery(0, Some(lease))] },
        });
        let done = store.finish_passes(passes.collect()).await.expect("finish");
        assert!(done.iter().all(|finished| *finished == Finished::Done));
        count += done.len();
    }
    began.line(&format!("keep {GROUP}, then finish their passes with one delivery: events"), count);
    store.close().await;
}

/// Sixty-four callers with one event each, as an HTTP server has them.
async fn callers(folder: &Path, time: Duration) {
    let store = store(folder).await;
    let began = Began::now();
    let tasks = (0..64_u64).map(|caller| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut source = Source { count: caller << 32, ..Source::new() };
            let mut count = 0;
            while began.elapsed() < time {
                let event = source.event(0, None, false);
                count += store.keep(vec![event], NOW).await.expect("keep").len();
            }
            count
        })
    });
    let mut count = 0;
    for task in tasks.collect::<Vec<_>>() {
        count += task.await.expect("the caller");
    }
    began.line("keep of one event, 64 callers: events", count);
    store.close().await;
}

/// What a claim costs while many deliveries wait for another destination.
async fn claims(folder: &Path) {
    let store = store(folder).await;
    let mut source = Source { body: Bytes::from_static(b"{}"), ..Source::new() };
    let mut waiting = 0;
    for backlog in [10_000, 200_000] {
        while waiting < backlog {
            let events = (0..1000).map(|_| source.event(1, None, false)).collect();
            waiting += store.keep(events, NOW).await.expect("keep").len();
        }
        let (mut asked, mut claimed) = (Vec::new(), Vec::new());
        for _ in 0..50 {
            let began = instant();
            assert_eq!(store.waiting(NOW).await.expect("waiting").len(), 1);
            asked.push(began.elapsed());
            let began = instant();
            let wants = vec![Want { destination: destination(0), count: 100 }];
            let works = store.claim_deliveries(wants, lease(&store), NOW).await.expect("claim");
            claimed.push(began.elapsed());
            assert_eq!(works.len(), 100);
            store.release_deliveries(works.iter().map(|work| (work.id, work.lease)).collect()).await.expect("release");
        }
        quantiles(&format!("waiting(), {backlog} deliveries wait"), asked);
        quantiles(&format!("claim of 100 deliveries, {backlog} wait"), claimed);
    }
    store.close().await;
}
