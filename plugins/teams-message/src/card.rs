//! The card, and the message around it.

use weft_plugin::json;

use crate::markdown;

/// What a card shows; empty texts are left out.
#[derive(Debug)]
pub(crate) struct Card {
    pub(crate) title: String,
    pub(crate) text: String,
    /// Titles and values.
    pub(crate) facts: Vec<(String, String)>,
    pub(crate) button: Option<Button>,
}

/// A button that opens a page.
#[derive(Debug)]
pub(crate) struct Button {
    pub(crate) title: String,
    pub(crate) url: String,
}

/// Teams refuses a message above about 28 KB: <https://learn.microsoft.com/en-us/connectors/teams/>, known issues.
pub(crate) const BODY_BYTES_MAX: usize = 28_000;
/// A text that is cut shows at least this much, or there is no point in it.
const TEXT_BYTES_MIN: usize = 100;

const BEFORE: &str = concat!(
    r#"{"type":"message","attachments":[{"contentType":"application/vnd.microsoft.card.adaptive","contentUrl":null,"#,
    r#""content":{"$schema":"http://adaptivecards.io/schemas/adaptive-card.json","type":"AdaptiveCard","version":"1.4","#,
    r#""body":["#
);
const AFTER: &str = "}}]}";

impl Card {
    /// The body of the message, the text cut where it would be too large.
    ///
    /// An error says why there can be none.
    pub(crate) fn into_body(mut self) -> Result<String, String> {
        if self.title.trim().is_empty() && self.text.trim().is_empty() {
            return Err("title and text of the card are empty".to_owned());
        }
        let body = self.body();
        if body.len() <= BODY_BYTES_MAX {
            return Ok(body);
        }
        let mut text = String::new();
        json::push_string(&mut text, &self.text);
        let around = body.len() - text.len() + 2;
        match BODY_BYTES_MAX.checked_sub(around) {
            Some(room) if room >= TEXT_BYTES_MIN => markdown::cut(&mut self.text, usize::MAX, room),
            _ => {
                return Err(format!(
                    "the card takes {around} bytes without its text, and Teams takes {BODY_BYTES_MAX}"
                ));
            }
        }
        Ok(self.body())
    }

    fn body(&self) -> String {
        let mut body = String::from(BEFORE);
        let mut is_first = true;
        if !self.title.trim().is_empty() {
            let style = r#","size":"Large","weight":"Bolder""#;
            push_text_block(&mut body, &self.title, style, &mut is_first);
        }
        if !self.text.trim().is_empty() {
            push_text_block(&mut body, &self.text, "", &mut is_first);
        }
        if !self.facts.is_empty() {
            separate(&mut body, &mut is_first);
            body.push_str(r#"{"type":"FactSet","facts":["#);
            let mut is_first = true;
            for (title, value) in &self.facts {
                separate(&mut body, &mut is_first);
                body.push_str(r#"{"title":"#);
                json::push_string(&mut body, title);
                body.push_str(r#","value":"#);
                json::push_string(&mut body, value);
                body.push('}');
            }
            body.push_str("]}");
        }
        body.push(']');
        if let Some(button) = &self.button {
            body.push_str(r#","actions":[{"type":"Action.OpenUrl","title":"#);
            json::push_string(&mut body, &button.title);
            body.push_str(r#","url":"#);
            json::push_string(&mut body, &button.url);
            body.push_str("}]");
        }
        body.push_str(AFTER);
        body
    }
}

fn push_text_block(body: &mut String, text: &str, style: &str, is_first: &mut bool) {
    separate(body, is_first);
    body.push_str(r#"{"type":"TextBlock","text":"#);
    json::push_string(body, text);
    body.push_str(style);
    body.push_str(r#","wrap":true}"#);
}

fn separate(body: &mut String, is_first: &mut bool) {
    if !std::mem::take(is_first) {
        body.push(',');
    }
}
