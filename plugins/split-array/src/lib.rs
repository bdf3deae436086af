//! Makes an event of each element of an array: see `README.md` for the configuration.

mod part;
mod settings;

use weft_plugin::json::{self, RawValue};
use weft_plugin::{Event, Failure, Header, Outputs, Patch, Payload, Transform, log};

use part::Frame;
pub use settings::SplitArray;
use settings::{AboveMax, OnNotArray, Part};

impl Transform for SplitArray {
    fn transform(&self, event: &Event) -> Result<Outputs, Failure> {
        let array = match json::pick(&event.data, [&self.pointer]) {
            Ok(picked) => picked.get(&self.pointer),
            Err(not_json) => return self.no_array(not_json.to_string()),
        };
        let Some(array) = array else {
            return self.no_array(format!("nothing stands at {:?}", self.pointer.as_str()));
        };
        let Some(elements) = json::elements(array) else {
            return self.no_array(format!("what stands at {:?} is no array", self.pointer.as_str()));
        };
        if elements.is_empty() {
            return Ok(Outputs::Drop(format!("the array at {:?} is empty", self.pointer.as_str())));
        }
        if elements.len() > self.max_parts {
            return self.above_max(event, array, &elements);
        }
        self.split(event, array, &elements, elements.len())
    }
}

impl SplitArray {
    /// An output for each of `elements`, which are all or the first of the `count` in `array`.
    fn split(&self, event: &Event, array: &RawValue, elements: &[&RawValue], count: usize) -> Result<Outputs, Failure> {
        let frame = self.frame(event, array)?;
        let patch = |(number, element): (usize, &&RawValue)| self.patch(event, frame.around(element), number, count);
        Ok(Outputs::Events((1..).zip(elements).map(patch).collect()))
    }

    /// The answer where the array has more elements than allowed.
    fn above_max(&self, event: &Event, array: &RawValue, elements: &[&RawValue]) -> Result<Outputs, Failure> {
        let (count, max) = (elements.len(), self.max_parts);
        let pointer = self.pointer.as_str();
        match self.above_max {
            AboveMax::Reject => {
                Err(Failure::Reject(format!("the array at {pointer:?} has {count} elements, max_parts is {max}")))
            }
            AboveMax::Truncate => {
                log::warn(format!("the array at {pointer:?} has {count} elements: those after {max} are left out"));
                self.split(event, array, &elements[..max], count)
            }
            AboveMax::Keep => {
                log::warn(format!("the array at {pointer:?} has {count} elements, max_parts is {max}: not split"));
                Ok(unchanged())
            }
        }
    }

    /// The answer where there is no array to split.
    fn no_array(&self, why: String) -> Result<Outputs, Failure> {
        match self.on_not_array {
            OnNotArray::Reject => Err(Failure::Reject(why)),
            OnNotArray::Keep => Ok(unchanged()),
            OnNotArray::Drop => Ok(Outputs::Drop(why)),
        }
    }

    /// What stands around the element in each part.
    fn frame(&self, event: &Event, array: &RawValue) -> Result<Frame, Failure> {
        let text = event.data.as_str().unwrap_or_default();
        match &self.part {
            Part::Element => Ok(Frame::default()),
            Part::InPlace => Ok(Frame::in_place(text, array)),
            Part::PlaceAt(place) => Frame::placed(text, &self.pointer, place).ok_or_else(|| {
                Failure::Reject(format!("no object stands where place_at {:?} could be a member", place.as_str()))
            }),
        }
    }

    fn patch(&self, event: &Event, text: String, number: usize, count: usize) -> Patch {
        let attribute = |name: &Option<String>, value: usize| {
            name.as_ref().map(|name| Header::new(name.as_str(), value.to_string()))
        };
        let index = attribute(&self.index_attribute, number);
        Patch {
            event_type: self.event_type.clone(),
            content_type: self.content_type(event),
            data: Some(Payload::Text(text)),
            set_attributes: index.into_iter().chain(attribute(&self.count_attribute, count)).collect(),
            ..Patch::default()
        }
    }

    /// An element alone is plain JSON, whatever kind of JSON document the whole was.
    fn content_type(&self, event: &Event) -> Option<String> {
        let essence = event.content_type.split(';').next().unwrap_or_default().trim();
        let is_changed = matches!(self.part, Part::Element) && !essence.eq_ignore_ascii_case("application/json");
        is_changed.then(|| "application/json".to_owned())
    }
}

fn unchanged() -> Outputs {
    Outputs::Events(vec![Patch::default()])
}

weft_plugin::export!(SplitArray: transform);

#[cfg(test)]
mod tests;
