//! Keeps a share of the events: see `README.md` for the configuration.

mod settings;
mod share;

use std::borrow::Cow;

use weft_plugin::json::{self, Picked, RawValue, Value};
use weft_plugin::{Event, Failure, Filter, Verdict};

use settings::OnMissing;
pub use settings::Sample;

impl Filter for Sample {
    fn decide(&self, event: &Event) -> Result<Verdict, Failure> {
        let Some(field) = &self.field else { return Ok(self.verdict(&event.id)) };
        let key = match field.pointer() {
            Some(pointer) => match json::pick(&event.data, [pointer]) {
                Ok(picked) => picked.get(pointer).and_then(key_of),
                Err(not_json) => return self.missing(not_json.to_string()),
            },
            None => {
                let values = field.values(event, &Picked::none());
                values.first().and_then(Value::as_str).map(|text| Cow::Owned(text.to_owned()))
            }
        };
        match key {
            Some(key) => Ok(self.verdict(&key)),
            None => self.missing(format!("{field} is missing")),
        }
    }
}

/// What counts of a value of the payload: the text of a string, everything else as it is written.
fn key_of(raw: &RawValue) -> Option<Cow<'_, str>> {
    match Value::of(raw) {
        Value::Null => None,
        Value::String(text) => Some(text),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) | Value::Text(_) => {
            Some(Cow::Borrowed(raw.get()))
        }
    }
}

impl Sample {
    /// Whether the events of this key are in the sample.
    fn verdict(&self, key: &str) -> Verdict {
        if self.share.holds(&self.salt, key) {
            Verdict::Keep
        } else {
            Verdict::Drop(format!("not in the sample of {} %", self.share.percent()))
        }
    }

    /// The answer where there is no key.
    fn missing(&self, why: String) -> Result<Verdict, Failure> {
        match self.on_missing {
            OnMissing::Reject => Err(Failure::Reject(why)),
            OnMissing::Keep => Ok(Verdict::Keep),
            OnMissing::Drop => Ok(Verdict::Drop(why)),
        }
    }
}

weft_plugin::export!(Sample: filter);

#[cfg(test)]
mod tests;
