//! `weft plugin dry-run`: what another version would have made of stored events.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::Args;
use weft_client::Client;
use weft_client::wire::{DryRunRequest, DryRunResult, DryRunSide};
use weft_core::time::Timestamp;

use crate::print::{self, grouped, plain};

#[derive(Debug, Args)]
pub(super) struct DryRun {
    /// Which plugin: the tenant's own, or operator/NAME
    name: String,
    /// The version that is tried: its digest, or its first digits
    digest: String,
    /// How many of the newest events, up to 100000
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    last: u32,
    /// None before this time, as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl DryRun {
    /// Tries it and prints what was found; fails if an event's outcome is another.
    ///
    /// # Errors
    /// Why it could not be tried.
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<ExitCode> {
        let wanted = DryRunRequest { digest: self.digest, last: self.last, since: self.since };
        let is_terminal = io::stderr().is_terminal();
        let progress = |done, of| {
            if is_terminal {
                let _ = write!(io::stderr(), "\r\u{1b}[2Ktrying: {} of {}", grouped(done), grouped(of));
            }
        };
        let result = client.dry_run_plugin(&self.name, &wanted, progress).await;
        if is_terminal {
            let _ = write!(io::stderr(), "\r\u{1b}[2K");
        }
        let result = result?;
        if self.json {
            print::json(&result)?;
        } else {
            print::out(&shown(&result))?;
        }
        Ok(if result.changed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn shown(result: &DryRunResult) -> String {
    let DryRunResult { events, same, changed, now, then, examples } = result;
    let mut text =
        format!("{} events: {} as now, {} otherwise\n\n", grouped(*events), grouped(*same), grouped(*changed));
    text += &print::table(["", "NOW", "THEN"], rows(now, then));
    for example in examples {
        text += &format!("\n{}  {}\n", example.event, plain(&example.event_type));
        let difference = weft_workbench::difference(&example.now, &example.then).unwrap_or_default();
        text.extend(difference.lines().map(|line| format!("  {}\n", plain(line))));
    }
    if (examples.len() as u64) < *changed {
        text += &format!("\nand {} more\n", grouped(changed - examples.len() as u64));
    }
    text
}

fn rows(now: &DryRunSide, then: &DryRunSide) -> Vec<[String; 3]> {
    let mut ends: Vec<&String> = now.ends.keys().chain(then.ends.keys()).collect();
    ends.sort_unstable();
    ends.dedup();
    let count = |side: &DryRunSide, end: &String| grouped(side.ends.get(end).copied().unwrap_or(0));
    let mut rows: Vec<_> = ends.into_iter().map(|end| [end.clone(), count(now, end), count(then, end)]).collect();
    let each = |name: &str, of: fn(&DryRunSide) -> String| [name.to_owned(), of(now), of(then)];
    rows.push(each("deliveries", |side| grouped(side.deliveries)));
    rows.push(each("median", |side| format!("{} µs", side.steps_us_median)));
    rows.push(each("p99", |side| format!("{} µs", side.steps_us_p99)));
    rows.push(each("memory", |side| print::bytes(side.memory_bytes)));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use weft_client::wire::DryRunExample;

    #[test]
    fn what_changes_is_shown_by_counts_and_by_examples() {
        let side = |end: &str, events| DryRunSide {
            ends: [("outputs".to_owned(), 1), (end.to_owned(), events)].into(),
            deliveries: 2,
            steps_us_median: 40,
            steps_us_p99: 90,
            memory_bytes: 131_000,
        };
        let example = DryRunExample {
            event: "evt_1".to_owned(),
            event_type: "order\u{1b}.created".to_owned(),
            now: json!({"outcome": "dropped", "reason": "small"}),
            then: json!({"outcome": "dropped", "reason": "tiny"}),
        };
        let result = DryRunResult {
            events: 1_003,
            same: 1_001,
            changed: 2,
            now: side("dropped", 1_002),
            then: side("fault", 3),
            examples: vec![example],
        };
        assert_eq!(
            shown(&result),
            "1 003 events: 1 001 as now, 2 otherwise\n\n            NOW       THEN\ndropped     1 002     0\nfault       0         3\n\
             outputs     1         1\ndeliveries  2         2\nmedian      40 µs     40 µs\np99         90 µs     90 µs\n\
             memory      131.0 kB  131.0 kB\n\nevt_1  order\\u{1b}.created\n    {\n      \"outcome\": \"dropped\",\n\
             \x20 -   \"reason\": \"small\"\n  +   \"reason\": \"tiny\"\n    }\n\nand 1 more\n"
        );
    }
}
