//! Doing again what Weft has given up on, once its receiver is well.

use std::time::Duration;

use anyhow::{Context, Result};
use weft_client::Client;
use weft_client::wire::{DeadLetterQuery, ReplayRequest};

use crate::compare::{Count, arrivals};
use crate::counts::Expected;
use crate::receipts::{Inbox, Place, Receipts};

/// 60 s: replays are sent at once, and a thousand take a second.
const ARRIVAL_MAX: Duration = Duration::from_secs(60);

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

/// Waits until everything that was dead has arrived at these destinations, and compares what did.
pub(crate) async fn arrived(expected: &Expected, receipts: &Receipts, places: &[Place]) -> Vec<Count> {
    let must = || places.iter().filter_map(|place| Some((place, expected.deliveries.get(place)?)));
    let wanted: usize = must().map(|(_, deliveries)| deliveries.len()).sum();
    let all = receipts.until(|pages| {
        let taken = |place| pages.inboxes.get(place).map_or(0, |inbox: &Inbox| inbox.taken.len());
        places.iter().map(taken).sum::<usize>() >= wanted
    });
    // What has not arrived in time is missing below, with its number.
    let _ = tokio::time::timeout(ARRIVAL_MAX, all).await;
    let (pages, silence) = (receipts.snapshot(), Inbox::default());
    must().flat_map(|(place, must)| arrivals(place, must, pages.inboxes.get(place).unwrap_or(&silence))).collect()
}
