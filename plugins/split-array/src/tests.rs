//! What a splitter is configured to do, and what it then makes of an event.

use weft_plugin::{Event, Failure, Outputs, Patch, Payload, Transform, config, testing};

use super::SplitArray;

const ORDER: &str = r#"{ "id": "ord_1", "note": "é\u00e9", "line_items": [ {"sku":"A-1", "qty": 2.50}, {"sku":"日本"} ,3 ], "total": 1e2 }"#;

fn plugin(config: &str) -> SplitArray {
    assert!(weft_plugin_manifest::manifest!().accepts(config), "plugin.json refuses {config}");
    config::parse(config).unwrap_or_else(|e| panic!("{config}: {e}"))
}

fn split(config: &str, event: &Event) -> Result<Outputs, Failure> {
    plugin(config).transform(event)
}

fn patches(config: &str, json: &str) -> Vec<Patch> {
    match split(config, &testing::event(json)) {
        Ok(Outputs::Events(patches)) => patches,
        other => panic!("{other:?}"),
    }
}

fn texts(config: &str, json: &str) -> Vec<String> {
    let text = |patch: &Patch| patch.data.as_ref().and_then(Payload::as_str).expect("a text").to_owned();
    patches(config, json).iter().map(text).collect()
}

fn error(config: &str) -> String {
    config::parse::<SplitArray>(config).expect_err(config).to_string()
}

#[test]
fn each_element_is_an_event_byte_for_byte_in_the_order_of_the_array() {
    let parts = texts(r#"{"pointer": "/line_items"}"#, ORDER);
    assert_eq!(parts, [r#"{"sku":"A-1", "qty": 2.50}"#, r#"{"sku":"日本"}"#, "3"]);
    assert_eq!(texts(r#"{"pointer": ""}"#, " [1, [2] ] "), ["1", "[2]"]);
}

#[test]
fn index_and_count_are_attributes_with_names_to_choose() {
    let attributes = |config: &str| -> Vec<_> {
        let patch = patches(config, ORDER).remove(1);
        patch.set_attributes.iter().map(|a| format!("{}={}", a.name, a.value)).collect()
    };
    assert_eq!(attributes(r#"{"pointer": "/line_items"}"#), ["split-index=2", "split-count=3"]);
    let config = r#"{"pointer": "/line_items", "index_attribute": "line", "count_attribute": ""}"#;
    assert_eq!(attributes(config), ["line=2"]);
}

#[test]
fn a_part_may_be_the_whole_event_with_the_element_in_the_arrays_place() {
    let parts = texts(r#"{"pointer": "/line_items", "part": "event"}"#, ORDER);
    assert_eq!(parts[1], r#"{ "id": "ord_1", "note": "é\u00e9", "line_items": {"sku":"日本"}, "total": 1e2 }"#);
    assert_eq!(parts.len(), 3);
    assert_eq!(texts(r#"{"pointer": "/a", "part": "event", "place_at": "/a"}"#, r#"{"a":[7]}"#), [r#"{"a":7}"#]);
}

#[test]
fn a_part_may_be_the_event_without_the_array_and_with_the_element_elsewhere() {
    let config = r#"{"pointer": "/line_items", "part": "event", "place_at": "/item"}"#;
    assert_eq!(texts(config, ORDER)[2], r#"{"id":"ord_1","note":"é\u00e9","total":1e2,"item":3}"#);
    assert_eq!(texts(config, r#"{"item":0,"line_items":[1],"item":2}"#), [r#"{"item":1}"#], "a member is replaced");
    let nested = r#"{"pointer": "/data/0/items", "part": "event", "place_at": "/meta/a~1b"}"#;
    let json = r#"{"data":[{"items":[1,2],"x":"y"},{"items":[]}],"meta":{"k":"v"}}"#;
    assert_eq!(texts(nested, json)[1], r#"{"data":[{"x":"y"},{"items":[]}],"meta":{"k":"v","a/b":2}}"#);
    let shadowed = r#"{"meta":{},"data":[{"items":[1]}],"meta":{"z":0}}"#;
    assert_eq!(texts(nested, shadowed), [r#"{"meta":{},"data":[{}],"meta":{"z":0,"a/b":1}}"#]);
}

#[test]
fn a_place_without_a_parent_object_is_refused() {
    let config = r#"{"pointer": "/items", "part": "event", "place_at": "/meta/item"}"#;
    for json in [r#"{"items":[1]}"#, r#"{"items":[1],"meta":[]}"#, r#"{"items":[1],"meta":1}"#] {
        let answer = split(config, &testing::event(json));
        assert!(matches!(&answer, Err(Failure::Reject(why)) if why.contains("/meta/item")), "{json}: {answer:?}");
    }
}

#[test]
fn parts_may_have_a_type_of_their_own_and_an_element_is_plain_json() {
    let patch = patches(r#"{"pointer": "/line_items", "event_type": "order.item"}"#, ORDER).remove(0);
    assert_eq!((patch.event_type.as_deref(), patch.content_type), (Some("order.item"), None));
    let mut event = testing::event(ORDER);
    event.content_type = "application/cloudevents+json".to_owned();
    let content_type = |config: &str| match split(config, &event) {
        Ok(Outputs::Events(mut patches)) => patches.remove(0).content_type,
        other => panic!("{other:?}"),
    };
    assert_eq!(content_type(r#"{"pointer": "/line_items"}"#).as_deref(), Some("application/json"));
    assert_eq!(content_type(r#"{"pointer": "/line_items", "part": "event"}"#), None);
}

#[test]
fn an_empty_array_is_dropped_with_a_reason() {
    let answer = split(r#"{"pointer": "/items"}"#, &testing::event(r#"{"items": [ ]}"#));
    assert!(matches!(&answer, Ok(Outputs::Drop(why)) if why == "the array at \"/items\" is empty"), "{answer:?}");
}

#[test]
fn too_many_elements_are_refused_truncated_or_kept_whole() {
    let event = testing::event(r#"{"items": [1,2,3]}"#);
    let answer = split(r#"{"pointer": "/items", "max_parts": 2}"#, &event);
    assert!(matches!(&answer, Err(Failure::Reject(why)) if why.contains("3 elements, max_parts is 2")), "{answer:?}");
    let truncate = r#"{"pointer": "/items", "max_parts": 2, "above_max": "truncate"}"#;
    assert_eq!(texts(truncate, r#"{"items": [1,2,3]}"#), ["1", "2"]);
    assert_eq!(patches(truncate, r#"{"items": [1,2,3]}"#)[0].set_attributes[1].value, "3", "the count tells what was");
    let keep = patches(r#"{"pointer": "/items", "max_parts": 2, "above_max": "keep"}"#, r#"{"items": [1,2,3]}"#);
    assert!(matches!(keep.as_slice(), [Patch { data: None, .. }]));
    assert_eq!(texts(r#"{"pointer": "/items", "max_parts": 3}"#, r#"{"items": [1,2,3]}"#).len(), 3);
}

#[test]
fn what_has_no_array_gets_the_configured_answer() {
    let events = [
        testing::event(r#"{"items": {"0": 1}}"#),
        testing::event(r#"{"items": null}"#),
        testing::event("{}"),
        testing::event("items=1"),
        Event { data: Payload::Binary(vec![0xff, 0xfe]), ..testing::event("") },
    ];
    for event in events {
        let answer = split(r#"{"pointer": "/items"}"#, &event);
        assert!(matches!(answer, Err(Failure::Reject(_))), "{answer:?}");
        let answer = split(r#"{"pointer": "/items", "on_not_array": "drop"}"#, &event);
        assert!(matches!(answer, Ok(Outputs::Drop(_))), "{answer:?}");
        let answer = split(r#"{"pointer": "/items", "on_not_array": "keep"}"#, &event);
        assert!(matches!(&answer, Ok(Outputs::Events(list)) if matches!(list.as_slice(), [Patch { data: None, .. }])));
    }
}

#[test]
fn a_configuration_that_makes_no_sense_is_named_by_path_and_rule() {
    let cases = [
        ("{}", "missing field `pointer`"),
        (r#"{"pointer": "items"}"#, "pointer: \"items\" is not a JSON pointer"),
        (r#"{"pointer": "/a", "max_parts": 0}"#, "max_parts: 0 is out of 1 to 1024"),
        (r#"{"pointer": "/a", "event_type": "a b"}"#, "event_type: an event type is 1 to 128"),
        (r#"{"pointer": "/a", "part": "whole"}"#, "part: unknown variant `whole`, expected `element` or `event`"),
        (r#"{"pointer": "/a", "place_at": "/b"}"#, "\"place_at\" goes with \"part\": \"event\""),
        (r#"{"pointer": "/a", "part": "event", "place_at": "/a/b"}"#, "neither within the array nor around it"),
        (r#"{"pointer": "/a", "part": "event", "place_at": ""}"#, "neither within the array nor around it"),
        (r#"{"pointer": "/a", "cap": 3}"#, "unknown field `cap`"),
    ];
    for (config, wanted) in cases {
        let error = error(config);
        assert!(error.contains(wanted), "{config}: {error}");
    }
    let left = weft_plugin_manifest::manifest!().accepted(&cases);
    assert_eq!(left, [cases[6].0, cases[7].0], "plugin.json leaves these to the plugin");
}

#[test]
fn plugin_json_and_readme_agree_with_the_plugin() {
    assert_eq!(weft_plugin_manifest::manifest_findings!(SplitArray), [""; 0]);
}
