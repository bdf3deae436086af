//! Doing again what Weft has given up on, once its receiver is well.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use weft_client::Client;
use weft_client::wire::{DeadLetterQuery, ReplayRequest};

use crate::compare::{Count, arrivals};
use crate::counts::Expected;
use crate::progress::Progress;
use crate::receipts::{Inbox, Place, Receipts, event_of};
use crate::settle::settle;

/// 1000, as many as a page can have.
const PAGE: u32 = 1000;

/// How many dead letters there are that nobody has replayed.
///
/// # Errors
/// When the engine does not tell.
pub(crate) async fn dead_letters(client: &Client) -> Result<u64> {
    let mut query = DeadLetterQuery { limit: Some(PAGE), ..DeadLetterQuery::default() };
    let mut count = 0;
    loop {
        let page = client.dead_letters(&query).await.context("could not list the dead letters")?;
        count += page.letters.len() as u64;
        let Some(cursor) = page.next_cursor else { return Ok(count) };
        query.cursor = Some(cursor);
    }
}

/// Replays all dead letters; returns how many replays were started.
///
/// # Errors
/// When the engine refuses.
pub(crate) async fn replay_all(client: &Client) -> Result<u64> {
    let mut request = ReplayRequest { all: true, ..ReplayRequest::default() };
    let mut started = 0;
    loop {
        let report = client.replay(&request).await.context("could not replay the dead letters")?;
        started += report.started;
        let Some(cursor) = report.next_cursor else { return Ok(started) };
        request.cursor = Some(cursor);
    }
}

/// Waits until everything that was dead at these destinations has arrived and ended, and compares what the receivers and
/// the traces tell of it.
///
/// # Errors
/// When a trace cannot be read, or something does not end.
pub(crate) async fn arrived(
    operator: &Client,
    expected: &Expected,
    receipts: &Receipts,
    places: &[Place],
    progress: &mut Progress,
) -> Result<Vec<Count>> {
    let must = || places.iter().filter_map(|place| Some((place, expected.deliveries.get(place)?)));
    let events: BTreeSet<_> = must().flat_map(|(_, deliveries)| deliveries.keys()).map(|id| event_of(id)).collect();
    let traces = settle(operator, events.into_iter().map(str::to_owned).collect(), progress).await?;
    let (pages, silence) = (receipts.snapshot(), Inbox::default());
    let mut counts = Vec::new();
    for (place, must) in must() {
        let is = traces.places.get(place).copied().unwrap_or_default();
        let all = must.len() as u64;
        counts.push(Count::new(format!("{place}: delivered by a replay"), is.delivered, all));
        counts.push(Count::new(format!("{place}: dead, and kept as such"), is.dead, all));
        counts.extend(arrivals(place, must, pages.inboxes.get(place).unwrap_or(&silence)));
    }
    Ok(counts)
}
