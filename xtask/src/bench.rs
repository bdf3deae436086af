//! `cargo xtask bench`: measures Weft against the floor, or one configuration of Weft against another.
//!
//! The two contenders of a scenario run in turn (A B A B …), so that the machine's noise meets both; what counts is the
//! median of the pairs' ratios, never an absolute number. A run that lost or doubled a delivery is an error.
//! `benches/README.md` says how to read the numbers.

mod chart;
mod comparison;
mod configuration;
mod contender;
mod machine;
mod measure;
mod postgres;
mod product;
mod programs;
mod results;
mod scenario;
mod scenarios;
mod seed;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};

use crate::components;
use crate::project::Project;
use crate::stopwatch::Stopwatch;
use comparison::Comparison;
use contender::Ground;
use measure::Pair;
use postgres::Postgres;
use product::{Kind, Product};
use programs::{Programs, Server};
use scenario::{Contender, Scale, Scenario};
use scenarios::SCENARIOS;
use seed::Seeds;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    drawing: Option<Drawing>,
    /// How often both contenders run, in turn; 1 if it is quick
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    pairs: Option<u32>,
    /// A tenth of the load, and no result file: to see that everything runs
    #[arg(long)]
    quick: bool,
    /// Events that a full store holds
    #[arg(long, default_value_t = 10_000_000, default_value_if("quick", "true", "200000"))]
    stored: u64,
    /// Deliveries that wait in it for one destination
    #[arg(long, default_value_t = 1_000_000, default_value_if("quick", "true", "50000"))]
    waiting: u64,
    /// Where Weft keeps its events: Postgres is a server of the bench's own, as durable as in production
    #[arg(long, value_enum, default_value_t = Store::Sqlite)]
    store: Store,
    /// Measures against another product instead of the floor: `http://host:port`; its token is in WEFT_BENCH_TOKEN
    #[arg(long)]
    against: Option<String>,
    /// Which product that is
    #[arg(long, value_enum, default_value_t = Kind::Svix, requires = "against")]
    product: Kind,
    /// A process of that product, so that its CPU time is told, its children's included; may be repeated
    #[arg(long, requires = "against")]
    product_pid: Vec<u32>,
    /// Only these scenarios, by name
    scenarios: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Store {
    /// A file
    Sqlite,
    /// A database for each run
    Postgres,
}

#[derive(Subcommand)]
enum Drawing {
    /// Draws the newest result of every scenario into benches/results/chart.svg
    Chart,
}

/// Measures the scenarios and writes one result file each.
///
/// # Errors
/// When something does not build or start, or a run is not whole.
pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    if let Some(Drawing::Chart) = options.drawing {
        return chart::draw(project);
    }
    let mut chosen = chosen(&options.scenarios)?;
    chosen.retain(|scenario| options.can_run(scenario));
    if chosen.is_empty() {
        bail!("none of these scenarios can be run like this: only the floor gives way to a product");
    }
    let product = options.against.as_deref().map(|url| Product::at(url, options.product, options.product_pid.clone()));
    let product = product.transpose()?;
    let pairs = options.pairs.unwrap_or(if options.quick { 1 } else { 3 });
    let scale = Scale { quick: options.quick, stored: options.stored, waiting: options.waiting };
    if chosen.iter().any(|scenario| scenario.measured.plugin().is_some()) {
        components::build(project, &components::Options { install: false })?;
    }
    let programs = Programs::build(project)?;
    let sink = programs.sink()?;
    let postgres = (options.store == Store::Postgres).then(|| Postgres::start(&programs)).transpose()?;
    let postgres = postgres.as_ref();
    let seeds = Seeds::new(&programs, postgres, scale);
    let ground = Ground { programs: &programs, seeds: &seeds, sink: sink.address, scale, postgres, product };
    println!("\n{} scenarios, {pairs} pairs each: about {}", chosen.len(), shown(expected(&chosen, pairs, scale)));
    let watch = Stopwatch::start();
    for scenario in chosen {
        measure(project, &ground, &sink, &Comparison::of(scenario, &ground), pairs)?;
    }
    println!("\nmeasured in {}", shown(watch.elapsed()));
    Ok(())
}

impl Options {
    /// Whether a scenario makes sense: only what is measured against the floor compares with a product.
    const fn can_run(&self, scenario: &Scenario) -> bool {
        self.against.is_none() || matches!(scenario.baseline, Contender::Floor(_))
    }
}

fn measure(project: &Project, ground: &Ground<'_>, sink: &Server, comparison: &Comparison, pairs: u32) -> Result<()> {
    println!("\n== {}: {}", comparison.name, comparison.scenario.about);
    let mut measured = Vec::new();
    for number in 1..=pairs {
        let pair = Pair::measure(ground, sink, comparison.scenario)
            .with_context(|| format!("scenario {}, pair {number}", comparison.name))?;
        println!("  pair {number} of {pairs}{}", if pair.is_noisy() { ", while others were busy" } else { "" });
        measured.push(pair);
    }
    let summary = results::summary(comparison, &measured)?;
    results::print(comparison, &summary);
    if !ground.scale.quick {
        let file = results::write(project, comparison, ground.scale, &measured, &summary)?;
        println!("  written to {}", file.display());
    }
    Ok(())
}

/// About how long the scenarios take on two cores.
fn expected(chosen: &[&Scenario], pairs: u32, scale: Scale) -> Duration {
    let contenders = || chosen.iter().flat_map(|scenario| [scenario.baseline, scenario.measured]);
    let stocks: Vec<_> = contenders().map(Contender::stock).collect();
    let runs: Duration =
        chosen.iter().map(|scenario| scenario.load.expected(scenario.measured.receivers(), scale) * 2 * pairs).sum();
    Seeds::expected(scale, &stocks) + runs
}

fn shown(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{} min {} s", seconds / 60, seconds % 60)
}

/// The scenarios that were asked for, in their own order; all of them if none is named.
fn chosen(names: &[String]) -> Result<Vec<&'static Scenario>> {
    if let Some(unknown) = names.iter().find(|name| SCENARIOS.iter().all(|scenario| scenario.name != name.as_str())) {
        let known: Vec<_> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        bail!("no scenario `{unknown}` (known: {})", known.join(", "));
    }
    Ok(SCENARIOS.iter().filter(|scenario| names.is_empty() || names.iter().any(|name| name == scenario.name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_bench_takes_less_than_half_an_hour_and_a_quick_one_five_minutes() {
        let all = chosen(&[]).expect("all");
        let minutes = |time: Duration| time.as_secs() / 60;
        let full = Scale { quick: false, stored: 10_000_000, waiting: 1_000_000 };
        assert!(minutes(expected(&all, 3, full)) < 30, "{:?}", expected(&all, 3, full));
        let quick = Scale { quick: true, stored: 200_000, waiting: 50_000 };
        assert!(minutes(expected(&all, 1, quick)) <= 5, "{:?}", expected(&all, 1, quick));
    }

    #[test]
    fn scenarios_have_names_of_their_own_and_an_unknown_one_is_refused() {
        let names: std::collections::BTreeSet<_> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), SCENARIOS.len());
        assert!(chosen(&["growth".to_owned(), "latency".to_owned()]).is_ok_and(|chosen| chosen.len() == 2));
        assert!(chosen(&["grwoth".to_owned()]).is_err());
    }
}
