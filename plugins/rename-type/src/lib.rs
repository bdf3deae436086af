//! Changes the event type by a table of types and by prefixes: see `README.md` for the configuration.

mod settings;

use weft_plugin::json::{self, Picked};
use weft_plugin::{Event, Failure, Outputs, Patch, Transform};

pub use settings::RenameType;
use settings::{Otherwise, is_event_type};

impl Transform for RenameType {
    fn transform(&self, event: &Event) -> Result<Outputs, Failure> {
        let Some(field) = &self.field else {
            return match self.renamed(&event.event_type) {
                Some(renamed) => self.typed(event, renamed),
                None => self.otherwise(format!("no rule for the type {:?}", event.event_type), None, event),
            };
        };
        let picked = match field.pointer() {
            None => Ok(Picked::none()),
            Some(pointer) => json::pick(&event.data, [pointer]),
        };
        let picked = match picked {
            Ok(picked) => picked,
            Err(not_json) => return self.otherwise(not_json.to_string(), None, event),
        };
        let values = field.values(event, &picked);
        let Some(found) = values.iter().find_map(|value| value.as_str()) else {
            return self.otherwise(format!("{field} is missing or no text"), None, event);
        };
        match self.renamed(found) {
            Some(renamed) => self.typed(event, renamed),
            None => self.otherwise(format!("no rule for the value of {field}"), Some(found), event),
        }
    }
}

impl RenameType {
    /// The new type of what was of type `found`: by the table, else by the longest prefix.
    fn renamed(&self, found: &str) -> Option<String> {
        if let Some((_, new)) = self.types.iter().find(|(old, _)| old == found) {
            return Some(new.clone());
        }
        let matching = self.prefixes.iter().filter(|(old, _)| found.starts_with(old.as_str()));
        let (old, new) = matching.max_by_key(|(old, _)| old.len())?;
        Some(format!("{new}{}", &found[old.len()..]))
    }

    /// The answer where no rule applies; `found` is the type that was read from the event, if one was.
    fn otherwise(&self, why: String, found: Option<&str>, event: &Event) -> Result<Outputs, Failure> {
        match (self.otherwise, found) {
            (Otherwise::Keep, Some(found)) => self.typed(event, found.to_owned()),
            (Otherwise::Keep, None) => Ok(Outputs::Events(vec![Patch::default()])),
            (Otherwise::Drop, _) => Ok(Outputs::Drop(why)),
            (Otherwise::Reject, _) => Err(Failure::Reject(why)),
        }
    }

    /// The event with this type.
    fn typed(&self, event: &Event, new: String) -> Result<Outputs, Failure> {
        if !is_event_type(&new) {
            return Err(Failure::Reject(match &self.field {
                Some(field) => {
                    format!("the value of {field} makes no event type: 1 to 128 of letters, digits and . _ - : /")
                }
                None => "the new event type is longer than 128 characters".to_owned(),
            }));
        }
        let event_type = (new != event.event_type).then_some(new);
        Ok(Outputs::Events(vec![Patch { event_type, ..Patch::default() }]))
    }
}

weft_plugin::export!(RenameType: transform);

#[cfg(test)]
mod tests;
