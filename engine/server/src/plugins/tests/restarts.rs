//! What a start finds in the store, and what it says when that does not run.

use super::*;
use weft_store::plugin::PluginMode;

#[tokio::test]
async fn promise_6_a_restart_runs_what_the_store_calls_active_whatever_the_folder_holds() {
    let (one, splitter) = (component("stamp"), component("split-array"));
    let bench = Bench::with(&[("stamp.wasm", &one), ("split-array.wasm", &splitter)]).await;
    fs::remove_file(bench.path("stamp.wasm")).expect("removed");
    bench.put("split-array.wasm", b"garbage");
    let bench = bench.restart().await;
    assert_eq!(bench.runs("stamp"), Some(Digest::of(&one)));
    assert_eq!(bench.runs("split-array"), Some(Digest::of(&splitter)));
    assert!(!refusal(&bench.registry.list().await.expect("a list").folder, "split-array.wasm").is_empty());
}

#[tokio::test]
async fn a_file_that_changed_while_the_engine_was_down_is_activated_at_the_start() {
    let (one, two) = (component("stamp"), component("stamp-v2"));
    let bench = Bench::with(&[("stamp.wasm", &one)]).await;
    bench.put("stamp.wasm", &two);
    assert_eq!(bench.restart().await.runs("stamp"), Some(Digest::of(&two)));
}

#[tokio::test]
async fn an_active_version_that_no_longer_loads_is_reported_and_stops_nothing_else() {
    let (stamp, splitter) = (component("stamp"), component("split-array"));
    assert_ne!(stamp.len(), splitter.len(), "the limit below must tell them apart");
    let (small, large) = if stamp.len() < splitter.len() { ("stamp", "split-array") } else { ("split-array", "stamp") };
    let bench = Bench::with(&[("stamp.wasm", &stamp), ("split-array.wasm", &splitter)]).await;
    let active = bench.runs(large);

    // Another host, as an upgrade brings it: it takes only the smaller of the two.
    let bench = bench.restart_with(host(stamp.len().min(splitter.len()))).await;
    assert!(bench.runs(small).is_some());
    assert_eq!(bench.runs(large), None);
    let report = bench.report(large).await;
    assert_eq!(report.active, active, "the store's word stands");
    assert!(report.problem.is_some_and(|problem| problem.contains("component_bytes_max")));
    refusal(&bench.reload().await, &format!("{large}.wasm"));

    let bench = bench.restart().await;
    assert_eq!(bench.runs(large), active, "a host that can load it runs it again");
    assert_eq!(bench.report(large).await.problem, None);
    assert_eq!(bench.history(large).await.len(), 1);
}

#[tokio::test]
async fn a_start_without_a_folder_says_so_and_the_folder_may_come_later() {
    let root = tempfile::tempdir().expect("a folder");
    let bench = Bench::start(root, HOST.clone()).await;
    let listing = bench.registry.list().await.expect("a list");
    assert!(listing.folder.problem.is_some() && listing.plugins.is_empty());
    fs::create_dir(bench.folder()).expect("made");
    let one = component("stamp");
    bench.put("stamp.wasm", &one);
    let report = bench.settle().await;
    assert_eq!((report.problem, bench.runs("stamp")), (None, Some(Digest::of(&one))));
}

#[tokio::test]
async fn a_folder_that_has_moved_proposes_nothing_that_is_active_already() {
    let (one, two) = (component("stamp"), component("stamp-v2"));
    let bench = Bench::with(&[("stamp.wasm", &one)]).await;
    bench.put("stamp.wasm", &two);
    bench.settle().await;
    // The store moves to another machine with its folder: the path is another, the files are the same.
    let root = tempfile::tempdir().expect("a folder");
    bench.store.close().await;
    for entry in fs::read_dir(bench.root.path()).expect("listed") {
        let entry = entry.expect("an entry");
        rename(&entry.path(), &root.path().join(entry.file_name()));
    }
    let bench = Bench::start(root, HOST.clone()).await;
    assert_eq!(bench.history("stamp").await.len(), 2);
    let follow = Some(PluginMode::Following);
    bench.registry.activate(&operators("stamp"), Digest::of(&one), follow).await.expect("activated");
    assert_eq!(outcome(&bench.reload().await, "stamp.wasm"), FileOutcome::Superseded);
    assert_eq!(bench.runs("stamp"), Some(Digest::of(&one)));
}
