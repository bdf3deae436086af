//! Backups made by the program beside the program, and put back by it.

use std::fs;

use weft_tests::{Answer, Destination, Engine, Load, Program, Receiver, Said, Site, Tenant, audit};

fn site(crm: &Receiver) -> Site {
    Site::of([Tenant::named("shop").sends_to(Destination::at("crm", crm))])
}

async fn weft(site: &Site, words: &[&str]) -> Said {
    Program::run(words, &site.write(), &[]).ended().await
}

fn refused(said: &Said, words: &[&str]) {
    assert_eq!((said.code, &*said.stdout), (Some(1), ""), "{said:?}");
    for words in words {
        assert!(said.stderr.contains(words), "{words:?} is missing: {}", said.stderr);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_2_and_3_a_backup_under_load_is_restored_and_the_engine_goes_on_from_it() {
    let crm = Receiver::start().await;
    crm.answer(Answer::Silence);
    let site = site(&crm);
    let engine = Engine::start(&site).await;
    let shop = engine.tenant("shop");
    let load = Load::begin(&shop, 4, 0);
    assert!(load.acknowledged(100).await);
    let file = site.path().join("weft.bak");
    let backup = file.to_str().expect("a name");
    let said = weft(&site, &["backup", backup]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stdout.ends_with("nothing is wrong\n"), "{said:?}");
    assert!(load.acknowledged(300).await, "the engine took events all the time");
    let (acknowledged, _) = load.end().await;
    engine.kill().await;

    refused(&weft(&site, &["restore", backup]).await, &["there is a store already", "--force"]);
    let said = weft(&site, &["restore", backup, "--force"]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stdout.contains("weft.db.aside-1"), "{said:?}");
    let counted = audit(&site).await;
    let kept = counted.events.routed;
    assert!(kept >= 100 && kept < acknowledged.len() as u64, "{kept} of {}", acknowledged.len());
    assert_eq!(counted.deliveries.pending, kept);
    let said = weft(&site, &["check"]).await;
    assert_eq!(said.code, Some(0), "{said:?}");

    crm.answer(Answer::Status(204));
    let before = crm.so_far().len();
    let engine = Engine::start(&site).await;
    engine.operator().drained().await;
    let id = engine.tenant("shop").send(r#"{"type":"order.created","after":"the restore"}"#).await;
    engine.tenant("shop").delivered(&id).await;
    engine.stop().await;
    let counted = audit(&site).await;
    assert_eq!((counted.deliveries.delivered, counted.deliveries.pending), (kept + 1, 0));
    assert_eq!(crm.so_far().len() - before, usize::try_from(kept).expect("few") + 1, "nothing else is sent");
    let known: Vec<_> = acknowledged.values().collect();
    let strangers = crm.so_far()[before..].iter().filter(|it| !known.contains(&&it.webhook_id().to_owned())).count();
    assert!(strangers <= 5, "the one after the restore, and the four whose answer did not come: {strangers}");
}

#[tokio::test]
async fn promise_2_a_backup_that_finds_no_room_says_so_and_leaves_nothing_behind() {
    let crm = Receiver::start().await;
    let site = site(&crm);
    Engine::start(&site).await.stop().await;
    let file = site.path().join("weft.bak");
    let words = ["backup", file.to_str().expect("a name")];
    let said = Program::run_on_a_small_disk(64 * 1024, &words, &site.write()).ended().await;
    refused(&said, &["there is no backup", "is there room for", "because: "]);
    let left = fs::read_dir(site.path()).expect("the site's folder").filter_map(Result::ok);
    let left: Vec<_> = left.map(|it| it.file_name()).filter(|it| it.to_string_lossy().contains(".bak")).collect();
    assert!(left.is_empty(), "{left:?}");

    let said = weft(&site, &words).await;
    assert_eq!(said.code, Some(0), "with room it works: {said:?}");
    let words = ["restore", words[1], "--force"];
    let said = Program::run_on_a_small_disk(64 * 1024, &words, &site.write()).ended().await;
    refused(&said, &["was not restored", "could not copy"]);
    assert_eq!(audit(&site).await.events.routed, 0, "the store is as it was");
}

#[tokio::test]
async fn promise_2_what_would_lose_something_is_refused_in_words() {
    let crm = Receiver::start().await;
    let site = site(&crm);
    let engine = Engine::start(&site).await;
    let file = site.path().join("weft.bak");
    let backup = file.to_str().expect("a name");
    assert_eq!(weft(&site, &["backup", backup]).await.code, Some(0));
    refused(&weft(&site, &["backup", backup]).await, &["is there already", "name another file"]);
    refused(&weft(&site, &["restore", backup, "--force"]).await, &["locked by another engine", "stop that one first"]);
    let shop = engine.tenant("shop");
    let id = shop.send(r#"{"type":"order.created"}"#).await;
    shop.delivered(&id).await;
    engine.stop().await;
    fs::write(&file, "no backup").expect("the site's folder");
    refused(&weft(&site, &["restore", backup, "--force"]).await, &["is no backup of Weft"]);
    assert_eq!(audit(&site).await.events.routed, 1);
}

#[tokio::test]
async fn promise_9_the_figures_of_a_store_are_shown_beside_a_running_engine() {
    let crm = Receiver::start().await;
    let site = site(&crm);
    let engine = Engine::start(&site).await;
    let shop = engine.tenant("shop");
    let id = shop.send(r#"{"type":"order.created"}"#).await;
    shop.delivered(&id).await;
    let said = weft(&site, &["store", "stats"]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    for words in ["events: 0 received, 1 routed", "deliveries: 0 pending, 1 delivered", "ledger: 1 events accepted"] {
        assert!(said.stdout.contains(words), "{words:?} is missing: {}", said.stdout);
    }
    let said = weft(&site, &["store", "stats", "--json", "--exact"]).await;
    let stats: serde_json::Value = serde_json::from_str(&said.stdout).expect("JSON");
    assert_eq!((&stats["deliveries"]["delivered"], &stats["states_estimated"]), (&1.into(), &false.into()));
    engine.stop().await;
}
