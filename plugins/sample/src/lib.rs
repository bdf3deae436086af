//! Keeps a share of the events: see `README.md` for the configuration.

mod settings;
mod share;

use weft_plugin::json::{self, Picked};
use weft_plugin::{Event, Failure, Filter, Verdict};

use settings::OnMissing;
pub use settings::Sample;

impl Filter for Sample {
    fn decide(&self, event: &Event) -> Result<Verdict, Failure> {
        let Some(field) = &self.field else { return Ok(self.verdict(&event.id)) };
        let pointer = field.pointer();
        let picked = match pointer.map(|pointer| json::pick(&event.data, [pointer])) {
            Some(Ok(picked)) => picked,
            Some(Err(not_json)) => return self.missing(not_json.to_string()),
            None => Picked::none(),
        };
        match field.text(event, &picked) {
            Some(key) => Ok(self.verdict(&key)),
            None => self.missing(format!("{field} is missing")),
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
