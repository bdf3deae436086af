//! Summing up pairs: medians with their spread, the median of the ratios, and the file that keeps it all.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::comparison::Comparison;
use super::machine;
use super::measure::Pair;
use super::scenario::{Metric, Reach, Scale};
use crate::project::Project;
use crate::stopwatch;

/// One metric over all pairs.
#[derive(Debug, Serialize, PartialEq)]
pub(super) struct Line {
    metric: &'static str,
    unit: &'static str,
    baseline: Spread,
    measured: Spread,
    /// Measured by baseline, pair by pair.
    ratio: Spread,
    /// What is asked, if anything: `at_least` or `at_most` of the ratio, `under` of what was measured.
    #[serde(flatten)]
    asked: BTreeMap<&'static str, f64>,
    /// Whether it is so.
    met: Option<bool>,
}

/// A number of all pairs.
#[derive(Debug, Serialize, Deserialize, PartialEq, Clone, Copy)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Spread {
    /// Sums up at least one number.
    fn of(mut numbers: Vec<f64>) -> Self {
        numbers.sort_by(f64::total_cmp);
        let (middle, last) = (numbers.len() / 2, numbers.len() - 1);
        let median =
            if numbers.len() % 2 == 1 { numbers[middle] } else { f64::midpoint(numbers[middle - 1], numbers[middle]) };
        Self { median, min: numbers[0], max: numbers[last] }
    }
}

/// Sums up every metric of a scenario.
///
/// # Errors
/// When a report lacks a number.
pub(super) fn summary(comparison: &Comparison, pairs: &[Pair]) -> Result<Vec<Line>> {
    comparison.metrics.iter().map(|metric| line(metric, pairs)).collect()
}

fn line(metric: &Metric, pairs: &[Pair]) -> Result<Line> {
    let number = |report: &Value| {
        let found = report.pointer(metric.pointer).and_then(Value::as_f64);
        found.with_context(|| format!("a report without {}", metric.pointer))
    };
    let baseline: Vec<f64> = pairs.iter().map(|pair| number(&pair.baseline)).collect::<Result<_>>()?;
    let measured: Vec<f64> = pairs.iter().map(|pair| number(&pair.measured)).collect::<Result<_>>()?;
    let ratios = measured.iter().zip(&baseline).map(|(measured, baseline)| measured / baseline);
    let ratio = Spread::of(ratios.collect());
    let measured = Spread::of(measured);
    Ok(Line {
        metric: metric.name,
        unit: metric.unit,
        baseline: Spread::of(baseline),
        measured,
        ratio,
        asked: metric.reach.asked().into_iter().collect(),
        met: metric.reach.is_met(ratio.median, measured.median),
    })
}

pub(super) fn print(comparison: &Comparison, summary: &[Line]) {
    let Comparison { baseline, measured, .. } = comparison;
    println!("  median (least to most): {baseline}, {measured}, and {measured} / {baseline}");
    for (metric, line) in comparison.metrics.iter().zip(summary) {
        let bound = match (metric.reach, line.met) {
            (Reach::AtLeast(bound), Some(true)) => format!(", at least {bound} as asked"),
            (Reach::AtMost(bound), Some(true)) => format!(", at most {bound} as asked"),
            (Reach::Under(bound), Some(true)) => format!(", under {bound} {} as asked", line.unit),
            (Reach::AtLeast(bound), _) => format!(", NOT at least {bound}"),
            (Reach::AtMost(bound), _) => format!(", NOT at most {bound}"),
            (Reach::Under(bound), _) => format!(", NOT under {bound} {}", line.unit),
            (Reach::Told, _) => String::new(),
        };
        let Line { metric, unit, baseline, measured, ratio, .. } = line;
        println!(
            "  {metric:<24} {} {unit}  {} {unit}  ratio {}{bound}",
            shown(baseline),
            shown(measured),
            shown(ratio)
        );
    }
}

/// Three digits that count, whatever the size.
fn shown(Spread { median, min, max }: &Spread) -> String {
    let digits = |number: f64| match number.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let number = |number: f64| format!("{number:.*}", digits(number));
    format!("{} ({} to {})", number(*median), number(*min), number(*max))
}

/// Writes `benches/results/<date>-<scenario>.json`, replacing an earlier one of the same day.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn write(
    project: &Project,
    comparison: &Comparison,
    scale: Scale,
    pairs: &[Pair],
    summary: &[Line],
) -> Result<PathBuf> {
    let date = stopwatch::today();
    let pairs: Vec<Value> = pairs
        .iter()
        .map(|pair| json!({"noisy": pair.is_noisy(), "baseline": pair.baseline, "measured": pair.measured}))
        .collect();
    let result = json!({
        "scenario": comparison.name,
        "about": comparison.scenario.about,
        "date": date,
        "machine": machine::facts(project),
        "full_store": {"events": scale.stored, "deliveries_waiting": scale.waiting},
        "baseline": comparison.baseline,
        "measured": comparison.measured,
        "summary": summary,
        "pairs": pairs,
    });
    let file = project.path("benches/results").join(format!("{date}-{}.json", comparison.name));
    fs::create_dir_all(project.path("benches/results"))?;
    fs::write(&file, format!("{result:#}\n")).with_context(|| format!("could not write {}", file.display()))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_taken_pair_by_pair() {
        let pair =
            |baseline: f64, measured: f64| Pair { baseline: json!({"x": baseline}), measured: json!({"x": measured}) };
        let metric = Metric { name: "x", unit: "events/s", pointer: "/x", reach: Reach::AtLeast(0.5) };
        let pairs = [pair(100.0, 60.0), pair(200.0, 100.0), pair(10.0, 4.0)];
        let line = line(&metric, &pairs).expect("all numbers are there");
        assert_eq!(line.baseline, Spread { median: 100.0, min: 10.0, max: 200.0 });
        assert_eq!(line.ratio, Spread { median: 0.5, min: 0.4, max: 0.6 });
        assert_eq!(line.met, Some(true));
    }

    #[test]
    fn an_even_number_of_pairs_has_a_median_too() {
        assert_eq!(Spread::of(vec![4.0, 1.0, 2.0, 3.0]).median, 2.5);
    }

    #[test]
    fn a_report_without_the_number_is_an_error() {
        let metric = Metric { name: "x", unit: "ms", pointer: "/arrival/x", reach: Reach::Told };
        let pairs = [Pair { baseline: json!({"arrival": null}), measured: json!({}) }];
        assert!(line(&metric, &pairs).is_err());
    }

    #[test]
    fn three_digits_are_shown() {
        assert_eq!(shown(&Spread { median: 28_600.4, min: 12.34, max: 0.5678 }), "28600 (12.3 to 0.568)");
    }
}
