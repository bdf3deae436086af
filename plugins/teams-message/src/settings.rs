//! The configuration of the plugin.

use serde::Deserialize;
use serde::de::{Deserializer, Error};
use weft_plugin::template::Template;

/// The plugin, as configured.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Written")]
pub struct TeamsMessage {
    pub(crate) title: Option<Template>,
    pub(crate) text: Option<Template>,
    pub(crate) facts: Vec<Fact>,
    pub(crate) button: Option<ButtonTemplate>,
}

/// One line of the list of facts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fact {
    pub(crate) title: Template,
    pub(crate) value: Template,
}

/// A button that opens a page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ButtonTemplate {
    pub(crate) title: Template,
    #[serde(deserialize_with = "url")]
    pub(crate) url: Template,
}

/// More than anybody reads in a card.
const FACTS_MAX: usize = 50;

/// The configuration as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    title: Option<Template>,
    text: Option<Template>,
    #[serde(default, deserialize_with = "facts")]
    facts: Vec<Fact>,
    button: Option<ButtonTemplate>,
}

impl TryFrom<Written> for TeamsMessage {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        if written.title.is_none() && written.text.is_none() {
            return Err("a card has a title, a text or both");
        }
        Ok(Self { title: written.title, text: written.text, facts: written.facts, button: written.button })
    }
}

impl TeamsMessage {
    pub(crate) fn templates(&self) -> impl Iterator<Item = &Template> {
        let texts = self.title.iter().chain(&self.text);
        let facts = self.facts.iter().flat_map(|fact| [&fact.title, &fact.value]);
        texts.chain(facts).chain(self.button.iter().flat_map(|button| [&button.title, &button.url]))
    }
}

pub(crate) fn is_web_address(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

fn facts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Fact>, D::Error> {
    let facts = Vec::<Fact>::deserialize(deserializer)?;
    match facts.len() {
        0..=FACTS_MAX => Ok(facts),
        count => Err(D::Error::custom(format!("{count} facts, at most {FACTS_MAX}"))),
    }
}

/// An address that begins with a value can only be checked when the value is there.
fn url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Template, D::Error> {
    let url = Template::deserialize(deserializer)?;
    let begins_with_value = url.constant().is_none() && url.beginning().is_empty();
    if begins_with_value || is_web_address(url.beginning()) {
        return Ok(url);
    }
    Err(D::Error::custom("a web address begins with https://, http:// or a placeholder"))
}
