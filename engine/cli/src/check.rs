//! `weft check`: proves what the store must fulfil.

use std::fmt::{Display, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};
use weft_store::Store;
use weft_store::check::{CheckReport, Counted};

use crate::config::ConfigPath;
use crate::print;

/// Prove what the store must fulfil, beside a running engine or without one.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Check {
    /// Checks the store of the configuration as it is at this moment; fails if anything is found.
    ///
    /// # Errors
    /// If the store cannot be read at all.
    pub(crate) async fn run(self, path: &ConfigPath) -> anyhow::Result<ExitCode> {
        let store = path.load()?.config.store_at()?;
        let checking = || format!("could not check the store {store}");
        let mut snapshot = Store::open_snapshot(&store).await.with_context(checking)?;
        let report = snapshot.check().await.with_context(checking)?;
        if self.json {
            print::json(&in_json(&store, &report))?;
        } else {
            print::out(&in_words(&store, &report))?;
        }
        Ok(if report.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// What was counted and found, for a person.
pub(crate) fn in_words(store: &dyn Display, report: &CheckReport) -> String {
    let Counted { events, deliveries, attempts, passes, replays, bodies, pruned_events, pruned_deliveries } =
        report.counted;
    let mut text = format!(
        "{}\n\
         events: {} received, {} routed, {} dropped, {} dead; {pruned_events} pruned\n\
         deliveries: {} pending, {} delivered, {} dead, {} dropped, {} cancelled; {pruned_deliveries} pruned\n\
         passes: {passes}, attempts: {attempts}, replays: {replays}, bodies: {bodies}\n",
        store,
        events.received,
        events.routed,
        events.dropped,
        events.dead,
        deliveries.pending,
        deliveries.delivered,
        deliveries.dead,
        deliveries.dropped,
        deliveries.cancelled,
    );
    for finding in &report.findings {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "wrong: {}", print::plain(&finding.to_string()));
    }
    text.push_str(&match report.findings.len() as u64 {
        0 => "nothing is wrong\n".to_owned(),
        found => format!("{}: something that Weft promises does not hold\n", print::count(found, "finding")),
    });
    text
}

/// The same for a program.
pub(crate) fn in_json(store: &dyn Display, report: &CheckReport) -> Value {
    let Counted { events, deliveries, attempts, passes, replays, bodies, pruned_events, pruned_deliveries } =
        report.counted;
    json!({
        "store": store.to_string(),
        "events": {
            "received": events.received,
            "routed": events.routed,
            "dropped": events.dropped,
            "dead": events.dead,
            "pruned": pruned_events,
        },
        "deliveries": {
            "pending": deliveries.pending,
            "delivered": deliveries.delivered,
            "dead": deliveries.dead,
            "dropped": deliveries.dropped,
            "cancelled": deliveries.cancelled,
            "pruned": pruned_deliveries,
        },
        "passes": passes,
        "attempts": attempts,
        "replays": replays,
        "bodies": bodies,
        "findings": report.findings.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use weft_store::check::{DeliveryCounts, EventCounts, Finding};

    fn report(findings: Vec<Finding>) -> CheckReport {
        let counted = Counted {
            events: EventCounts { received: 1, routed: 20, dropped: 300, dead: 4 },
            deliveries: DeliveryCounts { pending: 5, delivered: 60, dead: 7, dropped: 8, cancelled: 9 },
            attempts: 70,
            passes: 26,
            replays: 2,
            bodies: 400,
            pruned_events: 11,
            pruned_deliveries: 12,
        };
        CheckReport { counted, findings }
    }

    #[test]
    fn promise_2_a_sound_store_is_summed_up_in_words() {
        let text = in_words(&"data/weft.db", &report(Vec::new()));
        assert_eq!(
            text,
            "data/weft.db\n\
             events: 1 received, 20 routed, 300 dropped, 4 dead; 11 pruned\n\
             deliveries: 5 pending, 60 delivered, 7 dead, 8 dropped, 9 cancelled; 12 pruned\n\
             passes: 26, attempts: 70, replays: 2, bodies: 400\n\
             nothing is wrong\n"
        );
    }

    #[test]
    fn promise_2_each_finding_has_a_line_in_words_and_an_entry_in_json() {
        let report =
            report(vec![Finding::OrphanBody { row: "3".to_owned() }, Finding::Unreadable("events row 5".to_owned())]);
        let text = in_words(&"weft.db", &report);
        let end = "wrong: body 3 belongs to no event and to no delivery\nwrong: events row 5\n\
                   2 findings: something that Weft promises does not hold\n";
        assert!(text.ends_with(end), "{text}");
        let json = in_json(&"weft.db", &report);
        assert_eq!(json["findings"].as_array().map(Vec::len), Some(2));
        assert_eq!(json["deliveries"]["cancelled"], 9);
    }
}
