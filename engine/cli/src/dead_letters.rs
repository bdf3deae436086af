//! `weft dead-letters`: what Weft has given up on, and doing it again.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use weft_client::Client;
use weft_client::wire::{
    DeadLetter, DeadLetterFilter, DeadLetterKind, DeadLetterQuery, ReplayReport, ReplayRequest, ReplayResult,
    ReplayVerdict,
};
use weft_core::time::Timestamp;

use crate::config::ConfigPath;
use crate::engine::Engine;
use crate::print;

/// Most ids that the API takes at once.
const IDS_MAX: usize = 1_000;

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
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
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
    #[arg(required_unless_present = "all", conflicts_with_all = ["destination", "kind", "reason", "since", "until"])]
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
    /// Does what was asked for; fails if a replay that was asked for by id could not be started.
    ///
    /// # Errors
    /// Why it could not be done.
    pub(crate) async fn run(self, config: &ConfigPath) -> anyhow::Result<ExitCode> {
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
        let heads = ["SINCE", "ID", "TENANT", "TYPE", "WHERE", "REASON"];
        print::out(&print::table(heads, page.letters.iter().map(row)))?;
        if let Some(cursor) = page.next_cursor {
            print::say(&format!("there are more: --cursor {cursor}"));
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn row(letter: &DeadLetter) -> [String; 6] {
    let place = match (&letter.destination, letter.attempts, &letter.step) {
        (Some(destination), Some(attempts), _) => format!("{destination} after {}", print::count(attempts, "attempt")),
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
        let mut whole = ReplayReport::default();
        if self.all {
            self.replay_all(client, &mut whole).await?;
        } else {
            for ids in self.ids.chunks(IDS_MAX) {
                let request = ReplayRequest { ids: ids.to_vec(), dry_run: self.dry_run, ..ReplayRequest::default() };
                self.add(&mut whole, client.replay(&request).await?)?;
            }
        }
        let left_out = whole.matched.saturating_sub(whole.started);
        if self.json {
            print::json(&whole)?;
        } else if self.dry_run {
            print::out(&format!("{} would be replayed\n", whole.matched))?;
        } else {
            print::say(&format!("started: {} of {}", whole.started, whole.matched));
        }
        // Of all that a filter means, somebody else may replay some meanwhile; ids are asked for one by one.
        let is_done = self.all || self.dry_run || left_out == 0;
        Ok(if is_done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Goes through everything that the filter means, page by page, and says how far it is.
    async fn replay_all(&self, client: &Client, whole: &mut ReplayReport) -> anyhow::Result<()> {
        let mut request =
            ReplayRequest { all: true, filter: self.filter.wire(), dry_run: self.dry_run, ..ReplayRequest::default() };
        loop {
            let report = client.replay(&request).await?;
            request.cursor.clone_from(&report.next_cursor);
            self.add(whole, report)?;
            if request.cursor.is_none() {
                return Ok(());
            }
            print::say(&format!("{} so far", print::count(whole.matched, "dead letter")));
        }
    }

    /// Adds a report to the whole; prints its lines at once, unless everything is printed as JSON in the end.
    fn add(&self, whole: &mut ReplayReport, report: ReplayReport) -> anyhow::Result<()> {
        whole.matched += report.matched;
        whole.started += report.started;
        if self.json {
            whole.results.extend(report.results);
        } else {
            print::out(&lines(&report.results))?;
        }
        Ok(())
    }
}

fn lines(results: &[ReplayResult]) -> String {
    let mut text = String::new();
    for ReplayResult { id, verdict } in results {
        // Writing into a string cannot fail.
        let _ = match verdict {
            ReplayVerdict::Started { replay } => writeln!(text, "{id}  {replay}"),
            ReplayVerdict::NotFound => writeln!(text, "{id}  not replayed: there is no such event or delivery"),
            ReplayVerdict::NotDead { state } => {
                writeln!(text, "{id}  not replayed: it is {state}, and only what is dead can be replayed")
            }
            ReplayVerdict::AlreadyReplayed { replay } => writeln!(text, "{id}  not replayed: {replay} did so before"),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wish_for_a_replay_gets_a_line_that_says_what_became_of_it() {
        let result = |id: &str, verdict| ReplayResult { id: id.to_owned(), verdict };
        let text = lines(&[
            result("dlv_1", ReplayVerdict::Started { replay: "rpl_1".to_owned() }),
            result("dlv_2", ReplayVerdict::NotFound),
            result("evt_3", ReplayVerdict::NotDead { state: "routed".to_owned() }),
            result("evt_4", ReplayVerdict::AlreadyReplayed { replay: "rpl_0".to_owned() }),
        ]);
        assert_eq!(
            text,
            "dlv_1  rpl_1\n\
             dlv_2  not replayed: there is no such event or delivery\n\
             evt_3  not replayed: it is routed, and only what is dead can be replayed\n\
             evt_4  not replayed: rpl_0 did so before\n"
        );
    }
}
