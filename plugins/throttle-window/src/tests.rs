//! How many events pass, of which key and when.

use weft_plugin::testing::{self, granted};
use weft_plugin::{Event, Failure, Filter, Verdict, config};

use super::ThrottleWindow;

fn decide(config: &str, event: &Event) -> Result<Verdict, Failure> {
    assert!(weft_plugin_manifest::manifest!().accepts(config), "plugin.json refuses {config}");
    let plugin: ThrottleWindow = config::parse(config).unwrap_or_else(|e| panic!("{config}: {e}"));
    plugin.decide(event)
}

/// Whether an event of this customer passes that came at this second of the first minute of 2026.
fn passes(config: &str, customer: &str, second: u32) -> bool {
    let received_at = format!("2026-01-01T00:{:02}:{:02}.999Z", second / 60, second % 60);
    let event = Event { received_at, ..testing::event(format!(r#"{{"customer": "{customer}"}}"#)) };
    match decide(config, &event) {
        Ok(Verdict::Keep) => true,
        Ok(Verdict::Drop(why)) => {
            assert!(why.starts_with("over "), "{why}");
            false
        }
        Err(failure) => panic!("{failure:?}"),
    }
}

#[test]
fn so_many_events_pass_in_each_window() {
    let config = r#"{"events": 2, "window_seconds": 10}"#;
    let passed = [0, 1, 9, 9, 10, 19, 19, 20].map(|second| passes(config, "a", second));
    assert_eq!(passed, [true, true, false, false, true, true, false, true]);
    // What waited and comes late counts where it belongs.
    assert!(!passes(config, "a", 5));
}

#[test]
fn each_key_has_windows_of_its_own() {
    let config = r#"{"events": 1, "window_seconds": 60, "key": "/customer"}"#;
    assert_eq!(["a", "b", "a", "b"].map(|customer| passes(config, customer, 7)), [true, true, false, false]);
    assert!(passes(r#"{"events": 1, "window_seconds": 30, "key": "/customer"}"#, "a", 7), "another limit");
    assert!(granted(|host| host.kv.values().all(|(_, ttl)| ttl.is_some())), "nothing is kept for ever");
}

#[test]
fn an_event_without_a_key_or_without_room_is_answered_as_configured() {
    let event = testing::event("{}");
    let keyed = |rest: &str| format!(r#"{{"events": 1, "window_seconds": 1, "key": "/customer"{rest}}}"#);
    assert!(matches!(decide(&keyed(""), &event), Err(Failure::Reject(why)) if why.contains("/customer")));
    assert!(matches!(decide(&keyed(r#", "on_missing": "keep""#), &event), Ok(Verdict::Keep)));
    assert!(matches!(decide(&keyed(r#", "on_missing": "drop""#), &event), Ok(Verdict::Drop(_))));
    granted(|host| host.kv_entries_max = 0);
    let answer = decide(r#"{"events": 1, "window_seconds": 1}"#, &event);
    assert!(matches!(&answer, Err(Failure::Retry(later)) if later.reason.contains("kv_entries_max")), "{answer:?}");
}

#[test]
fn a_configuration_that_makes_no_sense_is_named_by_path_and_rule() {
    let cases = [
        (r#"{"window_seconds": 1}"#, "missing field `events`"),
        (r#"{"events": 0, "window_seconds": 1}"#, "events: invalid value"),
        (r#"{"events": 1, "window_seconds": 0}"#, "window_seconds: 0 is out of 1 to 2592000"),
        (r#"{"events": 1, "window_seconds": 1, "per": 2}"#, "unknown field `per`"),
    ];
    for (config, wanted) in cases {
        let error = config::parse::<ThrottleWindow>(config).expect_err(config).to_string();
        assert!(error.contains(wanted), "{config}: {error}");
    }
    assert_eq!(weft_plugin_manifest::manifest!().accepted(&cases), [""; 0]);
}

#[test]
fn plugin_json_and_readme_agree_with_the_plugin() {
    assert_eq!(weft_plugin_manifest::manifest_findings!(ThrottleWindow), [""; 0]);
}
