//! The watching: it needs no hint from the system, and ends when it is told to.

use super::*;
use tokio::sync::watch as channel;
use tokio::task::yield_now;

#[tokio::test]
async fn promise_6_a_changed_file_is_found_and_taken_while_the_folder_is_watched() {
    let (one, two) = (component("stamp"), component("stamp-v2"));
    let bench = Bench::with(&[("stamp.wasm", &one)]).await;
    let (stop, stopped) = channel::channel(false);
    let watching = tokio::spawn(watch(bench.registry.clone(), stopped));
    bench.put("stamp.wasm", &two);
    while bench.runs("stamp") != Some(Digest::of(&two)) {
        bench.clock.advance(Duration::from_millis(150));
        yield_now().await;
    }
    stop.send(true).expect("it listens");
    watching.await.expect("it ends");
}

#[tokio::test]
async fn the_watching_ends_when_its_engine_is_gone() {
    let bench = Bench::with(&[]).await;
    let (stop, stopped) = channel::channel(false);
    let watching = tokio::spawn(watch(bench.registry.clone(), stopped));
    drop(stop);
    watching.await.expect("it ends");
}
