//! The values directly within a value.

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The elements of an array; `None` if `value` is something else.
pub fn elements(value: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(value.get()).ok()
}

/// The members of an object as they stand there, names with their quotes; `None` if `value` is something else.
pub fn members(value: &RawValue) -> Option<Vec<(&RawValue, &RawValue)>> {
    serde_json::Deserializer::from_str(value.get()).deserialize_map(Members).ok()
}

struct Members;

impl<'a> Visitor<'a> for Members {
    type Value = Vec<(&'a RawValue, &'a RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_are_slices_of_the_text_in_its_order() {
        let raw: Box<RawValue> = serde_json::from_str(r#"{"b": [1, "x"], "\u0061" : {}, "b":2}"#).expect("an object");
        let found = members(&raw).expect("members");
        let texts: Vec<_> = found.iter().map(|(name, value)| (name.get(), value.get())).collect();
        assert_eq!(texts, [("\"b\"", r#"[1, "x"]"#), (r#""\u0061""#, "{}"), ("\"b\"", "2")]);
        let list: Vec<_> = elements(found[0].1).expect("elements").iter().map(|raw| raw.get()).collect();
        assert_eq!(list, ["1", r#""x""#]);
        assert!(elements(&raw).is_none() && members(found[0].1).is_none() && elements(found[2].1).is_none());
    }
}
