//! What files do, and what they cannot do.

use super::*;
use weft_store::plugin::{ActivatedBy, VersionState};

#[tokio::test]
async fn promise_6_a_changed_file_takes_over_once_it_has_settled() {
    let (one, two) = (component("stamp"), component("stamp-v2"));
    let bench = Bench::with(&[("stamp.wasm", &one)]).await;
    assert_eq!(bench.runs("stamp"), Some(Digest::of(&one)), "what lies there at the start runs when the start returns");

    let begun = bench.active.snapshot();
    bench.clock.advance(Duration::from_secs(60));
    bench.put("stamp.wasm", &two);
    let first = bench.registry.scan().await.expect("a look");
    assert!(first.is_settling(), "a file that has just changed may not be whole");
    assert_eq!(bench.runs("stamp"), Some(Digest::of(&one)));

    let second = bench.registry.scan().await.expect("a look");
    let previous = Some(Digest::of(&one));
    assert_eq!(outcome(&second, "stamp.wasm"), FileOutcome::Activated { previous });
    assert_eq!(bench.runs("stamp"), Some(Digest::of(&two)));
    assert_eq!(begun[&operators("stamp")].digest(), Digest::of(&one), "a pass that has begun ends on its version");

    let report = bench.report("stamp").await;
    assert_eq!((report.active, report.active_since), (Some(Digest::of(&two)), Some(bench.clock.now())));
    assert!(matches!(report.active_by, Some(ActivatedBy::File { name, .. }) if name == "stamp.wasm"));
    assert_eq!((report.roles, report.problem), (vec![Role::Transform], None));
    assert_eq!(report.versions.len(), 2);
}

#[tokio::test]
async fn promise_6_a_bad_file_leaves_the_good_version_running_and_says_why() {
    let good = component("stamp");
    let router = component("field-router");
    let bad: [(&str, Vec<u8>, &str); 6] = [
        ("garbage", b"this is no component".to_vec(), "not a WebAssembly component"),
        ("nothing", Vec::new(), "empty"),
        ("half a file", good[..good.len() / 2].to_vec(), "does not compile"),
        ("a core module", b"\0asm\x01\0\0\0".to_vec(), "core module"),
        ("another contract", component("other-contract"), "built for the contract"),
        ("a role less", router, "tenant shop, step tag needs transform of operator/stamp"),
    ];
    let bench = Bench::with(&[("stamp.wasm", &good)]).await;
    bench.pipelines.need(Some(Role::Transform));
    for (what, bytes, words) in bad {
        bench.put("stamp.wasm", &bytes);
        let reason = refusal(&bench.settle().await, "stamp.wasm");
        assert!(reason.contains(words), "{what}: {reason}");
        assert_eq!(bench.runs("stamp"), Some(Digest::of(&good)), "{what}");

        let report = bench.report("stamp").await;
        assert_eq!(report.active, Some(Digest::of(&good)), "{what}");
        assert_eq!(report.file.map(|file| file.outcome), Some(FileOutcome::Refused { reason: reason.clone() }));
        let version = report.versions.iter().find(|version| version.digest == Digest::of(&bytes));
        assert_eq!(version.map(|version| &version.state), Some(&VersionState::Refused { reason }), "{what}");
    }
    let better = variant(&good, 1);
    bench.put("stamp.wasm", &better);
    bench.settle().await;
    assert_eq!(bench.runs("stamp"), Some(Digest::of(&better)), "a good file after all the bad ones is taken");
}

#[tokio::test]
async fn promise_6_a_file_that_is_still_being_written_is_not_read() {
    let (one, two) = (component("stamp"), component("stamp-v2"));
    let bench = Bench::with(&[("stamp.wasm", &one)]).await;
    for bytes in [two.len() / 3, two.len() / 2, two.len()] {
        bench.put("stamp.wasm", &two[..bytes]);
        let report = bench.registry.scan().await.expect("a look");
        assert_eq!(outcome(&report, "stamp.wasm"), FileOutcome::Settling);
        assert_eq!(bench.runs("stamp"), Some(Digest::of(&one)));
    }
    bench.registry.scan().await.expect("a look");
    assert_eq!(bench.runs("stamp"), Some(Digest::of(&two)));
    assert_eq!(bench.report("stamp").await.versions.len(), 2, "no part of the file was ever taken for a version");
}

#[tokio::test]
async fn promise_6_an_editors_rename_dance_ends_with_the_file() {
    let (one, two) = (component("stamp"), component("stamp-v2"));
    let bench = Bench::with(&[("stamp.wasm", &one)]).await;
    bench.put(".stamp.wasm.swp", &two);
    rename(&bench.path("stamp.wasm"), &bench.path("stamp.wasm~"));
    let between = bench.registry.scan().await.expect("a look");
    assert_eq!(outcome(&between, "stamp.wasm"), FileOutcome::Gone);
    assert_eq!(bench.runs("stamp"), Some(Digest::of(&one)), "for a moment there is no file, and always a version");
    rename(&bench.path(".stamp.wasm.swp"), &bench.path("stamp.wasm"));

    let report = bench.settle().await;
    assert_eq!(bench.runs("stamp"), Some(Digest::of(&two)));
    assert!(matches!(outcome(&report, "stamp.wasm~"), FileOutcome::Ignored { .. }));
}

#[cfg(unix)]
#[tokio::test]
async fn promise_6_a_swapped_link_shows_its_files() {
    use std::os::unix::fs::symlink;

    let (one, two) = (component("stamp"), component("stamp-v2"));
    let bench = Bench::with(&[]).await;
    let folder = bench.folder();
    for (mount, bytes) in [("..2024_one", &one), ("..2024_two", &two)] {
        fs::create_dir(folder.join(mount)).expect("a mount");
        let file = folder.join(mount).join("stamp.wasm");
        fs::write(&file, bytes).expect("written");
        let file = fs::File::options().write(true).open(file).expect("opened");
        // The two have one size and one time: only that they are two files tells them apart.
        file.set_modified(std::time::UNIX_EPOCH).expect("dated");
    }
    assert_eq!(one.len(), two.len());
    symlink("..2024_one", folder.join("..data")).expect("a link");
    symlink("..data/stamp.wasm", folder.join("stamp.wasm")).expect("a link");
    bench.settle().await;
    assert_eq!(bench.runs("stamp"), Some(Digest::of(&one)));

    symlink("..2024_two", folder.join("..data_tmp")).expect("a link");
    rename(&folder.join("..data_tmp"), &folder.join("..data"));
    fs::remove_dir_all(folder.join("..2024_one")).expect("removed");
    let report = bench.settle().await;
    assert_eq!(bench.runs("stamp"), Some(Digest::of(&two)));
    assert_eq!(report.files.len(), 1, "what is hidden is not listed: {report:?}");
}

#[tokio::test]
async fn promise_6_a_file_that_vanishes_unloads_nothing() {
    let one = component("stamp");
    let bench = Bench::with(&[("stamp.wasm", &one)]).await;
    fs::remove_file(bench.path("stamp.wasm")).expect("removed");
    let report = bench.registry.scan().await.expect("a look");
    assert_eq!(outcome(&report, "stamp.wasm"), FileOutcome::Gone);
    assert_eq!(bench.registry.scan().await.expect("a look").files, [], "it is said once");
    assert_eq!(bench.runs("stamp"), Some(Digest::of(&one)));

    fs::remove_dir(bench.folder()).expect("removed");
    let report = bench.registry.scan().await.expect("a look");
    assert!(report.problem.is_some_and(|problem| problem.contains("could not read the folder")));
    assert_eq!(bench.restart().await.runs("stamp"), Some(Digest::of(&one)));
}

#[tokio::test]
async fn promise_6_a_version_that_fails_its_probe_never_takes_over() {
    let root = tempfile::tempdir().expect("a folder");
    // Too little for any instance, which nothing but a probe finds out.
    let limits = CallLimits { memory_bytes: 1, ..CallLimits::default() };
    let bench = Bench::start_within(root, HOST.clone(), limits).await;
    fs::create_dir(bench.folder()).expect("made");
    bench.put("stamp.wasm", &component("stamp"));
    let reason = refusal(&bench.settle().await, "stamp.wasm");
    assert!(reason.contains("failed its probe"), "{reason}");
    assert_eq!(bench.runs("stamp"), None);
}

#[tokio::test]
async fn a_file_larger_than_the_limit_is_refused_unread() {
    let one = component("stamp");
    let bench = Bench::with(&[("stamp.wasm", &one)]).await;
    bench.put("stamp.wasm", &[one.as_slice(), &vec![0; COMPONENT_BYTES_MAX]].concat());
    let report = bench.settle().await;
    assert!(refusal(&report, "stamp.wasm").contains("component_bytes_max"));
    assert_eq!(report.file("stamp.wasm").and_then(|file| file.digest), None);
    assert_eq!(bench.runs("stamp"), Some(Digest::of(&one)));
}

#[tokio::test]
async fn a_file_that_is_no_plugin_is_ignored_with_a_reason() {
    let one = component("stamp");
    let bench = Bench::with(&[("README.md", b"read me"), ("Stamp Two.wasm", &one), (".hidden.wasm", &one)]).await;
    fs::create_dir(bench.path("folder.wasm")).expect("made");
    let report = bench.settle().await;
    for (file, words) in
        [("README.md", ".wasm"), ("Stamp Two.wasm", "\"Stamp Two\" is not a name"), ("folder.wasm", "not a file")]
    {
        let outcome = outcome(&report, file);
        assert!(matches!(&outcome, FileOutcome::Ignored { reason } if reason.contains(words)), "{file}: {outcome:?}");
    }
    assert_eq!(report.files.len(), 3, "hidden files are left out: {report:?}");
    assert!(bench.registry.list().await.expect("a list").plugins.is_empty());
}

#[tokio::test]
async fn a_refused_file_is_tried_again_on_change_and_on_reload_but_not_at_every_look() {
    let one = component("stamp");
    let bench = Bench::with(&[]).await;
    bench.pipelines.need(Some(Role::Route));
    bench.put("stamp.wasm", &one);
    bench.settle().await;
    bench.settle().await;
    assert_eq!(bench.pipelines.asked(), 1, "four looks, one try");

    bench.put("stamp.wasm", &one);
    bench.settle().await;
    assert_eq!(bench.pipelines.asked(), 2, "a file that was written again is tried again");
    refusal(&bench.reload().await, "stamp.wasm");
    assert_eq!(bench.pipelines.asked(), 3);

    bench.pipelines.need(None);
    assert_eq!(outcome(&bench.reload().await, "stamp.wasm"), FileOutcome::Activated { previous: None });
    assert_eq!(bench.runs("stamp"), Some(Digest::of(&one)));
    let states: Vec<_> = bench.report("stamp").await.versions.into_iter().map(|version| version.state).collect();
    assert_eq!(states, [VersionState::Ready { roles: vec![Role::Transform] }], "the refusal is lifted");
}

#[tokio::test]
async fn a_file_that_is_written_again_with_the_same_bytes_changes_nothing() {
    let one = component("stamp");
    let bench = Bench::with(&[("stamp.wasm", &one)]).await;
    bench.put("stamp.wasm", &one);
    assert_eq!(outcome(&bench.settle().await, "stamp.wasm"), FileOutcome::Active);
    assert_eq!(outcome(&bench.reload().await, "stamp.wasm"), FileOutcome::Active);
    assert_eq!(bench.pipelines.asked(), 1, "nothing is compiled twice");
    assert_eq!(bench.history("stamp").await.len(), 1);
}

#[tokio::test]
async fn a_file_goes_back_to_an_older_version_like_to_any_other() {
    let (one, two) = (component("stamp"), component("stamp-v2"));
    let bench = Bench::with(&[("stamp.wasm", &one)]).await;
    for bytes in [&two, &one, &two] {
        bench.put("stamp.wasm", bytes);
        bench.settle().await;
        assert_eq!(bench.runs("stamp"), Some(Digest::of(bytes)));
    }
    assert_eq!(bench.history("stamp").await.len(), 4);
}

#[tokio::test]
async fn looks_at_the_same_time_activate_once() {
    let (one, two) = (component("stamp"), component("stamp-v2"));
    let bench = Bench::with(&[("stamp.wasm", &one), ("split-array.wasm", &component("split-array"))]).await;
    bench.put("stamp.wasm", &two);
    let registry = &bench.registry;
    let looks = tokio::join!(registry.reload(), registry.reload(), registry.scan(), registry.list(), registry.reload());
    assert!(looks.0.is_ok() && looks.1.is_ok() && looks.2.is_ok() && looks.3.is_ok() && looks.4.is_ok());
    assert_eq!(bench.runs("stamp"), Some(Digest::of(&two)));
    assert_eq!(bench.pipelines.asked(), 3, "each version was compiled once");
    assert_eq!(bench.history("stamp").await.len(), 2);
}
