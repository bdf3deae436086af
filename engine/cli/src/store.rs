//! `weft store`: what is stored, and how much of it.

use std::fmt::{Display, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use weft_store::Store;
use weft_store::stats::{Figure, LedgerTotals, StatsDepth, StoreStats, TableStats};

use crate::config::ConfigPath;
use crate::print::{self, grouped};
use crate::store_move::Move;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show how much is stored, how much waits, and how much room it takes
    Stats(Stats),
    /// Move everything to another store, and prove that it is there
    Move(Move),
}

/// Show how much is stored, how much waits, and how much room it takes.
///
/// What waits, what is dead, the sums and the ledger are exact. The other states and the rows and bytes of large tables are
/// estimated from a sample, marked with ~; their bytes are those of the rows, without indexes.
#[derive(Debug, Args)]
pub(crate) struct Stats {
    /// Count every row and every page instead of looking at a sample; reads the whole store
    #[arg(long)]
    exact: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Stats {
    /// Shows the figures of the store as it is at this moment.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub(crate) async fn run(self, path: &ConfigPath) -> anyhow::Result<ExitCode> {
        let store = path.load()?.config.store_at()?;
        let looking = || format!("could not look into the store {store}");
        let depth = if self.exact { StatsDepth::Whole } else { StatsDepth::Sampled };
        let mut snapshot = Store::open_snapshot(&store).await.with_context(looking)?;
        let stats = snapshot.stats(depth).await.with_context(looking)?;
        if self.json {
            print::json(&in_json(&store, &stats))?;
        } else {
            print::out(&in_words(&store, &stats))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn in_words(store: &dyn Display, stats: &StoreStats) -> String {
    let StoreStats { size, events, deliveries, counts, .. } = stats;
    let about = |value: u64| figure(Figure { value, estimated: stats.states_estimated });
    let since = |due: Option<_>| due.map_or_else(String::new, |due| format!(", the first due since {due}"));
    let mut text = format!(
        "{}\n\
         size: {}, of which {} are free; log: {}\n\
         events: {} received, {} routed, {} dropped, {} dead{}\n\
         deliveries: {} pending, {} delivered, {} dead, {} dropped, {} cancelled\n\
         waiting: {} for a pass{}; {} to be sent{}\n\
         dead letters: {} and {}, those aside that are replayed\n{}\n",
        store,
        print::bytes(size.bytes),
        print::bytes(size.free_bytes),
        print::bytes(size.log_bytes),
        grouped(events.received),
        about(events.routed),
        about(events.dropped),
        grouped(events.dead),
        stats.oldest_event_at.map_or_else(String::new, |at| format!("; the oldest is of {at}")),
        grouped(deliveries.pending),
        about(deliveries.delivered),
        grouped(deliveries.dead),
        about(deliveries.dropped),
        about(deliveries.cancelled),
        grouped(counts.passes_waiting),
        since(counts.oldest_pass_due_at),
        grouped(counts.deliveries_waiting),
        since(counts.oldest_delivery_due_at),
        print::count(counts.dead_events, "event"),
        if counts.dead_deliveries == 1 {
            "1 delivery".to_owned()
        } else {
            format!("{} deliveries", grouped(counts.dead_deliveries))
        },
        ledger(&stats.ledger),
    );
    let row = |table: &TableStats| {
        let bytes = print::bytes(table.bytes.value);
        [table.name.to_owned(), figure(table.rows), marked(table.bytes.estimated, bytes)]
    };
    text.push_str(&print::table(["TABLE", "ROWS", "BYTES"], stats.tables.iter().map(row)));
    if stats.tables.iter().any(|table| table.rows.estimated || table.bytes.estimated) {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "~ is estimated from a sample, bytes without indexes; --exact reads everything");
    }
    text
}

fn ledger(ledger: &LedgerTotals) -> String {
    format!(
        "ledger: {} events accepted, {} pruned; {} deliveries planned, {} pruned; {} replays, {} pruned; {} deliveries of \
         replays, {} pruned",
        grouped(ledger.events),
        grouped(ledger.events_pruned),
        grouped(ledger.deliveries),
        grouped(ledger.deliveries_pruned),
        grouped(ledger.replays),
        grouped(ledger.replays_pruned),
        grouped(ledger.replay_deliveries),
        grouped(ledger.replay_deliveries_pruned),
    )
}

fn figure(figure: Figure) -> String {
    marked(figure.estimated, grouped(figure.value))
}

fn marked(estimated: bool, text: String) -> String {
    if estimated { format!("~{text}") } else { text }
}

fn in_json(store: &dyn Display, stats: &StoreStats) -> Value {
    let StoreStats { size, events, deliveries, states_estimated, counts, oldest_event_at, ledger, tables } = stats;
    let figure = |figure: &Figure| json!({ "value": figure.value, "estimated": figure.estimated });
    let table =
        |table: &TableStats| json!({ "name": table.name, "rows": figure(&table.rows), "bytes": figure(&table.bytes) });
    json!({
        "store": store.to_string(),
        "size": { "bytes": size.bytes, "free_bytes": size.free_bytes, "log_bytes": size.log_bytes },
        "events": {
            "received": events.received,
            "routed": events.routed,
            "dropped": events.dropped,
            "dead": events.dead,
            "oldest_at": oldest_event_at.map(|at| at.to_string()),
        },
        "deliveries": {
            "pending": deliveries.pending,
            "delivered": deliveries.delivered,
            "dead": deliveries.dead,
            "dropped": deliveries.dropped,
            "cancelled": deliveries.cancelled,
        },
        // Of the states, those that neither wait nor are dead letters.
        "states_estimated": states_estimated,
        "waiting": {
            "passes": counts.passes_waiting,
            "oldest_pass_due_at": counts.oldest_pass_due_at.map(|at| at.to_string()),
            "deliveries": counts.deliveries_waiting,
            "oldest_delivery_due_at": counts.oldest_delivery_due_at.map(|at| at.to_string()),
        },
        "dead_letters": { "events": counts.dead_events, "deliveries": counts.dead_deliveries },
        "ledger": {
            "events": ledger.events,
            "deliveries": ledger.deliveries,
            "replays": ledger.replays,
            "replay_deliveries": ledger.replay_deliveries,
            "events_pruned": ledger.events_pruned,
            "deliveries_pruned": ledger.deliveries_pruned,
            "replays_pruned": ledger.replays_pruned,
            "replay_deliveries_pruned": ledger.replay_deliveries_pruned,
        },
        "tables": tables.iter().map(table).collect::<Vec<_>>(),
    })
}
