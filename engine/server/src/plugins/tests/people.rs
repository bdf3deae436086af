//! What people do, and that files do not undo it.

use super::*;
use weft_store::plugin::{ActivatedBy, PluginMode};

/// A plugin that went from version one to version two by its file.
async fn bench_on_two() -> (Bench, Digest, Digest) {
    let (one, two) = (component("stamp"), component("stamp-v2"));
    let bench = Bench::with(&[("stamp.wasm", &one)]).await;
    bench.clock.advance(Duration::from_secs(1));
    bench.put("stamp.wasm", &two);
    bench.settle().await;
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(bench.runs("stamp"), Some(Digest::of(&two)));
    (bench, Digest::of(&one), Digest::of(&two))
}

#[tokio::test]
async fn promise_6_going_back_is_one_command_and_stays_back() {
    let (bench, one, two) = bench_on_two().await;
    let change = bench.registry.rollback(&operators("stamp")).await.expect("rolled back");
    assert_eq!((change.from, change.to, change.mode), (Some(two), one, PluginMode::Following));
    assert_eq!(bench.runs("stamp"), Some(one));

    assert_eq!(outcome(&bench.reload().await, "stamp.wasm"), FileOutcome::RolledBack);
    bench.put("stamp.wasm", &component("stamp-v2"));
    assert_eq!(outcome(&bench.settle().await, "stamp.wasm"), FileOutcome::RolledBack, "written again, and still back");
    let bench = bench.restart().await;
    assert_eq!(bench.runs("stamp"), Some(one), "and after a restart");
    assert!(bench.report("stamp").await.versions.iter().any(|version| version.digest == two && version.rolled_back));

    let three = variant(&component("stamp"), 3);
    bench.put("stamp.wasm", &three);
    bench.settle().await;
    assert_eq!(bench.runs("stamp"), Some(Digest::of(&three)), "another version is a proposal as ever");
    bench.put("stamp.wasm", &component("stamp-v2"));
    bench.settle().await;
    assert_eq!(bench.runs("stamp"), Some(Digest::of(&three)), "the one that was left never comes back by itself");
}

#[tokio::test]
async fn going_back_twice_goes_further_back_and_ends_at_the_first() {
    let (bench, one, two) = bench_on_two().await;
    let three = variant(&component("stamp"), 3);
    bench.put("stamp.wasm", &three);
    bench.settle().await;
    let key = operators("stamp");
    assert_eq!(bench.registry.rollback(&key).await.expect("rolled back").to, two);
    assert_eq!(bench.registry.rollback(&key).await.expect("rolled back").to, one);
    assert_eq!(bench.runs("stamp"), Some(one));
    assert!(matches!(bench.registry.rollback(&key).await, Err(RegistryError::NothingBefore { .. })));
    assert_eq!(bench.runs("stamp"), Some(one));
}

#[tokio::test]
async fn a_person_brings_a_version_back_that_was_rolled_back() {
    let (bench, _, two) = bench_on_two().await;
    bench.registry.rollback(&operators("stamp")).await.expect("rolled back");
    let change = bench.registry.activate(&operators("stamp"), two, None).await.expect("activated");
    assert_eq!(change.mode, PluginMode::Following, "the newest version pins nothing");
    assert_eq!(bench.runs("stamp"), Some(two));
    assert_eq!(bench.report("stamp").await.active_by, Some(ActivatedBy::Person));
    assert_eq!(outcome(&bench.reload().await, "stamp.wasm"), FileOutcome::Active);
}

#[tokio::test]
async fn promise_6_choosing_an_older_version_pins_it_until_a_person_lets_it_follow() {
    let (bench, one, _) = bench_on_two().await;
    let change = bench.registry.activate(&operators("stamp"), one, None).await.expect("activated");
    assert_eq!((change.to, change.mode), (one, PluginMode::Pinned));

    let three = variant(&component("stamp"), 3);
    bench.put("stamp.wasm", &three);
    assert_eq!(outcome(&bench.settle().await, "stamp.wasm"), FileOutcome::Pinned);
    let bench = bench.restart().await;
    assert_eq!(bench.runs("stamp"), Some(one));
    let report = bench.report("stamp").await;
    assert_eq!(report.mode, PluginMode::Pinned);
    assert_eq!(report.versions.len(), 3, "the file's version is checked and kept, ready for a person");

    let change = bench.registry.set_mode(&operators("stamp"), PluginMode::Following).await.expect("follows");
    assert_eq!((change.from, change.to, change.mode), (Some(one), Digest::of(&three), PluginMode::Following));
    assert_eq!(bench.runs("stamp"), Some(Digest::of(&three)));
}

#[tokio::test]
async fn a_plugin_that_is_pinned_where_it_is_keeps_its_version() {
    let (bench, _, two) = bench_on_two().await;
    let since = bench.report("stamp").await.active_since;
    bench.clock.advance(Duration::from_secs(60));
    let change = bench.registry.set_mode(&operators("stamp"), PluginMode::Pinned).await.expect("pinned");
    assert_eq!((change.from, change.to), (Some(two), two));
    let report = bench.report("stamp").await;
    assert_eq!(
        (report.mode, report.active_since),
        (PluginMode::Pinned, since),
        "the version is active as long as before"
    );
    bench.put("stamp.wasm", &variant(&component("stamp"), 3));
    bench.settle().await;
    assert_eq!(bench.runs("stamp"), Some(two));
}

#[tokio::test]
async fn an_unchanged_file_does_not_undo_what_a_person_chose() {
    let (bench, one, _) = bench_on_two().await;
    let follow = Some(PluginMode::Following);
    bench.registry.activate(&operators("stamp"), one, follow).await.expect("activated");
    assert_eq!(outcome(&bench.reload().await, "stamp.wasm"), FileOutcome::Superseded);
    bench.put("stamp.wasm", &component("stamp-v2"));
    assert_eq!(outcome(&bench.settle().await, "stamp.wasm"), FileOutcome::Superseded);
    let bench = bench.restart().await;
    assert_eq!(bench.runs("stamp"), Some(one));
    let three = variant(&component("stamp"), 3);
    bench.put("stamp.wasm", &three);
    bench.settle().await;
    assert_eq!(bench.runs("stamp"), Some(Digest::of(&three)));
}

#[tokio::test]
async fn a_wish_that_cannot_be_fulfilled_changes_nothing_and_says_why() {
    let (bench, _, two) = bench_on_two().await;
    bench.put("stamp.wasm", b"garbage");
    bench.settle().await;
    let (registry, key) = (&bench.registry, operators("stamp"));
    let refused = registry.activate(&key, Digest::of(b"garbage"), None).await.expect_err("refused").to_string();
    assert!(refused.contains("not a WebAssembly component"), "{refused}");
    let unknown = registry.activate(&key, Digest::of(b"never seen"), None).await;
    assert!(matches!(unknown, Err(RegistryError::UnknownVersion { .. })));
    let nobody = operators("nobody");
    assert!(matches!(registry.rollback(&nobody).await, Err(RegistryError::UnknownPlugin { key }) if key == nobody));
    assert_eq!(bench.runs("stamp"), Some(two));
}

#[tokio::test]
async fn a_version_that_a_pipeline_cannot_run_is_activated_by_nobody() {
    let (bench, one, two) = bench_on_two().await;
    bench.pipelines.need(Some(Role::Route));
    let (registry, key) = (&bench.registry, operators("stamp"));
    let words = "tenant shop, step tag needs route of operator/stamp";
    let refused = registry.rollback(&key).await.expect_err("refused").to_string();
    assert!(refused.contains(words), "{refused}");
    let refused = registry.activate(&key, one, None).await.expect_err("refused").to_string();
    assert!(refused.contains(words), "{refused}");
    assert_eq!(bench.runs("stamp"), Some(two));
    assert_eq!(bench.report("stamp").await.active, Some(two));
}
