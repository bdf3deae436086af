//! Configurations with mistakes, shown to the program.

use weft_tests::{Destination, Program, Receiver, Rewritten, Site, Step, Tenant, Weft, audit, order};

#[tokio::test]
async fn every_mistake_of_a_configuration_is_reported_with_file_key_and_line_and_nothing_starts() {
    let crm = Receiver::start().await;
    let step = Step::of("json-filter").with("retries = [\"1s\"]").with("then = \"dead-letter\"");
    let site = Site::of([Tenant::named("shop").sends_to(Destination::at("crm", &crm)).runs(step)]);
    let rewritten = Rewritten::of(&site)
        .with("[limits]", "[limits]\nevent_body_bytes_max = 12\ncall_ms_max = \"fast\"\nattempts = 7")
        .with(&crm.url(), "ftp://crm.example/hook")
        .with("retries = [\"1s\"]", "retries = [\"soon\"]")
        .with("then = \"dead-letter\"", "then = \"explode\"\ncolour = \"red\"")
        .with("[[tenant.step]]", "[[tenant.destination]]\nname = \"No Name\"\n\n[[tenant.step]]");
    let mistakes = [
        ("event_body_bytes_max = 12", "limits.event_body_bytes_max"),
        ("call_ms_max = \"fast\"", "limits.call_ms_max"),
        ("attempts = 7", "limits.attempts"),
        ("ftp://crm.example/hook", "tenant[0].destination[0].url"),
        ("name = \"No Name\"", "tenant[0].destination[1].name"),
        ("retries = [\"soon\"]", "tenant[0].step[0].retries[0]"),
        ("then = \"explode\"", "tenant[0].step[0].then"),
        ("colour = \"red\"", "tenant[0].step[0].colour"),
    ];
    let checked = Program::run(&["config", "check"], rewritten.path(), &[]).ended().await;
    assert_eq!((checked.code, &*checked.stderr), (Some(1), ""), "what is found is the result of a check: {checked:?}");
    for (words, key) in mistakes {
        let place = format!("rewritten.toml:{}: {key}", rewritten.line_of(words));
        let named = checked.stdout.lines().filter(|line| line.contains(&place)).count();
        assert_eq!(named, 1, "{place} is told once:\n{}", checked.stdout);
    }
    // The second destination has no URL, too.
    assert!(checked.stdout.contains("9 problems; nothing of this configuration was applied"), "{}", checked.stdout);

    let served = Program::run(&["serve"], rewritten.path(), &[]).ended().await;
    assert_eq!((served.code, &*served.stdout), (Some(1), ""), "{served:?}");
    for words in checked.stdout.lines() {
        assert!(served.stderr.contains(words), "the same words, but {words:?}:\n{}", served.stderr);
    }
    assert!(!site.data().exists(), "nothing was made");
}

#[tokio::test]
async fn a_configuration_that_is_no_toml_is_reported_with_its_line() {
    let crm = Receiver::start().await;
    let site = Site::of([Tenant::named("shop").sends_to(Destination::at("crm", &crm))]);
    let rewritten = Rewritten::of(&site).with("[limits]", "[limits");
    let said = Program::run(&["config", "check"], rewritten.path(), &[]).ended().await;
    assert_eq!(said.code, Some(1), "{said:?}");
    let place = format!("rewritten.toml:{}", rewritten.line_of("[limits"));
    assert!(said.stdout.contains(&place), "{place} is missing: {}", said.stdout);
    let nowhere = site.path().join("nowhere.toml");
    let said = Program::run(&["config", "check"], &nowhere, &[]).ended().await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.stdout.contains("nowhere.toml"), "{}", said.stdout);
}

#[tokio::test]
async fn secrets_that_are_not_there_are_reported_all_at_once_and_not_shown() {
    let crm = Receiver::start().await;
    let site = Site::of([Tenant::named("shop").sends_to(Destination::at("crm", &crm))]);
    let secret = crm.secret();
    let rewritten = Rewritten::of(&site)
        .with("file = \"shop.key\"", "env = \"WEFT_TESTS_NO_SUCH_KEY\"")
        .with("file = \"shop.crm.secret\"", "file = \"no-such.secret\"");
    for words in [&["config", "check"][..], &["serve"]] {
        let said = Program::run(words, rewritten.path(), &[]).ended().await;
        assert_eq!(said.code, Some(1), "{said:?}");
        let told = said.stdout + &said.stderr;
        for words in ["WEFT_TESTS_NO_SUCH_KEY", "no-such.secret"] {
            let line = format!("rewritten.toml:{}: ", rewritten.line_of(words));
            assert!(told.contains(&line) && told.contains(words), "{words}: {told}");
        }
    }
    let pasted = Rewritten::of(&site).with("{ file = \"shop.crm.secret\" }", &format!("\"{secret}\""));
    let said = Program::run(&["config", "check"], pasted.path(), &[]).ended().await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.stdout.contains("a secret must not stand in the file"), "{}", said.stdout);
    assert!(!format!("{said:?}").contains(&secret["whsec_".len()..]), "it is shown: {said:?}");
}

#[tokio::test]
async fn a_good_configuration_is_called_good() {
    let crm = Receiver::start().await;
    let site = Site::of([Tenant::named("shop").sends_to(Destination::at("crm", &crm))]);
    let said = Program::run(&["config", "check"], &site.write(), &[]).ended().await;
    assert_eq!((said.code, &*said.stderr), (Some(0), ""), "{said:?}");
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");
    let id = shop.send(order(1)).await;
    shop.delivered(&id).await;
    weft.stop().await;
    audit(&site).await;
}
