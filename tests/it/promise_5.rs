//! Promise 5, a plugin cannot do harm: whatever it does ends within its limits, is told in the trace, is dealt with by the
//! step's policy, and costs no destination an attempt and no other tenant a delivery.

use std::time::Duration;

use weft_client::wire::{Event, EventState};
use weft_core::contract::FaultClass;
use weft_core::trace::{Answer, StepTrace};
use weft_tests::{Destination, Receiver, Site, Step, Tenant, Weft, audit, component, order, version_of};

/// The wait before the second and last pass.
const RETRY: Duration = Duration::from_secs(1);

/// A site with the tenant "villain", whose one step runs `role` of the hostile plugin, and the good tenant "shop".
fn site(behaviour: &str, role: &str, then: &str, receiver: &Receiver) -> Site {
    let step = Step::of("hostile")
        .with(&format!("roles = [\"{role}\"]"))
        .with(&format!("config = {{ do = \"{behaviour}\" }}"))
        .with("retries = [\"1s\"]")
        .with(&format!("then = \"{then}\""));
    let villain = Tenant::named("villain").sends_to(Destination::at("crm", receiver)).runs(step);
    let filter = Step::of("json-filter").with(r#"config = { keep_when = { pointer = "/data/id", exists = true } }"#);
    let shop = Tenant::named("shop").sends_to(Destination::at("crm", receiver)).runs(filter);
    Site::of([villain, shop]).with_patience_for_plugins()
}

/// The class and the message of the fault in which a step ended.
fn fault_of(step: &StepTrace) -> (FaultClass, &str) {
    let last = step.answers.last().unwrap_or_else(|| panic!("no answer: {step:?}"));
    let Answer::Fault { class, message } = &last.answer else { panic!("no fault: {last:?}") };
    (*class, message)
}

/// Has the villain's plugin behave like this twice, which its policy allows, and holds everything around it to the promise.
async fn assert_contained(behaviour: &str, role: &str, class: FaultClass, words: &[&str]) {
    let receiver = Receiver::start().await;
    let site = site(behaviour, role, "dead-letter", &receiver);
    let weft = Weft::start(&site).await;
    let (villain, shop) = (weft.tenant("villain"), weft.tenant("shop"));

    let id = villain.send(order(1)).await;
    for number in 1..=3 {
        let good = shop.send(order(number)).await;
        shop.delivered(&good).await;
    }
    let first = villain.until(&id, "the first pass", |event| event.passes.len() == 1).await;
    assert_eq!((&*first.passes[0].result, first.state.word()), ("retry", "received"), "{first:?}");
    weft.advance(RETRY);
    let event = villain.until(&id, "its end", |event| event.state.word() == "dead").await;

    assert_eq!(event.passes.len(), 2, "one retry, as the step says");
    for pass in &event.passes {
        let [step] = &pass.steps[..] else { panic!("one step: {pass:?}") };
        let (its_class, message) = fault_of(step);
        assert_eq!(its_class, class, "{message}");
        for word in words {
            assert!(message.contains(word), "{word:?} is missing: {message}");
        }
        let (plugin, version) = (&*step.plugin, &*step.version);
        assert_eq!((plugin, version), ("operator/hostile", &*version_of(&component("hostile"))));
    }
    assert_dead_and_not_charged(&event, words);
    let letters = villain.dead_letters().await;
    assert_eq!(letters.iter().map(|letter| &*letter.id).collect::<Vec<_>>(), [&*id]);
    let faults = weft.operator().client().metrics().await.expect("the operator's metrics");
    let counted = format!("weft_plugin_faults_total{{plugin=\"operator/hostile\",class=\"{}\"}} 2", class.as_str());
    assert!(faults.contains(&counted), "{counted} is missing:\n{faults}");

    weft.stop().await;
    let counted = audit(&site).await;
    assert_eq!((counted.events.dead, counted.attempts, counted.deliveries.delivered), (1, 3, 3));
    assert_eq!(receiver.so_far().len(), 3, "nothing but the shop's deliveries came");
}

/// A fault is the plugin's: no delivery, no attempt, and the dead letter names the step and quotes the fault.
fn assert_dead_and_not_charged(event: &Event, words: &[&str]) {
    assert_eq!(event.deliveries, []);
    let EventState::Dead { step, reason, .. } = &event.state else { panic!("dead: {event:?}") };
    assert_eq!(step.as_deref(), Some("hostile"));
    assert!(words.iter().all(|word| reason.contains(word)), "{reason}");
}

#[tokio::test]
async fn promise_5_a_plugin_that_loops_is_stopped() {
    assert_contained("loop", "filter", FaultClass::Timeout, &["1000 ms", "call_ms_max"]).await;
}

#[tokio::test]
async fn promise_5_a_plugin_that_loops_over_calls_of_the_host_is_stopped() {
    assert_contained("log-loop", "transform", FaultClass::Timeout, &["1000 ms", "call_ms_max"]).await;
}

#[tokio::test]
async fn promise_5_a_plugin_that_eats_memory_is_stopped() {
    let words = ["guest_memory_bytes_max is 67108864"];
    assert_contained("eat-memory", "filter", FaultClass::Memory, &words).await;
}

#[tokio::test]
async fn promise_5_a_plugin_that_panics_is_quoted() {
    let words = ["nobody expected this: 7", "src/attacks.rs:"];
    assert_contained("panic", "filter", FaultClass::Trap, &words).await;
}

#[tokio::test]
async fn promise_5_a_plugin_that_ends_itself_ends_nothing_else() {
    assert_contained("exit", "route", FaultClass::Trap, &["exit"]).await;
}

#[tokio::test]
async fn promise_5_a_plugin_that_recurses_without_end_is_stopped() {
    assert_contained("deep-recursion", "filter", FaultClass::Trap, &["wasm trap"]).await;
}

#[tokio::test]
async fn promise_5_a_plugin_that_returns_100_megabytes_is_stopped() {
    assert_contained("return-100mb", "transform", FaultClass::Memory, &["guest_memory_bytes_max"]).await;
}

#[tokio::test]
async fn promise_5_a_plugin_that_returns_more_than_a_pass_may_is_stopped() {
    assert_contained("return-5mib", "transform", FaultClass::Output, &["pass_output_bytes_max"]).await;
}

#[tokio::test]
async fn promise_5_a_plugin_that_makes_a_flood_of_events_is_stopped() {
    let words = ["65 outputs", "outputs_max is 64"];
    assert_contained("too-many-outputs", "transform", FaultClass::Output, &words).await;
}

#[tokio::test]
async fn promise_5_a_list_without_outputs_or_targets_is_a_fault() {
    assert_contained("empty-list", "transform", FaultClass::Contract, &["empty list"]).await;
    assert_contained("empty-list", "route", FaultClass::Contract, &["empty list"]).await;
}

#[tokio::test]
async fn promise_5_a_header_of_the_host_is_not_for_plugins() {
    assert_contained("reserved-header", "transform", FaultClass::Contract, &["webhook-id"]).await;
    assert_contained("reserved-header", "route", FaultClass::Contract, &["authorization"]).await;
}

#[tokio::test]
async fn promise_5_a_destination_that_the_tenant_does_not_have_is_a_fault_of_the_route() {
    let words = ["no-such-destination", "known: crm"];
    assert_contained("unknown-destination", "route", FaultClass::Contract, &words).await;
}

#[tokio::test]
async fn promise_5_a_path_outside_of_the_destination_is_a_fault_of_the_route() {
    assert_contained("outside-path", "route", FaultClass::Contract, &[".."]).await;
}

#[tokio::test]
async fn promise_5_a_step_may_have_its_faults_dropped() {
    let receiver = Receiver::start().await;
    let site = site("panic", "filter", "drop", &receiver);
    let weft = Weft::start(&site).await;
    let villain = weft.tenant("villain");
    let id = villain.send(order(1)).await;
    villain.until(&id, "the first pass", |event| event.passes.len() == 1).await;
    weft.advance(RETRY);
    let event = villain.until(&id, "its end", |event| event.state.word() != "received").await;
    let EventState::Dropped { step, reason, .. } = &event.state else { panic!("dropped: {event:?}") };
    assert_eq!(step.as_deref(), Some("hostile"));
    assert!(reason.contains("nobody expected this: 7"), "{reason}");
    assert_eq!((event.passes.len(), event.deliveries.len()), (2, 0));
    assert_eq!(villain.dead_letters().await, []);
    weft.stop().await;
    let counted = audit(&site).await;
    assert_eq!((counted.events.dropped, counted.attempts), (1, 0));
}

#[tokio::test]
async fn promise_5_a_flood_of_log_lines_is_cut_and_the_event_goes_on() {
    let receiver = Receiver::start().await;
    for behaviour in ["log-flood", "print-flood"] {
        let site = site(behaviour, "filter", "dead-letter", &receiver);
        // Tens of megabytes are formatted before they are thrown away.
        let site = site.limit("call_ms_max", 4_000).limit("outputs_max", 16);
        let weft = Weft::start(&site).await;
        let villain = weft.tenant("villain");
        let id = villain.send(order(1)).await;
        let event = villain.delivered(&id).await;
        let logs = &event.passes[0].steps[0].logs;
        assert_eq!(logs.len(), 65, "64 lines, and one that says what was left out");
        assert!(logs.iter().all(|line| line.message.len() <= 4_096), "no line is longer than its limit");
        assert!(logs[64].message.contains("more lines"), "{:?}", logs[64]);
        weft.stop().await;
        audit(&site).await;
    }
}

#[tokio::test]
async fn promise_5_a_plugin_sees_no_environment_and_no_header_that_its_step_does_not_name() {
    let receiver = Receiver::start().await;
    let shop = |behaviour: &str| {
        let step = Step::of("hostile").with(r#"roles = ["transform"]"#).with(r#"headers = ["x-wanted"]"#);
        let step = step.with(&format!("config = {{ do = \"{behaviour}\" }}"));
        Tenant::named(behaviour).sends_to(Destination::at("crm", &receiver)).runs(step)
    };
    let site = Site::of([shop("probe"), shop("echo")]).with_patience_for_plugins();
    let weft = Weft::start(&site).await;
    assert!(std::env::vars().next().is_some(), "the engine's process has an environment to hide");
    let send = async |tenant: &str| {
        let request = weft_tests::Request::event(&site.key(tenant), order(1))
            .header("x-wanted", "for the plugin")
            .header("x-unwanted", "not for the plugin");
        let answered = request.send(weft.address()).await;
        assert_eq!(answered.status, 202, "{answered:?}");
        let accepted: weft_client::wire::Accepted = serde_json::from_str(&answered.body).expect("an answer");
        weft.tenant(tenant).delivered(&accepted.id).await
    };

    let probed = send("probe").await;
    let attributes = &probed.passes[0].steps[0].attributes;
    let attribute = |name: &str| {
        let found = attributes.iter().find(|attribute| attribute.name == name);
        &*found.unwrap_or_else(|| panic!("no {name}: {attributes:?}")).value
    };
    assert_eq!((attribute("environment"), attribute("arguments"), attribute("stdin")), ("0", "0", "0"));

    // It sets what it sees as headers of the outgoing request.
    send("echo").await;
    let got = receiver.got(2).await;
    assert_eq!(got[1].header("x-wanted"), "for the plugin");
    let leaked = |name: &str| got[1].headers.contains_key(name);
    assert!(!leaked("x-unwanted") && !leaked("authorization"), "{:?}", got[1].headers);
    weft.stop().await;
}
