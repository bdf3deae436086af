//! What a card is configured to show, and the body that Teams gets.

use serde::Deserialize;
use weft_plugin::{Event, Failure, Outputs, Patch, Payload, Transform, config, testing};

use super::TeamsMessage;

const ORDER: &str = r#"{"id": 7, "total": 1.50, "note": "[win](https://evil.example) **\"now\"**", "path": "a b/../ü?x=1&y#z",
    "page": "https://shop.example.org/orders/7?a=1&b=2", "customer": {"name": "Zoë", "mail": null}}"#;

/// The message, as far as the tests look at it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Message {
    r#type: String,
    attachments: Vec<Attachment>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Attachment {
    content_type: String,
    content_url: Option<String>,
    content: Content,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    #[serde(rename = "$schema")]
    schema: String,
    r#type: String,
    version: String,
    body: Vec<Element>,
    #[serde(default)]
    actions: Vec<Action>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", deny_unknown_fields)]
enum Element {
    TextBlock { text: String, wrap: bool, size: Option<String>, weight: Option<String> },
    FactSet { facts: Vec<Fact> },
}

#[derive(Debug, Deserialize)]
struct Fact {
    title: String,
    value: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Action {
    r#type: String,
    title: String,
    url: String,
}

fn answer(config: &str, event: &Event) -> Result<Patch, String> {
    assert!(weft_plugin_manifest::manifest!().accepts(config), "plugin.json refuses {config}");
    let plugin: TeamsMessage = config::parse(config).unwrap_or_else(|e| panic!("{config}: {e}"));
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

/// The card that a body holds.
fn card_in(body: &str) -> Content {
    let mut message: Message = config::parse(body).unwrap_or_else(|e| panic!("{body}: {e}"));
    let attachment = message.attachments.pop().expect("an attachment");
    assert!(message.r#type == "message" && message.attachments.is_empty() && attachment.content_url.is_none());
    assert_eq!(attachment.content_type, "application/vnd.microsoft.card.adaptive");
    let card = attachment.content;
    assert_eq!((card.r#type.as_str(), card.version.as_str()), ("AdaptiveCard", "1.4"));
    assert_eq!(card.schema, "http://adaptivecards.io/schemas/adaptive-card.json");
    card
}

fn card(config: &str) -> Content {
    card_in(&body_of(config, &testing::event(ORDER)))
}

/// The text blocks of a card, and its facts as `title=value`.
fn lines(card: &Content) -> Vec<String> {
    let element = |element: &Element| match element {
        Element::TextBlock { text, wrap: true, .. } => vec![text.clone()],
        Element::TextBlock { text, .. } => panic!("not wrapped: {text}"),
        Element::FactSet { facts } => facts.iter().map(|fact| format!("{}={}", fact.title, fact.value)).collect(),
    };
    card.body.iter().flat_map(element).collect()
}

fn url(template: &str) -> Result<String, String> {
    let config = format!(r#"{{"text": "a", "button": {{"title": "Open", "url": "{template}"}}}}"#);
    let patch = answer(&config, &testing::event(ORDER))?;
    let card = card_in(patch.data.as_ref().and_then(Payload::as_str).expect("a text"));
    Ok(card.actions.first().map(|action| action.url.clone()).unwrap_or_default())
}

#[test]
fn a_card_has_title_text_facts_and_a_button() {
    let card = card(
        r#"{"title": "Order {/id}", "text": "From **{/customer/name}**", "facts": [{"title": "Total", "value": "{/total} €"},
            {"title": "Mail", "value": "{/customer/mail|none}"}],
            "button": {"title": "Open {/id}", "url": "https://shop.example.org/orders/{/id}"}}"#,
    );
    assert_eq!(lines(&card), ["Order 7", "From **Zoë**", "Total=1.50 €", "Mail=none"]);
    let [Element::TextBlock { size, weight, .. }, Element::TextBlock { size: None, weight: None, .. }, _] =
        card.body.as_slice()
    else {
        panic!("{card:?}");
    };
    assert_eq!((size.as_deref(), weight.as_deref()), (Some("Large"), Some("Bolder")));
    let [button] = card.actions.as_slice() else { panic!("one button") };
    assert_eq!((button.r#type.as_str(), button.title.as_str()), ("Action.OpenUrl", "Open 7"));
    assert_eq!(button.url, "https://shop.example.org/orders/7");
}

#[test]
fn a_card_may_be_a_title_or_a_text_alone() {
    let title = card(r#"{"title": "{type}"}"#);
    assert_eq!((lines(&title), title.actions.len()), (vec!["test.event".to_owned()], 0));
    assert_eq!(lines(&card(r#"{"title": "{/customer/mail|}", "text": "b"}"#)), ["b"]);
    for config in [r#"{"title": ""}"#, r#"{"text": "{/customer/mail|} ", "facts": [{"title": "a", "value": "b"}]}"#] {
        let why = answer(config, &testing::event(ORDER)).expect_err(config);
        assert_eq!(why, "title and text of the card are empty");
    }
}

#[test]
fn values_are_neither_links_nor_bold_and_the_template_may_be() {
    let card =
        card(r#"{"text": "[open](https://a.example) **{/note}**", "facts": [{"title": "Note", "value": "{/note}"}]}"#);
    let note = r#"\[win\](https://evil.example) \*\*"now"\*\*"#;
    assert_eq!(lines(&card), [format!("[open](https://a.example) **{note}**"), format!("Note={note}")]);
}

#[test]
fn a_value_within_an_address_is_one_part_of_it() {
    let wanted = "https://shop.example.org/a%20b%2F..%2F%C3%BC%3Fx%3D1%26y%23z?v=Zo%C3%AB";
    assert_eq!(url("https://shop.example.org/{/path}?v={/customer/name}").as_deref(), Ok(wanted));
    assert_eq!(url("{/page}").as_deref(), Ok("https://shop.example.org/orders/7?a=1&b=2"));
    assert_eq!(
        url("{/page}&c={/path}").map(|url| url.ends_with("&b=2&c=a%20b%2F..%2F%C3%BC%3Fx%3D1%26y%23z")),
        Ok(true)
    );
    assert_eq!(url("{/customer/mail|}").as_deref(), Ok(""), "without an address there is no button");
    for template in ["{/customer/name}", "{/path}", "{/none|javascript:alert(1)}", "{/none|https://a b}"] {
        let why = url(template).expect_err(template);
        assert_eq!(why, "the url of the button is no web address with http:// or https://");
    }
}

#[test]
fn a_text_that_is_too_long_is_cut_so_that_the_message_fits() {
    let config = r#"{"title": "{/t}", "text": "{/v}", "facts": [{"title": "a", "value": "b"}]}"#;
    for unit in ["x", "日", "\\n", "\\\"", "*", "\\u0001", "a日*\\\\"] {
        for count in [10, 26_000, 28_000, 100_000] {
            let event = testing::event(format!(r#"{{"t": "T", "v": "v{}"}}"#, unit.repeat(count)));
            let body = body_of(config, &event);
            assert!(body.len() <= 28_000, "{} bytes for {count} times {unit}", body.len());
            let lines = lines(&card_in(&body));
            assert_eq!((lines[0].as_str(), lines[2].as_str()), ("T", "a=b"), "nothing else is cut");
            if count > 28_000 {
                assert!(
                    lines[1].ends_with('…') && body.len() > 27_980,
                    "{} bytes are left unused",
                    28_000 - body.len()
                );
            } else if count == 10 {
                assert!(!lines[1].ends_with('…'));
            }
        }
    }
}

#[test]
fn titles_and_facts_are_cut_and_too_many_of_them_are_rejected() {
    let event = testing::event(format!(r#"{{"v": "{}"}}"#, "日".repeat(2_000)));
    let fact = r#"{"title": "{/v}", "value": "{/v}"}"#;
    let config = format!(r#"{{"title": "{{/v}}", "text": "{{/v}}", "facts": [{fact}]}}"#);
    let lines = lines(&card_in(&body_of(&config, &event)));
    let lengths: Vec<_> = lines.iter().map(|line| line.chars().count()).collect();
    assert_eq!(lengths, [500, 2_000, 2_001]);
    let config = format!(r#"{{"text": "{{/v}}", "facts": [{}]}}"#, [fact; 5].join(","));
    let why = answer(&config, &event).expect_err("30 KB of facts");
    assert!(
        why.starts_with("the card takes 30") && why.ends_with("bytes without its text, and Teams takes 28000"),
        "{why}"
    );
}

#[test]
fn a_missing_value_without_default_is_rejected_by_name() {
    for config in [
        r#"{"title": "{/none}"}"#,
        r#"{"text": "{/none}"}"#,
        r#"{"text": "a", "facts": [{"title": "b", "value": "{/none}"}]}"#,
        r#"{"text": "a", "button": {"title": "b", "url": "https://a.example/{/none}"}}"#,
    ] {
        let why = answer(config, &testing::event(ORDER)).expect_err(config);
        assert_eq!(why, "pointer \"/none\" is missing and has no default");
    }
}

#[test]
fn a_payload_that_is_not_json_is_rejected_if_a_pointer_asks_for_it() {
    let event = Event { content_type: "text/plain".to_owned(), ..testing::event("id=7") };
    let why = answer(r#"{"text": "a", "facts": [{"title": "b", "value": "{/id|}"}]}"#, &event).expect_err("no JSON");
    assert!(why.contains("not JSON"), "{why}");
    let patch = answer(r#"{"text": "{type}"}"#, &event).expect("nobody asked for JSON");
    assert_eq!(patch.content_type.as_deref(), Some("application/json"));
}

#[test]
fn a_configuration_that_makes_no_sense_is_named_by_path_and_rule() {
    let many = format!(r#"{{"text": "a", "facts": [{}]}}"#, vec![r#"{"title": "a", "value": "b"}"#; 51].join(","));
    let cases = [
        ("{}", "a card has a title, a text or both"),
        (r#"{"facts": [{"title": "a", "value": "b"}]}"#, "a card has a title, a text or both"),
        (r#"{"text": "{data}"}"#, "text: \"data\" is no place in an event"),
        (r#"{"text": "a", "facts": [{"title": "a"}]}"#, "facts[0]: missing field `value`"),
        (r#"{"text": "a", "facts": [{"title": "a", "value": "b", "short": true}]}"#, "unknown field `short`"),
        (many.as_str(), "facts: 51 facts, at most 50"),
        (r#"{"text": "a", "button": {"title": "b"}}"#, "button: missing field `url`"),
        (r#"{"text": "a", "button": {"title": "b", "url": "shop/{/id}"}}"#, "button.url: a web address begins with"),
        (r#"{"text": "a", "button": {"title": "b", "url": ""}}"#, "button.url: a web address begins with"),
        (r#"{"text": "a", "color": "red"}"#, "unknown field `color`"),
    ];
    for (config, wanted) in cases {
        let error = config::parse::<TeamsMessage>(config).expect_err(config).to_string();
        assert!(error.contains(wanted), "{config}: {error}");
    }
    let left = weft_plugin_manifest::manifest!().accepted(&cases);
    assert_eq!(left, [""; 0], "plugin.json refuses what the plugin does");
}

#[test]
fn plugin_json_and_readme_agree_with_the_plugin() {
    assert_eq!(weft_plugin_manifest::manifest_findings!(TeamsMessage), [""; 0]);
}
