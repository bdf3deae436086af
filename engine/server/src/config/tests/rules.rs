//! The rules of each noun.

use std::time::Duration;

use weft_core::contract::{Capability, Role};
use weft_core::limits;
use weft_core::pipeline::Then;

use super::super::{Limits, check_pipeline};
use super::{assert_problem, good, problems, warnings};

pub(super) fn with_destination(lines: &str) -> String {
    format!(
        "[[tenant]]\nname = \"shop\"\n[[tenant.destination]]\nname = \"crm\"\nurl = \"https://crm.example/hook\"\n{lines}\n"
    )
}

fn with_url(url: &str) -> String {
    with_destination("").replace("https://crm.example/hook", url)
}

fn with_step(lines: &str) -> String {
    format!("[[tenant]]\nname = \"shop\"\n[[tenant.step]]\nplugin = \"operator/json-filter\"\n{lines}\n")
}

#[test]
fn every_limit_can_be_set_to_its_bounds_and_not_beyond() {
    for bound in limits::ALL {
        let set = |value: i128| problems(&format!("[limits]\n{} = {value}", bound.key));
        let out_of_bounds =
            |value: i128| set(value).iter().any(|found| found.contains(&format!("must be {} to", bound.min)));
        assert!(!out_of_bounds(bound.min.into()) && !out_of_bounds(bound.max.into()), "{}", bound.key);
        assert!(out_of_bounds(i128::from(bound.max) + 1), "{}", bound.key);
        assert!(out_of_bounds(i128::from(bound.min) - 1), "{}", bound.key);
    }
}

#[test]
fn limits_reach_their_users_in_the_right_unit() {
    let config = good("[limits]\nretention_hours = 3\nplugin_threads = 2\nrequest_ms_max = 9000");
    assert_eq!(config.limits.retention, Duration::from_hours(3));
    assert_eq!(config.limits.plugin_threads, 2);
    assert_eq!(config.limits.request, Duration::from_secs(9));
    assert_eq!(Limits::default().call_limits(), limits::CallLimits::default());
}

#[test]
fn limits_that_contradict_each_other_are_a_problem() {
    for (text, says) in [
        ("lease_ms = 27999", "limits.lease_ms = 27999: lease_ms is 27999 and must be at least 28000: a lease outlasts"),
        ("request_ms_max = 60000", "limits.request_ms_max = 60000: lease_ms is 60000 and must be at least 68000"),
        ("call_ms_max = 400", "lease_ms is 60000 and must be at least 79800: a lease outlasts a step on all outputs"),
        ("request_ms_max = 4000", "request_ms_max is 4000 and must be at least 5000: connecting is part"),
        ("output_bytes_max = 4194305", "pass_output_bytes_max is 4194304 and must be at least 4194305: one output"),
        ("guest_memory_bytes_max = 1048576", "must be at least 2097152: a guest holds the event and its output"),
        ("deliveries_max = 63", "deliveries_max is 63 and must be at least 64"),
        ("attempts_max = 63", "attempts_max is 63 and must be at least 64"),
        ("deliveries_in_memory_max = 2047", "deliveries_in_memory_max is 2047 and must be at least 2048"),
    ] {
        assert_problem(&format!("[limits]\n{text}"), says);
    }
    assert_eq!(problems("[limits]\nlease_ms = 28000"), [""; 0]);
}

#[test]
fn promise_8_a_url_that_the_guard_refuses_is_a_problem_unless_it_is_allowed() {
    for url in [
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://2130706433/",
        "http://169.254.169.254/",
    ] {
        assert_problem(&with_url(url), "the address guard refuses it: ");
    }
    assert_eq!(
        problems(&format!("network.allow = [\"127.0.0.1/32\"]\n{}", with_url("http://127.0.0.1:9000/"))),
        [""; 0]
    );
    assert_problem(&format!("network.allow = [\"127.0.0.1/32\"]\n{}", with_url("http://127.0.0.2/")), "\"127.0.0.2\"");
}

#[test]
fn a_url_is_absolute_http_and_has_no_credentials_or_fragment() {
    for (url, says) in [
        ("crm.example/hook", "must be an absolute URL"),
        ("/hook", "must be an absolute URL"),
        ("file:///etc/passwd", "the scheme must be http or https"),
        ("https://crm.example/#top", "must not hold a fragment"),
        ("https://", "must be an absolute URL"),
    ] {
        assert_problem(&with_url(url), says);
    }
    assert_problem(&with_url(&format!("https://crm.example/{}", "a".repeat(2_048))), "at most 2048 bytes");
}

#[test]
fn promise_8_a_url_is_reported_without_its_credentials_and_its_query() {
    for (url, shown) in [
        ("https://user:hunter2@crm.example/hook", "\"https://…@crm.example/hook\""),
        ("https://hunter2@crm.example/", "\"https://…@crm.example/\""),
        ("ftp://crm.example/?token=hunter2", "\"ftp://crm.example/…\""),
        ("https:/user:hunter2@crm.example/hook", "…@crm.example/hook\""),
        ("https:\\\\\\\\user:hunter2@crm.example/hook", "…@crm.example/hook\""),
        ("https://user:hunter2@crm.example:port/hook", "…@crm.example:port/hook\""),
    ] {
        assert_problem(&with_url(url), shown);
        assert!(!problems(&with_url(url))[0].contains("hunter2"), "{url}");
    }
}

#[test]
fn a_destination_keeps_to_its_own_rules() {
    for (lines, says) in [
        ("connect_timeout = \"4s\"\nrequest_timeout = \"3s\"", "must be at most request_timeout (3s)"),
        ("request_timeout = \"21s\"", "must be 10ms to 20s; the most is limits.request_ms_max"),
        ("request_timeout = \"0s\"", "must be 10ms to 20s"),
        ("retry_waits = [\"5\"]", "retry_waits[0] = \"5\": must be a whole number and a unit"),
        ("retry_waits = [\"25h\"]", "retry_waits[0] = \"25h\": must be at most 24h"),
        (&format!("retry_waits = [{}]", "\"24h\",".repeat(7)), "the waits add up to 168h, but a delivery lives 168h"),
        (&format!("retry_waits = [{}]", "\"1s\",".repeat(65)), "holds 65 entries; at most 64 are allowed"),
        (
            "retry_waits = { first = \"1s\", longest = \"1h\" }",
            "\"attempts\" is missing; say how many there are in all",
        ),
        (
            "retry_waits = { first = \"0s\", longest = \"1h\", attempts = 3 }",
            "retry_waits.first = \"0s\": must be 1ms to 24h",
        ),
        (
            "retry_waits = { first = \"1s\", factor = 11, longest = \"1h\", attempts = 3 }",
            "factor = 11: must be 1 to 10",
        ),
        ("retry_waits = { first = \"1s\", longest = \"1h\", attempts = 66 }", "attempts = 66: must be 1 to 65"),
        ("lifetime = \"1h\"\nretry_waits = [\"30m\", \"30m\"]", "the waits add up to 1h, but a delivery lives 1h"),
        ("lifetime = \"721h\"", "must be 1s to 720h"),
        ("jitter_percent = 51", "must be 0 to 50"),
        ("success = []", "names no status; leave the key out for the default"),
        ("success = [\"2xx\", \"302\"]", "holds a redirect (3xx): it is not followed"),
        ("give_up_on = [\"404\", \"soon\"]", "give_up_on[1]: \"soon\" is not a status from 200 to 599"),
        ("success = [\"2xx\", \"409\"]\ngive_up_on = [\"4xx\"]", "holds an answer that counts as success here"),
        ("format = \"xml\"", "\"xml\" is not \"raw\", \"standard\", \"cloudevents\""),
        ("signatures = []", "names no signature: the receiver could not tell who sends"),
        ("signatures = [\"v2\"]", "must be \"v1\", \"v1a\", \"github\", \"stripe\" or a table"),
        ("signatures = [\"github\", \"github\"]", "signs the same way, or in the same header, as one before it"),
        ("signatures = [{ header = \"x-a\", signed = \"{id}\", value = \"{hmac}\" }]", "signed holds no {body}"),
        (
            "signatures = [{ header = \"x-a\", signed = \"{body}\", value = \"a\" }]",
            "neither value nor each holds {hmac}",
        ),
        (
            "signatures = [{ header = \"x-a\", signed = \"{body}{hmac}\", value = \"{hmac}\" }]",
            "must not hold {body} in a header",
        ),
        (
            "signatures = [{ header = \"host\", signed = \"{body}\", value = \"{hmac}\" }]",
            "\"host\" belongs to the host",
        ),
        ("signatures = [{ header = \"x-a\", signed = \"{secret}\", value = \"{hmac}\" }]", "{secret} is none of {id}"),
        ("signatures = [\"v1\"]\nsigning_keys = [{ env = \"A\" }]", "is for the signature \"v1a\""),
        ("method = \"GET\"", "\"GET\" is not \"POST\", \"PUT\" or \"PATCH\""),
        ("headers = { webhook-id = \"a\" }", "\"webhook-id\" belongs to the host"),
        ("headers = { Authorization = \"a\" }", "write auth = { bearer = { env = \"NAME\" } }"),
        ("headers = { \"a b\" = \"a\" }", "\"a b\" is no header name"),
        ("headers = { x-a = \"a\\nb\" }", "a header's value holds printable ASCII only"),
        ("headers = { x-a = \"a\", X-A = \"b\" }", "names \"x-a\" twice: upper and lower case are one header"),
        ("headers = { x-a = { env = \"A\", file = \"b\" } }", "one place for the secret, env or file, not both"),
        ("auth = {}", "must hold bearer, or username and password"),
        ("auth = { bearer = { env = \"A\" }, username = \"b\" }", "must hold bearer, or username and password"),
        ("auth = { username = \"a:b\", password = { env = \"A\" } }", "must not hold a colon"),
        ("labels = { Region = \"eu\" }", "\"Region\" is not a name"),
        ("labels = { region = \"\" }", "labels.region = \"\": must be 1 to 256 bytes long"),
        ("secrets = []", "names no secret; leave the key out to have one made"),
    ] {
        assert_problem(&with_destination(lines), says);
    }
}

#[test]
fn a_destination_takes_its_defaults_from_the_limits() {
    let config = good(&format!("limits.request_ms_max = 9000\n{}", with_destination("request_timeout = \"3s\"")));
    let timeouts = config.tenants[0].destinations[0].timeouts;
    assert_eq!((timeouts.connect, timeouts.total), (Duration::from_secs(3), Duration::from_secs(3)));
    let config = good(&format!("limits.request_ms_max = 9000\n{}", with_destination("retry_waits = []")));
    assert_eq!(config.tenants[0].destinations[0].timeouts.total, Duration::from_secs(9));
    assert!(config.tenants[0].destinations[0].retry.waits.is_empty());
}

#[test]
fn a_destination_says_how_long_and_how_often_it_is_tried() {
    let policy = |lines: &str| good(&with_destination(lines)).tenants[0].destinations[0].retry.clone();
    let grows =
        policy("retry_waits = { first = \"1s\", factor = 3, longest = \"20s\", attempts = 6 }\njitter_percent = 0");
    assert_eq!(grows.waits, [1, 3, 9, 20, 20].map(Duration::from_secs));
    assert_eq!((grows.jitter_percent, grows.lifetime), (0, Duration::from_hours(168)));
    let short = policy("lifetime = \"1h\"\ngive_up_on = [\"404\", \"5xx\"]");
    assert_eq!(short.waits, [5, 300, 1_800].map(Duration::from_secs), "the default, as far as it ends within an hour");
    assert!(short.give_up_on.contains(503) && !short.give_up_on.contains(403));
    let accepts =
        good(&with_destination("success = [\"200-204\", \"409\"]")).tenants[0].destinations[0].success.clone();
    assert!(accepts.contains(409) && !accepts.contains(205));
}

#[test]
fn a_step_is_read_with_its_plugins_configuration_as_json() {
    let config = good(&with_step(
        "config = { any = [{ at = \"/total\", above = 10.5 }], keep = true, n = -3 }\nheaders = [\"X-GitHub-Event\"]\nthen = \"drop\"",
    ));
    let step = &config.tenants[0].pipeline.steps[0];
    assert_eq!(step.name.as_str(), "json-filter");
    assert_eq!(step.plugin.to_string(), "operator/json-filter");
    assert_eq!(&*step.config, r#"{"any":[{"above":10.5,"at":"/total"}],"keep":true,"n":-3}"#);
    assert_eq!(step.headers, ["x-github-event"]);
    assert_eq!(step.on_failure.then, Then::Drop);
}

#[test]
fn a_step_grants_what_it_names_and_nothing_by_itself() {
    let granted = |lines: &str| good(&with_step(lines)).tenants[0].pipeline.steps[0].grants.clone();
    assert_eq!(granted(""), []);
    assert_eq!(granted("grants = [\"clock\", \"kv\"]"), [Capability::Clock, Capability::Kv]);
    let config =
        good(&with_step("secrets = { pepper = { env = \"PEPPER\" }, token = { env = \"T\", reveal = true } }"));
    let named = config.tenants[0].step_secrets.iter().map(|it| (it.step.as_str(), it.name.as_str(), it.reveal));
    assert_eq!(named.collect::<Vec<_>>(), [("json-filter", "pepper", false), ("json-filter", "token", true)]);
}

#[test]
fn a_step_keeps_to_its_own_rules() {
    let large = format!("config = {{ text = \"{}\" }}", "a".repeat(65_536));
    for (lines, says) in [
        ("config = \"{}\"", "config: must be a table, this is a string"),
        ("config = { a = [nan] }", "config.a[0]: is no number in JSON"),
        (&large, "is 65547 bytes as JSON and must be at most 65536 (limits.step_config_bytes_max)"),
        ("roles = [\"receive\"]", "roles[0] = \"receive\": must be \"filter\", \"transform\" or \"route\""),
        ("roles = [\"filter\", \"filter\"]", "roles[1] = \"filter\": is named twice"),
        ("grants = [\"files\"]", "must be \"kv\", \"clock\", \"random\" or \"metrics\""),
        ("secrets = { pepper = \"hunter2\" }", "a secret must not stand in the file"),
        ("secrets = { pepper = { reveal = true } }", "must say where the secret is"),
        ("secrets = { pepper = { env = \"P\", show = true } }", "there is no such key here"),
        ("secrets = { \"P!\" = { env = \"P\" } }", "is no name"),
        ("headers = [\"x y\"]", "headers[0] = \"x y\": must be the name of an HTTP header"),
        ("retries = [\"25h\"]", "retries[0] = \"25h\": must be at most 24h"),
        ("[[tenant.step]]\nplugin = \"json-filter\"", "there is a step json-filter already (weft.toml:4)"),
        ("[[tenant.step]]\nplugin = \"other/json-filter\"", "is not a name"),
    ] {
        assert_problem(&with_step(lines), says);
    }
}

#[test]
fn promise_8_no_plugin_is_handed_the_senders_credentials() {
    for header in ["Authorization", "cookie", "proxy-authorization"] {
        assert_problem(&with_step(&format!("headers = [\"{header}\"]")), "holds the sender's credentials");
    }
}

#[test]
fn a_step_that_routes_must_be_the_last() {
    let two = |roles: &str| with_step(&format!("roles = {roles}\n[[tenant.step]]\nplugin = \"split\""));
    assert_problem(&two("[\"route\"]"), "step json-filter routes, so it must be the last, but split comes after it");
    assert_eq!(problems(&two("[\"filter\"]")), [""; 0]);

    let pipeline = |roles: &str| good(&two(roles)).tenants.remove(0).pipeline;
    let all_route = check_pipeline(&pipeline("[]"), |_| Some(vec![Role::Filter, Role::Route]));
    assert_eq!(all_route.len(), 1, "{all_route:?}");
    assert!(check_pipeline(&pipeline("[\"filter\"]"), |_| Some(vec![Role::Filter, Role::Route])).is_empty());
    assert_eq!(
        check_pipeline(&pipeline("[\"transform\"]"), |_| Some(vec![Role::Filter])),
        ["step json-filter asks operator/json-filter to transform, but it has only: filter"]
    );
}

#[test]
fn promise_8_an_api_that_is_open_to_others_beside_an_allowed_loopback_is_a_warning() {
    let found = warnings("listen = \"0.0.0.0:7411\"\n[network]\nallow = [\"10.0.0.0/8\", \"127.0.0.1/32\"]");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("weft.toml:3: network.allow[1] = \"127.0.0.1/32\": allows this machine's own services")
    );
    for allow in ["127.0.0.2", "::1", "::/8", "126.0.0.0/7", "::ffff:127.0.0.1/128"] {
        assert_eq!(warnings(&format!("listen = \"[::]:1\"\nnetwork.allow = [\"{allow}\"]")).len(), 1, "{allow}");
    }
    assert!(warnings("listen = \"127.0.0.1:1\"\nnetwork.allow = [\"127.0.0.1\"]").is_empty());
    for all in ["0.0.0.0/0", "::/0"] {
        assert!(warnings(&format!("network.allow = [\"{all}\"]"))[0].contains("allows every address"), "{all}");
    }
}

#[test]
fn a_store_that_would_not_survive_or_cannot_be_opened_is_a_problem() {
    for (store, says) in [
        ("sqlite::memory:", "what is only in memory does not survive"),
        ("sqlite:", "a plain path to a file"),
        ("sqlite:weft.db?mode=ro", "a plain path to a file"),
        ("weft.db", "must be \"sqlite:\" and a file"),
        ("postgres://weft@db.example", "must name a user, a host and a database"),
        ("postgres:///weft", "must name a user, a host and a database"),
        ("postgres://weft@db.example/weft?password=hunter2", "write store_password"),
    ] {
        assert_problem(&format!("store = \"{store}\""), says);
    }
}

#[test]
fn a_tenants_type_pointer_is_a_json_pointer() {
    let with = |pointer: &str| format!("[[tenant]]\nname = \"shop\"\ntype_pointer = \"{pointer}\"");
    assert_eq!(good(&with("/meta/a~1b")).tenants[0].type_pointer, "/meta/a~1b");
    for bad in ["", "type", "/a~2", "/a~"] {
        assert_problem(&with(bad), "must be a JSON pointer");
    }
}
