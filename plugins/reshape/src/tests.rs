//! What a template says, and the payload that is built from it.

use weft_plugin::{Event, Failure, Header, Outputs, Patch, Payload, Transform, config, testing};

use super::Reshape;

const ORDER: &str = r#"{ "id": 9007199254740993, "total": 1.50, "customer": {"name": "Zo\u00eb \"Z\"", "vip": true, "phone": null},
  "lines": [ {"sku":"A-1", "qty": 2e0} ,{"sku":"日本"} ] }"#;

fn order() -> Event {
    let mut event = testing::event(ORDER);
    event.event_type = "order.created".to_owned();
    event.content_type = "application/vnd.shop+json".to_owned();
    event.headers = vec![Header::new("x-tag", "a\"b"), Header::new("x-tag", "c")];
    event.attributes = vec![Header::new("tier", "gold")];
    event
}

fn answer(template: &str, event: &Event) -> Result<Patch, String> {
    let config = format!(r#"{{"template": {template}}}"#);
    assert!(weft_plugin_manifest::manifest!().accepts(&config), "plugin.json refuses {config}");
    let plugin: Reshape = config::parse(&config).unwrap_or_else(|e| panic!("{config}: {e}"));
    match plugin.transform(event) {
        Ok(Outputs::Events(mut patches)) if patches.len() == 1 => Ok(patches.remove(0)),
        Err(Failure::Reject(why)) => Err(why),
        other => panic!("{other:?}"),
    }
}

fn built(template: &str) -> String {
    let patch = answer(template, &order()).unwrap_or_else(|e| panic!("{template}: {e}"));
    let text = patch.data.as_ref().and_then(Payload::as_str).expect("a text");
    assert!(serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok(), "no JSON: {text}");
    text.to_owned()
}

#[test]
fn values_are_inserted_as_they_are() {
    let cases = [
        (r#"{"$": "/id"}"#, "9007199254740993"),
        (r#"{"$": "/total"}"#, "1.50"),
        (r#"{"$": "/customer/name"}"#, r#""Zo\u00eb \"Z\"""#),
        (r#"{"$": "/lines"}"#, r#"[ {"sku":"A-1", "qty": 2e0} ,{"sku":"日本"} ]"#),
        (r#"{"$": "/customer/phone", "default": "none"}"#, "null"),
        (r#"{"$": ""}"#, ORDER),
        (r#"{"$": "type"}"#, r#""order.created""#),
        (r#"{"$": "header:X-Tag"}"#, r#""a\"b, c""#),
        (r#"{"$": "attribute:tier"}"#, r#""gold""#),
        (r#"{"\u0024": "id"}"#, r#""evt_00000000000000000000000001""#),
    ];
    for (template, wanted) in cases {
        assert_eq!(built(template), wanted, "{template}");
    }
}

#[test]
fn texts_have_placeholders_and_are_strings_whatever_is_put_into_them() {
    let cases = [
        (r#""Order {/id} of {/customer/name}""#, r#""Order 9007199254740993 of Zoë \"Z\"""#),
        (r#""{/total}""#, r#""1.50""#),
        (r#""{/lines/0}""#, r#""{\"sku\":\"A-1\", \"qty\": 2e0}""#),
        (r#""{{/id}} \u00e9\n{type}""#, r#""{/id} é\norder.created""#),
        (r#""{/customer/phone|no \"phone\"}""#, r#""no \"phone\"""#),
    ];
    for (template, wanted) in cases {
        assert_eq!(built(template), wanted, "{template}");
    }
}

#[test]
fn what_is_neither_stands_in_the_payload_as_it_is_written() {
    let template = r#"{ "v": 1.0, "big": 12345678901234567890.10, "list": [ true , null, {} , [], "a" ], "n\u00e4me {/id}": "{{}}" }"#;
    let wanted = r#"{"v":1.0,"big":12345678901234567890.10,"list":[true,null,{},[],"a"],"n\u00e4me {/id}":"{}"}"#;
    assert_eq!(built(template), wanted);
}

#[test]
fn a_template_has_all_of_these_in_any_place() {
    let template = r#"{"event": {"$": "type"}, "order": {"id": "{/id}", "lines": [{"$": "/lines/0"}, "{/lines/1/sku}"]},
        "vip": {"$": "/customer/vip", "default": false}, "to": [{"$": "/none", "default": {"a": ["{/id}"]}}]}"#;
    let wanted = r#"{"event":"order.created","order":{"id":"9007199254740993","lines":[{"sku":"A-1", "qty": 2e0},"日本"]},"vip":true,"to":[{"a": ["{/id}"]}]}"#;
    assert_eq!(built(template), wanted, "a default is no template");
}

#[test]
fn a_missing_value_without_default_is_rejected_by_name() {
    for (template, wanted) in [
        (r#"{"a": {"$": "/customer/email"}}"#, "pointer \"/customer/email\" is missing and has no default"),
        (r#"["{/customer/email}"]"#, "pointer \"/customer/email\" is missing and has no default"),
        (r#""{/customer/phone}""#, "pointer \"/customer/phone\" is missing and has no default"),
        (r#"{"$": "header:x-none"}"#, "header \"x-none\" is missing and has no default"),
        (r#"{"$": "attribute:none"}"#, "attribute \"none\" is missing and has no default"),
    ] {
        assert_eq!(answer(template, &order()).expect_err(template), wanted);
    }
    assert_eq!(built(r#"[{"$": "header:x-none", "default": null}, "{/none|}"]"#), r#"[null,""]"#);
}

#[test]
fn the_output_is_json_and_says_so() {
    let patch = answer("1", &order()).expect("an answer");
    assert_eq!(patch.content_type.as_deref(), Some("application/json"));
    assert!(patch.event_type.is_none() && patch.set_headers.is_empty());
}

#[test]
fn a_payload_that_is_not_json_is_rejected_if_a_pointer_asks_for_it() {
    for data in [Payload::Text("a=1".to_owned()), Payload::Binary(vec![0xff]), Payload::Text(String::new())] {
        let event = Event { data, ..order() };
        let why = answer(r#"{"a": {"$": "/a", "default": 1}}"#, &event).expect_err("no JSON");
        assert!(why.contains("not JSON"), "{why}");
        assert!(answer(r#"{"a": {"$": "type"}, "b": "{id}"}"#, &event).is_ok(), "nobody asked for JSON");
    }
}

#[test]
fn a_configuration_that_makes_no_sense_is_named_by_place_and_rule() {
    let deep = format!(r#"{{"template": {}1{}}}"#, "[".repeat(33), "]".repeat(33));
    let cases = [
        ("{}", "missing field `template`"),
        (r#"{"template": 1, "event_type": "a"}"#, "unknown field `event_type`"),
        (r#"{"template": {"$": 1}}"#, "template: \"$\" is a text"),
        (r#"{"template": {"$": "/a", "defualt": 1}}"#, "template: beside \"$\" there is \"default\""),
        (r#"{"template": {"a": {"default": 1, "$": "/a", "b": 1}}}"#, "template: at /a: beside \"$\""),
        (r#"{"template": [0, {"a/b": "{/id"}]}"#, "template: at /1/a~1b: the placeholder {/id has no end"),
        (r#"{"template": {"a": {"$": "data"}}}"#, "template: at /a: \"data\" is no place in an event"),
        (r#"{"template": "a } b"}"#, "template: a '}' without a '{'"),
        (deep.as_str(), "at most 32 levels"),
    ];
    for (config, wanted) in cases {
        let error = config::parse::<Reshape>(config).expect_err(config).to_string();
        assert!(error.contains(wanted), "{config}: {error}");
    }
    let left = weft_plugin_manifest::manifest!().accepted(&cases);
    assert_eq!(left, [deep.as_str()], "plugin.json leaves these to the plugin");
}

#[test]
fn plugin_json_and_readme_agree_with_the_plugin() {
    assert_eq!(weft_plugin_manifest::manifest_findings!(Reshape), [""; 0]);
}
