//! `cargo xtask bench`: measures Weft against the floor, or one configuration of Weft against another.
//!
//! The two contenders of a scenario run in turn (A B A B …), each on a fresh store, so that the machine's noise meets
//! both; what counts is the median of the pairs' ratios, never an absolute number. A run that lost or doubled a delivery
//! is an error. `benches/README.md` says how to read the numbers.

mod contender;
mod machine;
mod measure;
mod programs;
mod results;
mod scenario;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::components;
use crate::project::Project;
use measure::Pair;
use programs::Programs;
use scenario::{SCENARIOS, Scenario};

#[derive(Args)]
pub(crate) struct Options {
    /// How often both contenders run, in turn
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pairs: u32,
    /// A tenth of the load, and no result file: to see that everything runs
    #[arg(long)]
    quick: bool,
    /// Only these scenarios, by name
    scenarios: Vec<String>,
}

/// Measures the scenarios and writes one result file each.
///
/// # Errors
/// When something does not build or start, or a run is not whole.
pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    let chosen = chosen(&options.scenarios)?;
    components::build(project, &components::Options { install: false })?;
    let programs = Programs::build(project)?;
    let sink = programs.sink()?;
    for scenario in chosen {
        println!("\n== {}: {}", scenario.name, scenario.about);
        let mut pairs = Vec::new();
        for number in 1..=options.pairs {
            let pair = Pair::measure(&programs, &sink, scenario, options.quick)
                .with_context(|| format!("scenario {}, pair {number}", scenario.name))?;
            println!(
                "  pair {number} of {}{}",
                options.pairs,
                if pair.is_noisy() { ", while others were busy" } else { "" }
            );
            pairs.push(pair);
        }
        let summary = results::summary(scenario, &pairs)?;
        results::print(scenario, &summary);
        if !options.quick {
            println!("  written to {}", results::write(project, scenario, &pairs, &summary)?.display());
        }
    }
    Ok(())
}

/// The scenarios that were asked for, in their own order; all of them if none is named.
fn chosen(names: &[String]) -> Result<Vec<&'static Scenario>> {
    if let Some(unknown) = names.iter().find(|name| SCENARIOS.iter().all(|scenario| scenario.name != name.as_str())) {
        let known: Vec<_> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        bail!("no scenario `{unknown}` (known: {})", known.join(", "));
    }
    Ok(SCENARIOS.iter().filter(|scenario| names.is_empty() || names.iter().any(|name| name == scenario.name)).collect())
}
