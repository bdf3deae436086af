//! `weft check`: proves what the store must fulfil.

use std::path::Path;
use std::process::ExitCode;

use weft_server::config::StoreUrl;
use weft_store::Store;
use weft_store::check::CheckReport;

use crate::config;

/// Checks the store of the configuration as it is at this moment; fails if anything is found.
pub(crate) async fn run(path: &Path) -> anyhow::Result<ExitCode> {
    let Some(config) = config::load(path) else { return Ok(ExitCode::FAILURE) };
    let StoreUrl::Sqlite(database) = &config.store;
    let report = Store::open_snapshot(database).await?.check().await?;
    println!("{}", in_words(&report));
    for finding in &report.findings {
        println!("{finding}");
    }
    match report.findings.len() {
        0 => println!("nothing is wrong"),
        count => println!("{count} findings: something that Weft promises does not hold"),
    }
    Ok(if report.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn in_words(report: &CheckReport) -> String {
    let counted = &report.counted;
    let (events, deliveries) = (&counted.events, &counted.deliveries);
    format!(
        "events: {} received, {} routed, {} dropped, {} dead; {} pruned\n\
         deliveries: {} pending, {} delivered, {} dropped, {} dead, {} cancelled; {} pruned\n\
         passes: {}, attempts: {}, replays: {}, bodies: {}",
        events.received,
        events.routed,
        events.dropped,
        events.dead,
        counted.pruned_events,
        deliveries.pending,
        deliveries.delivered,
        deliveries.dropped,
        deliveries.dead,
        deliveries.cancelled,
        counted.pruned_deliveries,
        counted.passes,
        counted.attempts,
        counted.replays,
        counted.bodies,
    )
}
