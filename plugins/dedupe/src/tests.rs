//! What is a duplicate, and what is not.

use weft_plugin::testing::{self, granted};
use weft_plugin::{Event, Failure, Filter, Verdict, config};

use super::Dedupe;

const BY_ID: &str = r#"{"key": "/id", "window_seconds": 60}"#;

fn decide(config: &str, event: &Event) -> Result<Verdict, Failure> {
    assert!(weft_plugin_manifest::manifest!().accepts(config), "plugin.json refuses {config}");
    let plugin: Dedupe = config::parse(config).unwrap_or_else(|e| panic!("{config}: {e}"));
    plugin.decide(event)
}

/// The n-th event, with this body.
fn event(n: u32, body: &str) -> Event {
    Event { id: format!("evt_{n:026}"), ..testing::event(body) }
}

#[test]
fn the_second_event_of_a_key_is_dropped_and_told_the_first() {
    assert!(matches!(decide(BY_ID, &event(1, r#"{"id": "a"}"#)), Ok(Verdict::Keep)));
    assert!(matches!(decide(BY_ID, &event(2, r#"{"id": "b"}"#)), Ok(Verdict::Keep)));
    let again = decide(BY_ID, &event(3, r#"{"n": 2, "id": "\u0061"}"#));
    let wanted = format!("seen before, as evt_{:026}, within 60 s", 1);
    assert!(matches!(&again, Ok(Verdict::Drop(why)) if *why == wanted), "{again:?}");
    assert!(granted(|host| host.kv.values().all(|(_, ttl)| *ttl == Some(60))), "the host forgets it at its time");
}

#[test]
fn a_replay_and_the_parts_of_one_event_are_no_duplicates() {
    let first = event(1, r#"{"id": "a"}"#);
    assert!(matches!(decide(BY_ID, &first), Ok(Verdict::Keep)));
    assert!(matches!(decide(BY_ID, &Event { output: 2, ..first }), Ok(Verdict::Keep)));
}

#[test]
fn all_fields_of_a_key_count_and_windows_are_apart() {
    let of_type = |n, kind: &str| Event { event_type: kind.to_owned(), ..event(n, r#"{"id": "a"}"#) };
    let both = r#"{"key": ["/id", "type"]}"#;
    assert!(matches!(decide(both, &of_type(1, "order.created")), Ok(Verdict::Keep)));
    assert!(matches!(decide(both, &of_type(2, "order.paid")), Ok(Verdict::Keep)));
    assert!(matches!(decide(both, &of_type(3, "order.paid")), Ok(Verdict::Drop(_))));
    assert!(matches!(decide(BY_ID, &of_type(4, "order.paid")), Ok(Verdict::Keep)), "another window");
}

#[test]
fn an_event_without_a_key_gets_the_configured_answer() {
    let nameless = event(1, r#"{"id": null}"#);
    let with = |rest: &str| decide(&format!(r#"{{"key": "/id"{rest}}}"#), &nameless);
    assert!(matches!(with(""), Err(Failure::Reject(why)) if why == "pointer \"/id\" is missing"));
    assert!(matches!(with(r#", "on_missing": "drop""#), Ok(Verdict::Drop(_))));
    assert!(matches!(with(r#", "on_missing": "keep""#), Ok(Verdict::Keep)));
    assert!(granted(|host| host.kv.is_empty()));
}

#[test]
fn an_event_for_which_there_is_no_room_waits() {
    granted(|host| host.kv_entries_max = 1);
    assert!(matches!(decide(BY_ID, &event(1, r#"{"id": "a"}"#)), Ok(Verdict::Keep)));
    let answer = decide(BY_ID, &event(2, r#"{"id": "b"}"#));
    assert!(matches!(&answer, Err(Failure::Retry(later)) if later.reason.contains("kv_entries_max")), "{answer:?}");
}

#[test]
fn a_configuration_that_makes_no_sense_is_named_by_path_and_rule() {
    let cases = [
        ("{}", "missing field `key`"),
        (r#"{"key": []}"#, "key: 0 places"),
        (r#"{"key": "/id", "window_seconds": 0}"#, "window_seconds: 0 is out of 1 to 2592000"),
        (r#"{"key": "/id", "window": 1}"#, "unknown field `window`"),
    ];
    for (config, wanted) in cases {
        let error = config::parse::<Dedupe>(config).expect_err(config).to_string();
        assert!(error.contains(wanted), "{config}: {error}");
    }
    assert_eq!(weft_plugin_manifest::manifest!().accepted(&cases), [""; 0]);
}

#[test]
fn plugin_json_and_readme_agree_with_the_plugin() {
    assert_eq!(weft_plugin_manifest::manifest_findings!(Dedupe), [""; 0]);
}
