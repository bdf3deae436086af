//! What the programs print, as JSON, and read from each other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::quantiles::Quantiles;

/// What one run of the load generator has found.
#[derive(Debug, Serialize, Deserialize)]
pub struct LoadReport {
    /// Events answered with a 2xx.
    pub accepted: u64,
    /// Times that a request was answered 429 or 503 with `retry-after`, and was sent again after that.
    pub turned_away: u64,
    /// Requests that ended in any other way.
    pub failed: u64,
    /// The first of those.
    pub first_failure: Option<String>,
    /// From the first request to the last answer.
    pub load_s: f64,
    /// Accepted events per second of the load.
    pub accepted_per_s: f64,
    /// From request to answer.
    pub ack_ms: Option<Quantiles>,
    /// What arrived; absent without a sink.
    pub arrival: Option<Arrival>,
    /// By the names that were given to the processes.
    pub processes: BTreeMap<String, ProcessReport>,
    /// CPU time per accepted event of all named processes but the sink, in microseconds: what the product costs.
    pub cpu_us_per_event: f64,
    /// CPU time of the load generator itself.
    pub loadgen_cpu_s: f64,
    /// CPU time of processes that nobody named: over a tenth of all CPU time, the run is noise.
    pub others_cpu_s: f64,
    /// Time that a hypervisor gave to others.
    pub stolen_s: f64,
    /// From the first request to the end of the drain.
    pub whole_s: f64,
}

/// What arrived at the sink.
#[derive(Debug, Serialize, Deserialize)]
pub struct Arrival {
    /// Accepted events that count, times the fan-out.
    pub wanted: u64,
    /// Different deliveries that arrived.
    pub received: u64,
    /// Deliveries that came once more.
    pub duplicates: u64,
    /// Events that count per second, from the first request to the last receipt, drain included.
    pub events_per_s: f64,
    /// The same times the fan-out.
    pub deliveries_per_s: f64,
    /// From the making of a payload to its receipt; a delivery latency only below saturation.
    pub latency_ms: Option<Quantiles>,
}

/// What a process and its children have used during a run.
#[derive(Debug, Serialize, Deserialize)]
pub struct ProcessReport {
    /// CPU time from the first request to the end of the drain.
    pub cpu_s: f64,
    /// Memory at the end of the drain; pages that processes share count once.
    pub pss_mib: f64,
    /// The most resident memory that the process by itself ever had.
    pub peak_rss_mib: f64,
}

/// What the sink has seen since it was last reset.
#[derive(Debug, Serialize, Deserialize)]
pub struct SinkReport {
    /// Different deliveries: by path and sequence.
    pub received: u64,
    /// Deliveries that came once more.
    pub duplicates: u64,
    /// Requests whose body carries no mark.
    pub unmarked: u64,
    /// Requests to paths that hang or stand beside what is measured, and deliveries of a load that is over.
    pub uncounted: u64,
    /// The last receipt, in nanoseconds since 1970; 0 before the first.
    pub last_ns: u64,
    /// From the making of a payload to its receipt.
    pub latency_ms: Option<Quantiles>,
}
