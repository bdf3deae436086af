//! What a comparison is made of: who against whom, on which store, under which load, and which numbers count.

use std::time::Duration;

/// One comparison of two contenders.
pub(super) struct Scenario {
    /// Names the result file.
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// What the other is measured against.
    pub(super) baseline: Contender,
    pub(super) measured: Contender,
    pub(super) load: Load,
    pub(super) metrics: &'static [Metric],
}

#[derive(Clone, Copy)]
pub(super) enum Contender {
    /// With this many destinations.
    Floor(u32),
    Weft(Setup),
}

/// How Weft is set up for a run.
#[derive(Clone, Copy)]
pub(super) struct Setup {
    pub(super) pipeline: Pipeline,
    pub(super) receivers: Receivers,
    /// Tenants beside the one that is under load, with one destination each.
    pub(super) neighbours: u32,
    pub(super) stock: Stock,
}

/// The steps of the tenant that is under load.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Pipeline {
    Empty,
    /// `stamp`: reads nothing and sets an attribute, so that what is seen is the cost of a step.
    MinimalStep,
    /// `json-filter` with a condition on the payload that every event meets.
    JsonFilter,
    /// `dedupe` by what is another for every event: each keeps a key of its own.
    Dedupe,
    /// `throttle-window` with a limit that no load reaches: all events count on one key.
    Throttle,
}

/// Where the events of the load go.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Receivers {
    /// Each event to so many destinations.
    All(u32),
    /// Each event to so many destinations, and to one more that is not measured.
    AllAndOne(u32, Condition),
    /// Each type of event to a destination of its own.
    ByType { count: u32, unmeasured: u32, condition: Condition },
}

/// The condition of destinations that are not measured.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Condition {
    Well,
    /// Takes the request and never answers.
    Hangs,
    /// Nobody listens there.
    Dead,
}

/// What the store holds before the run.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Stock {
    Nothing,
    /// As many events and waiting deliveries as [`Scale`] says. Most wait for the destination `slow`, which hangs if the
    /// scenario says nothing else; others are held, or due in an hour and later.
    Large,
    /// Events older than retention allows, which is or is not in force.
    Old {
        pruned: bool,
    },
}

/// How much of everything: as asked, or a tenth to see that everything runs.
#[derive(Clone, Copy)]
pub(super) struct Scale {
    pub(super) quick: bool,
    /// Events of [`Stock::Large`].
    pub(super) stored: u64,
    /// Its deliveries that wait for one destination.
    pub(super) waiting: u64,
}

/// How events are sent.
#[derive(Clone, Copy)]
pub(super) enum Load {
    /// As fast as they are answered, for some seconds; what goes in is all that counts.
    ClosedFor { connections: u32, seconds: u32 },
    /// As fast as they are answered, and then until all have arrived.
    ClosedCount { connections: u32, count: u32 },
    /// At a fixed rate per second, below saturation.
    Open { rate: u32, seconds: u32 },
}

/// A number of a run's report.
#[derive(Clone, Copy)]
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    /// Where it stands in the report, as a JSON pointer.
    pub(super) pointer: &'static str,
    pub(super) reach: Reach,
}

/// What must be true of a metric.
#[derive(Clone, Copy)]
pub(super) enum Reach {
    /// The ratio of measured to baseline.
    AtLeast(f64),
    /// The same.
    AtMost(f64),
    /// What was measured, by itself.
    Under(f64),
    /// It is told, and has no bound.
    Told,
}

impl Setup {
    /// On a fresh store, without steps and neighbours.
    pub(super) const fn plain(receivers: Receivers) -> Self {
        Self { pipeline: Pipeline::Empty, receivers, neighbours: 0, stock: Stock::Nothing }
    }

    pub(super) const fn with_step(self, pipeline: Pipeline) -> Self {
        Self { pipeline, ..self }
    }

    pub(super) const fn on(self, stock: Stock) -> Self {
        Self { stock, ..self }
    }

    pub(super) const fn beside(self, neighbours: u32) -> Self {
        Self { neighbours, ..self }
    }

    /// What sets it apart.
    fn name(self) -> String {
        let mut name = "weft".to_owned();
        match self.pipeline {
            Pipeline::Empty => {}
            Pipeline::MinimalStep => name += " + step",
            Pipeline::JsonFilter => name += " + json-filter",
            Pipeline::Dedupe => name += " + dedupe",
            Pipeline::Throttle => name += " + throttle-window",
        }
        match self.stock {
            Stock::Nothing => {}
            Stock::Large => name += ", full store",
            Stock::Old { pruned: false } => name += ", old events",
            Stock::Old { pruned: true } => name += ", pruning",
        }
        match self.receivers {
            Receivers::All(_) => {}
            Receivers::AllAndOne(_, condition) => name = format!("{name}, one {}", condition.name()),
            Receivers::ByType { condition, .. } => name = format!("{name}, some {}", condition.name()),
        }
        if self.neighbours > 0 {
            name = format!("{name}, {} neighbours", self.neighbours);
        }
        name
    }
}

impl Contender {
    pub(super) fn name(self) -> String {
        match self {
            Self::Floor(_) => "floor".to_owned(),
            Self::Weft(setup) => setup.name(),
        }
    }

    pub(super) const fn receivers(self) -> Receivers {
        match self {
            Self::Floor(destinations) => Receivers::All(destinations),
            Self::Weft(setup) => setup.receivers,
        }
    }

    /// The plugin that it runs, if any.
    pub(super) const fn plugin(self) -> Option<&'static str> {
        match self {
            Self::Floor(_) => None,
            Self::Weft(setup) => setup.pipeline.plugin(),
        }
    }

    pub(super) fn stock(self) -> Stock {
        match self {
            Self::Floor(_) => Stock::Nothing,
            Self::Weft(setup) => setup.stock,
        }
    }
}

impl Condition {
    const fn name(self) -> &'static str {
        match self {
            Self::Well => "more",
            Self::Hangs => "hanging",
            Self::Dead => "dead",
        }
    }
}

impl Receivers {
    /// The same at a scale: a quick run has a tenth of many destinations.
    pub(super) fn at(self, scale: Scale) -> Self {
        match self {
            Self::ByType { count, unmeasured, condition } => {
                Self::ByType { count: scale.part(count), unmeasured: scale.part(unmeasured), condition }
            }
            few @ (Self::All(_) | Self::AllAndOne(..)) => few,
        }
    }

    /// Deliveries of each event that the sink counts.
    pub(super) const fn measured(self) -> u32 {
        match self {
            Self::All(count) | Self::AllAndOne(count, _) => count,
            Self::ByType { .. } => 1,
        }
    }
}

impl Scale {
    /// All of `count`, or a tenth of it.
    pub(super) const fn part(self, count: u32) -> u32 {
        if self.quick { count / 10 } else { count }
    }
}

impl Load {
    /// The load generator's arguments.
    pub(super) fn arguments(self, scale: Scale) -> Vec<String> {
        let time = |seconds: u32| f64::from(seconds) / if scale.quick { 10.0 } else { 1.0 };
        let arguments = match self {
            Self::ClosedFor { connections, seconds } => {
                format!("--connections {connections} --seconds {}", time(seconds))
            }
            Self::ClosedCount { connections, count } => {
                format!("--connections {connections} --count {}", scale.part(count))
            }
            Self::Open { rate, seconds } => format!("--connections 8 --rate {rate} --seconds {}", time(seconds)),
        };
        arguments.split(' ').map(str::to_owned).collect()
    }

    /// About how long one run takes on two cores, warm-up and start included.
    pub(super) fn expected(self, receivers: Receivers, scale: Scale) -> Duration {
        // What a run begins and ends with, seen on two cores.
        const AROUND_S: f64 = 3.0;
        /// Deliveries of a second, the slower of the two contenders.
        const DELIVERIES_PER_S: f64 = 15_000.0;
        let part = if scale.quick { 0.1 } else { 1.0 };
        let seconds = match self {
            Self::ClosedFor { seconds, .. } | Self::Open { seconds, .. } => f64::from(seconds),
            Self::ClosedCount { count, .. } => f64::from(count * receivers.measured().max(1)) / DELIVERIES_PER_S,
        };
        Duration::from_secs_f64(AROUND_S + seconds * part)
    }
}

impl Reach {
    /// The bound by its name.
    pub(super) const fn asked(self) -> Option<(&'static str, f64)> {
        match self {
            Self::AtLeast(bound) => Some(("at_least", bound)),
            Self::AtMost(bound) => Some(("at_most", bound)),
            Self::Under(bound) => Some(("under", bound)),
            Self::Told => None,
        }
    }

    /// Whether it is good enough; `None` if there is no bound.
    pub(super) fn is_met(self, ratio: f64, measured: f64) -> Option<bool> {
        match self {
            Self::AtLeast(bound) => Some(ratio >= bound),
            Self::AtMost(bound) => Some(ratio <= bound),
            Self::Under(bound) => Some(measured < bound),
            Self::Told => None,
        }
    }
}
