//! What a filter is configured to keep, and what it then keeps.

use weft_plugin::{Event, Failure, Filter, Header, Payload, Verdict, config, testing};

use super::JsonFilter;

const ORDER: &str = r#"{
    "type": "order.created", "test": false, "note": null, "tags": ["vip", 7, "größe"],
    "data": { "amount": 129.90, "currency": "EUR", "id": 9007199254740993, "email": "zoë@example.org", "a/b": { "m~n": 1 } },
    "items": [ { "sku": "A-1" }, { "sku": "B-2" } ]
}"#;

fn filter(config: &str) -> JsonFilter {
    assert!(weft_plugin_manifest::manifest!().accepts(config), "plugin.json refuses {config}");
    config::parse(config).unwrap_or_else(|e| panic!("{config}: {e}"))
}

fn order() -> Event {
    let mut event = testing::event(ORDER);
    event.event_type = "order.created".to_owned();
    event.headers = vec![Header::new("x-region", "eu"), Header::new("x-retry", "3"), Header::new("x-region", "us")];
    event.attributes = vec![Header::new("tier", "gold")];
    event
}

/// Whether the order meets the condition.
fn holds(condition: &str) -> bool {
    let filter = filter(&format!(r#"{{"keep_when": {condition}}}"#));
    match filter.decide(&order()).expect("an answer") {
        Verdict::Keep => true,
        Verdict::Drop(_) => false,
    }
}

fn error(config: &str) -> String {
    config::parse::<JsonFilter>(config).expect_err(config).to_string()
}

#[test]
fn each_test_tells_what_meets_it_from_what_does_not() {
    let cases = [
        (r#"{"pointer": "/type", "equals": "order.created"}"#, r#"{"pointer": "/type", "equals": "order"}"#),
        (r#"{"pointer": "/test", "equals": false}"#, r#"{"pointer": "/test", "equals": true}"#),
        (r#"{"pointer": "/note", "equals": null}"#, r#"{"pointer": "/none", "equals": null}"#),
        (
            r#"{"pointer": "/data/currency", "one_of": ["USD", "EUR"]}"#,
            r#"{"pointer": "/data/currency", "one_of": []}"#,
        ),
        (r#"{"pointer": "/data/amount", "gt": 129.8}"#, r#"{"pointer": "/data/amount", "gt": 129.9}"#),
        (r#"{"pointer": "/data/amount", "gte": 129.9}"#, r#"{"pointer": "/data/amount", "gte": 130}"#),
        (r#"{"pointer": "/data/amount", "lt": 130}"#, r#"{"pointer": "/data/amount", "lt": 129.90}"#),
        (r#"{"pointer": "/data/amount", "lte": 129.900}"#, r#"{"pointer": "/data/amount", "lte": 129}"#),
        (r#"{"pointer": "/data/email", "prefix": "zoë@"}"#, r#"{"pointer": "/data/email", "prefix": "zoe"}"#),
        (r#"{"pointer": "/data/email", "contains": "@example."}"#, r#"{"pointer": "/data/email", "contains": "test"}"#),
        (r#"{"pointer": "/tags", "contains": "größe"}"#, r#"{"pointer": "/tags", "contains": "gr"}"#),
        (r#"{"pointer": "/tags", "contains": 7.0}"#, r#"{"pointer": "/tags", "contains": "7"}"#),
        (r#"{"pointer": "/items/1/sku", "equals": "B-2"}"#, r#"{"pointer": "/items/2/sku", "equals": "B-2"}"#),
        (r#"{"event": "type", "prefix": "order."}"#, r#"{"event": "type", "prefix": "invoice."}"#),
        (r#"{"event": "source", "equals": "api"}"#, r#"{"event": "source", "equals": "github"}"#),
        (r#"{"event": "content_type", "prefix": "application/json"}"#, r#"{"event": "content_type", "equals": "x"}"#),
        (r#"{"attribute": "tier", "equals": "gold"}"#, r#"{"attribute": "Tier", "equals": "gold"}"#),
        (r#"{"all": []}"#, r#"{"any": []}"#),
    ];
    for (met, unmet) in cases {
        assert!(holds(met), "{met}");
        assert!(!holds(unmet), "{unmet}");
    }
}

#[test]
fn a_missing_value_passes_no_test_but_exists_false() {
    assert!(holds(r#"{"pointer": "/none", "exists": false}"#));
    assert!(!holds(r#"{"pointer": "/none", "exists": true}"#));
    assert!(holds(r#"{"pointer": "/note", "exists": true}"#), "null is a value");
    for test in [r#""equals": "x""#, r#""lt": 1"#, r#""gte": 0"#, r#""contains": """#, r#""prefix": """#] {
        assert!(!holds(&format!(r#"{{"pointer": "/none", {test}}}"#)), "{test}");
        assert!(holds(&format!(r#"{{"not": {{"pointer": "/none", {test}}}}}"#)), "not {test}");
    }
}

#[test]
fn a_value_of_another_type_does_not_pass() {
    for condition in [
        r#"{"pointer": "/type", "gt": 1}"#,
        r#"{"pointer": "/data/amount", "equals": "129.90"}"#,
        r#"{"pointer": "/data/amount", "prefix": "129"}"#,
        r#"{"pointer": "/data", "contains": "EUR"}"#,
        r#"{"pointer": "/items", "equals": "A-1"}"#,
        r#"{"pointer": "/test", "lt": 1}"#,
    ] {
        assert!(!holds(condition), "{condition}");
    }
}

#[test]
fn numbers_are_compared_as_written() {
    assert!(holds(r#"{"pointer": "/data/amount", "equals": 129.9}"#));
    assert!(holds(r#"{"pointer": "/data/id", "equals": 9007199254740993}"#));
    assert!(!holds(r#"{"pointer": "/data/id", "equals": 9007199254740992}"#));
    assert!(holds(r#"{"pointer": "/data/id", "gt": 9007199254740992, "lt": 9007199254740994}"#));
}

#[test]
fn several_tests_must_all_pass_on_the_same_value() {
    assert!(holds(r#"{"pointer": "/data/amount", "gt": 100, "lt": 200}"#));
    assert!(!holds(r#"{"pointer": "/data/amount", "gt": 100, "lt": 120}"#));
    assert!(holds(r#"{"header": "x-region", "gt": "t"}"#));
    assert!(!holds(r#"{"header": "x-region", "gt": "t", "lt": "f"}"#), "us and eu each pass one of the two");
}

#[test]
fn of_a_repeated_header_one_value_is_enough_and_its_name_has_no_case() {
    for region in ["eu", "us"] {
        assert!(holds(&format!(r#"{{"header": "X-Region", "equals": "{region}"}}"#)));
    }
    assert!(!holds(r#"{"header": "x-region", "equals": "ap"}"#));
    assert!(holds(r#"{"header": "x-retry", "gte": 3}"#), "a header may spell a number");
    assert!(holds(r#"{"header": "x-none", "exists": false}"#));
}

#[test]
fn conditions_join_as_all_any_and_not() {
    let eur = r#"{"pointer": "/data/currency", "equals": "EUR"}"#;
    let test = r#"{"pointer": "/test", "equals": true}"#;
    assert!(holds(&format!(r#"{{"all": [{eur}, {{"not": {test}}}]}}"#)));
    assert!(!holds(&format!(r#"{{"all": [{eur}, {test}]}}"#)));
    assert!(holds(&format!(r#"{{"any": [{test}, {eur}]}}"#)));
    assert!(!holds(&format!(r#"{{"not": {{"any": [{test}, {eur}]}}}}"#)));
}

#[test]
fn pointers_and_texts_may_be_escaped_on_either_side() {
    assert!(holds(r#"{"pointer": "/data/a~1b/m~0n", "equals": 1}"#));
    assert!(holds(r#"{"pointer": "/data/email", "equals": "zo\u00eb@example.org"}"#));
}

#[test]
fn the_reason_is_the_configured_one_or_names_the_condition_and_no_value() {
    let conditions =
        r#""keep_when": {"all": [{"event": "type", "prefix": "order."}, {"pointer": "/data/amount", "gte": 500}]}"#;
    let reason = |config: &str| match filter(config).decide(&order()) {
        Ok(Verdict::Drop(reason)) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(reason(&format!(r#"{{{conditions}, "drop_reason": "too small"}}"#)), "too small");
    let found = reason(&format!("{{{conditions}}}"));
    assert_eq!(found, r#"keep_when does not hold: pointer "/data/amount" is at least 500"#);
}

#[test]
fn a_payload_that_is_not_json_gets_the_configured_answer() {
    let decide = |config: &str, data: Payload| filter(config).decide(&Event { data, ..order() });
    let pointer = r#""keep_when": {"pointer": "/a", "exists": true}"#;
    for data in [
        Payload::Text("a=1&b=2".to_owned()),
        Payload::Text(String::new()),
        Payload::Text(r#"{"a": 1"#.to_owned()),
        Payload::Binary(vec![0, 159, 146, 150]),
    ] {
        let answer = decide(&format!("{{{pointer}}}"), data.clone());
        assert!(matches!(&answer, Err(Failure::Reject(why)) if why.contains("not JSON")), "{answer:?}");
        let answer = decide(&format!(r#"{{{pointer}, "on_not_json": "drop"}}"#), data.clone());
        assert!(matches!(&answer, Ok(Verdict::Drop(why)) if why.contains("not JSON")), "{answer:?}");
        let answer = decide(&format!(r#"{{{pointer}, "on_not_json": "keep"}}"#), data.clone());
        assert!(matches!(answer, Ok(Verdict::Keep)), "{answer:?}");
        let without_pointer = r#"{"keep_when": {"header": "x-region", "equals": "eu"}}"#;
        assert!(matches!(decide(without_pointer, data), Ok(Verdict::Keep)), "nobody asked for JSON");
    }
}

#[test]
fn a_configuration_that_makes_no_sense_is_named_by_path_and_rule() {
    let cases = [
        ("{}", "configuration: missing field `keep_when`"),
        (
            r#"{"keep_when": {"pointer": "amount", "gt": 1}}"#,
            "keep_when.pointer: \"amount\" is not a JSON pointer: it starts",
        ),
        (r#"{"keep_when": {"all": [{"any": []}, {"pointer": "/a", "gt": true}]}}"#, "keep_when.all[1]"),
        (r#"{"keep_when": {"pointer": "/a", "equals": [1]}}"#, "keep_when.equals: expected a string, a number"),
        (
            r#"{"keep_when": {"pointer": "/a", "equal": 1}}"#,
            "keep_when.equal: unknown field `equal`, expected one of `all`",
        ),
        (r#"{"keep_when": {"pointer": "/a"}}"#, "keep_when: a test is missing"),
        (r#"{"keep_when": {"equals": 1}}"#, "keep_when: what is tested is missing"),
        (r#"{"keep_when": {"pointer": "/a", "header": "b", "equals": 1}}"#, "one of pointer, header"),
        (r#"{"keep_when": {"all": [], "equals": 1}}"#, "stand alone"),
        (r#"{"keep_when": {"pointer": "/a", "exists": false, "equals": 1}}"#, "nothing is there to test"),
        (r#"{"keep_when": {"event": "kind", "equals": 1}}"#, "keep_when.event: unknown variant `kind`"),
        (r#"{"keep_when": {"all": []}, "reason": "x"}"#, "unknown field `reason`"),
        (r#"{"keep_when": {"all": []}, "on_not_json": "ignore"}"#, "on_not_json: unknown variant `ignore`"),
    ];
    for (config, wanted) in cases {
        let error = error(config);
        assert!(error.contains(wanted), "{config}: {error}");
    }
    let left = weft_plugin_manifest::manifest!().accepted(&cases);
    assert_eq!(left, [""; 0], "plugin.json refuses what the plugin does");
    let deep = format!(r#"{{"keep_when": {}{{"all": []}}{}}}"#, r#"{"not": "#.repeat(16), "}".repeat(16));
    assert!(error(&deep).contains("16 levels"), "{}", error(&deep));
}

#[test]
fn plugin_json_and_readme_agree_with_the_plugin() {
    assert_eq!(weft_plugin_manifest::manifest_findings!(JsonFilter), [""; 0]);
}
