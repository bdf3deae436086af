//! What a call costs: a fresh instance for each event, and a kept one for comparison, on one thread and on two.
//!
//! ```sh
//! cargo run --release -p weft-plugin-host --example call_cost -- target/components/hostile.wasm '"echo"'
//! ```
//!
//! The event holds 1 KiB of JSON text; the second argument is the step's configuration. The first role that the component
//! exports in the order transform, filter, route is called. What a busy machine does not disturb are the page faults of each
//! event (the aim is none) and the processor time of each call, which must not grow with a second thread.

use std::hint::black_box;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use uuid::Uuid;
use weft_core::contract::{EventView, PayloadView, Role};
use weft_core::id::EventId;
use weft_core::limits::CallLimits;
use weft_core::time::Timestamp;
use weft_plugin_host::{CallContext, HostConfig, Instance, PluginHost, Version};

/// Calls between two readings of the clock.
const BATCH: u32 = 50;
/// How long each line measures.
const LINE: Duration = Duration::from_secs(2);

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().context("which component? call_cost <component.wasm> [<configuration>]")?;
    let config: Arc<str> = arguments.next().unwrap_or_else(|| "{}".to_owned()).into();
    let bytes = std::fs::read(&path).with_context(|| path.clone())?;
    let host_config = HostConfig { instances_max: 16, component_bytes_max: 32 << 20, memory_bytes_max: 64 << 20 };
    let host = PluginHost::new(&host_config)?;

    let started = now();
    let version = host.load(&bytes)?;
    println!("{path}: {} KB, checked and compiled in {:.1?}", bytes.len() / 1000, started.elapsed());
    let bench = Bench::new(version, config)?;
    bench.line("instance, no call", |bench| bench.instance().map(drop));
    bench.line("fresh instance + call", |bench| bench.call(&mut bench.instance()?));
    bench.line("fresh instance + call + log", |bench| {
        let mut instance = bench.instance()?;
        bench.call(&mut instance)?;
        black_box(instance.finish());
        Ok(())
    });
    let mut kept = bench.instance()?;
    bench.line("kept instance: call", |bench| {
        // A guest need not give back what it took, so that a kept instance is replaced when it is full.
        if bench.call(&mut kept).is_err() {
            kept = bench.instance()?;
        }
        Ok(())
    });
    let (one, two) = (bench.threads(1)?, bench.threads(2)?);
    let by_processor = 2.0 * one.processor_us / two.processor_us;
    println!(
        "{:<32}{:>10.2} x      {by_processor:.2} x by processor time",
        "two threads against one",
        two.per_s / one.per_s
    );
    Ok(())
}

/// One version, called with the same event again and again.
struct Bench {
    version: Version,
    config: Arc<str>,
    limits: CallLimits,
    role: Role,
    body: String,
}

impl Bench {
    fn new(version: Version, config: Arc<str>) -> Result<Self> {
        let order = [Role::Transform, Role::Filter, Role::Route];
        let role = order.into_iter().find(|role| version.roles().contains(role)).context("a version has a role")?;
        // Alone on a busy machine an event may be put aside for longer than a plugin's usual limit.
        let limits = CallLimits { call: Duration::from_secs(5), ..CallLimits::default() };
        let bench = Self { version, config, limits, role, body: body() };
        bench.call(&mut bench.instance()?)?;
        println!("role {role}, an event of {} bytes", bench.body.len());
        Ok(bench)
    }

    fn instance(&self) -> Result<Instance> {
        let call = CallContext {
            config: &self.config,
            limits: &self.limits,
            received_at: Timestamp::from_ms(1_614_265_330_007),
            event: EventId::from_uuid(Uuid::from_u128(7)),
            output: 0,
        };
        Ok(self.version.instance(&call, None)?)
    }

    fn call(&self, instance: &mut Instance) -> Result<()> {
        let event = EventView {
            id: "evt_01h2xcejqtf2nbrexx3vqjhp41",
            output: 0,
            event_type: "order.created",
            source: "api",
            content_type: "application/json",
            received_at: "2021-02-25T15:02:10.007Z",
            ordering_key: None,
            headers: &[],
            attributes: &[],
            data: PayloadView::Text(&self.body),
        };
        match self.role {
            Role::Filter => drop(black_box(instance.decide(&event)?)),
            Role::Transform => drop(black_box(instance.transform(&event)?)),
            Role::Route => drop(black_box(instance.route(&event, &[])?)),
        }
        Ok(())
    }

    /// Prints the median of many batches, and the page faults of each call.
    fn line(&self, what: &str, mut work: impl FnMut(&Self) -> Result<()>) {
        let measured = (|| -> Result<(f64, f64)> {
            let started = now();
            let mut batches = Vec::new();
            let faults = page_faults()?;
            while started.elapsed() < LINE {
                let batch = now();
                for _ in 0..BATCH {
                    work(self)?;
                }
                batches.push(batch.elapsed().as_secs_f64() * 1e6 / f64::from(BATCH));
            }
            let faults = (page_faults()? - faults) / (batches.len() as f64 * f64::from(BATCH));
            batches.sort_by(f64::total_cmp);
            Ok((batches[batches.len() / 2], faults))
        })();
        match measured {
            Ok((median, faults)) => println!("{what:<32}{median:>10.2} µs   {faults:.2} page faults"),
            Err(error) => println!("{what:<32}{error:#}"),
        }
    }

    /// Prints how many fresh instances so many threads make and call, and what each costs a processor.
    fn threads(&self, threads: u32) -> Result<Rate> {
        let started = now();
        let count = || -> Result<(u32, f64)> {
            let before = processor_us()?;
            let mut calls = 0;
            while started.elapsed() < LINE {
                for _ in 0..BATCH {
                    self.call(&mut self.instance()?)?;
                }
                calls += BATCH;
            }
            Ok((calls, processor_us()? - before))
        };
        let (mut calls, mut busy_us) = (0, 0.0);
        thread::scope(|scope| -> Result<()> {
            let running: Vec<_> = (0..threads).map(|_| scope.spawn(count)).collect();
            for one in running {
                let (its_calls, its_us) = one.join().map_err(|_| anyhow!("a thread panicked"))??;
                calls += its_calls;
                busy_us += its_us;
            }
            Ok(())
        })?;
        let rate = Rate {
            per_s: f64::from(calls) / started.elapsed().as_secs_f64(),
            processor_us: busy_us / f64::from(calls),
        };
        println!(
            "{:<32}{:>10.0} /s   {:.2} µs of a processor each",
            format!("threads: {threads}"),
            rate.per_s,
            rate.processor_us
        );
        Ok(rate)
    }
}

/// How fast some threads were, and what a call cost them.
struct Rate {
    per_s: f64,
    processor_us: f64,
}

/// 1 KiB of JSON, as an order might be.
fn body() -> String {
    let mut body = r#"{"type":"order.created","data":{"id":4711,"total":129.5,"items":["#.to_owned();
    while body.len() < 960 {
        body.push_str(r#"{"sku":"A-1","count":2,"price":9.99},"#);
    }
    body.push_str(r#"{}],"note":""#);
    let padding = 1024 - body.len() - 3;
    body.push_str(&"x".repeat(padding));
    body.push_str(r#""}}"#);
    body
}

/// Page faults of this process that needed no disk: field 10 of `/proc/self/stat`, counted from the name's end.
fn page_faults() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").context("/proc/self/stat")?;
    let fields = stat.rsplit_once(')').context("/proc/self/stat has a name in brackets")?.1;
    Ok(fields.split_whitespace().nth(7).context("/proc/self/stat has a tenth field")?.parse()?)
}

/// How long this thread has had a processor: the first number of its `schedstat`, in nanoseconds.
fn processor_us() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").context("/proc/thread-self/schedstat")?;
    let ns: f64 = stat.split_whitespace().next().context("schedstat has a first number")?.parse()?;
    Ok(ns / 1000.0)
}

#[expect(clippy::disallowed_methods, reason = "a measuring program measures")]
fn now() -> Instant {
    Instant::now()
}
