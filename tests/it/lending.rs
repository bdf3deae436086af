//! What a step lends its plugin: what it keeps counts every event once, whatever happens; the rest is what the step grants and no more.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use tokio::task::JoinSet;
use weft_client::wire::Event;
use weft_core::trace::{Answer, KvCall, StepTrace};
use weft_tests::{Destination, Program, Receiver, Site, Step, Tenant, Weft, audit, order};

/// All that there is to grant.
const GRANTS: &str = r#"grants = ["kv", "clock", "random", "metrics"]"#;

/// A step that makes these calls for each event.
fn borrower(calls: &str) -> Step {
    Step::of("borrower").with(GRANTS).with(&format!("config = {{ do = \"{calls}\" }}"))
}

fn shop(receiver: &Receiver, step: Step) -> Tenant {
    Tenant::named("shop").sends_to(Destination::at("crm", receiver)).runs(step)
}

fn last_step(event: &Event) -> &StepTrace {
    event.passes.last().and_then(|pass| pass.steps.last()).unwrap_or_else(|| panic!("no step: {event:?}"))
}

/// What the calls answered, in their order.
fn answers(event: &Event) -> Vec<&str> {
    last_step(event).attributes.iter().map(|answer| &*answer.value).collect()
}

/// Many events at once, each of which adds one to what the plugin keeps, with a restart in between.
async fn assert_each_counts_once(site: Site) {
    const EACH: usize = 150;
    let weft = Weft::start(&site).await;
    let mut counted = BTreeSet::new();
    let mut weft = Some(weft);
    for round in 0..2 {
        let running = weft.take().expect("an engine");
        let shop = running.tenant("shop");
        let mut sending: JoinSet<_> = (0..EACH)
            .map(|number| {
                let shop = shop.clone();
                async move { shop.send(order(round * EACH + number)).await }
            })
            .collect();
        while let Some(id) = sending.join_next().await {
            let id = id.expect("it was sent");
            let event = shop.delivered(&id).await;
            assert_eq!(event.passes.len(), 1, "a pass that ran again for what had changed is no pass");
            counted.insert(answers(&event)[0].parse::<usize>().expect("a number"));
        }
        weft = Some(running.restart().await);
    }
    assert_eq!(counted, (1..=2 * EACH).collect(), "nobody saw what another saw, and nothing was forgotten");
    weft.expect("an engine").stop().await;
    audit(&site).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_2_each_event_counts_once_in_what_a_plugin_keeps() {
    let crm = Receiver::start().await;
    assert_each_counts_once(Site::of([shop(&crm, borrower("add count"))]).with_patience_for_plugins()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_2_each_event_counts_once_in_what_a_plugin_keeps_on_postgres() {
    let crm = Receiver::start().await;
    let site = Site::of([shop(&crm, borrower("add count"))]).with_patience_for_plugins();
    assert_each_counts_once(site.on_postgres()).await;
}

#[tokio::test]
async fn promise_8_what_a_plugin_keeps_is_its_tenants_alone_and_is_told_by_key_only() {
    let crm = Receiver::start().await;
    let other = Tenant::named("other").sends_to(Destination::at("crm", &crm)).runs(borrower("get secret"));
    let site = Site::of([shop(&crm, borrower("get secret; set secret canary; get secret")), other]);
    let site = site.with_patience_for_plugins();
    let weft = Weft::start(&site).await;
    let (shop, other) = (weft.tenant("shop"), weft.tenant("other"));
    let id = shop.send(order(1)).await;
    let event = shop.delivered(&id).await;
    assert_eq!(answers(&event), ["nothing", "ok", "canary"], "a pass reads what it has written");
    let key = || "secret".to_owned();
    let calls = [
        KvCall::Get { key: key(), found: false },
        KvCall::Set { key: key(), taken: true },
        KvCall::Get { key: key(), found: true },
    ];
    assert_eq!(last_step(&event).kv, calls);
    let id = other.send(order(2)).await;
    assert_eq!(answers(&other.delivered(&id).await), ["nothing"]);
    let id = shop.send(order(3)).await;
    assert_eq!(answers(&shop.delivered(&id).await)[0], "canary");
    weft.stop().await;
    audit(&site).await;
}

#[tokio::test]
async fn what_expires_is_gone_at_its_time() {
    let crm = Receiver::of_any_time().await;
    let site = Site::of([shop(&crm, borrower("get TYPE; set TYPE seen 60"))]).with_patience_for_plugins();
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    for (wait, found) in [(0, "nothing"), (59, "seen"), (60, "nothing")] {
        weft.advance(Duration::from_secs(wait));
        let id = shop.send(order(1)).await;
        assert_eq!(answers(&shop.delivered(&id).await)[0], found, "after {wait} s");
    }
    weft.stop().await;
    audit(&site).await;
}

#[tokio::test]
async fn what_has_no_room_is_refused_and_the_plugin_goes_on() {
    let crm = Receiver::start().await;
    let calls = "set a 1; set b 2; set c 3; set a 4; delete b; set c 3";
    let site = Site::of([shop(&crm, borrower(calls))]).with_patience_for_plugins().limit("kv_entries_max", 2);
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    let id = shop.send(order(1)).await;
    assert_eq!(answers(&shop.delivered(&id).await), ["ok", "ok", "full", "ok", "ok", "ok"]);
    weft.stop().await;
    audit(&site).await;
}

#[tokio::test]
async fn the_clock_the_dice_and_the_counters_are_the_engines() {
    let crm = Receiver::start().await;
    let site = Site::of([shop(&crm, borrower("now; ms; random 4; count orders 2"))]).with_patience_for_plugins();
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    let id = shop.send(order(1)).await;
    let event = shop.delivered(&id).await;
    let now = weft.now();
    assert_eq!(answers(&event)[..2], [now.to_string(), now.as_ms().to_string()]);
    assert_eq!(answers(&event)[2].len(), 8);
    let metrics = weft.operator().client().metrics().await.expect("metrics");
    let line = r#"weft_plugin_counter_total{tenant="shop",plugin="operator/borrower",name="orders"} 2"#;
    assert!(metrics.contains(line), "{line} is missing:\n{metrics}");
    weft.stop().await;
    audit(&site).await;
}

#[tokio::test]
async fn promise_8_a_secret_is_used_by_those_who_are_granted_it_and_seen_by_nobody() {
    let crm = Receiver::start().await;
    let step = borrower("hmac pepper salt; reveal pepper; reveal token; reveal other")
        .with(r#"secrets = { pepper = { file = "pepper.key" }, token = { file = "pepper.key", reveal = true } }"#);
    let site = Site::of([shop(&crm, step)]).with_patience_for_plugins();
    let file = site.path().join("pepper.key");
    fs::write(&file, "canary-key\n").expect("the secret's file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("the secret's file");
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    let id = shop.send(order(1)).await;
    let event = shop.delivered(&id).await;
    // What OpenSSL says: printf salt | openssl dgst -sha256 -hmac canary-key
    let mac = "a4cc75ffed2181745ea51b58e091ca5c09c19950e5e121cc77dfd80a813c8b8c";
    assert_eq!(answers(&event), [mac, "hidden", "canary-key", "unknown"]);
    weft.stop().await;
    audit(&site).await;
}

#[tokio::test]
async fn a_step_that_does_not_grant_what_its_plugin_wants_keeps_the_engine_from_starting_and_says_what_to_write() {
    let crm = Receiver::start().await;
    let step = Step::of("borrower").with(r#"grants = ["clock"]"#);
    let site = Site::of([shop(&crm, step)]).with_patience_for_plugins();
    let said = Program::run(&["serve"], &site.write(), &[]).ended().await;
    assert_eq!(said.code, Some(1), "{said:?}");
    for words in ["tenant shop", "step borrower", "operator/borrower wants", "kv", "grants = [\"clock\", "] {
        assert!(said.stderr.contains(words), "{words:?} is missing:\n{}", said.stderr);
    }
}

#[tokio::test]
async fn promise_2_a_retried_pass_leaves_nothing_of_what_it_has_written() {
    let crm = Receiver::start().await;
    let step = borrower("get seen; set seen yes; panic").with(r#"retries = ["1s"]"#);
    let mut site = Site::of([shop(&crm, step)]).with_patience_for_plugins();
    let weft = Weft::start(&site).await;
    let shop_caller = weft.tenant("shop");
    let id = shop_caller.send(order(1)).await;
    shop_caller.until(&id, "the first pass", |event| event.passes.len() == 1).await;
    weft.advance(Duration::from_secs(1));
    let event = shop_caller.until(&id, "its end", |event| event.state.word() == "dead").await;
    for pass in &event.passes {
        let step = &pass.steps[0];
        assert!(matches!(step.kv[0], KvCall::Get { found: false, .. }), "{:?}", step.kv);
        assert!(matches!(step.answers.last().map(|it| &it.answer), Some(Answer::Fault { .. })));
    }
    let clock = weft.stop().await;
    site.change("shop", |tenant| tenant.without_steps().runs(borrower("get seen")));
    let weft = Weft::start_on(&site, clock).await;
    let shop_caller = weft.tenant("shop");
    let id = shop_caller.send(order(2)).await;
    assert_eq!(answers(&shop_caller.delivered(&id).await), ["nothing"], "nor has the dead event");
    weft.stop().await;
    audit(&site).await;
}
