//! All scenarios. Bounds are those that the project has set itself; `benches/README.md` says how to read them.

use super::scenario::{Condition, Contender, Load, Metric, Pipeline, Reach, Receivers, Scenario, Setup, Stock};

const fn accepted(reach: Reach) -> Metric {
    Metric { name: "acknowledged", unit: "events/s", pointer: "/accepted_per_s", reach }
}

const fn ack_p50(reach: Reach) -> Metric {
    Metric { name: "acknowledgement p50", unit: "ms", pointer: "/ack_ms/p50", reach }
}

const fn ack_p99(reach: Reach) -> Metric {
    Metric { name: "acknowledgement p99", unit: "ms", pointer: "/ack_ms/p99", reach }
}

const fn end_to_end(reach: Reach) -> Metric {
    Metric { name: "end to end", unit: "events/s", pointer: "/arrival/events_per_s", reach }
}

const fn deliveries(reach: Reach) -> Metric {
    Metric { name: "end to end", unit: "deliveries/s", pointer: "/arrival/deliveries_per_s", reach }
}

const fn cpu(reach: Reach) -> Metric {
    Metric { name: "CPU per event", unit: "µs", pointer: "/cpu_us_per_event", reach }
}

const fn latency_p50(reach: Reach) -> Metric {
    Metric { name: "created to received p50", unit: "ms", pointer: "/arrival/latency_ms/p50", reach }
}

const fn latency_p99(reach: Reach) -> Metric {
    Metric { name: "created to received p99", unit: "ms", pointer: "/arrival/latency_ms/p99", reach }
}

const fn start(reach: Reach) -> Metric {
    Metric { name: "start", unit: "s", pointer: "/start_s", reach }
}

const fn file(reach: Reach) -> Metric {
    Metric { name: "store's size", unit: "MiB", pointer: "/store_mib", reach }
}

const fn memory(reach: Reach) -> Metric {
    Metric { name: "memory after the run", unit: "MiB", pointer: "/processes/product/pss_mib", reach }
}

const MOST_MEMORY: Metric =
    Metric { name: "most memory", unit: "MiB", pointer: "/processes/product/peak_rss_mib", reach: Reach::Told };

/// Weft with each event to so many destinations.
const fn weft(destinations: u32) -> Setup {
    Setup::plain(Receivers::All(destinations))
}

/// Weft with 10 000 destinations, of which 1 000 are in this condition.
const fn many(condition: Condition) -> Setup {
    Setup::plain(Receivers::ByType { count: 10_000, unmeasured: 1_000, condition })
}

/// Weft with ten destinations, one of them in this condition.
const fn nine_and(condition: Condition) -> Setup {
    Setup::plain(Receivers::AllAndOne(9, condition))
}

pub(super) const SCENARIOS: [Scenario; 19] = [
    Scenario {
        name: "acknowledged",
        about: "64 connections, no destination",
        baseline: Contender::Floor(0),
        measured: Contender::Weft(weft(0)),
        load: Load::ClosedFor { connections: 64, seconds: 8 },
        metrics: &[accepted(Reach::AtLeast(0.65)), cpu(Reach::Told), MOST_MEMORY],
    },
    Scenario {
        name: "acknowledged-alone",
        about: "one connection, no destination",
        baseline: Contender::Floor(0),
        measured: Contender::Weft(weft(0)),
        load: Load::ClosedFor { connections: 1, seconds: 4 },
        metrics: &[ack_p50(Reach::AtMost(1.4))],
    },
    Scenario {
        name: "one-destination",
        about: "64 connections, one destination, until all has arrived",
        baseline: Contender::Floor(1),
        measured: Contender::Weft(weft(1)),
        load: Load::ClosedCount { connections: 64, count: 100_000 },
        metrics: &[end_to_end(Reach::AtLeast(0.60)), cpu(Reach::AtMost(2.0)), MOST_MEMORY],
    },
    Scenario {
        name: "ten-destinations",
        about: "64 connections, ten destinations, until all has arrived",
        baseline: Contender::Floor(10),
        measured: Contender::Weft(weft(10)),
        load: Load::ClosedCount { connections: 64, count: 20_000 },
        metrics: &[deliveries(Reach::AtLeast(0.65)), cpu(Reach::Told), MOST_MEMORY],
    },
    Scenario {
        name: "minimal-step",
        about: "one destination: Weft with one minimal plugin step against Weft without",
        baseline: Contender::Weft(weft(1)),
        measured: Contender::Weft(weft(1).with_step(Pipeline::MinimalStep)),
        load: Load::ClosedCount { connections: 64, count: 50_000 },
        metrics: &[end_to_end(Reach::AtLeast(0.85)), cpu(Reach::Told), MOST_MEMORY],
    },
    Scenario {
        name: "json-filter",
        about: "one destination: Weft with json-filter against Weft without",
        baseline: Contender::Weft(weft(1)),
        measured: Contender::Weft(weft(1).with_step(Pipeline::JsonFilter)),
        load: Load::ClosedCount { connections: 64, count: 50_000 },
        metrics: &[end_to_end(Reach::AtLeast(0.78)), cpu(Reach::Told), MOST_MEMORY],
    },
    Scenario {
        name: "dedupe",
        about: "one destination: Weft with a plugin that keeps a key for each event against Weft without",
        baseline: Contender::Weft(weft(1)),
        measured: Contender::Weft(weft(1).with_step(Pipeline::Dedupe)),
        load: Load::ClosedCount { connections: 64, count: 20_000 },
        metrics: &[end_to_end(Reach::Told), cpu(Reach::Told), MOST_MEMORY],
    },
    Scenario {
        name: "throttle-window",
        about: "one destination: Weft with a plugin that counts all events on one key against Weft without",
        baseline: Contender::Weft(weft(1)),
        measured: Contender::Weft(weft(1).with_step(Pipeline::Throttle)),
        load: Load::ClosedCount { connections: 64, count: 20_000 },
        metrics: &[end_to_end(Reach::Told), cpu(Reach::Told), MOST_MEMORY],
    },
    Scenario {
        name: "latency",
        about: "50 events/s, one destination",
        baseline: Contender::Floor(1),
        measured: Contender::Weft(weft(1)),
        load: Load::Open { rate: 50, seconds: 10 },
        metrics: &[latency_p50(Reach::AtMost(1.4)), latency_p99(Reach::Told)],
    },
    Scenario {
        name: "latency-with-step",
        about: "50 events/s, one destination: Weft with one minimal plugin step against Weft without",
        baseline: Contender::Weft(weft(1)),
        measured: Contender::Weft(weft(1).with_step(Pipeline::MinimalStep)),
        load: Load::Open { rate: 50, seconds: 10 },
        metrics: &[latency_p50(Reach::Told), latency_p99(Reach::Told)],
    },
    Scenario {
        name: "growth",
        about: "one destination, as fast as it goes: Weft on a store full of events and deliveries against an empty one",
        baseline: Contender::Weft(weft(1)),
        measured: Contender::Weft(weft(1).on(Stock::Large)),
        load: Load::ClosedCount { connections: 64, count: 50_000 },
        metrics: &[end_to_end(Reach::AtLeast(0.9)), cpu(Reach::Told), start(Reach::Under(2.0))],
    },
    Scenario {
        name: "growth-latency",
        about: "one destination, 1000 events/s: Weft on a store full of events and deliveries against an empty one",
        baseline: Contender::Weft(weft(1)),
        measured: Contender::Weft(weft(1).on(Stock::Large)),
        load: Load::Open { rate: 1_000, seconds: 10 },
        metrics: &[ack_p99(Reach::AtMost(1.1)), latency_p50(Reach::Told), latency_p99(Reach::AtMost(1.1))],
    },
    Scenario {
        name: "memory",
        about: "ten destinations: Weft on a store full of events and deliveries against an empty one",
        baseline: Contender::Weft(weft(10)),
        measured: Contender::Weft(weft(10).on(Stock::Large)),
        load: Load::ClosedCount { connections: 64, count: 20_000 },
        metrics: &[memory(Reach::Under(100.0)), MOST_MEMORY, deliveries(Reach::AtLeast(0.9))],
    },
    Scenario {
        name: "one-hanging",
        about: "ten destinations, one of which hangs and has a backlog: what the other nine get, against ten that are well",
        baseline: Contender::Weft(nine_and(Condition::Well)),
        measured: Contender::Weft(nine_and(Condition::Hangs).on(Stock::Large)),
        load: Load::ClosedCount { connections: 64, count: 20_000 },
        metrics: &[deliveries(Reach::AtLeast(0.9)), cpu(Reach::Told), MOST_MEMORY],
    },
    Scenario {
        name: "one-dead",
        about: "ten destinations, one of which is dead and has a backlog: what the other nine get, against ten that are well",
        baseline: Contender::Weft(nine_and(Condition::Well)),
        measured: Contender::Weft(nine_and(Condition::Dead).on(Stock::Large)),
        load: Load::ClosedCount { connections: 64, count: 20_000 },
        metrics: &[deliveries(Reach::AtLeast(0.9)), cpu(Reach::Told), MOST_MEMORY],
    },
    Scenario {
        name: "many-hanging",
        about: "10 000 destinations, 1 000 of which hang: what the others get, against all being well",
        baseline: Contender::Weft(many(Condition::Well)),
        measured: Contender::Weft(many(Condition::Hangs)),
        load: Load::ClosedCount { connections: 64, count: 100_000 },
        metrics: &[end_to_end(Reach::AtLeast(0.9)), cpu(Reach::Told), MOST_MEMORY],
    },
    Scenario {
        name: "many-destinations",
        about: "what 10 000 destinations cost: each event goes to one of them, against one destination",
        baseline: Contender::Weft(weft(1)),
        measured: Contender::Weft(many(Condition::Well)),
        load: Load::ClosedCount { connections: 64, count: 50_000 },
        metrics: &[end_to_end(Reach::Told), cpu(Reach::Told), start(Reach::Told), memory(Reach::Told)],
    },
    Scenario {
        name: "many-tenants",
        about: "what 1 000 more tenants with a destination each cost, while one tenant sends",
        baseline: Contender::Weft(weft(1)),
        measured: Contender::Weft(weft(1).beside(1_000)),
        load: Load::ClosedCount { connections: 64, count: 50_000 },
        metrics: &[end_to_end(Reach::Told), cpu(Reach::Told), start(Reach::Told), memory(Reach::Told)],
    },
    Scenario {
        name: "retention",
        about: "1000 events/s while old events are pruned, against the same store with nothing pruned",
        baseline: Contender::Weft(weft(1).on(Stock::Old { pruned: false })),
        measured: Contender::Weft(weft(1).on(Stock::Old { pruned: true })),
        load: Load::Open { rate: 1_000, seconds: 15 },
        metrics: &[ack_p99(Reach::AtMost(1.25)), latency_p99(Reach::AtMost(1.25)), file(Reach::Told)],
    },
];
