//! Checks a JSON payload and finds the event's type in it, in one pass and without building a tree.
//!
//! The payload is parsed as strictly as a tree would be: grammar, Unicode, the range of numbers, and a depth of 128, so
//! that what is stored is JSON for every plugin and receiver. Nothing is kept but the string at the pointer.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// What stands at the pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// A string.
    Text(Cow<'a, str>),
    /// Something else, described for a person.
    Other(&'static str),
    /// Nothing.
    Nothing,
}

/// Checks that `payload` is one JSON value; answers what stands at `pointer` (RFC 6901), nothing without one.
///
/// Of keys that occur twice the last one counts, as in all common readers of JSON.
///
/// # Errors
/// Says line and column of the first mistake.
pub(super) fn find<'a>(payload: &'a str, pointer: Option<&str>) -> Result<Found<'a>, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(payload);
    let found = match pointer {
        Some(rest) => Follow { rest }.deserialize(&mut reader)?,
        None => reader.deserialize_any(Skip).map(|()| Found::Nothing)?,
    };
    reader.end()?;
    Ok(found)
}

/// Follows the rest of a pointer: empty, or `/` and the next token.
#[derive(Clone, Copy)]
struct Follow<'p> {
    rest: &'p str,
}

impl<'de> DeserializeSeed<'de> for Follow<'_> {
    type Value = Found<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found<'de>, D::Error> {
        match self.rest.strip_prefix('/') {
            None => deserializer.deserialize_any(Here),
            Some(rest) => {
                let end = rest.find('/').unwrap_or(rest.len());
                let (token, rest) = rest.split_at(end);
                deserializer.deserialize_any(Below { token: unescaped(token), rest })
            }
        }
    }
}

/// `~1` stands for `/`, `~0` for `~`.
fn unescaped(token: &str) -> Cow<'_, str> {
    if token.contains('~') { Cow::Owned(token.replace("~1", "/").replace("~0", "~")) } else { Cow::Borrowed(token) }
}

macro_rules! scalars {
    ($value:ty, $of_bool:expr, $of_number:expr, $of_null:expr) => {
        fn visit_bool<E: Error>(self, _: bool) -> Result<$value, E> {
            Ok($of_bool)
        }

        fn visit_i64<E: Error>(self, _: i64) -> Result<$value, E> {
            Ok($of_number)
        }

        fn visit_u64<E: Error>(self, _: u64) -> Result<$value, E> {
            Ok($of_number)
        }

        fn visit_f64<E: Error>(self, _: f64) -> Result<$value, E> {
            Ok($of_number)
        }

        fn visit_unit<E: Error>(self) -> Result<$value, E> {
            Ok($of_null)
        }

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON value")
        }
    };
}

/// Takes what stands here.
struct Here;

impl<'de> Visitor<'de> for Here {
    type Value = Found<'de>;

    scalars!(Found<'de>, Found::Other("a boolean"), Found::Other("a number"), Found::Other("null"));

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Found<'de>, E> {
        Ok(Found::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Found<'de>, E> {
        Ok(Found::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Found<'de>, A::Error> {
        Skip.visit_seq(seq).map(|()| Found::Other("an array"))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Found<'de>, A::Error> {
        Skip.visit_map(map).map(|()| Found::Other("an object"))
    }
}

/// Goes one token further down.
struct Below<'p> {
    token: Cow<'p, str>,
    rest: &'p str,
}

impl<'de> Visitor<'de> for Below<'_> {
    type Value = Found<'de>;

    scalars!(Found<'de>, Found::Nothing, Found::Nothing, Found::Nothing);

    fn visit_str<E: Error>(self, _: &str) -> Result<Found<'de>, E> {
        Ok(Found::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Found<'de>, A::Error> {
        let index = array_index(&self.token);
        let mut found = Found::Nothing;
        for place in 0_usize.. {
            let more = if Some(place) == index {
                seq.next_element_seed(Follow { rest: self.rest })?.map(|here| found = here)
            } else {
                seq.next_element_seed(Skip)?
            };
            if more.is_none() {
                break;
            }
        }
        Ok(found)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Found<'de>, A::Error> {
        let mut found = Found::Nothing;
        while let Some(is_ours) = map.next_key_seed(KeyIs(&self.token))? {
            if is_ours {
                found = map.next_value_seed(Follow { rest: self.rest })?;
            } else {
                map.next_value_seed(Skip)?;
            }
        }
        Ok(found)
    }
}

/// An array's index is written without sign and leading zeros (RFC 6901, section 4).
fn array_index(token: &str) -> Option<usize> {
    let canonical = token == "0" || !token.starts_with(['0', '+']);
    if canonical { token.parse().ok() } else { None }
}

/// Compares a key without keeping it.
struct KeyIs<'p>(&'p str);

impl<'de> DeserializeSeed<'de> for KeyIs<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyIs<'_> {
    type Value = bool;

    fn visit_str<E: Error>(self, key: &str) -> Result<bool, E> {
        Ok(key == self.0)
    }

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
}

/// Checks and forgets. Unlike `IgnoredAny`, which serde_json skips without a look at Unicode, numbers and depth.
struct Skip;

impl<'de> DeserializeSeed<'de> for Skip {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Skip {
    type Value = ();

    scalars!((), (), (), ());

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_key_seed(Self)?.is_some() {
            map.next_value_seed(Self)?;
        }
        Ok(())
    }
}
