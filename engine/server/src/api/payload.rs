//! Checks a JSON payload and finds the event's type in it, in one pass and without building a tree.
//!
//! What counts is RFC 8259's grammar: half a surrogate pair in an escape or a number beyond every float is JSON, senders do
//! write such things, and the bytes go on untouched. Only depth is bounded beyond the grammar, for the sake of the
//! plugins and receivers, most of which read recursively. Nothing is kept but the string at the pointer.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize as _;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Deepest nesting of a payload: what serde_json, and with it every plugin built with our SDK, reads by default.
pub(super) const DEPTH_MAX: usize = 127;

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

/// Why a payload that promises JSON is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Malformed {
    /// It breaks the grammar; says line and column.
    #[error("{0}")]
    Grammar(serde_json::Error),
    /// It is nested too deeply.
    #[error("arrays and objects are nested more than {DEPTH_MAX} deep")]
    TooDeep,
}

/// Checks that `payload` is one JSON value; answers what stands at `pointer` (RFC 6901), nothing without one.
///
/// Of keys that occur twice the last one counts, as in all common readers of JSON.
///
/// # Errors
/// [`Malformed`].
pub(super) fn find<'a>(payload: &'a str, pointer: Option<&str>) -> Result<Found<'a>, Malformed> {
    if is_too_deep(payload.as_bytes()) {
        return Err(Malformed::TooDeep);
    }
    let mut reader = serde_json::Deserializer::from_str(payload);
    let found = match pointer {
        Some(rest) => Follow { rest }.deserialize(&mut reader),
        None => IgnoredAny::deserialize(&mut reader).map(|_| Found::Nothing),
    };
    let found = found.map_err(Malformed::Grammar)?;
    reader.end().map_err(Malformed::Grammar)?;
    Ok(found)
}

/// Whether brackets outside of strings are nested too deeply. Most payloads have too few brackets for that, and counting
/// them takes no time.
fn is_too_deep(payload: &[u8]) -> bool {
    // Counted in bytes, 255 at a time, so that the compiler can count many at once.
    let in_chunk = |chunk: &[u8]| chunk.iter().map(|byte| u8::from(matches!(byte, b'[' | b'{'))).sum::<u8>();
    let brackets = payload.chunks(255).map(|chunk| usize::from(in_chunk(chunk))).sum::<usize>();
    brackets > DEPTH_MAX && depth(payload) > DEPTH_MAX
}

fn depth(payload: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in payload {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'[' | b'{') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            (true | false, _) => {}
        }
    }
    deepest
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
        IgnoredAny.visit_seq(seq).map(|_| Found::Other("an array"))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Found<'de>, A::Error> {
        IgnoredAny.visit_map(map).map(|_| Found::Other("an object"))
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
                seq.next_element::<IgnoredAny>()?.map(|_| ())
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
                map.next_value::<IgnoredAny>()?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn text(text: &str) -> Found<'_> {
        Found::Text(Cow::Borrowed(text))
    }

    #[test]
    fn the_string_at_the_pointer_is_found() {
        for (payload, pointer, found) in [
            (r#"{"type":"new_order","data":{}}"#, "/type", text("new_order")),
            (r#" { "data" : [1, {"type":"no"}] , "type" : "late" } "#, "/type", text("late")),
            (r#"{"meta":{"kind":"a"},"kind":"b"}"#, "/meta/kind", text("a")),
            (r#"[{"t":"first"},{"t":"second"}]"#, "/1/t", text("second")),
            (r#"{"a/b":{"c~d":"x"}}"#, "/a~1b/c~0d", text("x")),
            (r#"{"":"empty"}"#, "/", text("empty")),
            (r#"{"type":"gr\u00fc\u00df"}"#, "/type", text("grüß")),
            (r#"{"type":"first","type":"last"}"#, "/type", text("last")),
            (r#"{"a":{"t":"x"},"a":{}}"#, "/a/t", Found::Nothing),
            (r#""just a string""#, "", text("just a string")),
            (r#"{"type":7}"#, "/type", Found::Other("a number")),
            (r#"{"type":null}"#, "/type", Found::Other("null")),
            (r#"{"type":[["x"]]}"#, "/type", Found::Other("an array")),
            (r#"{"type":{"x":1}}"#, "/type", Found::Other("an object")),
            (r#"{"type":true}"#, "/type", Found::Other("a boolean")),
            (r#"["x"]"#, "/00", Found::Nothing),
            (r#"["x"]"#, "/+0", Found::Nothing),
            ("7", "/type", Found::Nothing),
            (r#""type""#, "/type", Found::Nothing),
        ] {
            assert_eq!(find(payload, Some(pointer)).expect(payload), found, "{payload} {pointer}");
        }
    }

    #[test]
    fn what_is_not_json_is_refused_wherever_the_mistake_is() {
        for (payload, line, column) in [
            ("", 1, 0),
            ("{", 1, 1),
            (r#"{"type":"a"} x"#, 1, 14),
            ("{\n  \"type\": \"a\",\n  \"n\": 01\n}", 3, 9),
            (r#"{"type":"a",}"#, 1, 13),
            (r#"{"ignored":"\x"}"#, 1, 14),
            ("{\"ignored\":\"\u{1}\"}", 1, 12),
            (r#"{"ignored":tru}"#, 1, 15),
            ("\u{feff}{}", 1, 1),
        ] {
            for pointer in [Some("/type"), None] {
                match find(payload, pointer) {
                    Err(Malformed::Grammar(error)) => {
                        assert_eq!((error.line(), error.column()), (line, column), "{payload:?}: {error}");
                    }
                    other => panic!("{payload:?} {pointer:?}: {other:?}"),
                }
            }
        }
    }

    #[test]
    fn json_that_some_readers_cannot_hold_is_json() {
        for payload in [r#"{"half":"\ud83d"}"#, r#"{"n":1e999}"#, r#"{"n":123456789012345678901234567890}"#] {
            assert_eq!(find(payload, Some("/type")).expect(payload), Found::Nothing);
        }
    }

    #[test]
    fn depth_is_bounded_and_brackets_in_strings_do_not_count() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(find(&nested(DEPTH_MAX), None).is_ok());
        assert!(serde_json::from_str::<Value>(&nested(DEPTH_MAX)).is_ok(), "as deep as plugins read");
        assert!(matches!(find(&nested(DEPTH_MAX + 1), None), Err(Malformed::TooDeep)));
        assert!(serde_json::from_str::<Value>(&nested(DEPTH_MAX + 1)).is_err());
        let flat = format!("[{}1]", "[1],".repeat(1000));
        assert!(find(&flat, None).is_ok());
        let quoted = format!(r#"["\"{}\\"]"#, "[".repeat(1000));
        assert!(find(&quoted, None).is_ok());
        assert!(matches!(find(&"{\"a\":".repeat(200_000), None), Err(Malformed::TooDeep)), "a stack is not the limit");
    }

    fn json() -> impl Strategy<Value = Value> {
        let key = || {
            prop_oneof![
                Just("a".to_owned()),
                Just("b/".to_owned()),
                Just("c~".to_owned()),
                Just("0".to_owned()),
                any::<String>()
            ]
        };
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((key(), inner), 0..5)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    fn pointer() -> impl Strategy<Value = String> {
        let token = prop_oneof![
            Just("a".to_owned()),
            Just("b~1".to_owned()),
            Just("c~0".to_owned()),
            Just("0".to_owned()),
            Just("1".to_owned()),
            Just(String::new()),
        ];
        prop::collection::vec(token, 0..4).prop_map(|tokens| tokens.iter().map(|token| format!("/{token}")).collect())
    }

    fn in_tree<'a>(tree: &'a Value, pointer: &str) -> Found<'a> {
        match tree.pointer(pointer) {
            None => Found::Nothing,
            Some(Value::String(text)) => Found::Text(Cow::Borrowed(text)),
            Some(Value::Null) => Found::Other("null"),
            Some(Value::Bool(_)) => Found::Other("a boolean"),
            Some(Value::Number(_)) => Found::Other("a number"),
            Some(Value::Array(_)) => Found::Other("an array"),
            Some(Value::Object(_)) => Found::Other("an object"),
        }
    }

    proptest! {
        #[test]
        fn one_pass_finds_what_a_tree_would(tree in json(), pointer in pointer(), pretty in any::<bool>()) {
            let write = if pretty { serde_json::to_string_pretty } else { serde_json::to_string };
            let payload = write(&tree).expect("a tree is JSON");
            prop_assert_eq!(find(&payload, Some(&pointer)).expect("JSON"), in_tree(&tree, &pointer));
        }

        #[test]
        fn broken_payloads_are_refused_as_a_tree_would_refuse_them(tree in json(), at in any::<prop::sample::Index>(), by in any::<char>()) {
            let mut characters: Vec<_> = tree.to_string().chars().collect();
            let at = at.index(characters.len());
            characters[at] = by;
            let payload: String = characters.into_iter().collect();
            let (found, read) = (find(&payload, Some("/a")), serde_json::from_str::<Value>(&payload));
            match read {
                Ok(tree) => prop_assert_eq!(found.expect("JSON"), in_tree(&tree, "/a")),
                // A tree refuses two things that the grammar allows.
                Err(error) if error.to_string().contains("surrogate") || error.to_string().contains("out of range") => {}
                Err(_) => prop_assert!(found.is_err(), "{}", payload),
            }
        }
    }
}
