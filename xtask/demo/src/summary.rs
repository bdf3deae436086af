//! What the demo prints when all is done: tables that a person can read.

use std::time::Duration;

use crate::progress::grouped;
use crate::receipts::{Inbox, Pages, Place, Receipt, event_of};
use crate::traces::Traces;

/// The tables of tenants and destinations.
pub(crate) fn tables(traces: &Traces, pages: &Pages) -> String {
    let mut tenants =
        vec![row(["tenant", "accepted", "filtered", "nothing to split", "split", "outputs"].map(str::to_owned))];
    for (tenant, counts) in &traces.tenants {
        let numbers = [counts.accepted, counts.filtered, counts.emptied, counts.split, counts.outputs].map(grouped);
        tenants.push(row([tenant.clone()].into_iter().chain(numbers)));
    }
    let titles = ["destination", "deliveries", "delivered", "retries", "dead", "p50", "p99"];
    let mut places = vec![row(titles.map(str::to_owned))];
    for (place, counts) in &traces.places {
        let retries = counts.attempts.saturating_sub(counts.deliveries);
        let numbers = [counts.deliveries, counts.delivered, retries, counts.dead].map(grouped);
        let latencies = pages.inboxes.get(place).map(|inbox| latencies(traces, inbox)).unwrap_or_default();
        let percentiles = [50, 99].map(|percent| shown(percentile(&latencies, percent)));
        places.push(row([place.to_string()].into_iter().chain(numbers).chain(percentiles)));
    }
    format!(
        "{}\n\n{}\n\n  p50 and p99 are from acceptance to receipt, as the receivers saw it; retries are part of them.",
        aligned(&tenants),
        aligned(&places)
    )
}

fn row(cells: impl IntoIterator<Item = String>) -> Vec<String> {
    cells.into_iter().collect()
}

/// From acceptance, as the trace has it, to receipt, as the receiver has it; sorted.
fn latencies(traces: &Traces, inbox: &Inbox) -> Vec<Duration> {
    let latency = |(id, receipt): (&String, &Receipt)| Some(receipt.at.since(*traces.accepted.get(event_of(id))?));
    let mut latencies: Vec<_> = inbox.taken.iter().filter_map(latency).collect();
    latencies.sort_unstable();
    latencies
}

/// The smallest of sorted values that `percent` of them do not exceed.
fn percentile(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let place = (sorted.len() * percent).div_ceil(100);
    sorted.get(place.saturating_sub(1)).copied()
}

fn shown(latency: Option<Duration>) -> String {
    latency.map_or_else(
        || "-".to_owned(),
        |latency| format!("{} ms", grouped(latency.as_millis().try_into().unwrap_or(u64::MAX))),
    )
}

/// Rows as a table: the first column to the left, numbers to the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell: &String| cell.chars().count()).max();
    let widths: Vec<_> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        format!("  {}", cells.collect::<Vec<_>>().join("  "))
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The places in a list, as a person would say them.
pub(crate) fn named(places: &[Place]) -> String {
    places.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<_> = (1..=100).map(Duration::from_millis).collect();
        assert_eq!(percentile(&values, 50), Some(Duration::from_millis(50)));
        assert_eq!(percentile(&values, 99), Some(Duration::from_millis(99)));
        assert_eq!(percentile(&values[..1], 99), Some(Duration::from_millis(1)));
        assert_eq!(percentile(&[], 50), None);
    }

    #[test]
    fn numbers_stand_below_each_other() {
        let table = aligned(&[row(["tenant", "n"].map(str::to_owned)), row(["shop", "3 217"].map(str::to_owned))]);
        assert_eq!(table, "  tenant      n\n  shop    3 217");
    }
}
