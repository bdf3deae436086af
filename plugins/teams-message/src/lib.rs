//! Makes the body of a Microsoft Teams webhook, a card, of an event: see `README.md` for the configuration.

mod card;
mod markdown;
mod settings;

use weft_plugin::json::{self, Picked};
use weft_plugin::template::Template;
use weft_plugin::{Event, Failure, Outputs, Patch, Payload, Transform};

use card::{Button, Card};
pub use settings::TeamsMessage;

/// Longest title of a card: two or three lines in Teams.
const TITLE_CHARS_MAX: usize = 500;
/// Longest title or value of a fact; more belongs into the text, which has no such limit.
const FACT_CHARS_MAX: usize = 1_000;

impl Transform for TeamsMessage {
    fn transform(&self, event: &Event) -> Result<Outputs, Failure> {
        let pointers: Vec<_> = self.templates().flat_map(Template::pointers).collect();
        let picked = if pointers.is_empty() { Ok(Picked::none()) } else { json::pick(&event.data, pointers) };
        let picked = picked.map_err(|not_json| Failure::Reject(not_json.to_string()))?;
        let body = self.card(event, &picked)?.into_body().map_err(Failure::Reject)?;
        Ok(Outputs::Events(vec![Patch {
            content_type: Some("application/json".to_owned()),
            data: Some(Payload::Text(body)),
            ..Patch::default()
        }]))
    }
}

impl TeamsMessage {
    fn card(&self, event: &Event, picked: &Picked<'_, '_>) -> Result<Card, Failure> {
        let formatted = |template: &Template, chars_max: usize| -> Result<String, Failure> {
            let mut text = rendered(template, event, picked, markdown::push_escaped)?;
            markdown::cut(&mut text, chars_max, usize::MAX);
            Ok(text)
        };
        let mut facts = Vec::with_capacity(self.facts.len());
        for fact in &self.facts {
            facts.push((formatted(&fact.title, FACT_CHARS_MAX)?, formatted(&fact.value, FACT_CHARS_MAX)?));
        }
        Ok(Card {
            title: self.title.as_ref().map_or(Ok(String::new()), |title| formatted(title, TITLE_CHARS_MAX))?,
            // More characters than a message has bytes need not be looked at; the card cuts what is left to fit.
            text: self.text.as_ref().map_or(Ok(String::new()), |text| formatted(text, card::BODY_BYTES_MAX))?,
            facts,
            button: self.button(event, picked)?,
        })
    }

    /// The button; none where its address is empty.
    fn button(&self, event: &Event, picked: &Picked<'_, '_>) -> Result<Option<Button>, Failure> {
        let Some(button) = &self.button else { return Ok(None) };
        let url = rendered(&button.url, event, picked, push_url_part)?;
        if url.is_empty() {
            return Ok(None);
        }
        if !settings::is_web_address(&url) || url.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(Failure::Reject("the url of the button is no web address with http:// or https://".to_owned()));
        }
        let mut title = rendered(&button.title, event, picked, String::push_str)?;
        markdown::cut(&mut title, TITLE_CHARS_MAX, usize::MAX);
        Ok(Some(Button { title, url }))
    }
}

fn rendered(
    template: &Template,
    event: &Event,
    picked: &Picked<'_, '_>,
    insert: impl Fn(&mut String, &str),
) -> Result<String, Failure> {
    let mut text = String::new();
    template.render(event, picked, &mut text, insert).map_err(|missing| Failure::Reject(missing.to_string()))?;
    Ok(text)
}

/// Writes a value into an address: as it is where the address begins with it, else percent-encoded, so that it is one
/// segment or one parameter whatever it says.
fn push_url_part(out: &mut String, value: &str) {
    if out.is_empty() {
        return out.push_str(value);
    }
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            let digit = |nibble: u8| char::from(b"0123456789ABCDEF"[usize::from(nibble)]);
            out.push('%');
            out.push(digit(byte >> 4));
            out.push(digit(byte & 0xf));
        }
    }
}

weft_plugin::export!(TeamsMessage: transform);

#[cfg(test)]
mod tests;
