//! What plugins keep, with two engines on one database.

use std::time::Duration;

use bytes::Bytes;
use weft_core::kv::{Found, KvTouch, Left};
use weft_core::name::PluginRef;
use weft_store::Store;
use weft_store::work::{Finished, FinishedPass, Lease, PassEnd};

use super::Scene;
use crate::scene::{LEASE_MS, at, finished, tenant, waiting};

const EVENTS: u128 = 60;

fn plugin() -> PluginRef {
    "operator/count".parse().expect("a plugin")
}

async fn count(store: &Store) -> Option<Bytes> {
    store.kv_get(tenant(1), &plugin(), "count", at(0)).await.expect("read").value
}

/// Runs passes that add one to a key each, a few at a time, until there are none. Answers how many ran again.
async fn count_all(store: &Store) -> usize {
    let lease =
        Lease { owner: store.start_number(), until: at(0).plus(Duration::from_millis(LEASE_MS.unsigned_abs())) };
    let mut conflicts = 0;
    loop {
        let works = store.claim_passes(3, lease, at(0)).await.expect("claim passes");
        if works.is_empty() {
            return conflicts;
        }
        // All of them read the same, so that one commit holds both kinds.
        let present = count(store).await;
        let number =
            present.as_ref().map_or(0, |value| String::from_utf8_lossy(value).parse::<u32>().expect("a number"));
        let passes = works.iter().map(|work| {
            let touch = KvTouch {
                plugin: plugin(),
                key: "count".to_owned(),
                found: present.clone().map_or(Found::Nothing, Found::Value),
                left: Some(Left::Value { value: (number + 1).to_string().into(), expires_at: None }),
            };
            let end = PassEnd::Dropped { step: Some("count".to_owned()), reason: "counted".to_owned() };
            FinishedPass { kv: vec![touch], ..finished(work, end, at(0)) }
        });
        let answers = store.finish_passes(passes.collect()).await.expect("finish");
        conflicts += answers.iter().filter(|answer| **answer == Finished::Conflict).count();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_3_two_engines_count_each_event_once() {
    let one = Scene::new().await;
    let two = Scene { store: one.engine.open_as("two", at(0)).await, engine: one.engine.clone() };
    one.keep((1_000..1_000 + EVENTS).map(waiting).collect()).await;
    let (first, second) = tokio::join!(count_all(&one.store), count_all(&two.store));
    // Whatever one of them put back after the other had looked.
    let rest = count_all(&one.store).await;
    assert_eq!(count(&two.store).await, Some(Bytes::from(EVENTS.to_string())), "{first} + {second} + {rest} ran again");
    assert!(first + second + rest > 0, "they were in each other's way");
    one.is_sound().await;
}
