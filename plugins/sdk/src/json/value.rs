//! Values of events, and the scalars of a configuration that they are compared with.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error};
use serde_json::value::RawValue;

use super::number::Number;

/// A value of an event.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(Number<'a>),
    /// A string. One with half a surrogate pair is no text and stands as it is written, escapes included.
    String(Cow<'a, str>),
    /// An array; see [`elements`](super::elements).
    Array(&'a RawValue),
    /// An object.
    Object(&'a RawValue),
    /// A header, an attribute or the like: always text, also where it spells a number or a boolean.
    Text(&'a str),
}

impl<'a> Value<'a> {
    /// The value that a part of a payload is.
    pub fn of(raw: &'a RawValue) -> Self {
        let text = raw.get();
        match text.as_bytes().first() {
            Some(b'n') => Self::Null,
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            Some(b'"') => Self::String(unquoted(text)),
            Some(b'[') => Self::Array(raw),
            Some(b'{') => Self::Object(raw),
            _ => Number::parse(text).map_or(Self::Text(text), Self::Number),
        }
    }

    /// The text of a string, a header, an attribute or the like.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            Self::Text(text) => Some(text),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Array(_) | Self::Object(_) => None,
        }
    }
}

fn unquoted(text: &str) -> Cow<'_, str> {
    let inner = &text[1..text.len() - 1];
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    serde_json::from_str(text).map_or(Cow::Borrowed(inner), Cow::Owned)
}

/// A string, number, boolean or `null` of a configuration; a number is kept as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// The text of a JSON number.
    Number(String),
    /// A string.
    String(String),
}

impl Scalar {
    /// Whether `value` is this scalar. Types must agree, but [`Value::Text`] may spell a number or a boolean.
    pub fn equals(&self, value: &Value<'_>) -> bool {
        match (self, value) {
            (Self::Null, Value::Null) => true,
            (Self::Bool(own), Value::Bool(other)) => own == other,
            (Self::Bool(own), Value::Text(text)) => *text == if *own { "true" } else { "false" },
            (Self::Number(_), _) => self.compare(value) == Some(Ordering::Equal),
            (Self::String(own), _) => value.as_str() == Some(own),
            (Self::Null | Self::Bool(_), _) => false,
        }
    }

    /// How `value` stands to this scalar: numbers by size, strings by code point; `None` if the two cannot be compared.
    pub fn compare(&self, value: &Value<'_>) -> Option<Ordering> {
        match (self, value) {
            (Self::Number(own), Value::Number(number)) => Some(number.cmp(&Number::parse(own)?)),
            (Self::Number(own), Value::Text(text)) => Some(Number::parse(text)?.cmp(&Number::parse(own)?)),
            (Self::String(own), _) => value.as_str().map(|text| text.cmp(own)),
            (Self::Null | Self::Bool(_) | Self::Number(_), _) => None,
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(text) => f.write_str(text),
            Self::String(text) => write!(f, "{text:?}"),
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    /// Reads a scalar from JSON text; other formats have no raw values.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        match Value::of(&raw) {
            Value::Null => Ok(Self::Null),
            Value::Bool(value) => Ok(Self::Bool(value)),
            Value::Number(_) => Ok(Self::Number(raw.get().to_owned())),
            Value::String(text) => Ok(Self::String(text.into_owned())),
            Value::Array(_) | Value::Object(_) | Value::Text(_) => {
                Err(D::Error::custom("expected a string, a number, a boolean or null"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(json: &str) -> Scalar {
        serde_json::from_str(json).expect(json)
    }

    fn equals(scalar_json: &str, value_json: &str) -> bool {
        let raw: Box<RawValue> = serde_json::from_str(value_json).expect(value_json);
        scalar(scalar_json).equals(&Value::of(&raw))
    }

    #[test]
    fn equal_means_the_same_type_and_the_same_value() {
        for (left, right) in [
            ("1", "1.0"),
            ("100", "1e2"),
            ("12345678901234567890123", "12345678901234567890123.0"),
            (r#""é""#, r#""\u00e9""#),
            (r#""a/b""#, r#""a\/b""#),
            ("null", "null"),
            ("false", "false"),
        ] {
            assert!(equals(left, right), "{left} {right}");
        }
        for (left, right) in [
            ("1", r#""1""#),
            (r#""1""#, "1"),
            ("9007199254740993", "9007199254740992"),
            ("null", "false"),
            ("0", "false"),
            ("null", r#""null""#),
            (r#""a""#, r#"["a"]"#),
            (r#""e\u0301""#, r#""é""#),
        ] {
            assert!(!equals(left, right), "{left} {right}");
        }
    }

    #[test]
    fn a_header_may_spell_a_number_or_a_boolean() {
        for (json, text) in [("5", "5.0"), ("true", "true"), (r#""5""#, "5")] {
            assert!(scalar(json).equals(&Value::Text(text)), "{json} {text}");
        }
        for (json, text) in [("5", "five"), ("5", " 5"), ("null", "null"), ("true", "True"), (r#""5""#, "5.0")] {
            assert!(!scalar(json).equals(&Value::Text(text)), "{json} {text}");
        }
    }

    #[test]
    fn only_what_can_be_compared_is() {
        let number = Value::Number(Number::parse("10").expect("a number"));
        assert_eq!(scalar("9.99").compare(&number), Some(Ordering::Greater));
        assert_eq!(scalar(r#""9""#).compare(&number), None);
        assert_eq!(scalar(r#""2026-01-02""#).compare(&Value::Text("2026-01-10")), Some(Ordering::Greater));
        assert_eq!(scalar("true").compare(&Value::Bool(true)), None);
    }

    #[test]
    fn half_a_surrogate_pair_stands_as_written() {
        let raw: Box<RawValue> = serde_json::from_str(r#""\ud83d""#).expect("a string");
        assert_eq!(Value::of(&raw).as_str(), Some("\\ud83d"));
    }

    #[test]
    fn a_list_is_no_scalar() {
        for bad in ["[]", "{}", "[1]"] {
            let error = serde_json::from_str::<Scalar>(bad).expect_err(bad).to_string();
            assert!(error.starts_with("expected a string, a number, a boolean or null"), "{error}");
        }
    }
}
