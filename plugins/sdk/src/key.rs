//! A key that a plugin makes of fields of an event, to keep something under it.

use std::fmt::Write as _;

use serde::Deserialize;
use serde::de::{Deserializer, Error};
use sha2::{Digest as _, Sha256};

use crate::Event;
use crate::field::Field;
use crate::json::{self, Picked, Pointer};

/// Fields of one key at most.
const FIELDS_MAX: usize = 8;
/// Bytes of a key that stands as it is; longer ones are hashed. It leaves room for what a plugin puts before it.
const PLAIN_BYTES_MAX: usize = 160;

/// The fields of an event that together tell it from others. Written as one place or a list of them, in the short form of [`Field`]:
/// `"/order/id"`, `["/order/id", "header:x-shop", "type"]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFields(Vec<Field>);

impl KeyFields {
    /// The key of `event`: the same for events whose fields have the same values, and for no others.
    ///
    /// A string counts as its text, everything else as it is written; of a repeated header the first one counts.
    ///
    /// # Errors
    /// Which field is missing or `null`, or that the payload is not JSON.
    pub fn of(&self, event: &Event) -> Result<String, String> {
        let pointers: Vec<&Pointer> = self.0.iter().filter_map(Field::pointer).collect();
        let picked = if pointers.is_empty() {
            Picked::none()
        } else {
            json::pick(&event.data, pointers).map_err(|not_json| not_json.to_string())?
        };
        let mut key = String::new();
        for field in &self.0 {
            let text = field.text(event, &picked).ok_or_else(|| format!("{field} is missing"))?;
            if !key.is_empty() {
                key.push(',');
            }
            // As JSON, so that no two lists of values have one text.
            json::push_string(&mut key, &text);
        }
        Ok(if key.len() <= PLAIN_BYTES_MAX { key } else { hashed(&key) })
    }
}

fn hashed(key: &str) -> String {
    let mut text = "sha256:".to_owned();
    for byte in Sha256::digest(key) {
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

impl<'de> Deserialize<'de> for KeyFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected a place in an event, or a list of them")]
        enum Written {
            One(String),
            Many(Vec<String>),
        }
        let written = match Written::deserialize(deserializer)? {
            Written::One(field) => vec![field],
            Written::Many(fields) => fields,
        };
        if written.is_empty() || written.len() > FIELDS_MAX {
            return Err(Error::custom(format!("{} places; a key has 1 to {FIELDS_MAX}", written.len())));
        }
        let fields = written.iter().map(|text| text.parse().map_err(Error::custom));
        fields.collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Header, testing};

    fn fields(json: &str) -> KeyFields {
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
    }

    fn key(json: &str, body: &str) -> Result<String, String> {
        fields(json).of(&testing::event(body))
    }

    #[test]
    fn a_key_is_made_of_all_its_fields() {
        let mut event = testing::event(r#"{"id": "a\u0062", "n": 7, "o": {"x": [1]}}"#);
        event.headers = vec![Header::new("x-shop", "1"), Header::new("x-shop", "2")];
        let key = fields(r#"["/id", "/n", "/o", "header:X-Shop", "type"]"#).of(&event);
        assert_eq!(key.as_deref(), Ok(r#""ab","7","{\"x\": [1]}","1","test.event""#));
    }

    #[test]
    fn different_values_have_different_keys_however_long_they_are() {
        let both = r#"["/a", "/b"]"#;
        assert_ne!(key(both, r#"{"a": "x\",\"y", "b": "z"}"#), key(both, r#"{"a": "x", "b": "y\",\"z"}"#));
        let long = |end: &str| key(r#""/a""#, &format!(r#"{{"a": "{}{end}"}}"#, "x".repeat(300))).expect("a key");
        assert_eq!(long("1"), long("1"));
        assert_ne!(long("1"), long("2"));
        assert_eq!(long("1").len(), "sha256:".len() + 64);
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(key(r#""/a""#, r#"{"a": null}"#), Err("pointer \"/a\" is missing".to_owned()));
        assert!(key(r#""/a""#, "a=1").expect_err("not JSON").contains("not JSON"));
        for (json, words) in [("[]", "0 places"), (r#""id?""#, "no place in an event"), ("7", "expected a place")] {
            let error = serde_json::from_str::<KeyFields>(json).expect_err(json).to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
