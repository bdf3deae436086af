//! What is configured to be renamed, and the type that an event then has.

use weft_plugin::{Event, Failure, Header, Outputs, Patch, Payload, Transform, config, testing};

use super::RenameType;

const RULES: &str = r#""types": {"invoice.paid": "billing.paid", "stripe.ping": "ping"},
    "prefixes": {"stripe.": "pay.", "stripe.invoice.": "billing.", "old.": ""}"#;

fn answer(config: &str, event: &Event) -> Result<Outputs, Failure> {
    assert!(weft_plugin_manifest::manifest!().accepts(config), "plugin.json refuses {config}");
    let plugin: RenameType = config::parse(config).unwrap_or_else(|e| panic!("{config}: {e}"));
    plugin.transform(event)
}

/// The type after the rules; that of the event if it is left alone.
fn renamed(config: &str, event: &Event) -> String {
    match answer(config, event) {
        Ok(Outputs::Events(patches)) => match patches.as_slice() {
            [Patch { event_type, data: None, content_type: None, .. }] => {
                event_type.clone().unwrap_or_else(|| event.event_type.clone())
            }
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn of_type(event_type: &str) -> Event {
    Event { event_type: event_type.to_owned(), ..testing::event(r#"{"event": "order.created", "n": 5}"#) }
}

fn rejection(config: &str, event: &Event) -> String {
    match answer(config, event) {
        Err(Failure::Reject(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_type_is_renamed_by_the_table_and_else_by_its_longest_prefix() {
    let cases = [
        ("invoice.paid", "billing.paid"),
        ("stripe.ping", "ping"),
        ("stripe.charge", "pay.charge"),
        ("stripe.invoice.paid", "billing.paid"),
        ("stripe.", "pay."),
        ("old.thing", "thing"),
        ("Stripe.charge", "Stripe.charge"),
        ("invoice.paid.late", "invoice.paid.late"),
    ];
    for (old, new) in cases {
        assert_eq!(renamed(&format!("{{{RULES}}}"), &of_type(old)), new, "{old}");
    }
    assert_eq!(
        renamed(r#"{"prefixes": {"": "shop."}}"#, &of_type("order")),
        "shop.order",
        "every type begins with nothing"
    );
}

#[test]
fn a_type_that_stays_is_not_copied() {
    let answer = answer(r#"{"types": {"push": "push"}}"#, &of_type("push"));
    assert!(
        matches!(&answer, Ok(Outputs::Events(list)) if matches!(list.as_slice(), [Patch { event_type: None, .. }]))
    );
}

#[test]
fn what_no_rule_names_is_kept_dropped_or_rejected() {
    let with = |otherwise: &str| format!(r#"{{{RULES}, "otherwise": "{otherwise}"}}"#);
    assert_eq!(renamed(&with("keep"), &of_type("push")), "push");
    let answer = answer(&with("drop"), &of_type("push"));
    assert!(matches!(&answer, Ok(Outputs::Drop(why)) if why == "no rule for the type \"push\""), "{answer:?}");
    assert_eq!(rejection(&with("reject"), &of_type("push")), "no rule for the type \"push\"");
    assert_eq!(renamed(&with("reject"), &of_type("stripe.ping")), "ping");
}

#[test]
fn the_type_may_stand_in_the_payload_in_a_header_or_in_an_attribute() {
    let mut event = of_type("webhook");
    event.headers = vec![Header::new("x-github-event", "pull_request")];
    event.attributes = vec![Header::new("kind", "stripe.charge")];
    assert_eq!(renamed(r#"{"pointer": "/event"}"#, &event), "order.created", "without a rule it is the type");
    assert_eq!(renamed(r#"{"pointer": "/event", "prefixes": {"order.": "shop/"}}"#, &event), "shop/created");
    assert_eq!(renamed(r#"{"header": "X-GitHub-Event", "prefixes": {"": "github."}}"#, &event), "github.pull_request");
    assert_eq!(renamed(&format!(r#"{{"attribute": "kind", {RULES}}}"#), &event), "pay.charge");
    let drop = answer(&format!(r#"{{"pointer": "/event", {RULES}, "otherwise": "drop"}}"#), &event);
    assert!(
        matches!(&drop, Ok(Outputs::Drop(why)) if why == "no rule for the value of pointer \"/event\""),
        "{drop:?}"
    );
}

#[test]
fn where_no_type_stands_the_event_is_kept_as_it_is_dropped_or_rejected() {
    let not_json = Event { data: Payload::Text("event=push".to_owned()), ..of_type("webhook") };
    for (config, event, why) in [
        (r#""pointer": "/none""#, of_type("webhook"), "pointer \"/none\" is missing or no text"),
        (r#""pointer": "/n""#, of_type("webhook"), "pointer \"/n\" is missing or no text"),
        (r#""header": "x-event""#, of_type("webhook"), "header \"x-event\" is missing or no text"),
        (r#""pointer": "/event""#, not_json, "not JSON"),
    ] {
        assert_eq!(renamed(&format!("{{{config}}}"), &event), "webhook");
        let found = rejection(&format!(r#"{{{config}, "otherwise": "reject"}}"#), &event);
        assert!(found.contains(why), "{found}");
        let drop = answer(&format!(r#"{{{config}, "otherwise": "drop"}}"#), &event);
        assert!(matches!(&drop, Ok(Outputs::Drop(found)) if found.contains(why)), "{drop:?}");
    }
}

#[test]
fn what_makes_no_event_type_is_rejected_and_not_quoted() {
    for value in ["Order Created", "", "größe"] {
        let event = testing::event(format!(r#"{{"event": "{value}"}}"#));
        let why = rejection(r#"{"pointer": "/event"}"#, &event);
        assert_eq!(
            why,
            "the value of pointer \"/event\" makes no event type: 1 to 128 of letters, digits and . _ - : /"
        );
        let table = format!(r#"{{"pointer": "/event", "types": {{"{value}": "order.created"}}}}"#);
        assert_eq!(renamed(&table, &event), "order.created", "the table takes any text");
    }
    let long = format!(r#"{{"prefixes": {{"a": "{}"}}}}"#, "b".repeat(128));
    assert_eq!(renamed(&long, &of_type("a")), "b".repeat(128));
    assert_eq!(rejection(&long, &of_type("a1")), "the new event type is longer than 128 characters");
    assert!(rejection(r#"{"prefixes": {"a": ""}}"#, &of_type("a")).contains("event type"), "nothing is no type");
}

#[test]
fn a_configuration_that_makes_no_sense_is_named_by_path_and_rule() {
    let cases = [
        ("{}", "nothing would be renamed: give types"),
        (r#"{"types": {}, "prefixes": {}, "otherwise": "drop"}"#, "nothing would be renamed"),
        (r#"{"pointer": "/a", "header": "b"}"#, "where the type stands is one of pointer"),
        (r#"{"pointer": "a"}"#, "pointer: \"a\" is not a JSON pointer"),
        (r#"{"types": {"a": "b c"}}"#, "types: \"b c\" for \"a\": an event type is 1 to 128"),
        (r#"{"types": {"a": ""}}"#, "an event type is 1 to 128"),
        (r#"{"types": {"a": 1}}"#, "types.a: invalid type: integer `1`"),
        (r#"{"types": {"a": "b", "a": "c"}}"#, "types: \"a\" is there twice"),
        (r#"{"prefixes": {"a": "ü"}}"#, "the beginning of an event type is up to 128"),
        (r#"{"types": {"a": "b"}, "otherwise": "ignore"}"#, "otherwise: unknown variant `ignore`"),
        (r#"{"types": {"a": "b"}, "default": "c"}"#, "unknown field `default`"),
    ];
    for (config, wanted) in cases {
        let error = config::parse::<RenameType>(config).expect_err(config).to_string();
        assert!(error.contains(wanted), "{config}: {error}");
    }
    let left = weft_plugin_manifest::manifest!().accepted(&cases);
    assert_eq!(left, [cases[7].0], "plugin.json leaves these to the plugin");
}

#[test]
fn plugin_json_and_readme_agree_with_the_plugin() {
    assert_eq!(weft_plugin_manifest::manifest_findings!(RenameType), [""; 0]);
}
