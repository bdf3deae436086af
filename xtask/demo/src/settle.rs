//! Waiting until every event and delivery has ended, by reading the trace of each.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use weft_client::{Client, wire};

use crate::clock::Stopwatch;
use crate::progress::{Progress, grouped};
use crate::traces::{Traces, has_ended};

/// 8: enough to keep the engine's API busy.
const READERS: usize = 8;

/// 60 s without an end: the longest waits of the quickstart's retries together are a quarter of that.
const STALL_MAX: Duration = Duration::from_secs(60);

/// Between two rounds over what is still open.
const ROUND_EVERY: Duration = Duration::from_millis(250);

/// Reads the traces of these events until all have ended.
///
/// # Errors
/// When a trace cannot be read, or nothing ends any more.
pub(crate) async fn settle(client: &Client, ids: Vec<String>, progress: &mut Progress) -> Result<Traces> {
    let (all, mut open, mut traces) = (ids.len() as u64, ids, Traces::default());
    let mut watch = Stopwatch::start();
    loop {
        let before = open.len();
        open = round(client, open, |event| {
            traces.add(event);
            let read = traces.accepted.len() as u64;
            progress.show(&format!("{} of {} events have ended, by their traces", grouped(read), grouped(all)));
        })
        .await?;
        let Some(example) = open.first() else { return Ok(traces) };
        if open.len() < before {
            watch = Stopwatch::start();
        } else if watch.elapsed() > STALL_MAX {
            let seconds = STALL_MAX.as_secs();
            bail!("{} events, {example} among them, have not ended, and none did for {seconds} s", open.len());
        }
        tokio::time::sleep(ROUND_EVERY).await;
    }
}

/// Reads each trace once; returns the ids of those that have not ended.
async fn round(client: &Client, ids: Vec<String>, mut see: impl FnMut(&wire::Event)) -> Result<Vec<String>> {
    let (sender, mut events) = mpsc::channel(READERS);
    let ids: Arc<[String]> = ids.into();
    let mut readers = JoinSet::new();
    for reader in 0..READERS {
        let (client, ids, sender) = (client.clone(), ids.clone(), sender.clone());
        readers.spawn(async move {
            for id in ids.iter().skip(reader).step_by(READERS) {
                let event = client.event(id).await.with_context(|| format!("could not read the trace of {id}"))?;
                // The other side goes away only when this task is dropped, too.
                let _ = sender.send(event).await;
            }
            anyhow::Ok(())
        });
    }
    drop(sender);
    let mut open = Vec::new();
    while let Some(event) = events.recv().await {
        if has_ended(&event) { see(&event) } else { open.push(event.id) }
    }
    while let Some(reader) = readers.join_next().await {
        reader.context("a reader panicked")??;
    }
    Ok(open)
}
