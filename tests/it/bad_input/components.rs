//! Components that are none, or not ours; and good ones that are told nonsense.

use std::time::Duration;

use weft_client::wire::EventState;
use weft_tests::{
    Destination, Program, Receiver, Rewritten, Site, Step, Tenant, Weft, audit, component, order, version_of,
};

fn shop(receiver: &Receiver) -> Tenant {
    Tenant::named("shop").sends_to(Destination::at("crm", receiver))
}

#[tokio::test]
async fn a_bad_file_that_nobody_binds_stops_nothing_and_is_listed_with_its_reason() {
    let crm = Receiver::start().await;
    let site = Site::of([shop(&crm).runs(Step::of("stamp"))]).with_patience_for_plugins();
    site.write();
    site.put_plugin("garbage", b"no component at all");
    site.put_plugin("foreign", &component("other-contract"));
    let weft = Weft::start(&site).await;
    let plugins = weft.operator().client().plugins().await.expect("a list");
    let files = plugins.folder.expect("for the operator").files;
    for (file, word) in [("garbage.wasm", "component"), ("foreign.wasm", "weft:plugin")] {
        let found = files.iter().find(|found| found.file == file).expect("it was seen");
        assert_eq!(found.outcome, "refused", "{found:?}");
        assert!(found.detail.contains(word), "{found:?}");
    }
    let shop = weft.tenant("shop");
    let id = shop.send(order(1)).await;
    shop.delivered(&id).await;
    weft.stop().await;
    audit(&site).await;
}

#[tokio::test]
async fn a_step_whose_plugin_cannot_run_keeps_the_engine_from_starting_in_clear_words() {
    let crm = Receiver::start().await;
    let mark = Step::of("stamp").with(r#"name = "mark""#);
    let site = Site::of([shop(&crm).runs(mark)]).with_patience_for_plugins();
    let config = site.write();
    for content in [&b"no component at all"[..], &component("other-contract")[..]] {
        site.put_plugin("stamp", content);
        let said = Program::run(&["serve"], &config, &[]).ended().await;
        assert_eq!(said.code, Some(1), "{said:?}");
        for words in ["tenant shop", "step mark", "operator/stamp", "stamp.wasm", "refused"] {
            assert!(said.stderr.contains(words), "{words:?} is missing:\n{}", said.stderr);
        }
    }
    // The way out: a good file.
    site.put_plugin("stamp", &component("stamp"));
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    let id = shop.send(order(1)).await;
    shop.delivered(&id).await;
    weft.stop().await;
    audit(&site).await;
}

#[tokio::test]
async fn a_router_that_names_an_unknown_destination_fails_its_own_events_only() {
    let crm = Receiver::start().await;
    let routes = r#"config = { pointer = "/data/region", routes = { eu = "crm", us = "crn" } }"#;
    let router = Step::of("field-router").with(routes).with(r#"retries = ["1s"]"#);
    let site = Site::of([shop(&crm).runs(router)]).with_patience_for_plugins();
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    let lost = shop.send(order(1)).await;
    let good = shop.send(order(2)).await;
    shop.delivered(&good).await;
    shop.until(&lost, "the first pass", |event| event.passes.len() == 1).await;
    weft.advance(Duration::from_secs(1));
    let event = shop.until(&lost, "its end", |event| event.state.word() == "dead").await;
    let EventState::Dead { step, reason, .. } = &event.state else { panic!("dead: {event:?}") };
    assert_eq!(step.as_deref(), Some("field-router"));
    for words in ["\"crn\"", "no such destination", "known: crm"] {
        assert!(reason.contains(words), "{words:?} is missing: {reason}");
    }
    assert_eq!(event.deliveries, []);
    weft.stop().await;

    // The way out: the name is put right, and the dead letter replayed.
    let weft = Rewritten::of(&site).with("\"crn\"", "\"crm\"").start().await;
    let shop = weft.tenant("shop");
    shop.replay(&lost).await;
    shop.delivered(&lost).await;
    weft.stop().await;
    audit(&site).await;
}

#[tokio::test]
async fn a_configuration_that_breaks_its_plugins_schema_keeps_the_engine_from_starting_with_place_and_rule() {
    let crm = Receiver::start().await;
    let split = Step::of("split-array").with(r#"config = { pointr = "/lines", max_parts = 0 }"#);
    let site = Site::of([shop(&crm).runs(split)]).with_patience_for_plugins();
    let served = Program::run(&["serve"], &site.write(), &[]).ended().await;
    assert_eq!((served.code, &*served.stdout), (Some(1), ""), "{served:?}");
    // The last word, not only what was logged on the way.
    let told = served.stderr.lines().filter(|line| !line.contains(" WARN ")).collect::<Vec<_>>().join("\n");
    for words in ["step split-array: configuration:", "'pointr'", "/max_parts: 0 is less than", "\"pointer\""] {
        assert!(told.contains(words), "{words:?} is missing: {told}");
    }
}

#[tokio::test]
async fn promise_6_a_version_whose_schema_refuses_a_bound_configuration_does_not_take_over() {
    let crm = Receiver::start().await;
    let step = Step::of("hostile").with(r#"roles = ["filter"]"#).with(r#"config = { do = "keep" }"#);
    let site = Site::of([shop(&crm).runs(step)]).with_patience_for_plugins();
    let weft = Weft::start(&site).await;
    let (shop, operator) = (weft.tenant("shop"), weft.operator());
    let stricter = r#"{"name": "hostile", "version": "2", "config": {"required": ["mood"]}}"#;
    let stricter = weft_plugin_host::describe(component("hostile").to_vec(), stricter).expect("described");
    site.put_plugin("hostile", &stricter);
    let folder = operator.client().reload_plugins().await.expect("it can be read");
    let file = folder.files.iter().find(|file| file.file == "hostile.wasm").expect("it was seen");
    assert_eq!(file.outcome, "refused", "{file:?}");
    for words in ["tenant shop: step hostile: configuration:", "mood"] {
        assert!(file.detail.contains(words), "{words:?} is missing: {}", file.detail);
    }
    let id = shop.send(order(1)).await;
    let event = shop.delivered(&id).await;
    assert_eq!(event.passes[0].steps[0].version, version_of(&component("hostile")), "the one before serves on");
    weft.stop().await;
    audit(&site).await;
}
