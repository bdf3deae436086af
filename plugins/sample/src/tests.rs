//! What share is configured, and which events are then kept.

use weft_plugin::{Event, Failure, Filter, Header, Payload, Verdict, config, testing};

use super::Sample;

fn decide(config: &str, event: &Event) -> Result<Verdict, Failure> {
    assert!(weft_plugin_manifest::manifest!().accepts(config), "plugin.json refuses {config}");
    let plugin: Sample = config::parse(config).unwrap_or_else(|e| panic!("{config}: {e}"));
    plugin.decide(event)
}

fn keeps(config: &str, event: &Event) -> bool {
    matches!(decide(config, event).expect("an answer"), Verdict::Keep)
}

/// An event of a customer, the JSON of whose id this is.
fn of_customer(number: u32, customer: &str) -> Event {
    let mut event = testing::event(format!(r#"{{"n": {number}, "customer": {customer}}}"#));
    event.id = format!("evt_{number:026}");
    event
}

#[test]
fn events_are_kept_by_their_id_in_the_share_that_is_asked() {
    let kept = (0..2_000).filter(|number| keeps(r#"{"percent": 12.5}"#, &of_customer(*number, "1"))).count();
    assert!((200..300).contains(&kept), "{kept} of 2,000");
    for number in 0..100 {
        let event = of_customer(number, "1");
        assert!(keeps(r#"{"percent": 100}"#, &event) && !keeps(r#"{"percent": 0}"#, &event));
        let other_body = Event { data: Payload::Binary(vec![0xff]), ..event.clone() };
        let config = r#"{"percent": 50.0}"#;
        assert_eq!(keeps(config, &event), keeps(config, &other_body), "the id alone decides");
        assert_eq!(keeps(config, &event), keeps(r#"{"percent": 50, "event": "id"}"#, &event));
    }
}

#[test]
fn all_events_of_one_customer_are_kept_or_dropped_together() {
    let config = r#"{"percent": 50, "pointer": "/customer"}"#;
    let mut kept = 0;
    for customer in 0..200 {
        let of_one = |number| keeps(config, &of_customer(number, &format!("\"cus_{customer}\"")));
        assert!((1..5).all(|number| of_one(number) == of_one(0)), "customer {customer}");
        kept += u32::from(of_one(0));
    }
    assert!((70..130).contains(&kept), "{kept} of 200 customers");
}

#[test]
fn a_value_counts_as_its_text_wherever_it_stands() {
    let mut kept = [0, 0];
    for customer in 0..64 {
        let mut event = of_customer(7, &format!(r#""\u0063us_{customer}""#));
        event.headers = vec![Header::new("x-customer", format!("cus_{customer}")), Header::new("x-customer", "other")];
        event.attributes = vec![Header::new("customer", format!("cus_{customer}"))];
        event.event_type = format!("cus_{customer}");
        let is_kept = keeps(r#"{"percent": 50, "pointer": "/customer"}"#, &event);
        assert_eq!(keeps(r#"{"percent": 50, "header": "X-Customer"}"#, &event), is_kept);
        assert_eq!(keeps(r#"{"percent": 50, "attribute": "customer"}"#, &event), is_kept);
        assert_eq!(keeps(r#"{"percent": 50, "event": "type"}"#, &event), is_kept);
        kept[usize::from(is_kept)] += 1;
        let number = of_customer(7, &customer.to_string());
        let text = of_customer(7, &format!("\"{customer}\""));
        let config = r#"{"percent": 50, "pointer": "/customer"}"#;
        assert_eq!(keeps(config, &number), keeps(config, &text), "a number counts as it is written");
    }
    assert!(kept.iter().all(|count| *count > 10), "both answers occur: {kept:?}");
}

#[test]
fn a_salt_makes_another_choice() {
    let differs = |number: &u32| {
        let event = of_customer(*number, "1");
        keeps(r#"{"percent": 50}"#, &event) != keeps(r#"{"percent": 50, "salt": "second"}"#, &event)
    };
    let count = (0..400).filter(differs).count();
    assert!((140..260).contains(&count), "{count} of 400 differ");
}

#[test]
fn a_missing_value_gets_the_configured_answer() {
    let not_json = Event { data: Payload::Text("customer=1".to_owned()), ..testing::event("") };
    for (field, event, wanted) in [
        (r#""pointer": "/none""#, of_customer(1, "1"), "pointer \"/none\" is missing"),
        (r#""pointer": "/customer""#, of_customer(1, "null"), "pointer \"/customer\" is missing"),
        (r#""header": "x-customer""#, of_customer(1, "1"), "header \"x-customer\" is missing"),
        (r#""pointer": "/customer""#, not_json, "not JSON"),
    ] {
        let with = |rest: &str| decide(&format!(r#"{{"percent": 100, {field}{rest}}}"#), &event);
        assert!(matches!(with(""), Err(Failure::Reject(why)) if why.contains(wanted)), "{field}");
        let drop = with(r#", "on_missing": "drop""#);
        assert!(matches!(drop, Ok(Verdict::Drop(why)) if why.contains(wanted)), "{field}");
        let keep = decide(&format!(r#"{{"percent": 0, {field}, "on_missing": "keep"}}"#), &event);
        assert!(matches!(keep, Ok(Verdict::Keep)), "{field}");
    }
}

#[test]
fn the_reason_names_the_share() {
    let answer = decide(r#"{"percent": 0.25}"#, &of_customer(2, "1"));
    assert!(matches!(&answer, Ok(Verdict::Drop(why)) if why == "not in the sample of 0.25 %"), "{answer:?}");
}

#[test]
fn a_configuration_that_makes_no_sense_is_named_by_path_and_rule() {
    let cases = [
        ("{}", "missing field `percent`"),
        (r#"{"percent": 101}"#, "percent: 101 is out of 0 to 100"),
        (r#"{"percent": -1}"#, "percent: -1 is out of 0 to 100"),
        (r#"{"percent": "10"}"#, "percent: invalid type: string"),
        (r#"{"percent": 1, "pointer": "/a", "header": "b"}"#, "what is hashed is one of"),
        (r#"{"percent": 1, "event": "time"}"#, "event: unknown variant `time`"),
        (r#"{"percent": 1, "pointer": "a"}"#, "pointer: \"a\" is not a JSON pointer"),
        (r#"{"percent": 1, "rate": 2}"#, "unknown field `rate`"),
    ];
    for (config, wanted) in cases {
        let error = config::parse::<Sample>(config).expect_err(config).to_string();
        assert!(error.contains(wanted), "{config}: {error}");
    }
    let left = weft_plugin_manifest::manifest!().accepted(&cases);
    assert_eq!(left, [""; 0], "plugin.json refuses what the plugin does");
}

#[test]
fn plugin_json_and_readme_agree_with_the_plugin() {
    assert_eq!(weft_plugin_manifest::manifest_findings!(Sample), [""; 0]);
}
