//! `weft dead-letters`: what Weft has given up on, and doing it again.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use weft_client::Client;
use weft_client::wire::{
    DeadLetter, DeadLetterFilter, DeadLetterKind, DeadLetterQuery, ReplayReport, ReplayRequest, ReplayVerdict,
};
use weft_core::time::Timestamp;

use crate::engine::Engine;
use crate::print;

/// What Weft has given up on.
#[derive(Debug, Args)]
pub(crate) struct DeadLetters {
    #[command(flatten)]
    engine: Engine,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List dead events and deliveries, newest first
    List(List),
    /// Do dead events and deliveries again
    Replay(Replay),
}

#[derive(Debug, Args)]
struct Filter {
    /// Only deliveries to this destination
    #[arg(long, value_name = "NAME")]
    destination: Option<String>,
    /// Only events, or only deliveries
    #[arg(long)]
    kind: Option<Kind>,
    /// Only with exactly this reason
    #[arg(long)]
    reason: Option<String>,
    /// Given up at this time or later, e.g. 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Given up before this time
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Event,
    Delivery,
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    filter: Filter,
    /// Those that were replayed, too
    #[arg(long)]
    include_replayed: bool,
    /// At most this many, up to 1000
    #[arg(long, default_value_t = 100)]
    limit: u32,
    /// Where to go on, as the page before said
    #[arg(long)]
    cursor: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Replay {
    /// evt_… and dlv_…
    #[arg(required_unless_present = "all")]
    ids: Vec<String>,
    /// Everything that the filter means; without a filter, everything
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    #[command(flatten)]
    filter: Filter,
    /// Only count
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl DeadLetters {
    /// Does what was asked for; fails if a replay could not be started.
    pub(crate) async fn run(self, config: &Path) -> anyhow::Result<ExitCode> {
        let client = self.engine.client(config)?;
        match self.verb {
            Verb::List(list) => list.run(&client).await,
            Verb::Replay(replay) => replay.run(&client).await,
        }
    }
}

impl Filter {
    fn wire(&self) -> DeadLetterFilter {
        DeadLetterFilter {
            destination: self.destination.clone(),
            kind: self.kind.map(|kind| match kind {
                Kind::Event => DeadLetterKind::Event,
                Kind::Delivery => DeadLetterKind::Delivery,
            }),
            reason: self.reason.clone(),
            since: self.since,
            until: self.until,
        }
    }
}

impl List {
    async fn run(self, client: &Client) -> anyhow::Result<ExitCode> {
        let DeadLetterFilter { destination, kind, reason, since, until } = self.filter.wire();
        let query = DeadLetterQuery {
            destination,
            kind,
            reason,
            since,
            until,
            include_replayed: self.include_replayed,
            limit: Some(self.limit),
            cursor: self.cursor,
        };
        let page = client.dead_letters(&query).await?;
        if self.json {
            print::json(&page)?;
            return Ok(ExitCode::SUCCESS);
        }
        let heads = ["SINCE", "ID", "TENANT", "TYPE", "WHERE", "REASON"].map(str::to_owned);
        let rows: Vec<_> = std::iter::once(heads).chain(page.letters.iter().map(row)).collect();
        print::columns(&rows);
        if let Some(cursor) = page.next_cursor {
            eprintln!("there are more: --cursor {cursor}");
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn row(letter: &DeadLetter) -> [String; 6] {
    let place = match (&letter.destination, letter.attempts, &letter.step) {
        (Some(destination), Some(attempts), _) => format!("{destination} after {attempts} attempts"),
        (Some(destination), None, _) => destination.clone(),
        (None, _, Some(step)) => format!("step {step}"),
        (None, _, None) => "pipeline".to_owned(),
    };
    let replayed = letter.replayed_by.as_ref().map(|by| format!(" (replayed by {by})")).unwrap_or_default();
    [
        letter.at.to_string(),
        letter.id.clone(),
        letter.tenant.clone(),
        letter.event_type.clone(),
        place,
        format!("{}{replayed}", letter.reason),
    ]
}

impl Replay {
    async fn run(self, client: &Client) -> anyhow::Result<ExitCode> {
        let mut request = ReplayRequest {
            ids: self.ids,
            all: self.all,
            filter: self.filter.wire(),
            cursor: None,
            dry_run: self.dry_run,
        };
        let mut whole = ReplayReport::default();
        loop {
            let report = client.replay(&request).await?;
            whole.matched += report.matched;
            whole.started += report.started;
            whole.results.extend(report.results);
            request.cursor = report.next_cursor;
            if request.cursor.is_none() {
                break;
            }
        }
        let failed = whole.results.iter().any(|result| !matches!(result.verdict, ReplayVerdict::Started { .. }));
        if self.json {
            print::json(&whole)?;
        } else {
            report(&whole, self.dry_run);
        }
        Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

fn report(report: &ReplayReport, dry_run: bool) {
    if dry_run {
        println!("{} would be replayed", report.matched);
        return;
    }
    for result in &report.results {
        let id = &result.id;
        match &result.verdict {
            ReplayVerdict::Started { replay } => println!("{id}  {replay}"),
            ReplayVerdict::NotFound => eprintln!("{id}: there is no such event or delivery"),
            ReplayVerdict::NotDead { state } => eprintln!("{id}: it is {state}, and only what is dead can be replayed"),
            ReplayVerdict::AlreadyReplayed { replay } => eprintln!("{id}: it was replayed before, by {replay}"),
        }
    }
    eprintln!("{} of {} replays were started", report.started, report.matched);
}
