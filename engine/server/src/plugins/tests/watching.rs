//! The watching: it looks when it has been quiet for a moment and when time passes, and ends when it is told to.

use super::*;
use tokio::sync::watch as channel;
use tokio::task::yield_now;

#[tokio::test]
async fn promise_6_a_changed_file_is_taken_when_it_has_been_quiet_for_a_moment() {
    let (one, two) = (component("stamp"), component("stamp-v2"));
    let bench = Bench::with(&[("stamp.wasm", &one)]).await;
    bench.put("stamp.wasm", &two);
    let (stop, stopped) = channel::channel(false);
    let watching = tokio::spawn(watch(bench.registry.clone(), stopped));
    until(async || bench.registry.list().await.expect("a list").folder.is_settling()).await;
    assert_eq!(bench.runs("stamp"), Some(Digest::of(&one)));
    bench.clock.advance(Duration::from_millis(150));
    until(async || bench.runs("stamp") == Some(Digest::of(&two))).await;
    stop.send(true).expect("it listens");
    watching.await.expect("it ends");
}

#[tokio::test]
async fn promise_6_a_changed_file_is_found_without_a_hint_when_time_passes() {
    let one = component("stamp");
    let bench = Bench::with(&[]).await;
    // No system hints at what happens in a folder that does not exist yet.
    fs::remove_dir(bench.folder()).expect("removed");
    let (_stop, stopped) = channel::channel(false);
    tokio::spawn(watch(bench.registry.clone(), stopped));
    until(async || bench.registry.list().await.expect("a list").folder.problem.is_some()).await;
    fs::create_dir(bench.folder()).expect("made");
    bench.put("stamp.wasm", &one);
    until(async || {
        bench.clock.advance(Duration::from_secs(30));
        bench.runs("stamp") == Some(Digest::of(&one))
    })
    .await;
}

#[tokio::test]
async fn the_watching_ends_when_its_engine_is_gone() {
    let bench = Bench::with(&[]).await;
    let (stop, stopped) = channel::channel(false);
    let watching = tokio::spawn(watch(bench.registry.clone(), stopped));
    drop(stop);
    watching.await.expect("it ends");
}

/// Goes on when `condition` is true; the time out turns a hang into a failure, and nothing else waits for it.
async fn until(condition: impl AsyncFn() -> bool) {
    let met = async {
        while !condition().await {
            yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), met).await.expect("it comes true");
}
