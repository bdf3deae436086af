//! The load generator: bounded load in a closed or an open loop, then waits for everything to arrive, prints one JSON object.
//!
//! Closed: every connection sends as fast as it is answered. Open (`--rate`): events are due at fixed times; a payload's
//! time is the moment it is made, so that the timer's own lateness is not counted as the product's.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use clap::Parser;
use http_body_util::Full;
use hyper::Request;
use tokio::task::JoinSet;

use bench_tools::clock::{self, Stopwatch};
use bench_tools::http::{self, Answer, Connection};
use bench_tools::machine::{self, Busy, Usage};
use bench_tools::payload::{Mark, payload};
use bench_tools::quantiles::Quantiles;
use bench_tools::report::{Arrival, LoadReport, ProcessReport, SinkReport};

/// 30 s: longer than any attempt that hangs may hold up the others; then what is missing will not come.
const STALLED: Duration = Duration::from_secs(30);

/// 20 ms: often enough to see the end, rarely enough to cost nothing. The end itself is the sink's last receipt.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// 1 s: whoever asks for more patience is asked again all the same, so that a run ends.
const PATIENCE_MAX: Duration = Duration::from_secs(1);

/// The name of the process that is no part of the product.
const SINK: &str = "sink";

#[derive(Parser)]
struct Options {
    /// Where events go in
    #[arg(long)]
    target: SocketAddr,
    /// The path that takes events
    #[arg(long)]
    path: String,
    /// `name: value`, sent with every event; may be repeated
    #[arg(long, value_parser = header)]
    header: Vec<(String, String)>,
    /// Connections at once
    #[arg(long, default_value_t = 64)]
    connections: u64,
    /// Stops after this many events
    #[arg(long, default_value_t = u64::MAX)]
    count: u64,
    /// Stops after this many seconds
    #[arg(long, default_value_t = 120.0)]
    seconds: f64,
    /// Events per second, for an open loop
    #[arg(long)]
    rate: Option<f64>,
    /// Bytes of a payload
    #[arg(long, default_value_t = 1_024)]
    size: usize,
    /// The sink, if arrival is to be measured; it is reset first
    #[arg(long)]
    sink: Option<SocketAddr>,
    /// Deliveries that each event makes, and that the sink counts
    #[arg(long, default_value_t = 1)]
    fan_out: u64,
    /// Spreads the events over this many types, `t0` and so on, in turn
    #[arg(long)]
    types: Option<u64>,
    /// The first so many types go where the sink does not count
    #[arg(long, default_value_t = 0)]
    uncounted_types: u64,
    /// An envelope around the payload, which stands for `@@`
    #[arg(long, default_value = "@@", value_parser = envelope)]
    envelope: Envelope,
    /// `name=pid`: a process whose CPU time and memory are told, its children's included; may be repeated
    #[arg(long, value_parser = process)]
    process: Vec<(String, u32)>,
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(": ").ok_or("a header is written `name: value`")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// What stands before and behind each payload.
type Envelope = (String, String);

fn envelope(text: &str) -> Result<Envelope, String> {
    let (before, behind) = text.split_once("@@").ok_or("an envelope holds `@@`, where the payload stands")?;
    Ok((before.to_owned(), behind.to_owned()))
}

fn process(text: &str) -> Result<(String, u32), String> {
    let (name, pid) = text.split_once('=').ok_or("a process is written `name=pid`")?;
    Ok((name.to_owned(), pid.parse().map_err(|_| format!("`{pid}` is no process id"))?))
}

/// What one connection, or all of them, got as answers.
#[derive(Default)]
struct Answers {
    latencies_us: Vec<u32>,
    /// Of the accepted ones, those that the sink counts.
    counted: u64,
    turned_away: u64,
    failed: u64,
    first_failure: Option<String>,
}

/// What had been used before the load began.
struct Before {
    processes: Vec<Usage>,
    own: Usage,
    machine: Busy,
}

// One thread: the load generator shares the machine with what it measures.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = Arc::new(Options::parse());
    if let Some(sink) = options.sink {
        http::get(sink, "/reset").await?;
    }
    let before = Before::look(&options)?;
    let (watch, start_ns) = (Stopwatch::start(), clock::now_ns());
    let answers = load(&options, watch).await?;
    let load_s = watch.elapsed().as_secs_f64();
    let arrival = match options.sink {
        Some(sink) => Some(arrival(sink, answers.counted, options.fan_out, start_ns).await?),
        None => None,
    };
    let report = report(&options, answers, &before, (load_s, watch.elapsed().as_secs_f64()), arrival)?;
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

/// Sends on all connections until the load is done.
async fn load(options: &Arc<Options>, watch: Stopwatch) -> Result<Answers> {
    let next = Arc::new(AtomicU64::new(0));
    let mut connections = JoinSet::new();
    for _ in 0..options.connections {
        connections.spawn(send(options.clone(), next.clone(), watch));
    }
    let mut all = Answers::default();
    while let Some(answers) = connections.join_next().await {
        let answers = answers??;
        all.latencies_us.extend(answers.latencies_us);
        all.counted += answers.counted;
        all.turned_away += answers.turned_away;
        all.failed += answers.failed;
        all.first_failure = all.first_failure.or(answers.first_failure);
    }
    if all.latencies_us.is_empty() {
        bail!("no event was accepted: {}", all.first_failure.as_deref().unwrap_or("none was sent"));
    }
    Ok(all)
}

/// Sends on one connection, taking the next sequence each time.
async fn send(options: Arc<Options>, next: Arc<AtomicU64>, watch: Stopwatch) -> Result<Answers> {
    let mut connection = Connection::open(options.target).await?;
    let mut answers = Answers::default();
    loop {
        let sequence = next.fetch_add(1, Ordering::Relaxed);
        #[expect(clippy::cast_precision_loss, reason = "2^53 events are more than any load")]
        let due_s = options.rate.map_or_else(|| watch.elapsed().as_secs_f64(), |rate| sequence as f64 / rate);
        if sequence >= options.count || due_s >= options.seconds {
            return Ok(answers);
        }
        if options.rate.is_some() {
            tokio::time::sleep_until(watch.moment(Duration::from_secs_f64(due_s))).await;
        }
        send_one(&options, &mut connection, sequence, &mut answers).await?;
    }
}

/// Sends one event until it is accepted or fails; a receiver that asks for patience gets it.
async fn send_one(options: &Options, connection: &mut Connection, sequence: u64, answers: &mut Answers) -> Result<()> {
    loop {
        let request = request(options, connection, sequence)?;
        let asked = Stopwatch::start();
        match connection.send(request).await {
            Ok(answer) if answer.status.is_success() => {
                answers.latencies_us.push(u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX));
                answers.counted += u64::from(options.counts(sequence));
            }
            Ok(Answer { retry_after: Some(patience), .. }) => {
                answers.turned_away += 1;
                tokio::time::sleep(patience.min(PATIENCE_MAX)).await;
                continue;
            }
            Ok(answer) => answers.fail(format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body))),
            Err(error) => answers.fail(format!("{error:#}")),
        }
        return Ok(());
    }
}

fn request(options: &Options, connection: &Connection, sequence: u64) -> Result<Request<Full<Bytes>>> {
    let (before, behind) = &options.envelope;
    let payload = payload(Mark { created_ns: clock::now_ns(), sequence }, options.size);
    let body = if before.is_empty() && behind.is_empty() { payload } else { format!("{before}{payload}{behind}") };
    let mut request = connection.post(&options.path).header("content-type", "application/json");
    for (name, value) in &options.header {
        request = request.header(name, value);
    }
    if let Some(types) = options.types {
        request = request.header("weft-event-type", format!("t{}", sequence % types));
    }
    Ok(request.body(Full::new(Bytes::from(body)))?)
}

impl Options {
    /// Whether the sink counts this event's deliveries.
    fn counts(&self, sequence: u64) -> bool {
        self.types.is_none_or(|types| sequence % types >= self.uncounted_types)
    }
}

impl Answers {
    fn fail(&mut self, failure: String) {
        self.failed += 1;
        self.first_failure.get_or_insert(failure);
    }
}

/// Waits until everything that was accepted has arrived, or nothing comes any more.
#[expect(clippy::cast_precision_loss, reason = "2^53 deliveries are more than any load")]
async fn arrival(sink: SocketAddr, counted: u64, fan_out: u64, start_ns: u64) -> Result<Arrival> {
    let wanted = counted * fan_out;
    let (mut received, mut moved) = (0, Stopwatch::start());
    loop {
        let text = http::get(sink, "/received").await?;
        let seen: u64 = std::str::from_utf8(&text)?.parse().context("the sink told no number")?;
        if seen != received {
            (received, moved) = (seen, Stopwatch::start());
        }
        if received >= wanted || moved.elapsed() >= STALLED {
            break;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let sink: SinkReport = serde_json::from_slice(&http::get(sink, "/report").await?)?;
    let whole_s = sink.last_ns.saturating_sub(start_ns).max(1) as f64 / 1e9;
    let (received, duplicates, latency_ms) = (sink.received, sink.duplicates, sink.latency_ms);
    let deliveries_per_s = received as f64 / whole_s;
    let events_per_s = deliveries_per_s / fan_out.max(1) as f64;
    Ok(Arrival { wanted, received, duplicates, events_per_s, deliveries_per_s, latency_ms })
}

impl Before {
    fn look(options: &Options) -> Result<Self> {
        let processes = options.process.iter().map(|(_, pid)| machine::usage(*pid)).collect::<Result<_>>()?;
        Ok(Self { processes, own: machine::usage(std::process::id())?, machine: machine::busy()? })
    }
}

#[expect(clippy::cast_precision_loss, reason = "2^53 events are more than any load")]
fn report(
    options: &Options,
    mut answers: Answers,
    before: &Before,
    (load_s, whole_s): (f64, f64),
    arrival: Option<Arrival>,
) -> Result<LoadReport> {
    let accepted = answers.latencies_us.len() as u64;
    let after = Before::look(options)?;
    let used = |(name, _): &(String, u32), before: &Usage, after: &Usage| {
        let Usage { pss_mib, peak_rss_mib, .. } = *after;
        (name.clone(), ProcessReport { cpu_s: after.cpu_s - before.cpu_s, pss_mib, peak_rss_mib })
    };
    let pairs = before.processes.iter().zip(&after.processes);
    let processes: BTreeMap<_, _> =
        options.process.iter().zip(pairs).map(|(named, (before, after))| used(named, before, after)).collect();
    let loadgen_cpu_s = after.own.cpu_s - before.own.cpu_s;
    let cpu_s = |counts: fn(&str) -> bool| -> f64 {
        processes.iter().filter(|(name, _)| counts(name)).map(|(_, process)| process.cpu_s).sum()
    };
    let (known_s, product_s) = (cpu_s(|_| true), cpu_s(|name| name != SINK));
    Ok(LoadReport {
        accepted,
        turned_away: answers.turned_away,
        failed: answers.failed,
        first_failure: answers.first_failure,
        load_s,
        accepted_per_s: accepted as f64 / load_s,
        ack_ms: Quantiles::of(&mut answers.latencies_us),
        arrival,
        processes,
        cpu_us_per_event: product_s * 1e6 / accepted as f64,
        loadgen_cpu_s,
        others_cpu_s: (after.machine.busy_s - before.machine.busy_s - known_s - loadgen_cpu_s).max(0.0),
        stolen_s: after.machine.stolen_s - before.machine.stolen_s,
        whole_s,
    })
}
