//! The sink: stands for all destinations, one path each; counts, finds duplicates and measures from creation to receipt.
//!
//! `POST /anything` is a delivery, `GET /report` what was seen, `GET /received` only how much, `GET /reset` forgets it all.
//! A `POST` below `/hang/` is never answered: a destination that hangs until the sender's patience ends. One below
//! `/beside/` is answered and counts for nothing: a destination that is well and not the one measured.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use clap::Parser;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};

use bench_tools::payload::{Mark, read_mark};
use bench_tools::quantiles::Quantiles;
use bench_tools::report::SinkReport;
use bench_tools::{clock, http};

/// 2^32: a mark beyond it is no place in a load, and must not make the sink take memory for it.
const SEQUENCES_MAX: u64 = 1 << 32;

#[derive(Parser)]
struct Options {
    /// Where deliveries come in
    #[arg(long)]
    listen: SocketAddr,
    /// How long an answer waits, in milliseconds: a slow destination
    #[arg(long, default_value_t = 0)]
    delay_ms: u64,
    /// Answers 500 to every n-th delivery: a destination that stumbles
    #[arg(long, default_value_t = 0)]
    fail_every: u64,
}

#[derive(Default)]
struct Seen {
    received: u64,
    duplicates: u64,
    unmarked: u64,
    uncounted: u64,
    /// When this was begun: what was made before that belongs to a load that is over.
    since_ns: u64,
    last_ns: u64,
    latencies_us: Vec<u32>,
    /// One bit per sequence, by path.
    paths: HashMap<String, Vec<u64>>,
    deliveries: u64,
}

// One thread: the sink shares the machine with what it measures.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = Arc::new(Options::parse());
    let seen = Arc::new(Mutex::new(Seen::default()));
    let listener = http::listen(options.listen).await?;
    http::serve(listener, move |request| {
        let (options, seen) = (options.clone(), seen.clone());
        async move {
            if request.method() == Method::GET {
                tell(request.uri().path(), &seen)
            } else {
                take(request, &options, &seen).await
            }
        }
    })
    .await
}

async fn take(request: Request<Incoming>, options: &Options, seen: &Mutex<Seen>) -> Result<Response<Full<Bytes>>> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await?.to_bytes();
    if let Some(kind) = Uncounted::of(&path) {
        lock(seen).uncounted += 1;
        return match kind {
            Uncounted::Beside => Ok(http::status(StatusCode::NO_CONTENT)),
            // Ends with the connection, when the sender hangs up.
            Uncounted::Hangs => std::future::pending().await,
        };
    }
    let accepted = lock(seen).take(path, read_mark(&body), clock::now_ns(), options.fail_every);
    if options.delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(options.delay_ms)).await;
    }
    Ok(http::status(if accepted { StatusCode::NO_CONTENT } else { StatusCode::INTERNAL_SERVER_ERROR }))
}

/// A destination whose deliveries are not measured.
#[derive(Debug, PartialEq)]
enum Uncounted {
    Beside,
    Hangs,
}

impl Uncounted {
    fn of(path: &str) -> Option<Self> {
        if path.starts_with("/hang/") {
            return Some(Self::Hangs);
        }
        path.starts_with("/beside/").then_some(Self::Beside)
    }
}

fn tell(path: &str, seen: &Mutex<Seen>) -> Result<Response<Full<Bytes>>> {
    let mut seen = lock(seen);
    let text = match path {
        "/received" => seen.received.to_string(),
        "/report" => serde_json::to_string(&seen.report()).context("numbers are JSON")?,
        "/reset" => {
            *seen = Seen { since_ns: clock::now_ns(), ..Seen::default() };
            String::new()
        }
        _ => return Ok(http::status(StatusCode::NOT_FOUND)),
    };
    Ok(Response::new(Full::new(Bytes::from(text))))
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Seen {
    /// Counts a delivery and says whether it is accepted.
    fn take(&mut self, path: String, mark: Option<Mark>, now_ns: u64, fail_every: u64) -> bool {
        self.deliveries += 1;
        if fail_every > 0 && self.deliveries.is_multiple_of(fail_every) {
            return false;
        }
        let Some(mark) = mark.filter(|mark| mark.sequence < SEQUENCES_MAX) else {
            self.unmarked += 1;
            return true;
        };
        // An engine that was killed sends once more what it had not recorded, when it is started on the same store.
        if mark.created_ns < self.since_ns {
            self.uncounted += 1;
            return true;
        }
        if self.is_first(path, mark.sequence) {
            self.received += 1;
            let latency_us = now_ns.saturating_sub(mark.created_ns) / 1_000;
            self.latencies_us.push(u32::try_from(latency_us).unwrap_or(u32::MAX));
        } else {
            self.duplicates += 1;
        }
        self.last_ns = now_ns;
        true
    }

    /// Notes that `sequence` came to `path`, and says whether it was the first time.
    fn is_first(&mut self, path: String, sequence: u64) -> bool {
        let bits = self.paths.entry(path).or_default();
        let (word, bit) = ((sequence / 64) as usize, 1 << (sequence % 64));
        if bits.len() <= word {
            bits.resize((word + 1).next_power_of_two(), 0);
        }
        let first = bits[word] & bit == 0;
        bits[word] |= bit;
        first
    }

    fn report(&mut self) -> SinkReport {
        let Self { received, duplicates, unmarked, uncounted, last_ns, .. } = *self;
        SinkReport {
            received,
            duplicates,
            unmarked,
            uncounted,
            last_ns,
            latency_ms: Quantiles::of(&mut self.latencies_us),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(sequence: u64) -> Option<Mark> {
        Some(Mark { created_ns: 1_000_000, sequence })
    }

    #[test]
    fn a_delivery_that_comes_once_more_to_its_path_is_a_duplicate() {
        let mut seen = Seen::default();
        for (path, sequence) in [("/e1", 0), ("/e2", 0), ("/e1", 64), ("/e1", 0)] {
            assert!(seen.take(path.to_owned(), mark(sequence), 3_000_000, 0));
        }
        assert_eq!((seen.received, seen.duplicates), (3, 1));
        assert_eq!(seen.report().latency_ms.map(|latency| latency.max), Some(2.0));
    }

    #[test]
    fn what_was_made_before_the_reset_does_not_count() {
        let mut seen = Seen { since_ns: 1_000_001, ..Seen::default() };
        assert!(seen.take("/e1".to_owned(), mark(0), 3_000_000, 0));
        assert!(seen.take("/e1".to_owned(), Some(Mark { created_ns: 1_000_001, sequence: 0 }), 3_000_000, 0));
        assert_eq!((seen.received, seen.duplicates, seen.uncounted), (1, 0, 1));
    }

    #[test]
    fn what_was_refused_is_not_received() {
        let mut seen = Seen::default();
        let accepted: Vec<_> =
            (0..4).map(|sequence| seen.take("/e1".to_owned(), mark(sequence), 3_000_000, 2)).collect();
        assert_eq!(accepted, [true, false, true, false]);
        assert_eq!(seen.received, 2);
    }

    #[test]
    fn only_paths_of_their_own_hang_or_stand_beside() {
        assert_eq!(Uncounted::of("/hang/e1"), Some(Uncounted::Hangs));
        assert_eq!(Uncounted::of("/beside/e1"), Some(Uncounted::Beside));
        assert_eq!(Uncounted::of("/e1"), None);
        assert_eq!(Uncounted::of("/hanger"), None);
    }

    #[test]
    fn a_body_without_a_place_in_the_load_takes_no_memory() {
        let mut seen = Seen::default();
        seen.take("/e1".to_owned(), None, 1, 0);
        seen.take("/e1".to_owned(), mark(SEQUENCES_MAX), 1, 0);
        assert_eq!((seen.unmarked, seen.paths.len()), (2, 0));
    }
}
