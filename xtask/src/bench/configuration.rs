//! The configuration that the engine of a run is started with.

use std::fmt::Write;
use std::net::SocketAddr;

use super::scenario::{Condition, Pipeline, Receivers, Setup, Stock};

/// The variable that hands the key of the bench's tenant to the engine.
pub(super) const KEY_VARIABLE: &str = "WEFT_BENCH_KEY";

/// The destination that most of a large stock waits for.
pub(super) const SLOW: &str = "slow";

/// The destination that is disabled, and has something waiting.
pub(super) const HELD: &str = "held";

/// Nobody listens there: port 9 is reserved for throwing away, and not served.
const DEAD: &str = "127.0.0.1:9";

/// Where an engine listens, and where the destinations are.
#[derive(Clone, Copy)]
pub(super) struct Addresses {
    pub(super) listen: SocketAddr,
    pub(super) sink: SocketAddr,
}

impl Pipeline {
    pub(super) const fn plugin(self) -> Option<&'static str> {
        match self {
            Self::Empty => None,
            Self::MinimalStep => Some("stamp"),
            Self::JsonFilter => Some("json-filter"),
            Self::Dedupe => Some("dedupe"),
            Self::Throttle => Some("throttle-window"),
        }
    }

    /// What the step grants.
    const fn grants(self) -> &'static str {
        match self {
            Self::Empty | Self::MinimalStep | Self::JsonFilter => "[]",
            Self::Dedupe | Self::Throttle => r#"["kv"]"#,
        }
    }

    /// The plugin's configuration, as an inline table.
    const fn step_config(self) -> &'static str {
        match self {
            Self::Empty | Self::MinimalStep => "{}",
            Self::JsonFilter => r#"{ keep_when = { pointer = "/order/currency", equals = "EUR" } }"#,
            Self::Dedupe => r#"{ key = "id" }"#,
            Self::Throttle => "{ events = 4000000000, window_seconds = 3600 }",
        }
    }
}

impl Condition {
    /// The URL of a destination in this condition.
    fn url(self, sink: SocketAddr) -> String {
        match self {
            Self::Well => format!("http://{sink}/beside/e"),
            Self::Hangs => format!("http://{sink}/hang/e"),
            Self::Dead => format!("http://{DEAD}/e"),
        }
    }
}

/// A `weft.toml` that is being written.
struct Toml(String);

impl Toml {
    fn add(&mut self, text: std::fmt::Arguments<'_>) {
        self.0.write_fmt(text).expect("a string takes everything");
    }

    /// A destination of the tenant that was begun last; without patterns, it gets every event.
    fn destination(&mut self, name: &str, url: &str, events: Option<&str>) {
        self.add(format_args!("\n[[tenant.destination]]\nname = \"{name}\"\nurl = \"{url}\"\n"));
        if let Some(pattern) = events {
            self.add(format_args!("events = [\"{pattern}\"]\n"));
        }
    }
}

/// The configuration of a setup: the tenant that is under load, with its destinations at the sink, and its neighbours.
///
/// `database` is the URL of a store that is no file.
pub(super) fn weft_toml(setup: Setup, Addresses { listen, sink }: Addresses, database: Option<&str>) -> String {
    let store = database.map(|url| format!("store = \"{url}\"\n")).unwrap_or_default();
    let mut toml = Toml(format!("listen = \"{listen}\"\n{store}\n[network]\nallow = [\"127.0.0.1/32\"]\n"));
    match setup.stock {
        Stock::Old { pruned: true } => toml.add(format_args!("\n[limits]\nretention_hours = 24\n")),
        Stock::Nothing | Stock::Large | Stock::Old { pruned: false } => {}
    }
    toml.add(format_args!(
        "\n[[tenant]]\nname = \"bench\"\nkeys = [{{ name = \"loadgen\", env = \"{KEY_VARIABLE}\" }}]\n"
    ));
    receivers(&mut toml, setup.receivers, sink);
    if setup.stock == Stock::Large {
        if !matches!(setup.receivers, Receivers::AllAndOne(..)) {
            toml.destination(SLOW, &Condition::Hangs.url(sink), Some("nothing.of.the.load"));
        }
        toml.destination(HELD, &Condition::Hangs.url(sink), Some("nothing.of.the.load"));
    }
    if let Some(plugin) = setup.pipeline.plugin() {
        let (grants, config) = (setup.pipeline.grants(), setup.pipeline.step_config());
        toml.add(format_args!(
            "\n[[tenant.step]]\nplugin = \"operator/{plugin}\"\ngrants = {grants}\nconfig = {config}\n"
        ));
    }
    for number in 0..setup.neighbours {
        toml.add(format_args!("\n[[tenant]]\nname = \"neighbour-{number}\"\n"));
        toml.destination("e1", &Condition::Well.url(sink), None);
    }
    toml.0
}

fn receivers(toml: &mut Toml, receivers: Receivers, sink: SocketAddr) {
    match receivers {
        Receivers::All(count) => {
            (1..=count).for_each(|n| toml.destination(&format!("e{n}"), &format!("http://{sink}/e{n}"), None));
        }
        Receivers::AllAndOne(count, condition) => {
            (1..=count).for_each(|n| toml.destination(&format!("e{n}"), &format!("http://{sink}/e{n}"), None));
            toml.destination(SLOW, &condition.url(sink), None);
        }
        Receivers::ByType { count, unmeasured, condition } => {
            for n in 0..count {
                // One path for all: an event goes to one of them, so a duplicate is one wherever it arrives.
                let url = if n < unmeasured { condition.url(sink) } else { format!("http://{sink}/e") };
                toml.destination(&format!("e{n}"), &url, Some(&format!("t{n}")));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses() -> Addresses {
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Addresses { listen: address(1), sink: address(2) }
    }

    #[test]
    fn what_is_not_measured_hangs_where_the_sink_does_not_count() {
        let receivers = Receivers::ByType { count: 3, unmeasured: 1, condition: Condition::Hangs };
        let toml = weft_toml(Setup::plain(receivers), addresses(), None);
        assert_eq!(toml.matches("http://127.0.0.1:2/hang/").count(), 1, "{toml}");
        assert_eq!(toml.matches("http://127.0.0.1:2/e\"").count(), 2, "{toml}");
        assert_eq!(toml.matches("events = [\"t0\"]").count(), 1, "{toml}");
    }

    #[test]
    fn a_large_stock_finds_the_destinations_that_it_waits_for() {
        let toml = weft_toml(Setup::plain(Receivers::All(1)).on(Stock::Large), addresses(), None);
        for name in [SLOW, HELD] {
            assert_eq!(toml.matches(&format!("name = \"{name}\"")).count(), 1, "{toml}");
        }
        let toml =
            weft_toml(Setup::plain(Receivers::AllAndOne(9, Condition::Dead)).on(Stock::Large), addresses(), None);
        assert_eq!(toml.matches(&format!("name = \"{SLOW}\"")).count(), 1, "{toml}");
    }
}
