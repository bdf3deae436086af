//! `weft listen` and `weft trigger`: a person sees what receivers get, before there is one.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use weft_tests::{Destination, Program, Receiver, Site, Tenant, Weft, audit, order};

#[tokio::test]
async fn promise_3_a_listener_verifies_answers_as_told_and_shows_each_attempt() {
    let known = Receiver::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let secrets = folder.path().join("secrets");
    std::fs::write(&secrets, format!("{}\n", known.secret())).expect("written");
    let words = ["listen", "--port", "0", "--answer", "503,204", "--count", "3", "--json", "--secret-file"];
    let words = [&words[..], &[secrets.to_str().expect("text")]].concat();
    let mut listen = Program::run(&words, Path::new("none.toml"), &[]);
    let destination = Destination::elsewhere("crm", listen.listening().await, &known).with(r#"retry_waits = ["1s"]"#);
    let site = Site::of([Tenant::named("shop").sends_to(destination)]);
    let weft = Weft::start(&site).await;
    let id = weft.tenant("shop").send(order(1)).await;
    weft.tenant("shop").after_attempts(&id, 1).await;
    weft.advance(Duration::from_secs(2));
    weft.tenant("shop").delivered(&id).await;

    // A sample, sent as a person would; the engine's clock stands, so it waits for no retry.
    let url = format!("http://{}", weft.address());
    let variables = [("WEFT_URL", url.as_str()), ("WEFT_KEY", &site.key("shop"))];
    let words = ["trigger", "order.paid", "--data", r#"{"total":7}"#];
    let said = Program::run(&words, Path::new("none.toml"), &variables).ended().await;
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(said.stdout.contains("order.paid") && said.stdout.contains("204"), "{}", said.stdout);

    let said = listen.ended().await;
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let requests: Vec<Value> = said.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let [first, second, sample] = &requests[..] else { panic!("three requests, not {}", said.stdout) };
    assert_eq!((&first["verified"], &first["answer"], &second["answer"]), (&true.into(), &503.into(), &204.into()));
    assert_eq!((&first["id"], &first["body"]), (&second["id"], &second["body"]));
    assert_eq!(first["id"], id);
    assert_eq!((&sample["event_type"], &sample["verified"]), (&"order.paid".into(), &true.into()));
    assert!(sample["body"].as_str().is_some_and(|body| body.contains(r#""data":{"total":7}"#)), "{sample}");
    weft.stop().await;
    audit(&site).await;
}

#[tokio::test]
async fn promise_8_a_listener_says_what_does_not_verify_and_why() {
    let (known, other) = (Receiver::start().await, Receiver::start().await);
    let folder = tempfile::tempdir().expect("a folder");
    let secrets = folder.path().join("secrets");
    std::fs::write(&secrets, known.secret()).expect("written");
    let words = ["listen", "--port", "0", "--count", "1", "--secret-file", secrets.to_str().expect("text")];
    let mut listen = Program::run(&words, Path::new("none.toml"), &[]);
    let destination = Destination::elsewhere("crm", listen.listening().await, &other);
    let site = Site::of([Tenant::named("shop").sends_to(destination)]);
    let weft = Weft::start(&site).await;
    weft.tenant("shop").send(order(1)).await;
    let said = listen.ended().await;
    assert!(said.stdout.contains("NOT VERIFIED (no token of webhook-signature is that of a secret"), "{}", said.stdout);
    assert!(!said.stdout.contains(&known.secret()), "{}", said.stdout);
    weft.stop().await;
}
