//! What a message is configured to say, and the body that Slack gets.

use weft_plugin::{Event, Failure, Header, Outputs, Patch, Payload, Transform, config, testing};

use super::SlackMessage;

const ORDER: &str =
    r#"{"id": 7, "total": 1.50, "note": "<!channel> & \"co\"\n*all*", "customer": {"name": "Zoë", "mail": null}}"#;

fn answer(config: &str, event: &Event) -> Result<Patch, String> {
    assert!(weft_plugin_manifest::manifest!().accepts(config), "plugin.json refuses {config}");
    let plugin: SlackMessage = config::parse(config).unwrap_or_else(|e| panic!("{config}: {e}"));
    match plugin.transform(event) {
        Ok(Outputs::Events(mut patches)) if patches.len() == 1 => Ok(patches.remove(0)),
        Err(Failure::Reject(why)) => Err(why),
        other => panic!("{other:?}"),
    }
}

fn body_of(config: &str, event: &Event) -> String {
    let patch = answer(config, event).unwrap_or_else(|e| panic!("{config}: {e}"));
    patch.data.as_ref().and_then(Payload::as_str).expect("a text").to_owned()
}

fn body(config: &str) -> String {
    body_of(config, &testing::event(ORDER))
}

/// The texts of a body: that of the message, then that of each block.
fn texts(body: &str) -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct Body {
        text: String,
        #[serde(default)]
        blocks: Vec<Block>,
    }
    #[derive(serde::Deserialize)]
    struct Block {
        text: Text,
    }
    #[derive(serde::Deserialize)]
    struct Text {
        text: String,
    }
    let body: Body = config::parse(body).unwrap_or_else(|e| panic!("{body}: {e}"));
    std::iter::once(body.text).chain(body.blocks.into_iter().map(|block| block.text.text)).collect()
}

#[test]
fn a_message_is_a_text_and_says_that_it_is_json() {
    assert_eq!(
        body(r#"{"text": "Order {/id} of {/customer/name}: {/total} €"}"#),
        r#"{"text":"Order 7 of Zoë: 1.50 €"}"#
    );
    let mut event = Event { content_type: "text/plain".to_owned(), ..testing::event(ORDER) };
    event.headers = vec![Header::new("x-shop", "a&b")];
    let patch = answer(r#"{"text": "{type} {header:x-shop}"}"#, &event).expect("an answer");
    assert_eq!(patch.content_type.as_deref(), Some("application/json"));
    assert_eq!(patch.data.as_ref().and_then(Payload::as_str), Some(r#"{"text":"test.event a&amp;b"}"#));
}

#[test]
fn each_section_is_a_block() {
    let config = r#"{"text": "Order {/id}", "sections": ["*Order {/id}*", "{/customer/mail|}", "<https://shop.example.org/{/id}|open>"]}"#;
    let wanted = r#"{"text":"Order 7","blocks":[{"type":"section","text":{"type":"mrkdwn","text":"*Order 7*"}},{"type":"section","text":{"type":"mrkdwn","text":"<https://shop.example.org/7|open>"}}]}"#;
    assert_eq!(body(config), wanted, "Slack takes no section without a text");
    assert_eq!(body(r#"{"text": "a", "sections": ["{/customer/mail|} "]}"#), r#"{"text":"a"}"#);
}

#[test]
fn values_are_escaped_and_the_template_is_not() {
    let config = r#"{"text": "<!here> {/note} {/none|<!here>}", "sections": ["{/note}"]}"#;
    let note = "&lt;!channel&gt; &amp; \"co\"\n*all*";
    assert_eq!(texts(&body(config)), [format!("<!here> {note} <!here>"), note.to_owned()]);
}

#[test]
fn what_is_too_long_is_cut_with_an_ellipsis() {
    let of_length = |chars: usize| testing::event(format!(r#"{{"v": "{}"}}"#, "日".repeat(chars)));
    let config = r#"{"text": "{/v}", "sections": ["{/v}"]}"#;
    let lengths = |chars| -> Vec<_> {
        let texts = texts(&body_of(config, &of_length(chars)));
        texts.iter().map(|text| (text.chars().count(), text.ends_with('…'))).collect()
    };
    assert_eq!(lengths(3_000), [(3_000, false), (3_000, false)]);
    assert_eq!(lengths(3_001), [(3_001, false), (3_000, true)]);
    assert_eq!(lengths(40_000), [(40_000, false), (3_000, true)]);
    assert_eq!(lengths(40_001), [(40_000, true), (3_000, true)]);
}

#[test]
fn all_sections_together_are_not_longer_than_slack_takes() {
    let sections = [r#""{/v}""#; 9].join(",");
    let config = format!(r#"{{"text": "a", "sections": [{sections}]}}"#);
    let of_length = |chars: usize| testing::event(format!(r#"{{"v": "{}"}}"#, "x".repeat(chars)));
    let lengths = |chars| -> Vec<_> {
        texts(&body_of(&config, &of_length(chars))).iter().skip(1).map(|text| text.chars().count()).collect()
    };
    assert_eq!(lengths(5_000), [3_000; 4]);
    assert_eq!(lengths(2_500), [2_500, 2_500, 2_500, 2_500, 2_000]);
    assert_eq!(lengths(100), [100; 9]);
}

#[test]
fn a_message_that_says_nothing_is_rejected() {
    for config in [r#"{"text": ""}"#, r#"{"text": " {/customer/mail|} ", "sections": ["a"]}"#] {
        let why = answer(config, &testing::event(ORDER)).expect_err(config);
        assert!(why.contains("the text of the message is empty"), "{why}");
    }
}

#[test]
fn a_missing_value_without_default_is_rejected_by_name() {
    for config in [r#"{"text": "{/customer/mail}"}"#, r#"{"text": "a", "sections": ["a", "{/customer/mail}"]}"#] {
        let why = answer(config, &testing::event(ORDER)).expect_err(config);
        assert_eq!(why, "pointer \"/customer/mail\" is missing and has no default");
    }
}

#[test]
fn a_payload_that_is_not_json_is_rejected_if_a_pointer_asks_for_it() {
    let event = testing::event("id=7");
    let why = answer(r#"{"text": "a", "sections": ["{/id|}"]}"#, &event).expect_err("no JSON");
    assert!(why.contains("not JSON"), "{why}");
    assert_eq!(body_of(r#"{"text": "{type}"}"#, &event), r#"{"text":"test.event"}"#);
}

#[test]
fn a_configuration_that_makes_no_sense_is_named_by_path_and_rule() {
    let many = format!(r#"{{"text": "a", "sections": [{}]}}"#, vec![r#""a""#; 51].join(","));
    let cases = [
        ("{}", "missing field `text`"),
        (r#"{"text": 1}"#, "text: invalid type: integer `1`"),
        (r#"{"text": "a {/id"}"#, "text: the placeholder {/id has no end"),
        (r#"{"text": "a", "sections": ["a", "{data}"]}"#, "sections[1]: \"data\" is no place in an event"),
        (many.as_str(), "sections: 51 sections; a message for Slack has at most 50 blocks"),
        (r#"{"text": "a", "channel": "b"}"#, "unknown field `channel`"),
    ];
    for (config, wanted) in cases {
        let error = config::parse::<SlackMessage>(config).expect_err(config).to_string();
        assert!(error.contains(wanted), "{config}: {error}");
    }
    let left = weft_plugin_manifest::manifest!().accepted(&cases);
    assert_eq!(left, [""; 0], "plugin.json refuses what the plugin does");
}

#[test]
fn plugin_json_and_readme_agree_with_the_plugin() {
    assert_eq!(weft_plugin_manifest::manifest_findings!(SlackMessage), [""; 0]);
}
