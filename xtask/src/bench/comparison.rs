//! A scenario as it is run: on which database, against which product, and what is then asked of it.

use super::contender::Ground;
use super::scenario::{Contender, Metric, Reach, Scenario};

/// The least share of the floor's deliveries that Weft reaches on Postgres.
const POSTGRES_OF_FLOOR: f64 = 0.35;

/// A scenario with its names and bounds.
pub(super) struct Comparison {
    pub(super) scenario: &'static Scenario,
    /// Names the result file.
    pub(super) name: String,
    pub(super) baseline: String,
    pub(super) measured: String,
    pub(super) metrics: Vec<Metric>,
}

impl Comparison {
    pub(super) fn of(scenario: &'static Scenario, ground: &Ground<'_>) -> Self {
        let plain = Self {
            scenario,
            name: scenario.name.to_owned(),
            baseline: scenario.baseline.name(),
            measured: scenario.measured.name(),
            metrics: scenario.metrics.to_vec(),
        };
        let stored = if ground.postgres.is_some() { plain.on_postgres() } else { plain };
        match &ground.product {
            Some(product) => stored.against(product.kind.name(), !product.pids.is_empty()),
            None => stored,
        }
    }

    fn on_postgres(mut self) -> Self {
        let on = |contender: Contender, name: &str| match contender {
            Contender::Floor(_) => name.to_owned(),
            Contender::Weft(_) => format!("{name} on postgres"),
        };
        self.name += "-postgres";
        self.baseline = on(self.scenario.baseline, &self.baseline);
        self.measured = on(self.scenario.measured, &self.measured);
        if matches!(self.scenario.baseline, Contender::Floor(_)) {
            for metric in &mut self.metrics {
                let is_end_to_end =
                    metric.pointer.starts_with("/arrival/") && matches!(metric.reach, Reach::AtLeast(_));
                metric.reach = if is_end_to_end { Reach::AtLeast(POSTGRES_OF_FLOOR) } else { Reach::Told };
            }
        }
        self
    }

    /// Another product is asked for nothing; what its processes use is known only if they are.
    fn against(mut self, product: &str, processes_known: bool) -> Self {
        self.name = format!("{}-against-{product}", self.name);
        product.clone_into(&mut self.baseline);
        self.metrics.retain(|metric| match metric.pointer {
            "/cpu_us_per_event" => processes_known,
            pointer => pointer.starts_with("/arrival/") || pointer.starts_with("/ac"),
        });
        self.metrics.iter_mut().for_each(|metric| metric.reach = Reach::Told);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::scenarios::SCENARIOS;

    fn plain(name: &str) -> Comparison {
        let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name).expect("a scenario");
        Comparison {
            scenario,
            name: name.to_owned(),
            baseline: scenario.baseline.name(),
            measured: scenario.measured.name(),
            metrics: scenario.metrics.to_vec(),
        }
    }

    #[test]
    fn on_postgres_another_share_of_the_floor_is_asked() {
        let comparison = plain("one-destination").on_postgres();
        assert_eq!((comparison.name.as_str(), comparison.baseline.as_str()), ("one-destination-postgres", "floor"));
        let asked: Vec<_> = comparison.metrics.iter().map(|metric| metric.reach.asked()).collect();
        assert_eq!(asked, [Some(("at_least", POSTGRES_OF_FLOOR)), None, None]);
        assert_eq!(plain("growth").on_postgres().metrics[0].reach.asked(), Some(("at_least", 0.9)));
    }

    #[test]
    fn of_another_product_only_what_can_be_seen_is_compared() {
        let seen = |processes_known| {
            let comparison = plain("one-destination").against("svix", processes_known);
            comparison.metrics.iter().map(|metric| metric.name).collect::<Vec<_>>()
        };
        assert_eq!(seen(false), ["end to end"]);
        assert_eq!(seen(true), ["end to end", "CPU per event"]);
    }
}
