//! What is measured: who against whom, under which load, and which numbers count.

/// One comparison of two contenders.
pub(super) struct Scenario {
    /// Names the result file.
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// What the other is measured against.
    pub(super) baseline: Contender,
    pub(super) measured: Contender,
    /// How many deliveries each event makes, of both.
    pub(super) destinations: u32,
    pub(super) load: Load,
    pub(super) metrics: &'static [Metric],
}

#[derive(Clone, Copy)]
pub(super) enum Contender {
    Floor,
    Weft(Pipeline),
}

/// The steps of the one tenant that Weft serves in a bench.
#[derive(Clone, Copy)]
pub(super) enum Pipeline {
    Empty,
    /// `stamp`: reads nothing and sets an attribute, so that what is seen is the cost of a step.
    MinimalStep,
    /// `json-filter` with a condition on the payload that every event meets.
    JsonFilter,
}

/// How events are sent.
#[derive(Clone, Copy)]
pub(super) enum Load {
    /// As fast as they are answered, for some seconds; what goes in is all that counts.
    ClosedFor { connections: u32, seconds: u32 },
    /// As fast as they are answered, and then until all have arrived.
    ClosedCount { connections: u32, count: u32 },
    /// At a fixed rate per second, far below saturation.
    Open { rate: u32, seconds: u32 },
}

/// A number of the load generator's report.
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    /// Where it stands in the report, as a JSON pointer.
    pub(super) pointer: &'static str,
    pub(super) reach: Reach,
}

/// What the ratio of measured to baseline must be.
#[derive(Clone, Copy)]
pub(super) enum Reach {
    AtLeast(f64),
    AtMost(f64),
    /// It is told, and has no bound as a ratio.
    Told,
}

const fn accepted(reach: Reach) -> Metric {
    Metric { name: "acknowledged", unit: "events/s", pointer: "/accepted_per_s", reach }
}

const fn ack_p50(reach: Reach) -> Metric {
    Metric { name: "acknowledgement p50", unit: "ms", pointer: "/ack_ms/p50", reach }
}

const fn end_to_end(reach: Reach) -> Metric {
    Metric { name: "end to end", unit: "events/s", pointer: "/arrival/events_per_s", reach }
}

const fn deliveries(reach: Reach) -> Metric {
    Metric { name: "end to end", unit: "deliveries/s", pointer: "/arrival/deliveries_per_s", reach }
}

const fn cpu(reach: Reach) -> Metric {
    Metric { name: "CPU per event", unit: "µs", pointer: "/processes/product/cpu_us_per_event", reach }
}

const fn latency_p50(reach: Reach) -> Metric {
    Metric { name: "created to received p50", unit: "ms", pointer: "/arrival/latency_ms/p50", reach }
}

const LATENCY_P99: Metric =
    Metric { name: "created to received p99", unit: "ms", pointer: "/arrival/latency_ms/p99", reach: Reach::Told };

const MEMORY: Metric =
    Metric { name: "most memory", unit: "MiB", pointer: "/processes/product/peak_rss_mib", reach: Reach::Told };

/// All scenarios. Bounds are those of the design, except end to end with one destination and its CPU, which are to be
/// reached first at 0.35 and 4 and then at 0.60 and 2.
pub(super) const SCENARIOS: [Scenario; 8] = [
    Scenario {
        name: "acknowledged",
        about: "64 connections, no destination",
        baseline: Contender::Floor,
        measured: Contender::Weft(Pipeline::Empty),
        destinations: 0,
        load: Load::ClosedFor { connections: 64, seconds: 10 },
        metrics: &[accepted(Reach::AtLeast(0.65)), cpu(Reach::Told), MEMORY],
    },
    Scenario {
        name: "acknowledged-alone",
        about: "one connection, no destination",
        baseline: Contender::Floor,
        measured: Contender::Weft(Pipeline::Empty),
        destinations: 0,
        load: Load::ClosedFor { connections: 1, seconds: 5 },
        metrics: &[ack_p50(Reach::AtMost(1.4))],
    },
    Scenario {
        name: "one-destination",
        about: "64 connections, one destination, until all has arrived",
        baseline: Contender::Floor,
        measured: Contender::Weft(Pipeline::Empty),
        destinations: 1,
        load: Load::ClosedCount { connections: 64, count: 100_000 },
        metrics: &[end_to_end(Reach::AtLeast(0.35)), cpu(Reach::AtMost(4.0)), MEMORY],
    },
    Scenario {
        name: "ten-destinations",
        about: "64 connections, ten destinations, until all has arrived",
        baseline: Contender::Floor,
        measured: Contender::Weft(Pipeline::Empty),
        destinations: 10,
        load: Load::ClosedCount { connections: 64, count: 20_000 },
        metrics: &[deliveries(Reach::AtLeast(0.65)), cpu(Reach::Told), MEMORY],
    },
    Scenario {
        name: "minimal-step",
        about: "one destination: Weft with one minimal plugin step against Weft without",
        baseline: Contender::Weft(Pipeline::Empty),
        measured: Contender::Weft(Pipeline::MinimalStep),
        destinations: 1,
        load: Load::ClosedCount { connections: 64, count: 50_000 },
        metrics: &[end_to_end(Reach::AtLeast(0.85)), cpu(Reach::Told), MEMORY],
    },
    Scenario {
        name: "json-filter",
        about: "one destination: Weft with json-filter against Weft without",
        baseline: Contender::Weft(Pipeline::Empty),
        measured: Contender::Weft(Pipeline::JsonFilter),
        destinations: 1,
        load: Load::ClosedCount { connections: 64, count: 50_000 },
        metrics: &[end_to_end(Reach::AtLeast(0.78)), cpu(Reach::Told), MEMORY],
    },
    Scenario {
        name: "latency",
        about: "50 events/s, one destination",
        baseline: Contender::Floor,
        measured: Contender::Weft(Pipeline::Empty),
        destinations: 1,
        load: Load::Open { rate: 50, seconds: 20 },
        metrics: &[latency_p50(Reach::AtMost(1.4)), LATENCY_P99],
    },
    Scenario {
        name: "latency-with-step",
        about: "50 events/s, one destination: Weft with one minimal plugin step against Weft without",
        baseline: Contender::Weft(Pipeline::Empty),
        measured: Contender::Weft(Pipeline::MinimalStep),
        destinations: 1,
        load: Load::Open { rate: 50, seconds: 20 },
        metrics: &[latency_p50(Reach::Told), LATENCY_P99],
    },
];

impl Contender {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Weft(Pipeline::Empty) => "weft",
            Self::Weft(Pipeline::MinimalStep) => "weft + step",
            Self::Weft(Pipeline::JsonFilter) => "weft + json-filter",
        }
    }
}

impl Load {
    /// The load generator's arguments; a `quick` run has a tenth of the load.
    pub(super) fn arguments(self, quick: bool) -> Vec<String> {
        let part = if quick { 10 } else { 1 };
        let arguments = match self {
            Self::ClosedFor { connections, seconds } => {
                format!("--connections {connections} --seconds {}", f64::from(seconds) / f64::from(part))
            }
            Self::ClosedCount { connections, count } => format!("--connections {connections} --count {}", count / part),
            Self::Open { rate, seconds } => {
                format!("--connections 8 --rate {rate} --seconds {}", f64::from(seconds) / f64::from(part))
            }
        };
        arguments.split(' ').map(str::to_owned).collect()
    }
}

impl Reach {
    /// Whether a ratio is good enough; `None` if there is no bound.
    pub(super) fn is_met(self, ratio: f64) -> Option<bool> {
        match self {
            Self::AtLeast(bound) => Some(ratio >= bound),
            Self::AtMost(bound) => Some(ratio <= bound),
            Self::Told => None,
        }
    }
}
