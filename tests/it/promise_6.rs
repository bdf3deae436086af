//! Promise 6, change without restart, without loss: a version is compiled, checked and probed before it takes over, and a
//! pass ends on the versions that it began with.

use std::collections::BTreeSet;

use bytes::Bytes;
use weft_client::wire::{ActivateRequest, DryRunRequest, Event, Plugin, VersionState};
use weft_tests::{
    Caller, Destination, Engine, Load, Receiver, Rewritten, Site, Step, Tenant, Weft, audit, component, order,
    version_of, within,
};

/// A tenant whose every event is stamped by `stamp`.
fn shop(receiver: &Receiver) -> Tenant {
    Tenant::named("shop").sends_to(Destination::at("crm", receiver)).runs(Step::of("stamp"))
}

/// The versions of the plugin `stamp` that handled an event, each once.
fn stamped_by(event: &Event) -> BTreeSet<&str> {
    let steps = event.passes.iter().flat_map(|pass| &pass.steps);
    steps.filter(|step| step.plugin == "operator/stamp").map(|step| &*step.version).collect()
}

/// What the operator is told of the plugin `stamp`.
async fn stamp(operator: &Caller) -> Plugin {
    let plugins = within("the plugins", operator.client().plugins()).await.expect("a list").plugins;
    plugins.into_iter().find(|plugin| plugin.name == "stamp").expect("it is bound")
}

/// Has the folder read, and answers outcome and detail of the plugin's file.
async fn reload(operator: &Caller) -> (String, String) {
    let folder = within("the folder is read", operator.client().reload_plugins()).await.expect("it can be read");
    let file = folder.files.into_iter().find(|file| file.file == "stamp.wasm").expect("it was there");
    (file.outcome, file.detail)
}

/// Sends an order, waits until it is delivered, and holds that this version stamped it.
async fn assert_stamps(caller: &Caller, number: usize, version: &str) {
    let id = caller.send(order(number)).await;
    let event = caller.delivered(&id).await;
    assert_eq!(stamped_by(&event), BTreeSet::from([version]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_6_a_component_is_replaced_while_events_flow_and_no_pass_mixes_versions() {
    let (crm, archive) = (Receiver::start().await, Receiver::start().await);
    // The plugin is bound before and after a split: four runs of it in one pass.
    let shop = Tenant::named("shop")
        .sends_to(Destination::at("crm", &crm))
        .sends_to(Destination::at("archive", &archive))
        .runs(Step::of("stamp").with("name = \"before\""))
        .runs(Step::of("split-array").with(r#"config = { pointer = "/data/lines" }"#))
        .runs(Step::of("stamp").with("name = \"after\""));
    let site = Site::of([shop]).with_patience_for_plugins();
    let engine = Engine::start(&site).await;
    let (shop, operator) = (engine.tenant("shop"), engine.operator());
    let contents = [component("stamp-v2"), component("stamp")];

    // Nobody asks for a look: the engine finds out by itself.
    let load = Load::begin(&shop, 4, 0);
    let mut acknowledged = 0;
    for content in contents.iter().cycle().take(4) {
        acknowledged += 60;
        load.acknowledged(acknowledged).await;
        site.put_plugin("stamp", content);
        let wanted = version_of(content);
        let is_active = async { while stamp(&operator).await.active.as_deref() != Some(&*wanted) {} };
        within("the new version takes over", is_active).await;
    }
    load.acknowledged(acknowledged + 60).await;
    let (acknowledged, unanswered) = load.end().await;
    assert_eq!(unanswered, Vec::<usize>::new(), "no request fails while a plugin is replaced");

    let mut expected = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for id in acknowledged.values() {
        let event = shop.delivered(id).await;
        let [pass] = &event.passes[..] else { panic!("one pass: {event:?}") };
        assert_eq!(pass.steps.len(), 5, "before, split, and after on each of three: {pass:?}");
        let versions = stamped_by(&event);
        assert_eq!(versions.len(), 1, "one version in one pass: {pass:?}");
        seen.extend(versions.into_iter().map(str::to_owned));
        expected.extend((1..=3).map(|output| format!("{id}-{output}")));
    }
    let both: BTreeSet<_> = contents.iter().map(|content| version_of(content)).collect();
    assert_eq!(seen, both, "both versions handled events");
    for receiver in [crm, archive] {
        let accepted = receiver.accepted(expected.len()).await;
        assert_eq!(accepted.len(), expected.len(), "each output once");
        assert_eq!(accepted.into_iter().collect::<BTreeSet<_>>(), expected);
    }
    engine.stop().await;
    audit(&site).await;
}

#[tokio::test]
async fn promise_6_a_bad_file_leaves_the_good_version_running_and_says_why() {
    let crm = Receiver::start().await;
    let site = Site::of([shop(&crm)]).with_patience_for_plugins();
    let weft = Weft::start(&site).await;
    let (shop, operator) = (weft.tenant("shop"), weft.operator());
    let good = component("stamp");
    let version = version_of(&good);
    assert_stamps(&shop, 0, &version).await;

    let bad: [(&str, Bytes, &str); 5] = [
        ("an empty file", Bytes::new(), "component"),
        ("garbage", "this is no component".into(), "component"),
        ("a component that was cut", good.slice(..good.len() / 2), "component"),
        ("another contract", component("other-contract"), "weft:plugin"),
        ("one that wants files", component("needs-files"), "wasi:filesystem"),
    ];
    for (number, (what, content, word)) in (1..).zip(bad) {
        site.put_plugin("stamp", &content);
        let (outcome, detail) = reload(&operator).await;
        assert_eq!(outcome, "refused", "{what}: {detail}");
        assert!(detail.contains(word), "{what}: {word:?} is missing: {detail}");
        let plugin = stamp(&operator).await;
        assert_eq!((plugin.active.as_deref(), plugin.problem.as_deref()), (Some(&*version), None), "{what}");
        let file = plugin.file.expect("the operator is shown the file");
        assert_eq!((&*file.outcome, &*file.detail), ("refused", &*detail), "{what}");
        let refused = plugin.versions.iter().find(|seen| seen.digest == version_of(&content)).expect("it was seen");
        let VersionState::Refused { reason } = &refused.state else { panic!("{what} is refused: {refused:?}") };
        assert!(detail.contains(reason), "{what}: {detail} / {reason}");
        assert_stamps(&shop, number, &version).await;
    }

    // After all that, the folder is as good as ever.
    site.put_plugin("stamp", &component("stamp-v2"));
    assert_eq!(reload(&operator).await.0, "activated");
    assert_stamps(&shop, 9, &version_of(&component("stamp-v2"))).await;
    weft.stop().await;
    audit(&site).await;
}

#[tokio::test]
async fn promise_6_a_version_that_lacks_a_role_of_a_step_does_not_take_over() {
    let crm = Receiver::start().await;
    let step = Step::of("stamp").with(r#"roles = ["transform"]"#);
    let shop = Tenant::named("shop").sends_to(Destination::at("crm", &crm)).runs(step);
    let site = Site::of([shop]).with_patience_for_plugins();
    let weft = Weft::start(&site).await;
    site.put_plugin("stamp", &component("json-filter"));
    let (outcome, detail) = reload(&weft.operator()).await;
    assert_eq!(outcome, "refused", "{detail}");
    let words = ["tenant shop", "step stamp", "transform"];
    assert!(words.iter().all(|word| detail.contains(word)), "{detail}");
    assert_stamps(&weft.tenant("shop"), 1, &version_of(&component("stamp"))).await;
    weft.stop().await;
}

#[tokio::test]
async fn promise_6_what_was_rolled_back_stays_back_until_a_person_brings_it_back() {
    let crm = Receiver::start().await;
    let site = Site::of([shop(&crm)]).with_patience_for_plugins();
    let weft = Weft::start(&site).await;
    let (first, second) = (component("stamp"), component("stamp-v2"));
    let (old, new) = (version_of(&first), version_of(&second));
    site.put_plugin("stamp", &second);
    assert_eq!(reload(&weft.operator()).await.0, "activated");
    assert_stamps(&weft.tenant("shop"), 1, &new).await;

    let change = weft.operator().client().roll_back_plugin("stamp").await.expect("there is a version before");
    assert_eq!((change.active, change.previous), (old.clone(), Some(new.clone())));
    assert_stamps(&weft.tenant("shop"), 2, &old).await;

    assert_eq!(reload(&weft.operator()).await.0, "rolled-back", "the same file");
    site.put_plugin("stamp", &second);
    assert_eq!(reload(&weft.operator()).await.0, "rolled-back", "the same content, written again");
    assert_stamps(&weft.tenant("shop"), 3, &old).await;

    let weft = weft.restart().await;
    let plugin = stamp(&weft.operator()).await;
    assert_eq!(plugin.active.as_deref(), Some(&*old), "after a restart");
    assert_eq!(plugin.file.expect("it is there").outcome, "rolled-back");
    assert_stamps(&weft.tenant("shop"), 4, &old).await;

    let wish = ActivateRequest { digest: new[..12].to_owned(), mode: None };
    let change = weft.operator().client().activate_plugin("stamp", &wish).await.expect("it is good");
    assert_eq!(change.active, new);
    assert_stamps(&weft.tenant("shop"), 5, &new).await;
    weft.stop().await;
    audit(&site).await;
}

#[tokio::test]
async fn promise_6_a_file_that_vanishes_unloads_nothing() {
    let crm = Receiver::start().await;
    let site = Site::of([shop(&crm)]).with_patience_for_plugins();
    let weft = Weft::start(&site).await;
    let version = version_of(&component("stamp"));
    site.take_plugin_away("stamp");
    let folder = weft.operator().client().reload_plugins().await.expect("it can be read");
    // That a file is gone is told once, by whichever look finds it.
    assert!(folder.files.iter().all(|file| file.outcome == "gone"), "{folder:?}");
    let plugin = stamp(&weft.operator()).await;
    assert_eq!((plugin.active.as_deref(), plugin.problem), (Some(&*version), None));
    assert_stamps(&weft.tenant("shop"), 1, &version).await;
    weft.stop().await;
}

#[tokio::test]
async fn promise_6_an_engine_without_its_plugin_folder_runs_the_active_version() {
    let crm = Receiver::start().await;
    let site = Site::of([shop(&crm)]).with_patience_for_plugins();
    let weft = Weft::start(&site).await;
    site.put_plugin("stamp", &component("stamp-v2"));
    assert_eq!(reload(&weft.operator()).await.0, "activated");
    weft.stop().await;

    let elsewhere = "[plugins]\nfolder = \"nowhere\"\n\n[network]";
    let weft = Rewritten::of(&site).with("[network]", elsewhere).start().await;
    let folder = weft.operator().client().plugins().await.expect("a list").folder.expect("for the operator");
    assert!(folder.path.ends_with("/nowhere") && folder.problem.is_some(), "{folder:?}");
    assert_stamps(&weft.tenant("shop"), 1, &version_of(&component("stamp-v2"))).await;
    weft.stop().await;
    audit(&site).await;
}

#[tokio::test]
async fn promise_8_a_tenant_pushes_plugins_of_its_own_and_sees_and_changes_nobody_elses() {
    let crm = Receiver::start().await;
    let other = Tenant::named("other").sends_to(Destination::at("crm", &crm));
    let mut site = Site::of([shop(&crm), other]).with_patience_for_plugins();
    let weft = Weft::start(&site).await;
    let (shop, other, operator) = (weft.tenant("shop"), weft.tenant("other"), weft.operator());
    let (first, second) = (component("stamp"), component("stamp-v2"));

    let pushed = shop.client().push_plugin("mark", first.clone(), true).await.expect("it is good");
    assert_eq!(pushed.change.expect("it was to be active").active, version_of(&first));
    let kept = shop.client().push_plugin("mark", second.clone(), false).await.expect("it is good");
    assert_eq!((kept.change, kept.digest), (None, version_of(&second)), "it is kept, and nothing changes");
    let refused = shop.client().push_plugin("mark", "no component".into(), true).await.expect_err("it is none");
    assert!(refused.to_string().contains("not a WebAssembly component"), "{refused}");

    let names =
        |plugins: Vec<Plugin>| plugins.into_iter().map(|plugin| (plugin.tenant, plugin.name)).collect::<Vec<_>>();
    let of_operator = (None, "stamp".to_owned());
    let own = (Some("shop".to_owned()), "mark".to_owned());
    let seen = shop.client().plugins().await.expect("a list").plugins;
    let mark = seen.iter().find(|it| it.name == "mark").expect("its own");
    assert_eq!(mark.versions.len(), 3);
    let description = mark.description.as_ref().expect("it describes itself");
    assert_eq!((&description["name"], &description["config"]["type"]), (&"stamp".into(), &"object".into()));
    assert_eq!(names(seen), [of_operator.clone(), own.clone()]);
    assert_eq!(names(other.client().plugins().await.expect("a list").plugins), std::slice::from_ref(&of_operator));
    assert_eq!(names(operator.client().plugins().await.expect("a list").plugins), [of_operator, own]);
    let wish = ActivateRequest { digest: version_of(&second), mode: None };
    let not_its = other.client().activate_plugin("mark", &wish).await.expect_err("it is not its own");
    assert!(not_its.to_string().contains("no plugin"), "{not_its}");
    for of_operator in ["operator/stamp", "operator/mark"] {
        let not_allowed =
            shop.client().push_plugin(of_operator, first.clone(), true).await.expect_err("the operator's");
        assert!(not_allowed.to_string().contains("only the operator's key"), "{not_allowed}");
    }
    weft.stop().await;

    // What is bound is the tenant's, after a restart, too; the operator may act for it.
    site.change("shop", |shop| shop.without_steps().runs(Step::own("mark")));
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    let id = shop.send(order(1)).await;
    assert_eq!(shop.delivered(&id).await.passes[0].steps[0].version, version_of(&first));
    shop.client().activate_plugin("mark", &wish).await.expect("its own");
    let id = shop.send(order(2)).await;
    assert_eq!(shop.delivered(&id).await.passes[0].steps[0].version, version_of(&second));
    let back = shop.client().roll_back_plugin("mark").await.expect("there is one before");
    assert_eq!(back.active, version_of(&first));
    weft.stop().await;
    audit(&site).await;
}

#[tokio::test]
async fn promise_7_a_tenant_keeps_as_many_versions_as_it_may_whatever_it_calls_them_and_is_told_so() {
    let crm = Receiver::start().await;
    let site = Site::of([shop(&crm)]).with_patience_for_plugins().limit("plugin_versions_max", 2);
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    for content in [component("stamp"), component("stamp-v2"), component("stamp")] {
        shop.client().push_plugin("mark", content, false).await.expect("there is room, or it is known");
    }
    for name in ["mark", "another"] {
        let full = shop.client().push_plugin(name, component("hostile"), false).await.expect_err("there are two");
        assert!(full.to_string().contains("plugin_versions_max"), "{full}");
    }
    let operator = weft.operator();
    operator.client().push_plugin("mark", component("hostile"), false).await.expect("the operator has none but stamp");
    weft.stop().await;
}

#[tokio::test]
async fn promise_6_a_dry_run_says_what_another_version_would_have_made_of_stored_events_and_changes_nothing() {
    let crm = Receiver::start().await;
    let filter = Step::of("hostile").with(r#"roles = ["transform"]"#).with(r#"config = { do = "keep" }"#);
    let site = Site::of([shop(&crm), Tenant::named("other").sends_to(Destination::at("crm", &crm)).runs(filter)]);
    let site = site.with_patience_for_plugins();
    let weft = Weft::start(&site).await;
    let (shop, operator) = (weft.tenant("shop"), weft.operator_for("shop"));
    const EVENTS: usize = 150;
    for number in 1..=EVENTS {
        shop.send(order(number)).await;
    }
    weft.operator().drained().await;
    weft.tenant("other").send(order(1)).await;
    let push = |content| operator.client().push_plugin("operator/stamp", content, false);
    let (second, stranger) =
        (push(component("stamp-v2")).await.expect("it is good"), push(component("hostile")).await.expect("it is good"));

    let asked = |digest: &str, last| DryRunRequest { digest: digest[..12].to_owned(), last, since: None };
    let mut told = Vec::new();
    let wanted = asked(&second.digest, 1000);
    let result = operator.client().dry_run_plugin("operator/stamp", &wanted, |done, of| told.push((done, of))).await;
    let result = result.expect("it can be tried");
    assert_eq!((result.events, result.same, result.changed), (150, 0, 150), "the attribute is another: {result:?}");
    assert_eq!((result.now.deliveries, result.then.deliveries), (150, 150));
    assert_eq!(result.then.ends, [("outputs".to_owned(), 150)].into());
    assert_eq!(result.examples.len(), 10);
    assert_ne!(result.examples[0].now, result.examples[0].then);
    assert_eq!(told, [(64, 1000), (128, 1000), (150, 1000)], "progress is told page by page");

    let active = version_of(&component("stamp"));
    let same = operator.client().dry_run_plugin("operator/stamp", &asked(&active, 100), |_, _| {}).await;
    let same = same.expect("it can be tried");
    assert_eq!((same.events, same.same, same.examples.len()), (100, 100, 0), "{same:?}");
    let other = operator.client().dry_run_plugin("operator/stamp", &asked(&stranger.digest, 5), |_, _| {}).await;
    assert_eq!(other.expect("it can be tried").changed, 5, "what sets no attribute is another plugin");

    let operator_alone = weft.operator();
    let no_tenant = operator_alone.client().dry_run_plugin("operator/stamp", &wanted, |_, _| {}).await;
    assert!(no_tenant.expect_err("whose events?").to_string().contains("weft-tenant"));
    let too_many = operator.client().dry_run_plugin("operator/stamp", &asked(&active, 100_001), |_, _| {}).await;
    assert!(too_many.expect_err("too many").to_string().contains("100000"));
    let deliveries = shop.client().plugins().await.expect("a list").plugins;
    assert_eq!(deliveries[1].active.as_deref(), Some(&*active), "nothing became active");
    assert_eq!(crm.got(EVENTS + 1).await.len(), EVENTS + 1, "nothing more was sent");
    weft.stop().await;
    assert_eq!(audit(&site).await.events.routed, (EVENTS + 1) as u64);
}
