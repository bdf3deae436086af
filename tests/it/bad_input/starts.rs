//! Starts that must not happen.

use weft_tests::{Destination, Engine, Program, Receiver, Rewritten, Site, Tenant, audit, order};

#[tokio::test]
async fn a_second_engine_on_the_same_data_is_refused_and_the_first_goes_on() {
    let crm = Receiver::start().await;
    let site = Site::of([Tenant::named("shop").sends_to(Destination::at("crm", &crm))]);
    let engine = Engine::start(&site).await;
    let said = Program::run(&["serve"], &site.write(), &[]).ended().await;
    assert_eq!((said.code, &*said.stdout), (Some(1), ""), "{said:?}");
    for words in ["locked by another engine", "(process ", "stop that one first"] {
        assert!(said.stderr.contains(words), "{words:?} is missing: {}", said.stderr);
    }
    let shop = engine.tenant("shop");
    let id = shop.send(order(1)).await;
    shop.delivered(&id).await;
    engine.stop().await;
    audit(&site).await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_with_the_way_out() {
    let crm = Receiver::start().await;
    let site = Site::of([Tenant::named("shop").sends_to(Destination::at("crm", &crm))]);
    let taken = crm.url().replace("http://", "").replace("/hook", "");
    let rewritten = Rewritten::of(&site).with("listen = \"127.0.0.1:0\"", &format!("listen = \"{taken}\""));
    let said = Program::run(&["serve"], rewritten.path(), &[]).ended().await;
    assert_eq!((said.code, &*said.stdout), (Some(1), ""), "{said:?}");
    for words in [&*format!("could not listen on {taken}"), "change `listen`", "because: "] {
        assert!(said.stderr.contains(words), "{words:?} is missing: {}", said.stderr);
    }
    // What was begun leaves nothing behind that keeps the next start from its work.
    let engine = Engine::start(&site).await;
    let shop = engine.tenant("shop");
    let id = shop.send(order(1)).await;
    shop.delivered(&id).await;
    engine.stop().await;
    audit(&site).await;
}
