//! What a router is configured to do, and what it then does.

use weft_plugin::{Event, Failure, Header, Payload, Recipients, Route, Targets, config, testing};

use super::FieldRouter;

const ROUTES: &str = r#""routes": {
    "eu": "crm-eu",
    "us": ["crm-us", {"labels": {"region": "us", "tier": "1"}}],
    "5": {"subscribed": true},
    "true": "flagged",
    "größe/~": "unicode"
}"#;

fn answer(config: &str, event: &Event) -> Result<Targets, Failure> {
    assert!(weft_plugin_manifest::manifest!().accepts(config), "plugin.json refuses {config}");
    let router: FieldRouter = config::parse(config).unwrap_or_else(|e| panic!("{config}: {e}"));
    router.route(event, &[])
}

/// Whom an event goes to, in words.
fn sent(config: &str, event: &Event) -> Vec<String> {
    match answer(config, event) {
        Ok(Targets::Send(targets)) => targets.iter().map(|target| describe(&target.to)).collect(),
        other => panic!("{other:?}"),
    }
}

fn describe(recipients: &Recipients) -> String {
    match recipients {
        Recipients::Named(name) => name.clone(),
        Recipients::Subscribed => "*".to_owned(),
        Recipients::Labelled(labels) => labels.iter().map(|l| format!("{}={};", l.name, l.value)).collect(),
    }
}

fn with_region(value: &str) -> Event {
    testing::event(format!(r#"{{"data": {{"region": {value}}}}}"#))
}

fn by_pointer(more: &str) -> String {
    format!(r#"{{"pointer": "/data/region", {ROUTES}{more}}}"#)
}

fn error(config: &str) -> String {
    config::parse::<FieldRouter>(config).expect_err(config).to_string()
}

#[test]
fn the_value_at_the_pointer_chooses_by_name_by_label_or_all_who_subscribe() {
    let config = by_pointer("");
    assert_eq!(sent(&config, &with_region(r#""eu""#)), ["crm-eu"]);
    assert_eq!(sent(&config, &with_region(r#""us""#)), ["crm-us", "region=us;tier=1;"]);
    assert_eq!(sent(&config, &with_region(r#""gr\u00f6\u00dfe/~""#)), ["unicode"]);
    for five in ["5", "5.0", "50e-1", r#""5""#] {
        assert_eq!(sent(&config, &with_region(five)), ["*"], "{five}");
    }
    assert_eq!(sent(&config, &with_region("true")), ["flagged"]);
}

#[test]
fn what_has_no_route_goes_the_default_way_or_is_dropped_with_a_reason() {
    let default = by_pointer(r#", "default": ["archive", "audit"]"#);
    for value in [r#""EU""#, r#""ap""#, "null", "[\"eu\"]", "{\"eu\":1}", "5.01", "false", r#""5.0""#] {
        assert_eq!(sent(&default, &with_region(value)), ["archive", "audit"], "{value}");
        let answer = answer(&by_pointer(""), &with_region(value));
        assert!(matches!(&answer, Ok(Targets::Drop(why)) if why.contains("no route for the value of")), "{answer:?}");
    }
    let missing = testing::event("{}");
    assert_eq!(sent(&default, &missing), ["archive", "audit"]);
    let answer = answer(&by_pointer(""), &missing);
    let wanted = r#"pointer "/data/region" is missing and there is no default"#;
    assert!(matches!(&answer, Ok(Targets::Drop(why)) if why == wanted), "{answer:?}");
}

#[test]
fn headers_attributes_and_the_type_decide_without_a_look_at_the_payload() {
    let mut event = Event { data: Payload::Binary(vec![0xff]), ..testing::event("") };
    event.headers = vec![Header::new("x-region", "ap"), Header::new("x-region", "us")];
    event.attributes = vec![Header::new("region", "eu")];
    event.event_type = "push".to_owned();
    assert_eq!(sent(&format!(r#"{{"header": "X-Region", {ROUTES}}}"#), &event)[0], "crm-us", "the first with a route");
    assert_eq!(sent(&format!(r#"{{"attribute": "region", {ROUTES}}}"#), &event), ["crm-eu"]);
    assert_eq!(sent(r#"{"event": "type", "routes": {"push": "ci"}}"#, &event), ["ci"]);
}

#[test]
fn a_payload_that_is_not_json_gets_the_configured_answer() {
    let event = testing::event("region=eu");
    assert!(matches!(answer(&by_pointer(""), &event), Err(Failure::Reject(why)) if why.contains("not JSON")));
    let drop = answer(&by_pointer(r#", "on_not_json": "drop""#), &event);
    assert!(matches!(drop, Ok(Targets::Drop(why)) if why.contains("not JSON")));
    assert_eq!(sent(&by_pointer(r#", "on_not_json": "default", "default": "archive""#), &event), ["archive"]);
}

#[test]
fn a_configuration_that_makes_no_sense_is_named_by_path_and_rule() {
    let cases = [
        ("{}", "missing field `routes`"),
        (r#"{"routes": {}}"#, "what decides is one of pointer, header, attribute, event"),
        (r#"{"routes": {}, "pointer": "/a", "header": "b"}"#, "what decides is one of"),
        (r#"{"routes": {}, "pointer": "a"}"#, "pointer: \"a\" is not a JSON pointer"),
        (r#"{"pointer": "/a", "routes": {"eu": "CRM"}}"#, "routes.eu: \"CRM\" is not the name of a destination"),
        (r#"{"pointer": "/a", "routes": {"eu": []}}"#, "routes.eu: a route without a destination"),
        (r#"{"pointer": "/a", "routes": {"eu": ["a", {"labels": {}}]}}"#, "routes.eu[1]: either {\"labels\""),
        (r#"{"pointer": "/a", "routes": {"eu": {"label": 1}}}"#, "unknown field `label`"),
        (
            r#"{"pointer": "/a", "routes": {"eu": 5}}"#,
            "routes.eu: invalid type: integer `5`, expected a destination's name",
        ),
        (r#"{"pointer": "/a", "routes": {"eu": "a", "eu": "b"}}"#, "the value has two routes"),
        (r#"{"pointer": "/a", "routes": {}, "fallback": "b"}"#, "unknown field `fallback`"),
    ];
    for (config, wanted) in cases {
        let error = error(config);
        assert!(error.contains(wanted), "{config}: {error}");
    }
    let left = weft_plugin_manifest::manifest!().accepted(&cases);
    assert_eq!(left, [cases[9].0], "plugin.json leaves these to the plugin");
}

#[test]
fn plugin_json_and_readme_agree_with_the_plugin() {
    assert_eq!(weft_plugin_manifest::manifest_findings!(FieldRouter), [""; 0]);
}
