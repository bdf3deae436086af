//! Plugins in every language, made by `weft plugin new` and built by `weft plugin build`: they pass their fixtures, and run in an engine.
//!
//! `cargo xtask test languages` makes and builds them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::{Value, json};
use weft_client::wire::{Event, EventState};
use weft_tests::{Destination, Program, Receiver, Site, Step, Tenant, Weft, audit};

/// Where they are.
const FOLDER: &str = "WEFT_LANGUAGES";

async fn passes_its_fixtures_and_runs_in_an_engine(language: &str) {
    let name = format!("order-{language}");
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap_or_else(|| panic!("{FOLDER} is not set"))).join(&name);
    let component = fs::read(folder.join(format!("target/{name}.wasm"))).expect("it is built");
    let crm = Receiver::start().await;
    let step = Step::of(&name).with("config = { min_total = 100 }");
    let site = Site::of([Tenant::named("shop").sends_to(Destination::at("crm", &crm)).runs(step)]);
    let site = site.with_patience_for_plugins();
    site.put_plugin(&name, &component);

    let words = ["plugin", "test", folder.to_str().expect("a path of ours"), "--no-build"];
    let tested = Program::run(&words, &site.write(), &[]).ended().await;
    assert_eq!((tested.code, tested.stdout.contains("2 passed, 0 failed")), (Some(0), true), "{tested:?}");

    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    let has_ended = |event: &Event| !matches!(event.state, EventState::Received { .. });
    let large = shop.send(r#"{"type":"order.created","id":"o-1","total":120}"#).await;
    shop.delivered(&large).await;
    let body: Value = serde_json::from_slice(&crm.got(1).await[0].body).expect("JSON");
    assert_eq!(body, json!({"type": "order.created", "id": "o-1", "total": 120, "large": true}));
    let small = shop.send(r#"{"type":"order.created","id":"o-2","total":20}"#).await;
    let small = shop.until(&small, "its end", has_ended).await;
    assert!(
        matches!(&small.state, EventState::Dropped { reason, .. } if reason == "a total of 20 is below 100"),
        "{small:?}"
    );
    // What is no order is a dead letter at once, and the reason is for a person.
    let strange = shop.send(r#"{"type":"order.created","id":"o-3"}"#).await;
    let strange = shop.until(&strange, "its end", has_ended).await;
    assert!(
        matches!(&strange.state, EventState::Dead { reason, .. } if reason.contains("the order has no total")),
        "{strange:?}"
    );
    weft.stop().await;
    audit(&site).await;
}

#[tokio::test]
#[ignore = "takes a plugin that is built by the stage `languages`"]
async fn a_new_plugin_in_rust_passes_its_fixtures_and_runs_in_an_engine() {
    passes_its_fixtures_and_runs_in_an_engine("rust").await;
}

#[tokio::test]
#[ignore = "takes a plugin that is built by the stage `languages`"]
async fn a_new_plugin_in_javascript_passes_its_fixtures_and_runs_in_an_engine() {
    passes_its_fixtures_and_runs_in_an_engine("js").await;
}

#[tokio::test]
#[ignore = "takes a plugin that is built by the stage `languages`"]
async fn a_new_plugin_in_typescript_passes_its_fixtures_and_runs_in_an_engine() {
    passes_its_fixtures_and_runs_in_an_engine("ts").await;
}

#[tokio::test]
#[ignore = "takes a plugin that is built by the stage `languages`"]
async fn a_new_plugin_in_python_passes_its_fixtures_and_runs_in_an_engine() {
    passes_its_fixtures_and_runs_in_an_engine("python").await;
}

/// What a step grants, used by a plugin in `language`: the same calls and answers in each.
async fn uses_what_its_step_grants(language: &str) {
    let name = format!("borrower-{language}");
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap_or_else(|| panic!("{FOLDER} is not set"))).join(&name);
    let component = fs::read(folder.join(format!("target/{name}.wasm"))).expect("it is built");
    let crm = Receiver::start().await;
    let step = Step::of(&name)
        .with(r#"grants = ["kv", "clock", "random", "metrics"]"#)
        .with(r#"secrets = { pepper = { file = "pepper.key" } }"#);
    let site = Site::of([Tenant::named("shop").sends_to(Destination::at("crm", &crm)).runs(step)]);
    let site = site.with_patience_for_plugins().limit("kv_entries_max", 1);
    let secret = site.path().join("pepper.key");
    fs::write(&secret, "canary-key\n").expect("the secret's file");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("the secret's file");
    site.put_plugin(&name, &component);

    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    let mut answers = Vec::new();
    for number in 1..=2 {
        let id = shop.send(json!({"type": "order.created", "id": "o-1", "number": number}).to_string()).await;
        let event = shop.delivered(&id).await;
        let set = &event.passes[0].steps[0].attributes;
        let value = |name: &str| set.iter().find(|it| it.name == name).map(|it| it.value.clone()).unwrap_or_default();
        assert_eq!((value("now"), value("unix_ms")), (weft.now().to_string(), weft.now().as_ms().to_string()));
        // What OpenSSL says: printf salt | openssl dgst -sha256 -hmac canary-key
        assert_eq!(value("mac"), "a4cc75ffed2181745ea51b58e091ca5c09c19950e5e121cc77dfd80a813c8b8c");
        assert_eq!(value("random"), "4");
        answers.push(value("seen"));
    }
    assert_eq!(answers, ["", "größe 1"]);
    for (id, words) in [("full", "kv_entries_max"), ("reveal", "reveal = true"), ("unknown", "no secret other")] {
        let id = shop.send(json!({"type": "order.created", "id": id, "number": 1}).to_string()).await;
        let event = shop.until(&id, "its first pass", |event| !event.passes.is_empty()).await;
        let answer = format!("{:?}", event.passes[0].steps[0].answers);
        assert!(answer.contains(words), "{words:?} is missing: {answer}");
    }
    let metrics = weft.operator().client().metrics().await.expect("metrics");
    assert!(metrics.contains(&format!("plugin=\"operator/{name}\",name=\"orders\"}} ")), "{metrics}");
    weft.stop().await;
}

#[tokio::test]
#[ignore = "takes a plugin that is built by the stage `languages`"]
async fn promise_8_a_plugin_in_javascript_uses_what_its_step_grants() {
    uses_what_its_step_grants("js").await;
}

#[tokio::test]
#[ignore = "takes a plugin that is built by the stage `languages`"]
async fn promise_8_a_plugin_in_python_uses_what_its_step_grants() {
    uses_what_its_step_grants("python").await;
}
