//! Secrets are references, and everything that is wrong with them is reported without their text.

use std::ffi::OsString;
use std::fs;

use super::super::{Config, ConfigSecrets, Problems, load};
use super::rules::with_destination;
use super::{assert_problem, good, problems, warnings};
use crate::secrets::KeyHash;
use weft_store::StoreAt;

const KEY: &str = "cb7e2f5d1a904836b7c2d1e0f9a8b7c6";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

const TEXT: &str = r#"
seal.key = { env = "SEAL" }
[[tenant]]
name = "shop"
keys = [{ name = "checkout", env = "SHOP_KEY" }]
[[tenant.destination]]
name = "crm"
url = "https://crm.example/hook"
secrets = [{ env = "CRM_SECRET" }, { env = "CRM_BEFORE" }]
[[tenant.destination]]
name = "audit"
url = "https://audit.example/hook"
[[tenant]]
name = "bank"
keys = [{ name = "ledger", env = "BANK_KEY" }]
"#;

fn read(config: &Config, environment: &[(&str, &str)]) -> Result<ConfigSecrets, Problems> {
    let find = |name: &str| environment.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(*value));
    config.read_secrets_from(&find)
}

#[test]
fn secrets_are_read_where_the_configuration_says() {
    let other = KEY.replace('c', "d");
    let seal = "fb".repeat(32);
    let secrets = read(
        &good(TEXT),
        &[("SEAL", &seal), ("SHOP_KEY", KEY), ("CRM_SECRET", SECRET), ("CRM_BEFORE", SECRET), ("BANK_KEY", &other)],
    )
    .expect("all there");
    assert!(secrets.seal_key.is_some());
    let shop = &secrets.tenants[0];
    assert_eq!((shop.keys[0].name.as_str(), shop.keys[0].hash), ("checkout", KeyHash::of(KEY)));
    assert_eq!(shop.destinations[0].secrets.len(), 2);
    assert_eq!(shop.destinations[0].secrets[0].reveal(), SECRET);
    assert!(!format!("{secrets:?}").contains(&SECRET[10..20]));
}

#[test]
fn promise_8_all_that_is_wrong_with_secrets_is_reported_without_their_text() {
    let environment = [("SEAL", "hunter2"), ("SHOP_KEY", "hunter2"), ("CRM_SECRET", "hunter2"), ("BANK_KEY", " ")];
    let report = read(&good(TEXT), &environment).expect_err("all of them wrong").to_string();
    let wanted = "\
weft.toml:2: seal.key: what the environment variable SEAL holds cannot be used: a seal key is 32 bytes as 64 hexadecimal digits or as base64; make one with `openssl rand -base64 32`
weft.toml:5: tenant[0].keys[0]: what the environment variable SHOP_KEY holds cannot be used: a key has 32 to 256 characters, this one has 7; make one with `openssl rand -base64 32`
weft.toml:9: tenant[0].destination[0].secrets[0]: what the environment variable CRM_SECRET holds cannot be used: a signing secret starts with \"whsec_\"
weft.toml:9: tenant[0].destination[0].secrets[1]: the environment variable CRM_BEFORE is not set; set it for the engine's process
weft.toml:15: tenant[1].keys[0]: the environment variable BANK_KEY is empty
5 problems; nothing of this configuration was applied";
    assert_eq!(report, wanted);
}

#[test]
fn promise_8_headers_and_credentials_of_a_destination_are_read_and_never_shown() {
    let with = |lines: &str| {
        let destination =
            format!("[[tenant.destination]]\nname = \"crm\"\nurl = \"https://crm.example/hook\"\n{lines}");
        good(&format!("[[tenant]]\nname = \"shop\"\n{destination}"))
    };
    let environment = [("CRM_KEY", "hunter2"), ("CRM_TOKEN", "hunter2"), ("BROKEN", "hunter2\u{e9}")];
    let headers = |lines: &str| {
        let secrets = read(&with(lines), &environment).expect("all there");
        assert!(!format!("{secrets:?}").contains("hunter2"));
        let own = secrets.tenants[0].destinations[0].headers.clone();
        own.iter().map(|header| format!("{}: {}", header.name(), header.value())).collect::<Vec<_>>()
    };
    assert_eq!(
        headers(
            "headers = { X-Team = \"sales\", x-key = { env = \"CRM_KEY\" } }\nauth = { bearer = { env = \"CRM_TOKEN\" } }"
        ),
        ["x-team: sales", "x-key: hunter2", "authorization: Bearer hunter2"]
    );
    assert_eq!(
        headers("auth = { username = \"Aladdin\", password = { env = \"CRM_KEY\" } }"),
        ["authorization: Basic QWxhZGRpbjpodW50ZXIy"]
    );
    let report =
        read(&with("auth = { bearer = { env = \"BROKEN\" } }"), &environment).expect_err("not ASCII").to_string();
    assert!(
        report.contains("what the environment variable BROKEN holds cannot be used: a header's value holds"),
        "{report}"
    );
    assert!(!report.contains("hunter2"), "{report}");
}

#[test]
fn promise_8_one_key_cannot_belong_to_two_tenants() {
    let environment = [
        ("SEAL", &*"fb".repeat(32)),
        ("SHOP_KEY", KEY),
        ("CRM_SECRET", SECRET),
        ("CRM_BEFORE", SECRET),
        ("BANK_KEY", KEY),
    ];
    let report = read(&good(TEXT), &environment).expect_err("the same key").to_string();
    assert!(
        report.starts_with("weft.toml:15: tenant[1].keys[0]: holds the same key as weft.toml:5: tenant[0].keys[0];"),
        "{report}"
    );
}

#[test]
fn promise_8_a_secret_in_the_file_is_a_problem_and_never_shown() {
    let tenant = |keys: &str| format!("[[tenant]]\nname = \"shop\"\nkeys = {keys}");
    for text in [
        tenant("\"hunter2\""),
        tenant("[\"hunter2\"]"),
        tenant("[{ name = \"checkout\", value = \"hunter2\" }]"),
        tenant("[{ name = \"checkout\", env = \"hunter 2 hunter2\" }]"),
        tenant("[{ name = \"checkout\", env = \"whsec_hunter2\" }]"),
        with_destination("auth = { bearer = \"hunter2\" }"),
        with_destination("auth = { username = \"a\", password = \"hunter2\" }"),
        with_destination("auth = \"hunter2\""),
        with_destination("headers = { authorization = \"hunter2\" }"),
        "seal.key = \"hunter2\"".to_owned(),
        "seal = \"hunter2\"".to_owned(),
        "seal.kye = \"hunter2\"".to_owned(),
    ] {
        let found = problems(&text);
        assert!(!found.is_empty(), "{text}");
        assert!(found.iter().all(|problem| !problem.contains("hunter2")), "{found:#?}");
    }
    assert_problem("seal.key = \"hunter2\"", "a secret must not stand in the file");
    assert_problem(
        &tenant("[{ name = \"a\", env = \"A\", file = \"b\" }]"),
        "one place for the secret, env or file, not both",
    );
    assert_problem(
        &tenant("[{ name = \"a\", env = \"A\" }, { name = \"a\", env = \"B\" }]"),
        "there is a key a already",
    );
}

#[test]
fn a_secret_file_is_found_beside_the_configuration() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("weft.toml");
    let text = "[[tenant]]\nname = \"shop\"\nkeys = [{ name = \"checkout\", file = \"shop.key\" }]";
    fs::write(&path, text).expect("a file");
    let config = load(&path).expect("good").config;

    let report = config.read_secrets().expect_err("no such file").to_string();
    assert!(report.contains("weft.toml:3: tenant[0].keys[0]: the file "), "{report}");
    assert!(report.contains("shop.key cannot be read: "), "{report}");

    fs::write(folder.path().join("shop.key"), format!("{KEY}\n")).expect("a file");
    let secrets = config.read_secrets().expect("there");
    assert_eq!(secrets.tenants[0].keys[0].hash, KeyHash::of(KEY));
}

#[cfg(unix)]
#[test]
fn promise_8_a_secret_file_that_every_user_can_read_is_a_warning() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let key = folder.path().join("shop.key");
    fs::write(&key, KEY).expect("a file");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("own file");
    let config = good(&format!("[[tenant]]\nname = \"shop\"\nkeys = [{{ name = \"a\", file = {key:?} }}]"));
    let warnings = config.read_secrets().expect("readable").warnings;
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0].to_string().starts_with("weft.toml:3: tenant[0].keys[0]: every user of this machine can read ")
    );
}

#[test]
fn promise_8_the_stores_password_is_a_reference_and_never_shown() {
    let config =
        good("store = \"postgres://weft@db.example:5433/weft\"\nstore_password = { env = \"DB\" }\nnode = \"west\"");
    let secrets = read(&config, &[("DB", "hun/ter@2")]).expect("all there");
    let StoreAt::Postgres(at) = &secrets.store else { panic!("a database: {:?}", secrets.store) };
    assert_eq!((at.url.as_str(), at.node.as_str()), ("postgres://weft:hun%2Fter%402@db.example:5433/weft", "west"));
    let shown = format!("{config:?} {} {secrets:?} {}", config.store, secrets.store);
    assert!(shown.contains("db.example") && !shown.contains("ter"), "{shown}");

    let report = read(&config, &[]).expect_err("not set").to_string();
    assert!(report.starts_with("weft.toml:2: store_password: the environment variable DB is not set"), "{report}");
}

#[test]
fn promise_8_a_stores_password_in_the_file_is_pointed_out_and_not_shown() {
    let text = "store = \"postgres://weft:hunter2@db.example/weft\"";
    assert!(!format!("{:?} {}", good(text), good(text).store).contains("hunter2"));
    let found = warnings(text);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("weft.toml:1: store: holds a password, which whoever reads this file knows"),
        "{found:?}"
    );
    assert_problem(&format!("{text}\nstore_password = {{ env = \"DB\" }}"), "keep one, best store_password");
    assert_problem("store_password = \"hunter2\"", "a secret must not stand in the file");
    assert_problem("node = \"West\"", "is not a name");
}

#[test]
fn promise_8_the_secrets_of_steps_are_read_and_never_shown() {
    const STEP: &str = "[[tenant]]\nname = \"shop\"\n[[tenant.step]]\nplugin = \"operator/redact\"\nsecrets = { pepper = { env = \"PEPPER\" } }";
    let secrets = read(&good(STEP), &[("PEPPER", "hunter2")]).expect("read");
    let [pepper] = &*secrets.tenants[0].steps[&"redact".parse().expect("a name")] else { panic!("one secret") };
    assert_eq!(pepper.name().as_str(), "pepper");
    assert!(!format!("{secrets:?}").contains("hunter2"));
    let report = read(&good(STEP), &[("PEPPER", " ")]).expect_err("empty").to_string();
    assert!(report.contains("secrets.pepper: the environment variable PEPPER is empty"), "{report}");
}
