//! Makes the body of a Slack incoming webhook of an event: see `README.md` for the configuration.

mod mrkdwn;

use serde::Deserialize;
use serde::de::{Deserializer, Error};
use weft_plugin::json::{self, Picked};
use weft_plugin::template::Template;
use weft_plugin::{Event, Failure, Outputs, Patch, Payload, Transform};

/// The plugin, as configured.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlackMessage {
    /// The message; with sections, what notifications show.
    text: Template,
    /// Each is a block of the message.
    #[serde(default, deserialize_with = "sections")]
    sections: Vec<Template>,
}

/// Slack cuts a longer `text` itself, in the middle of whatever stands there:
/// <https://docs.slack.dev/reference/methods/chat.postMessage>.
const TEXT_CHARS_MAX: usize = 40_000;
/// <https://docs.slack.dev/reference/block-kit/blocks/section-block>.
const SECTION_CHARS_MAX: usize = 3_000;
/// <https://docs.slack.dev/reference/block-kit/blocks>.
const BLOCKS_MAX: usize = 50;
/// All blocks together; Slack names no number, but answers `msg_blocks_too_long` from about 13,200 characters on:
/// <https://github.com/slackapi/bolt-js/issues/2509>.
const BLOCKS_CHARS_MAX: usize = 12_000;

impl Transform for SlackMessage {
    fn transform(&self, event: &Event) -> Result<Outputs, Failure> {
        let pointers: Vec<_> = self.templates().flat_map(Template::pointers).collect();
        let picked = if pointers.is_empty() { Ok(Picked::none()) } else { json::pick(&event.data, pointers) };
        let picked = picked.map_err(|not_json| Failure::Reject(not_json.to_string()))?;
        let mut text = String::new();
        render(&self.text, event, &picked, &mut text, TEXT_CHARS_MAX)?;
        if text.trim().is_empty() {
            return Err(Failure::Reject(
                "the text of the message is empty, and Slack takes no message without".to_owned(),
            ));
        }
        mrkdwn::cut(&mut text, TEXT_CHARS_MAX);
        let mut body = String::from(r#"{"text":"#);
        json::push_string(&mut body, &text);
        self.push_blocks(event, &picked, &mut text, &mut body)?;
        body.push('}');
        Ok(Outputs::Events(vec![Patch {
            content_type: Some("application/json".to_owned()),
            data: Some(Payload::Text(body)),
            ..Patch::default()
        }]))
    }
}

impl SlackMessage {
    fn templates(&self) -> impl Iterator<Item = &Template> {
        std::iter::once(&self.text).chain(&self.sections)
    }

    /// Writes a block for each section that has a text, as long as there is room; `text` is room to work in.
    fn push_blocks(
        &self,
        event: &Event,
        picked: &Picked<'_, '_>,
        text: &mut String,
        body: &mut String,
    ) -> Result<(), Failure> {
        let mut room = BLOCKS_CHARS_MAX;
        let mut before = r#","blocks":["#;
        for section in &self.sections {
            text.clear();
            render(section, event, picked, text, SECTION_CHARS_MAX)?;
            if text.trim().is_empty() || room == 0 {
                continue;
            }
            mrkdwn::cut(text, SECTION_CHARS_MAX.min(room));
            room = room.saturating_sub(text.chars().count());
            body.push_str(before);
            body.push_str(r#"{"type":"section","text":{"type":"mrkdwn","text":"#);
            json::push_string(body, text);
            body.push_str("}}");
            before = ",";
        }
        if before == "," {
            body.push(']');
        }
        Ok(())
    }
}

/// Writes the text, of each value so much that [`mrkdwn::cut`] sees whether it is above `chars_max`.
fn render(
    template: &Template,
    event: &Event,
    picked: &Picked<'_, '_>,
    out: &mut String,
    chars_max: usize,
) -> Result<(), Failure> {
    let insert = |out: &mut String, value: &str| {
        let end = value.char_indices().nth(chars_max + 1).map_or(value.len(), |(at, _)| at);
        mrkdwn::push_escaped(out, &value[..end]);
    };
    template.render(event, picked, out, insert).map_err(|missing| Failure::Reject(missing.to_string()))
}

fn sections<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Template>, D::Error> {
    let sections = Vec::<Template>::deserialize(deserializer)?;
    match sections.len() {
        0..=BLOCKS_MAX => Ok(sections),
        count => {
            Err(D::Error::custom(format!("{count} sections; a message for Slack has at most {BLOCKS_MAX} blocks")))
        }
    }
}

weft_plugin::export!(SlackMessage: transform);

#[cfg(test)]
mod tests;
