//! `cargo xtask bench chart`: one picture of the newest result of every scenario.
//!
//! Each metric that is asked for something is one line: where the median of the ratios lies, how far the pairs spread, and
//! the bound. Plain SVG whose colours follow the reader's light or dark page.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::results::Spread;
use super::scenarios::SCENARIOS;
use crate::project::Project;

/// Where everything stands, in the units of the picture.
const WIDTH: f64 = 900.0;
const ROW: f64 = 40.0;
const TOP: f64 = 60.0;
const BOTTOM: f64 = 16.0;
/// Where the scale begins, and how long it is.
const SCALE_X: f64 = 420.0;
const SCALE_WIDTH: f64 = 460.0;

/// The colours are looked up twice: a page that is dark wants lighter ones. A text never has the colour of a mark.
const STYLE: &str = "\
<style>
text { font: 13px system-ui, sans-serif; fill: #1f2933; }
.small { font-size: 11px; fill: #52606d; }
.title { font-size: 16px; font-weight: 600; }
.grid { stroke: #d3dae2; }
.bound { stroke: #52606d; stroke-width: 2; stroke-dasharray: 3 3; }
.met { fill: #2f7d4f; stroke: #2f7d4f; }
.missed { fill: #b4441f; stroke: #b4441f; }
.spread { stroke-width: 6; stroke-linecap: round; opacity: 0.45; }
.page { fill: #ffffff; }
@media (prefers-color-scheme: dark) {
  text { fill: #e4e9ee; }
  .small { fill: #a3b0bd; }
  .grid { stroke: #3a4652; }
  .bound { stroke: #a3b0bd; }
  .met { fill: #62c48b; stroke: #62c48b; }
  .missed { fill: #f08a60; stroke: #f08a60; }
  .page { fill: #12181f; }
}
</style>
";

/// A result file, as far as the picture shows it.
#[derive(Deserialize)]
struct ResultFile {
    scenario: String,
    date: String,
    baseline: String,
    measured: String,
    machine: Facts,
    summary: Vec<Line>,
}

#[derive(Deserialize)]
struct Facts {
    cpu: Option<String>,
    cpus: f64,
}

#[derive(Deserialize)]
struct Line {
    metric: String,
    unit: String,
    measured: Spread,
    ratio: Spread,
    at_least: Option<f64>,
    at_most: Option<f64>,
    under: Option<f64>,
    met: Option<bool>,
}

/// One line of the picture: what is asked, on a scale that ends at the bound or beyond it.
struct Row {
    title: String,
    told: String,
    place: Spread,
    bound: f64,
    met: bool,
}

/// Draws the newest results into `benches/results/chart.svg`.
///
/// # Errors
/// When there are none, or one cannot be read.
pub(super) fn draw(project: &Project) -> Result<()> {
    let folder = project.path("benches/results");
    let newest = newest(&folder)?;
    let rows: Vec<Row> =
        newest.iter().flat_map(|file| file.summary.iter().filter_map(|line| row(file, line))).collect();
    let Some(last) = newest.iter().max_by(|a, b| a.date.cmp(&b.date)) else {
        bail!("no results in {}: run `cargo xtask bench` first", folder.display());
    };
    let file = folder.join("chart.svg");
    fs::write(&file, svg(&rows, last)).with_context(|| format!("could not write {}", file.display()))?;
    println!("{} lines drawn into {}", rows.len(), file.display());
    Ok(())
}

/// The newest file of each scenario, in the order of the scenarios.
fn newest(folder: &Path) -> Result<Vec<ResultFile>> {
    let mut files: BTreeMap<String, ResultFile> = BTreeMap::new();
    let entries = fs::read_dir(folder).with_context(|| format!("no results in {}", folder.display()))?;
    for path in entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
    {
        let text = fs::read_to_string(&path)?;
        let file: ResultFile =
            serde_json::from_str(&text).with_context(|| format!("{} is no result", path.display()))?;
        let known = files.get(&file.scenario).is_some_and(|known| known.date > file.date);
        if !known {
            files.insert(file.scenario.clone(), file);
        }
    }
    // Each with its variants, on another database or against another product, behind it.
    let place = |file: &ResultFile| SCENARIOS.iter().rposition(|scenario| file.scenario.starts_with(scenario.name));
    let mut files: Vec<_> = files.into_values().collect();
    files.sort_by_key(|file| (place(file), file.scenario.len()));
    Ok(files)
}

/// What the picture shows of a metric; nothing if nothing is asked of it.
fn row(file: &ResultFile, line: &Line) -> Option<Row> {
    let by_ratio = |bound, word| Row {
        title: format!("{}: {}", file.scenario, line.metric),
        told: format!("{:.2} × {} ({word} {bound})", line.ratio.median, file.baseline),
        place: line.ratio,
        bound,
        met: line.met.unwrap_or(false),
    };
    match (line.at_least, line.at_most, line.under) {
        (Some(bound), _, _) => Some(by_ratio(bound, "at least")),
        (_, Some(bound), _) => Some(by_ratio(bound, "at most")),
        (_, _, Some(bound)) => Some(Row {
            title: format!("{}: {}", file.scenario, line.metric),
            told: format!("{:.2} {} ({}; under {bound})", line.measured.median, line.unit, file.measured),
            place: line.measured,
            bound,
            met: line.met.unwrap_or(false),
        }),
        (None, None, None) => None,
    }
}

fn svg(rows: &[Row], last: &ResultFile) -> String {
    let height = f64::from(u32::try_from(rows.len()).unwrap_or(u32::MAX)).mul_add(ROW, TOP + BOTTOM);
    let machine = last.machine.cpu.as_deref().unwrap_or("unknown CPU");
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n\
         <title>What Weft reaches of what is asked, {}</title>\n{STYLE}\
         <rect class=\"page\" width=\"{WIDTH}\" height=\"{height}\" rx=\"8\"/>\n\
         <text class=\"title\" x=\"20\" y=\"28\">What is reached of what is asked</text>\n\
         <text class=\"small\" x=\"20\" y=\"47\">{}, {} cores of {}. Bar: all pairs; dot: their median; dashed: the bound.</text>\n",
        last.date,
        last.date,
        last.machine.cpus,
        escaped(machine),
    );
    for (place, row) in rows.iter().enumerate() {
        let y = f64::from(u32::try_from(place).unwrap_or(u32::MAX)).mul_add(ROW, TOP + ROW / 2.0);
        draw_row(&mut svg, row, y);
    }
    svg += "</svg>\n";
    svg
}

/// Draws one line around `y`. The scale begins at nothing, and the bound lies at three quarters of it.
fn draw_row(svg: &mut String, row: &Row, y: f64) {
    let end = row.bound / 0.75;
    let x = |value: f64| SCALE_WIDTH.mul_add((value / end).clamp(0.0, 1.0), SCALE_X);
    let (least, median, most, bound) = (x(row.place.min), x(row.place.median), x(row.place.max), x(row.bound));
    let class = if row.met { "met" } else { "missed" };
    let (title, told) = (escaped(&row.title), escaped(&row.told));
    let parts = [
        format!("<text x=\"20\" y=\"{:.1}\">{title}</text>", y - 3.0),
        format!("<text class=\"small\" x=\"20\" y=\"{:.1}\">{told}</text>", y + 12.0),
        format!("<path class=\"grid\" d=\"M{SCALE_X} {y:.1}h{SCALE_WIDTH}\"/>"),
        format!("<path class=\"bound\" d=\"M{bound:.1} {:.1}v24\"/>", y - 12.0),
        format!("<path class=\"{class} spread\" d=\"M{least:.1} {y:.1}H{most:.1}\"/>"),
        format!("<circle class=\"{class}\" cx=\"{median:.1}\" cy=\"{y:.1}\" r=\"5\"/>"),
    ];
    parts.iter().for_each(|part| *svg += &format!("{part}\n"));
}

/// A text as XML holds it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(at_least: Option<f64>) -> ResultFile {
        let spread = |median: f64| Spread { median, min: median - 0.1, max: median + 0.1 };
        let line = Line {
            metric: "end to end".to_owned(),
            unit: "events/s".to_owned(),
            measured: spread(8_000.0),
            ratio: spread(0.5),
            at_least,
            at_most: None,
            under: None,
            met: at_least.map(|bound| bound <= 0.5),
        };
        ResultFile {
            scenario: "growth".to_owned(),
            date: "2026-01-31".to_owned(),
            baseline: "weft".to_owned(),
            measured: "weft, full store".to_owned(),
            machine: Facts { cpu: Some("A < B & C".to_owned()), cpus: 2.0 },
            summary: vec![line],
        }
    }

    fn rows(file: &ResultFile) -> Vec<Row> {
        file.summary.iter().filter_map(|line| row(file, line)).collect()
    }

    #[test]
    fn what_is_missed_is_drawn_as_missed_left_of_its_bound() {
        let file = file(Some(0.9));
        let svg = svg(&rows(&file), &file);
        assert!(svg.contains("growth: end to end") && svg.contains("class=\"missed\""), "{svg}");
        assert!(svg.contains(&format!("M{:.1}", SCALE_WIDTH.mul_add(0.75, SCALE_X))), "the bound's place: {svg}");
        assert!(svg.contains("A &lt; B &amp; C"), "a CPU's name is text: {svg}");
    }

    #[test]
    fn a_metric_of_which_nothing_is_asked_is_not_drawn() {
        assert!(rows(&file(None)).is_empty());
    }
}
