//! Keys and secrets: who can read them, and where they do not stand.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use standardwebhooks::Webhook;
use weft_client::wire::ReplayRequest;
use weft_tests::{
    Answer, Destination, Listener, Program, Receiver, Request, Rewritten, Site, Tenant, Weft, audit, caller_at, order,
};

/// A tenant whose destination signs with a secret that the engine makes.
fn site_with_made_secret(receiver: &Receiver) -> (Site, &'static str) {
    let site = Site::of([Tenant::named("shop").sends_to(Destination::at("crm", receiver))]);
    (site, "secrets = [{ file = \"shop.crm.secret\" }]\n")
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).permissions().mode() & 0o777
}

/// Every byte of every file of the store.
fn stored(site: &Site) -> Vec<u8> {
    let files = fs::read_dir(site.data()).expect("the data folder").map(|entry| entry.expect("an entry").path());
    let database = files.filter(|path| path.to_string_lossy().contains("weft.db"));
    database.flat_map(|path| fs::read(path).expect("a file of the store")).collect()
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn promise_8_keys_that_are_made_are_for_their_owner_only() {
    let crm = Receiver::start().await;
    let site = Site::of([Tenant::named("shop").sends_to(Destination::at("crm", &crm))]);
    let weft = Weft::start(&site).await;
    for file in ["operator.key", "seal.key"] {
        assert_eq!(mode(&site.data().join(file)), 0o600, "{file}");
    }
    assert_eq!(mode(&site.data()), 0o700);
    weft.stop().await;
}

#[tokio::test]
async fn promise_8_a_key_that_others_can_read_is_not_used() {
    let crm = Receiver::start().await;
    let site = Site::of([Tenant::named("shop").sends_to(Destination::at("crm", &crm))]);
    Weft::start(&site).await.stop().await;
    let key = site.data().join("operator.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("our own file");
    let said = Program::run(&["serve"], &site.write(), &[]).ended().await;
    assert_eq!(said.code, Some(1), "{said:?}");
    for words in ["operator.key", "644", "chmod 600"] {
        assert!(said.stderr.contains(words), "{words:?} is missing: {}", said.stderr);
    }
    assert!(!said.stderr.contains(&site.operator_key()), "{}", said.stderr);
}

#[tokio::test]
async fn promise_8_a_made_secret_is_sealed_in_the_store_and_its_receiver_verifies_with_what_is_revealed() {
    let receiver = Receiver::start().await;
    let (site, named) = site_with_made_secret(&receiver);
    let listener = Listener::answering(204, &[]).await;
    let url = format!("http://{}/hook", listener.address());
    let rewritten = Rewritten::of(&site).with(named, "").with(&receiver.url(), &url);
    let weft = rewritten.start().await;
    let shop = weft.tenant("shop");
    let secrets = shop.client().destination_secrets("crm").await.expect("the tenant's own").secrets;
    let [secret] = &secrets[..] else { panic!("one secret is made: {}", secrets.len()) };
    let id = shop.send(order(1)).await;
    shop.delivered(&id).await;
    let (headers, body) = listener.got(1).await.remove(0);
    let verifier = Webhook::new(secret).expect("a secret as the specification writes it");
    verifier.verify(&body, &headers).expect("the receiver verifies with what was revealed");
    weft.stop().await;

    let store = stored(&site);
    let text = &secret["whsec_".len()..];
    assert!(!holds(&store, text.as_bytes()), "its text stands in the store");
    let bytes = STANDARD.decode(text).expect("base64, as the specification says");
    assert!(!holds(&store, &bytes), "its bytes stand in the store");

    let weft = rewritten.start().await;
    let again = weft.tenant("shop").client().destination_secrets("crm").await.expect("the tenant's own").secrets;
    assert_eq!(again, secrets, "it is unsealed after a restart");
    weft.stop().await;
    audit(&site).await;

    // Without the key that seals, nothing is signed by a guess.
    fs::remove_file(site.data().join("seal.key")).expect("it is there");
    let said = Program::run(&["serve"], rewritten.path(), &[]).ended().await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.stderr.contains("seal"), "{}", said.stderr);
}

#[tokio::test]
async fn promise_8_no_key_and_no_secret_stands_in_the_store_the_log_or_a_problem() {
    let receiver = Receiver::start().await;
    receiver.answer_first([Answer::Status(500)]);
    let named = Destination::at("named", &receiver).with("retry_waits = []");
    let made = Destination::at("made", &receiver).with("retry_waits = []");
    let site = Site::of([Tenant::named("shop").sends_to(named).sends_to(made)]);
    let rewritten = Rewritten::of(&site).with("secrets = [{ file = \"shop.made.secret\" }]\n", "");
    let level = "debug,weft_server=trace,weft_store=trace,weft_outbound=trace,weft_plugin_host=trace,hyper=trace";
    let mut engine = Program::run(&["serve"], rewritten.path(), &[("WEFT_LOG", level)]);
    let address = engine.listening().await;
    let (key, operators) = (site.key("shop"), site.operator_key());
    let shop = caller_at(address, &key);

    // Whatever may make a person log a secret: deliveries, failures, refusals, replays, and its being shown.
    let has_ended = |event: &weft_client::wire::Event| event.deliveries.iter().all(|d| d.state.word() != "pending");
    let id = shop.send(order(1)).await;
    shop.until(&id, "its end", has_ended).await;
    let mut secrets = Vec::new();
    for name in ["named", "made"] {
        secrets.append(&mut shop.client().destination_secrets(name).await.expect("the tenant's own").secrets);
    }
    assert_eq!(secrets.len(), 2);
    let all = ReplayRequest { all: true, ..ReplayRequest::default() };
    let report = caller_at(address, &operators).try_replay(&all).await.expect("an answer");
    assert!(report.started > 0, "{report:?}");
    let mut refused = String::new();
    for path in ["/v1/plugins/reload", "/v1/events", "/v1/no-such-route", "/v1/destinations/made/secret"] {
        for tenant in ["nobody", "Not A Name"] {
            let request = Request::new("POST", path).key(&key).header("weft-tenant", tenant).body("{");
            let answered = request.send(address).await;
            refused.push_str(&answered.problem().detail);
            refused.push_str(&answered.head);
        }
    }
    engine.ask_to_stop();
    let said = engine.ended().await;
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(said.stderr.contains("DEBUG") && said.stderr.contains("the secrets of shop's destination made"));

    let seal = fs::read_to_string(site.data().join("seal.key")).expect("it was made");
    let store = stored(&site);
    let texts = [&*key, &*operators, seal.trim()].into_iter().chain(secrets.iter().map(|s| &s["whsec_".len()..]));
    for text in texts {
        let text = text.trim_end_matches('=');
        assert!(text.len() > 20, "a secret to look for");
        for (place, said) in [("the log", &said.stderr), ("the output", &said.stdout), ("a problem", &refused)] {
            assert!(!said.contains(text), "a secret stands in {place}");
        }
        assert!(!holds(&store, text.as_bytes()), "a secret stands in the store");
    }
    // The payload is the tenant's business, too.
    assert!(!said.stderr.contains("ord_1"), "a body stands in the log");
    audit(&site).await;
}
